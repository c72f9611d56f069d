#!/usr/bin/python3
"""A daemon for tests of the gateways: speaks frames on a gateway's socket and answers by the method's name.

fake_daemon.py SOCKET

secauth.v1.Fake/NAME:
  Echo      the request
  Millis    the frame's millis, as text
  Peer      the PeerFacts of the peer that asks; of a local gateway's JSON: pid and uid at the descriptor's other end
  Seen      JSON: how many of each kind of frame this connection has brought, and the peers that are known now
  Late      the request, after 0.6 s
  Hang      nothing
  Swap      the first of two waits for the second: the second is answered first
  Denied    INVALID_CREDENTIALS, with a google.rpc.Status
  Limited   RATE_LIMITED, with RetryInfo of 1.5 s
  Large     a reply of 1 MiB
  Broken    a frame of another version
  Leave     the connection ends
  any other UNIMPLEMENTED
So does every method of every other service. A frame that docs/protocol.md forbids ends the process, with status 3.
"""
import asyncio
import collections
import json
import os
import socket
import struct
import sys

HEADER = struct.Struct(">IBBHIIIHHQ")
REQUEST, REPLY, CANCEL, PEER, PEER_GONE = 1, 2, 5, 6, 7
KINDS = {REQUEST: "REQUEST", CANCEL: "CANCEL", PEER: "PEER", PEER_GONE: "PEER_GONE"}
OK, INVALID_CREDENTIALS, RATE_LIMITED, UNIMPLEMENTED = 1, 3, 9, 23


def field(number, value):
    """A length-delimited or varint field of protobuf, by hand: this daemon trusts no library that it tests."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def varint(value):
    out = bytearray()
    while value > 0x7f:
        out.append(value & 0x7f | 0x80)
        value >>= 7
    return bytes(out + bytes([value]))


def status(code, words, reason, retry_ms=0):
    """A google.rpc.Status with ErrorInfo, and RetryInfo."""
    info = field(1, reason) + field(2, b"secauth")
    details = field(3, field(1, b"type.googleapis.com/google.rpc.ErrorInfo") + field(2, info))
    if retry_ms:
        delay = field(1, retry_ms // 1000) + field(2, retry_ms % 1000 * 1000000)
        details += field(3, field(1, b"type.googleapis.com/google.rpc.RetryInfo") + field(2, field(1, delay)))
    return field(1, code) + field(2, words) + details


def broken(why):
    print("fake daemon: broken frame:", why, file=sys.stderr, flush=True)
    os._exit(3)


def who(descriptor):
    """The other end of a connection that was passed."""
    with socket.socket(fileno=descriptor) as connection:
        pid, uid, _ = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    return json.dumps({"pid": pid, "uid": uid}).encode()


class Connection:
    def __init__(self, connection):
        self.connection, self.waiting, self.rest, self.passed = connection, bytearray(), b"", []
        self.peers, self.seen, self.open, self.swap = {}, collections.Counter(), set(), None

    def reply(self, call, number, body=b"", millis=0, version=1):
        if call not in self.open:
            return
        self.open.discard(call)
        self.waiting += HEADER.pack(28 + len(body), version, REPLY, number, call, millis, 0, 0, 0, 7) + body
        self.flush()

    def flush(self):
        """Send what the gateway takes; the rest when it takes more."""
        loop = asyncio.get_running_loop()
        try:
            del self.waiting[:self.connection.send(self.waiting)]
        except BlockingIOError:
            pass
        except OSError:
            self.waiting.clear()
        if self.waiting:
            loop.add_writer(self.connection, self.flush)
        else:
            loop.remove_writer(self.connection)

    async def read(self, length):
        """The next bytes; descriptors that come with them are kept."""
        loop = asyncio.get_running_loop()
        while len(self.rest) < length:
            try:
                more, descriptors, *_ = socket.recv_fds(self.connection, 65536, 8)
            except BlockingIOError:
                readable = loop.create_future()
                loop.add_reader(self.connection, lambda: readable.done() or readable.set_result(None))
                await readable
                loop.remove_reader(self.connection)
                continue
            if not more:
                raise EOFError
            self.rest, self.passed = self.rest + more, self.passed + descriptors
        taken, self.rest = self.rest[:length], self.rest[length:]
        return taken

    def request(self, call, peer, millis, name, body):
        if call in self.open:
            broken(f"call {call} is open already")
        if not 1 <= millis <= 60000:
            broken(f"millis {millis}")
        self.open.add(call)
        loop = asyncio.get_running_loop()
        method = name.removeprefix("secauth.v1.Fake/")
        if peer not in self.peers:
            broken(f"peer {peer} was never told, or is gone")
        if method == "Echo":
            self.reply(call, OK, body)
        elif method == "Millis":
            self.reply(call, OK, str(millis).encode())
        elif method == "Peer":
            self.reply(call, OK, self.peers[peer])
        elif method == "Seen":
            self.reply(call, OK, json.dumps({**self.seen, "peers": len(self.peers), "open": len(self.open)}).encode())
        elif method == "Late":
            loop.call_later(0.6, self.reply, call, OK, body)
        elif method == "Hang":
            pass
        elif method == "Swap" and self.swap is None:
            self.swap = (call, body)
        elif method == "Swap":
            (first, text), self.swap = self.swap, None
            self.reply(call, OK, body)
            loop.call_later(0.1, self.reply, first, OK, text)
        elif method == "Denied":
            self.reply(call, INVALID_CREDENTIALS, status(16, b"authentication failed", b"INVALID_CREDENTIALS"))
        elif method == "Limited":
            self.reply(call, RATE_LIMITED, status(8, b"too many failures", b"RATE_LIMITED", 1500), 1500)
        elif method == "Large":
            self.reply(call, OK, bytes(1024 * 1024))
        elif method == "Broken":
            self.reply(call, OK, b"", version=2)
        elif method == "Leave":
            self.connection.shutdown(socket.SHUT_RDWR)
        else:
            self.reply(call, UNIMPLEMENTED, status(12, b"no such method", b"UNIMPLEMENTED"))

    async def frame(self):
        header = await self.read(HEADER.size)
        length, version, kind, number, call, millis, peer, name_len, flags, request_id = HEADER.unpack(header)
        body_len = length - 28 - name_len
        if version != 1 or kind not in KINDS or number or flags or request_id or not 0 <= body_len <= 65536:
            broken(header.hex())
        if (kind == REQUEST) != (0 < name_len <= 128):
            broken(header.hex())
        if kind in (PEER, PEER_GONE) and (call or millis or not peer) or kind in (CANCEL, PEER_GONE) and body_len:
            broken(header.hex())
        name = (await self.read(name_len)).decode()
        body = await self.read(body_len)
        self.seen[KINDS[kind]] += 1
        if kind == REQUEST:
            self.request(call, peer, millis, name, body)
        elif kind == CANCEL:
            self.open.discard(call)
        elif kind == PEER:
            if bool(body) == bool(self.passed):
                broken(f"peer {peer} with {len(self.passed)} descriptors and {len(body)} bytes")
            self.peers[peer] = body or who(self.passed.pop(0))
        elif self.peers.pop(peer, None) is None:
            broken(f"PEER_GONE for {peer}, which is not known")
        if len(self.passed) > 2:
            broken("descriptors without their PEER")

    async def serve(self):
        try:
            while True:
                await self.frame()
        except (EOFError, OSError):
            asyncio.get_running_loop().remove_writer(self.connection)
            self.connection.close()


async def main(path):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    if os.path.exists(path):
        os.unlink(path)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    os.chmod(path, 0o666)
    listener.listen(100)
    listener.setblocking(False)
    tasks = set()
    while True:
        connection, _ = await asyncio.get_running_loop().sock_accept(listener)
        connection.setblocking(False)
        tasks.add(asyncio.create_task(Connection(connection).serve()))


asyncio.run(main(sys.argv[1]))

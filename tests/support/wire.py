"""For Python tests in a private host: calls to the daemon's sockets, with messages by Debian's protobuf.

    from wire import *
    with Daemon() as root, Daemon(USER_SOCKET, uid=2001) as alice:
        status, reply = root.call("User/CreateUser", user={"name": "alice", "uid": {"id": 2001}}, password=b"...")
        must(root.call("Token/IssueToken", client=..., tokens=...))     # the reply; an error where it is not OK

A request's fields are keywords. Statuses are the names of proto/status.def. One connection is for one thread.
Part scripts end with `run_part()`: `x.py PART [ARGUMENT...]` calls the function PART. What one part does `save(name=...)`
a later one has in `load()`, bytes as text.
"""
import importlib
import json
import os
import pathlib
import re
import socket
import struct
import subprocess
import sys
import tempfile

from passed import Caller

PROJECT = pathlib.Path(__file__).resolve().parents[2]
ROOT_SOCKET, USER_SOCKET = "/run/secauth/root/root.sock", "/run/secauth/user.sock"
HEADER = struct.Struct(">IBBHIIIHHQ")
STATUS = {int(wire): name for name, wire in
          re.findall(r"^STATUS\((\w+), +(\d+),", (PROJECT / "proto/status.def").read_text(), re.M)}


def _messages():
    """Every message of the contract, and those of google.rpc, by its name."""
    protos = sorted(str(p.relative_to(PROJECT / "proto")) for p in (PROJECT / "proto").rglob("*.proto"))
    found = {}
    with tempfile.TemporaryDirectory() as out:
        subprocess.run(["protoc", f"-I{PROJECT}/proto", f"--python_out={out}", *protos], check=True)
        sys.path.insert(0, out)
        for proto in protos:
            module = importlib.import_module(proto.removesuffix(".proto").replace("/", ".") + "_pb2")
            found |= {name: getattr(module, name) for name in module.DESCRIPTOR.message_types_by_name}
        sys.path.remove(out)
    return found


MESSAGES = _messages()


class Daemon:
    """A connection; the kernel tells the daemon the effective uid of the moment in which it is made."""

    def __init__(self, path=ROOT_SOCKET, uid=0, timeout=30):
        self.socket, self.last, self.peer = socket.socket(socket.AF_UNIX), 0, 0
        self.socket.settimeout(timeout)
        os.seteuid(uid)
        try:
            self.socket.connect(path)
        finally:
            os.seteuid(0)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, method, millis=25000, **fields):
        service, rpc = method.split("/")
        name = f"secauth.v1.{service}Service/{rpc}".encode()
        body = MESSAGES[rpc + "Request"](**fields).SerializeToString()
        self.last += 1
        header = HEADER.pack(28 + len(name) + len(body), 1, 1, 0, self.last, millis, self.peer, len(name), 0, 0)
        self.socket.sendall(header + name + body)
        return MESSAGES[rpc + "Response"]

    def tell(self, peer, uid=None, **facts):
        """On a gateway's socket: from now on the calls are this peer's. `uid`: of a local gateway, this process's."""
        body, self.peer = MESSAGES["PeerFacts"](**facts).SerializeToString(), peer
        frame = HEADER.pack(28 + len(body), 1, 6, 0, 0, 0, peer, 0, 0, 0) + body
        if uid is None:
            self.socket.sendall(frame)
        else:
            self.caller = Caller(uid)
            self.caller.tell(self.socket, frame)

    def read(self, length):
        data = b""
        while len(data) < length:
            more = self.socket.recv(length - len(data))
            if not more:
                raise ConnectionError("the daemon has closed the connection")
            data += more
        return data

    def receive(self, kind):
        """(status, reply); the reply is None where the status is not OK."""
        length, _, _, status, _, _, _, _, _, _ = HEADER.unpack(self.read(32))
        body = self.read(length - 28)
        return STATUS[status], kind.FromString(body) if STATUS[status] == "OK" else None

    def call(self, method, **fields):
        return self.receive(self.send(method, **fields))

    def next(self, kind):
        """Of a stream that `send` began: (None, message), or the status that ends it and None."""
        length, _, frame, status, _, _, _, _, _, _ = HEADER.unpack(self.read(32))
        body = self.read(length - 28)
        assert frame in (3, 4), frame
        return (None, kind.FromString(body)) if frame == 3 else (STATUS[status], None)


def must(answer):
    status, reply = answer
    assert status == "OK", status
    return reply


KEPT = "/run/t/kept.json"


def load():
    with open(KEPT, encoding="ascii") as file:
        return json.load(file)


def save(**more):
    state = load() if os.path.exists(KEPT) else {}
    more = {name: value.decode() if isinstance(value, bytes) else value for name, value in more.items()}
    with open(KEPT, "w", encoding="ascii") as file:
        json.dump(state | more, file)


def run_part():
    globals_of_part = sys.modules["__main__"].__dict__
    globals_of_part[sys.argv[1]](*sys.argv[2:])

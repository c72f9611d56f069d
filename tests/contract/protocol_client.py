"""A client of secauthd written from docs/protocol.md, for protocol.test: speaks well, and badly.

protocol_client.py FOLDER         prints the names of its parts
protocol_client.py FOLDER PART    runs one; exits 0 where all is as the page says
FOLDER holds what protoc --python_out made of proto/. Runs as root in a private host with the daemon.
"""
import contextlib
import os
import random
import re
import select
import socket
import struct
import sys
import time

sys.path.insert(0, sys.argv[1])
import google  # noqa: E402  a package of the library's own: what was made from proto/google is found beside it
google.__path__.append(os.path.join(sys.argv[1], "google"))
from google.rpc import error_details_pb2, status_pb2  # noqa: E402
from secauth.v1 import (api_key_pb2, audit_pb2, authn_pb2, client_pb2, host_pb2, key_pb2, lockout_pb2,  # noqa: E402
                        mfa_pb2, session_pb2, signing_key_pb2, token_pb2, user_pb2)

HEADER = struct.Struct(">IBBHIIIHHQ")
REQUEST, REPLY, ITEM, END, CANCEL, PEER, PEER_GONE = range(1, 8)
ROOT, USER = "/run/secauth/root/root.sock", "/run/secauth/user.sock"
ALICE = 2001
MODULES = [api_key_pb2, audit_pb2, authn_pb2, client_pb2, host_pb2, key_pb2, lockout_pb2, mfa_pb2, session_pb2,
           signing_key_pb2, token_pb2, user_pb2]
KEYS, STATUS = "secauth.v1.KeyService/GetKeySet", "secauth.v1.HostService/GetStatus"


def status_table():
    """The page's own: name -> (wire, gRPC code, reason)."""
    with open("docs/protocol.md") as page:
        rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in page if line.startswith("| ")]
    return {row[0]: (int(row[1]), int(row[2]), row[6]) for row in rows if len(row) == 8 and row[1].isdigit()}


TABLE = status_table()
NAMES = {wire: name for name, (wire, _, _) in TABLE.items() if 0 < wire < 100}


def frame(kind=REQUEST, name=b"", body=b"", call=1, millis=None, **other):
    """A frame; any field of the header can be told otherwise."""
    name = name.encode() if isinstance(name, str) else name
    said = {"length": 28 + len(name) + len(body), "version": 1, "status": 0, "peer": 0, "name_len": len(name),
            "flags": 0, "request_id": 0, **other}
    millis = (8000 if kind == REQUEST else 0) if millis is None else millis
    return HEADER.pack(said["length"], said["version"], kind, said["status"], call, millis, said["peer"],
                       said["name_len"], said["flags"], said["request_id"]) + name + body


class Connection:
    def __init__(self, path=ROOT, uid=0):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(15)
        os.seteuid(uid)
        try:
            self.socket.connect(path)
        finally:
            os.seteuid(0)
        _, listener, _ = struct.unpack("3i", self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
        assert listener == 0, "root listens"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def read(self, length):
        data = b""
        while len(data) < length:
            more = self.socket.recv(length - len(data))
            if not more:
                raise EOFError
            data += more
        return data

    def reply(self, streams=False):
        """One reply, or the first of a stream: (call, name of the status, body, request id, retry delay)."""
        length, version, kind, status, call, millis, peer, name_len, flags, request_id = HEADER.unpack(self.read(32))
        assert (version, peer, name_len, flags) == (1, 0, 0, 0) and 28 <= length <= 28 + 2**20
        assert kind == ((ITEM if NAMES[status] == "OK" else END) if streams else REPLY)
        assert request_id != 0, "a reply names its call in the log"
        return call, NAMES[status], self.read(length - 28), request_id, millis

    def ask(self, name, request=b"", **other):
        body = request if isinstance(request, bytes) else request.SerializeToString()
        self.send(frame(REQUEST, name, body, **other))
        streams = "/Watch" in str(name)
        call, status, body, _, millis = self.reply(streams)
        assert call == other.get("call", 1)
        if streams and status == "OK":
            self.send(frame(CANCEL, call=call))
        if status != "OK":
            self.check_error(status, body, millis)
        return status, body

    @staticmethod
    def check_error(status, body, millis):
        _, code, reason = TABLE[status]
        said = status_pb2.Status.FromString(body)
        assert said.code == code and said.message, f"{status}: {said}"
        details = {detail.type_url.split("/")[1]: detail.value for detail in said.details}
        info = error_details_pb2.ErrorInfo.FromString(details["google.rpc.ErrorInfo"])
        assert (info.reason, info.domain) == (reason, "secauth"), f"{status}: {info}"
        assert ("google.rpc.RetryInfo" in details) == (millis != 0)

    def is_over(self):
        """The daemon has closed, and said nothing."""
        try:
            return self.socket.recv(1) == b""
        except ConnectionResetError:
            return True


def violation(body):
    for detail in status_pb2.Status.FromString(body).details:
        if detail.type_url == "type.googleapis.com/google.rpc.BadRequest":
            return error_details_pb2.BadRequest.FromString(detail.value).field_violations[0].field
    return None


def methods():
    for module in MODULES:
        for service in module.DESCRIPTOR.services_by_name.values():
            for method in service.methods:
                yield f"{service.full_name}/{method.name}", getattr(module, method.input_type.name)


def a_call_has_its_reply():
    with Connection() as c:
        status, body = c.ask(KEYS)
        assert status == "OK" and key_pb2.GetKeySetResponse.FromString(body).jwks.startswith(b"{")
        status, body = c.ask(STATUS)
        assert status == "OK" and host_pb2.GetStatusResponse.FromString(body).version
    with Connection(USER, ALICE) as c:
        assert c.ask(KEYS)[0] == "OK"


def the_pages_own_client_works():
    with open("docs/protocol.md") as page:
        code = re.search(r"```python\n(.*?)```", page.read(), re.S)[1]
    found = {}
    os.seteuid(ALICE)
    exec(code, found)
    os.seteuid(0)
    assert found["status"] == 1 and found["keys"].jwks


def pipelined_calls_are_all_answered():
    with Connection() as c:
        c.send(b"".join(frame(name=STATUS if i % 2 else KEYS, call=1000 + i) for i in range(60)))
        replies = [c.reply() for _ in range(60)]
        assert sorted(reply[0] for reply in replies) == list(range(1000, 1060))
        assert {reply[1] for reply in replies} == {"OK"}
        assert len({reply[3] for reply in replies}) == 60, "each has a request id of its own"
        # A slow denial does not hold up what was asked after it.
        begin = authn_pb2.BeginAuthenticationRequest(user=b"nobody-here", password=b"wrong", origin={"service": "test"})
        c.send(frame(name="secauth.v1.AuthnService/BeginAuthentication", body=begin.SerializeToString(), call=1)
               + frame(name=KEYS, call=2))
        assert [c.reply()[0], c.reply()[0]] == [2, 1]


def frames_may_come_in_pieces():
    with Connection() as c:
        for byte in frame(name=KEYS) + frame(name=STATUS, call=2):
            c.send(bytes([byte]))
        assert {c.reply()[0], c.reply()[0]} == {1, 2}


def unknown_methods_are_unimplemented():
    names = [b"x", b"secauth.v1.KeyService/getKeySet", b"/secauth.v1.KeyService/GetKeySet", b"secauth.v1.KeyService/",
             b"a" * 128, b"\0", b"\xff\xfe", KEYS.encode() + b"\0", b"x\nFORGED line",
             b"x\r\nFORGED", b"../../etc/passwd"]
    for path, uid in [(ROOT, 0), (USER, ALICE)]:
        with Connection(path, uid) as c:
            for name in names:
                assert c.ask(name)[0] == "UNIMPLEMENTED", name
            assert c.ask(KEYS)[0] == "OK"


def methods_of_another_socket_are_denied():
    with Connection() as c:
        assert c.ask("secauth.v1.TokenService/IssueAttestedToken")[0] == "PERMISSION_DENIED"
    with Connection(USER, ALICE) as c:
        for name in ["SessionService/OpenSession", "UserService/ListUsers", "UserService/CreateUser",
                     "AuditService/ListAuditRecords", "ClientService/CreateClient"]:
            assert c.ask("secauth.v1." + name, b"\xff not even a message")[0] == "PERMISSION_DENIED", name
        assert c.ask(KEYS)[0] == "OK"


def root_has_no_business_on_the_user_socket():
    with Connection(USER, 0) as c:
        assert c.is_over()
    for path in [ROOT, "/run/secauth/root"]:
        try:
            Connection(path, ALICE)
        except PermissionError:
            continue
        raise AssertionError("root.sock is open to others")


def illegal_headers_end_the_connection():
    name = KEYS.encode()
    bad = [frame(name=name, version=0), frame(name=name, version=2), frame(kind=0, name=name), frame(kind=8, name=name),
           frame(name=name, flags=1), frame(name=name, flags=0x8000), frame(name=name, status=1),
           frame(name=name, request_id=7), frame(name=name, peer=1), frame(), frame(name=b"a" * 129),
           frame(name=name, length=0), frame(name=name, length=27), frame(name=name, length=28 + len(name) - 1),
           frame(name=name, length=28 + len(name) + 65537), frame(name=name, length=2**32 - 1),
           frame(kind=REPLY, status=1), frame(kind=ITEM, status=1), frame(kind=END, status=1), frame(kind=REPLY),
           frame(kind=PEER, call=0, peer=1), frame(kind=PEER_GONE, call=0, peer=1), frame(kind=CANCEL, body=b"x"),
           frame(kind=CANCEL, name=name), frame(kind=CANCEL, millis=8000), frame(kind=CANCEL, peer=3)]
    for data in bad:
        for before in [b"", frame(name=KEYS, call=9)]:
            with Connection() as c:
                c.send(before + data)
                if before:  # what was right may still be answered
                    with contextlib.suppress(EOFError, ConnectionResetError):
                        assert c.reply()[0] == 9
                assert c.is_over(), data.hex()


def garbage_ends_the_connection():
    chance = random.Random(1)
    for data in [b"GET / HTTP/1.1\r\nHost: x\r\n\r\nFORGED\n" + b"x" * 32, b"\0" * 64, b"\xff" * 64,
                 b"\x16\x03\x01" + b"\0" * 64, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0" * 40,
                 *(chance.randbytes(200) for _ in range(50))]:
        for path, uid in [(ROOT, 0), (USER, ALICE)]:
            with Connection(path, uid) as c:
                with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                    c.send(data)
                assert c.is_over(), data.hex()


def truncated_frames_are_no_calls():
    whole = frame(name=KEYS)
    for length in [1, 4, 31, 32, 40, len(whole) - 1]:
        with Connection() as c:
            c.send(whole[:length])
            c.socket.shutdown(socket.SHUT_WR)
            assert c.is_over(), length
        with Connection() as c:
            c.send(whole[:length])  # and gone


def slow_frames_are_cut_after_five_seconds():
    whole = frame(name=KEYS)
    with Connection() as stalls, Connection() as drips, Connection() as idles:
        start = time.monotonic()
        stalls.send(whole[:40])
        ends, drip = {}, iter(whole[:-1])
        while len(ends) < 2 and time.monotonic() < start + 9:
            if drips not in ends and time.monotonic() < start + 8:
                with contextlib.suppress(StopIteration, BrokenPipeError, ConnectionResetError):
                    drips.send(bytes([next(drip)]))
            waiting = [c for c in (stalls, drips) if c not in ends]
            for ready in select.select([c.socket for c in waiting], [], [], 0.25)[0]:
                c = next(c for c in waiting if c.socket is ready)
                assert c.is_over()
                ends[c] = time.monotonic() - start
        assert len(ends) == 2 and all(4.5 < end < 7.5 for end in ends.values()), list(ends.values())
        assert idles.ask(KEYS)[0] == "OK", "a connection may be idle"


def a_request_over_its_methods_limit_is_too_large():
    with Connection() as c:
        assert c.ask(KEYS, b"\xfa\x3f\xfd\x01" + b"x" * 253)[0] == "TOO_LARGE"  # 257 bytes, an unknown field
        assert c.ask(KEYS, b"\xfa\x3f\xfc\x01" + b"x" * 252)[0] == "OK"  # 256
        assert c.ask(KEYS, b"\xfa\x3f\xfc\xff\x03" + b"x" * 65531)[0] == "TOO_LARGE"  # 65,536
        assert c.ask(KEYS)[0] == "OK"


def requests_that_break_a_rule_name_the_field():
    get, create = "secauth.v1.UserService/GetUser", "secauth.v1.UserService/CreateUser"
    cases = [(get, b"\x0a\x01a\x0a\x01a", "name"), (get, b"\x0a\x05FORG\n", "name"), (get, b"\x0a\x01\xff", "name"),
             (get, b"\x0a\x03a\0b", "name"), (get, b"\x08\x01", "name"), (get, b"\x0a\x05abc", "name"),
             (create, b"\x0a\x05\x22\x03a\nb", "user.full_name"), (create, b"\x0a\x04\x12\x02\x08\x80", "user.uid.id"),
             (get, b"\x0b\x0c", ""), (get, b"\x00\x00", ""), (get, b"\x80", ""), (create, b"\x38\x01" * 257, "")]
    with Connection() as c:
        for name, body, field in cases:
            status, answer = c.ask(name, body)
            assert (status, violation(answer)) == ("INVALID_ARGUMENT", field), (body.hex(), status, violation(answer))


def time_that_is_up_is_a_deadline():
    with Connection() as c:
        assert c.ask(STATUS, millis=0)[0] == "DEADLINE"
        assert c.ask(STATUS, millis=2**32 - 1)[0] == "OK"


def call_numbers_are_unique_and_cancel_frees_them():
    begin = authn_pb2.BeginAuthenticationRequest(user=b"nobody-here", password=b"wrong", origin={"service": "test"})
    denied = frame(name="secauth.v1.AuthnService/BeginAuthentication", body=begin.SerializeToString(), call=5)
    with Connection() as c:
        c.send(denied + denied)
        assert c.is_over()
    with Connection() as c:
        c.send(denied + frame(kind=CANCEL, call=5) + frame(kind=CANCEL, call=77) + frame(name=KEYS, call=5))
        call, status, body, *_ = c.reply()
        assert (call, status) == (5, "OK") and key_pb2.GetKeySetResponse.FromString(body).jwks
        c.socket.settimeout(1)
        with contextlib.suppress(TimeoutError):
            raise AssertionError(f"a reply to a cancelled call: {c.reply()}")


def read_stream(c):
    """The next frame of a stream: (kind, status, body)."""
    length, _, kind, status, _, _, _, _, _, request_id = HEADER.unpack(c.read(32))
    assert request_id != 0
    return kind, NAMES[status], c.read(length - 28)


def a_stream_has_items_and_its_connection():
    watch, revocations = "secauth.v1.KeyService/WatchKeySet", "secauth.v1.KeyService/WatchRevocations"
    with Connection() as c:
        c.send(frame(name=watch, call=9))
        begun, keys = time.monotonic(), []
        for _ in range(2):  # it says that it lives, at least every 10 s
            kind, status, body = read_stream(c)
            assert (kind, status) == (ITEM, "OK")
            keys.append(key_pb2.WatchKeySetResponse.FromString(body))
        assert keys[0] == keys[1] and keys[0].jwks and time.monotonic() < begun + 10
        c.send(frame(kind=CANCEL, call=9))
        assert c.ask(KEYS)[0] == "OK", "after CANCEL it is a connection like any other"
        request = key_pb2.WatchRevocationsRequest(incarnation="x" * 32, sequence=1)
        c.send(frame(name=revocations, body=request.SerializeToString(), call=9))
        kind, status, body = read_stream(c)
        assert (kind, status) == (END, "OUT_OF_RANGE")
        c.check_error(status, body, 0)
        assert c.ask(KEYS)[0] == "OK", "after END too"
        c.send(frame(name=watch, call=1) + frame(name=KEYS, call=2))
        with contextlib.suppress(EOFError):
            assert read_stream(c)[0] == ITEM
            c.read(1)
            raise AssertionError("a call beside a stream was answered")


def fill(message, depth=0):
    """Something in every field."""
    for field in message.DESCRIPTOR.fields:
        value = getattr(message, field.name)
        if field.label == field.LABEL_REPEATED:
            if field.message_type:
                fill(value.add(), depth + 1)
            else:
                value.append(sample(field))
        elif field.message_type:
            value.SetInParent()
            fill(value, depth + 1)
        else:
            setattr(message, field.name, sample(field))
    return message


def sample(field):
    if field.enum_type:
        return field.enum_type.values[-1].number
    return {field.CPPTYPE_STRING: "x" if field.type == field.TYPE_STRING else b"x", field.CPPTYPE_BOOL: True}.get(
        field.cpp_type, 1)


def without_one(kind):
    """The message with every field set, then with each of them missing, however deep."""
    def holes(message):
        for field, value in message.ListFields():
            yield lambda m, f=field.name: m.ClearField(f)
            inner = value[0] if field.label == field.LABEL_REPEATED and field.message_type else value
            if field.message_type:
                for hole in holes(inner):
                    yield lambda m, f=field.name, r=field.label == field.LABEL_REPEATED, h=hole: h(
                        getattr(m, f)[0] if r else getattr(m, f))
    whole = fill(kind())
    yield kind()
    for hole in holes(whole):
        message = kind()
        message.CopyFrom(whole)
        hole(message)
        yield message


def every_missing_field_has_a_status_of_its_own():
    writes = re.compile(r"/(Create|Import|Set|Delete|Remove|Issue|Refresh|Begin|Open|Change|RevokeS)")
    asked = 0
    for path, uid in [(ROOT, 0), (USER, ALICE)]:
        with Connection(path, uid) as c:
            for name, kind in methods():
                for message in without_one(kind):
                    status, _ = c.ask(name, message)
                    assert status not in ("INTERNAL", "UNIMPLEMENTED", "STORAGE", "OVERLOADED"), (name, status, message)
                    empty = not message.ListFields()
                    assert not (empty and status == "OK" and writes.search(name)), f"{name} does something with nothing"
                    asked += 1
    assert asked > 300, asked


PARTS = [a_call_has_its_reply, the_pages_own_client_works, pipelined_calls_are_all_answered, frames_may_come_in_pieces,
         unknown_methods_are_unimplemented, methods_of_another_socket_are_denied,
         root_has_no_business_on_the_user_socket, illegal_headers_end_the_connection, garbage_ends_the_connection,
         truncated_frames_are_no_calls, slow_frames_are_cut_after_five_seconds,
         a_request_over_its_methods_limit_is_too_large, requests_that_break_a_rule_name_the_field,
         time_that_is_up_is_a_deadline, call_numbers_are_unique_and_cancel_frees_them,
         a_stream_has_items_and_its_connection, every_missing_field_has_a_status_of_its_own]

if __name__ == "__main__":
    if len(sys.argv) == 2:
        print(*(part.__name__ for part in PARTS), sep="\n")
    else:
        next(part for part in PARTS if part.__name__ == sys.argv[2])()

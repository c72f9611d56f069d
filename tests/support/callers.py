"""For Python tests in a private host: callers of every door, all of whom can have asked before the first is answered.

    from callers import *                   # what wire.py has, and:
    doors = Doors()                         # needs the daemon and both gateways (tests/support/daemon.sh)
    answers = doors.at_once("mixed", 100, "Token/RefreshToken", client={...}, refresh_token=b"...")
    answer = doors.ask("tls", "Token/RefreshToken", ...)
    register(doors)                         # alice, bob; P1, public; C1 and C2 with secrets; demo, which owns demo
    client = auth("C1")                     # the ClientAuth of one of them, in any script that follows

DOOR is root, user (alice's uid), local, tls, or mixed: all of them in turn. An Answer has the reason ("OK", or what
google.rpc.ErrorInfo names over gRPC and the status over a socket), the reply where it is OK, whether there was a hint when
to try again, and the words.
"""
import base64
import json
import os
import sqlite3
import sys
from typing import NamedTuple

import grpc

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
from wire import *  # noqa: E402,F403
from wire import HEADER, MESSAGES, ROOT_SOCKET, STATUS, USER_SOCKET, Daemon  # noqa: E402

ALICE = 2001
LOCAL_SOCKET = "/run/secauth-grpc/local.sock"
PASSWORD = b"correct horse battery"
CALLERS_A_CHANNEL = 10
SECONDS = 25
UNREACHABLE = "UNREACHABLE"  # the connection broke, or there is none: nobody can know what became of the call


class Answer(NamedTuple):
    reason: str
    reply: object
    hinted: bool
    words: str = ""
    field: str = ""  # that breaks a rule


class SocketCaller:
    """One caller on a socket of the daemon, with a connection of its own."""

    def __init__(self, path=ROOT_SOCKET, uid=0):
        self.connection = Daemon(path, uid, timeout=SECONDS + 10)

    def start(self, rpc, body):
        service, method = rpc.split("/")
        name = f"secauth.v1.{service}Service/{method}".encode()
        self.kind = MESSAGES[method + "Response"]
        self.connection.last += 1
        header = HEADER.pack(28 + len(name) + len(body), 1, 1, 0, self.connection.last, SECONDS * 1000, 0, len(name), 0, 0)
        self.broken = False
        try:
            self.connection.socket.sendall(header + name + body)
        except OSError:
            self.broken = True

    def finish(self):
        try:
            if self.broken:
                raise ConnectionError
            length, _, _, status, _, millis, *_ = HEADER.unpack(self.connection.read(32))
            body = self.connection.read(length - 28)
        except OSError:
            return Answer(UNREACHABLE, None, False)
        granted = STATUS[status] == "OK"
        if granted:
            return Answer("OK", self.kind.FromString(body), False)
        said = MESSAGES["Status"].FromString(body)
        return Answer(STATUS[status], None, millis > 0, said.message, field_of(said))

    def close(self):
        self.connection.socket.close()


class GrpcCaller:
    """One caller of a gateway, on a channel that some others may share."""

    def __init__(self, channel):
        self.channel = channel

    def start(self, rpc, body):
        service, method = rpc.split("/")
        self.kind = MESSAGES[method + "Response"]
        call = self.channel.unary_unary(f"/secauth.v1.{service}Service/{method}")
        self.call = call.future(body, timeout=SECONDS, wait_for_ready=False)

    def finish(self):
        try:
            return Answer("OK", self.kind.FromString(self.call.result()), False)
        except grpc.RpcError as error:
            return answer_of(error)

    def close(self):
        self.channel.close()


def field_of(status):
    """What google.rpc.BadRequest names, where there is one."""
    for detail in status.details:
        if detail.type_url.endswith("/google.rpc.BadRequest"):
            return MESSAGES["BadRequest"].FromString(detail.value).field_violations[0].field
    return ""


def answer_of(error):
    metadata = dict(error.trailing_metadata() or ())
    reason, hinted = UNREACHABLE if error.code() == grpc.StatusCode.UNAVAILABLE else error.code().name, False
    for detail in MESSAGES["Status"].FromString(metadata.get("grpc-status-details-bin", b"")).details:
        if detail.type_url.endswith("/google.rpc.ErrorInfo"):
            reason = MESSAGES["ErrorInfo"].FromString(detail.value).reason
        hinted |= detail.type_url.endswith("/google.rpc.RetryInfo")
    return Answer(UNREACHABLE if reason in ("CONNECTION", "NO_DAEMON") else reason, None, hinted, error.details())


def channel_of(door, target=None):
    """A connected channel. The kernel tells the local gateway who connects: alice, since root is not served there."""
    options = [("grpc.use_local_subchannel_pool", 1), ("grpc.enable_retries", 0)]
    if door == "tls":
        with open("/run/t/ca.pem", "rb") as file:
            trust = grpc.ssl_channel_credentials(file.read())
        channel = grpc.secure_channel(target or "localhost:7443", trust, options)
    else:
        channel = grpc.insecure_channel(target or f"unix:{LOCAL_SOCKET}", options)
    os.seteuid(ALICE if door == "local" else 0)
    try:
        grpc.channel_ready_future(channel).result(10)
    finally:
        os.seteuid(0)
    return channel


class Doors:
    ALL = ("root", "user", "local", "tls")

    def __init__(self):
        self.callers = {door: [] for door in self.ALL}

    def _new(self, door):
        if door in ("root", "user"):
            return SocketCaller(*((ROOT_SOCKET, 0) if door == "root" else (USER_SOCKET, ALICE)))
        there = len(self.callers[door])
        return GrpcCaller(channel_of(door) if there % CALLERS_A_CHANNEL == 0 else self.callers[door][-1].channel)

    def some(self, door, count):
        """So many callers of a door; of `mixed`: of all in turn."""
        if door == "mixed":
            each = [self.some(one, -(-count // len(self.ALL))) for one in self.ALL]
            return [caller for row in zip(*each) for caller in row][:count]
        while len(self.callers[door]) < count:
            self.callers[door].append(self._new(door))
        return self.callers[door][:count]

    def at_once(self, door, count, rpc, **fields):
        body = MESSAGES[rpc.split("/")[1] + "Request"](**fields).SerializeToString()
        callers = self.some(door, count)
        for caller in callers:
            caller.start(rpc, body)
        return [caller.finish() for caller in callers]

    def ask(self, door, rpc, **fields):
        return self.at_once(door, 1, rpc, **fields)[0]

    def reply(self, door, rpc, **fields):
        answer = self.ask(door, rpc, **fields)
        assert answer.reason == "OK", f"{rpc} through {door}: {answer.reason}"
        return answer.reply

    def login(self, client_id, user="alice", audience="demo", door="tls"):
        return self.reply(door, "Authn/BeginAuthentication", user=user.encode(), password=PASSWORD,
                          client={"client_id": client_id}, tokens={"audiences": [audience]}).grant

    def forget(self, *doors):
        """Begin anew, where the other end has gone."""
        for door in doors or self.ALL:
            for caller in self.callers[door]:
                caller.close()
            self.callers[door] = []


# ---- people and clients ----

CLIENTS = "/run/t/clients.json"
STORE = "/var/lib/secauth/store/secauth.db"
CREDENTIALS, REFRESH, CONFIDENTIAL, PUBLIC = 1, 2, 1, 2


def register(doors, **public):
    """`public` goes into the public client's record, e.g. grace={"value": 3}."""
    demo = [{"audience": "demo", "scopes": ["read", "write"]}]
    rows = [{"client_id": "P1", "kind": PUBLIC, "grants": [REFRESH], "login": True, "audiences": demo, **public},
            {"client_id": "C1", "kind": CONFIDENTIAL, "grants": [CREDENTIALS, REFRESH], "audiences": demo},
            {"client_id": "C2", "kind": CONFIDENTIAL, "grants": [CREDENTIALS, REFRESH], "audiences": demo},
            {"client_id": "demo", "kind": CONFIDENTIAL, "grants": [CREDENTIALS], "audiences_owned": ["demo"]}]
    for name, uid in (("alice", ALICE), ("bob", 2002)):
        doors.reply("root", "User/CreateUser", user={"name": name, "uid": {"id": uid}, "active": True}, password=PASSWORD)
    secrets = {row["client_id"]: doors.reply("root", "Client/CreateClient", client=row).secret.decode() for row in rows}
    with open(CLIENTS, "w", encoding="ascii") as file:
        json.dump(secrets, file)


def auth(client_id):
    with open(CLIENTS, encoding="ascii") as file:
        secret = json.load(file)[client_id]
    return {"client_id": client_id, **({"secret": secret.encode()} if secret else {})}


def hand_to(client_id, session_id):
    """Give a public client's session to a client that authenticates: no door opens one for it yet."""
    store = sqlite3.connect(STORE, timeout=10)
    with store:
        changed = store.execute("UPDATE sessions SET rotates = 0, client_id = ?1, client_row = "
                                "(SELECT number FROM clients WHERE id = ?1) WHERE id = ?2", (client_id, session_id))
        assert changed.rowcount == 1
    store.close()


def generation(token):
    """Of a refresh token: what stands behind the handle."""
    raw = base64.urlsafe_b64decode(token[5:] + b"=" * (-len(token[5:]) % 4))
    return int.from_bytes(raw[17:21], "big")

"""What daemon_sockets.test does on the daemon's sockets; run as root in its private host.

daemon_sockets.py PART [ARGUMENT...]    exits 0 where all is as it shall be
"""
import contextlib
import os
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../support"))
from passed import Caller  # noqa: E402

HEADER = struct.Struct(">IBBHIIIHHQ")
ROOT, USER = "/run/secauth/root/root.sock", "/run/secauth/user.sock"
KEYS, STATUS = b"secauth.v1.KeyService/GetKeySet", b"secauth.v1.HostService/GetStatus"
USERS, ISSUE = b"secauth.v1.UserService/ListUsers", b"secauth.v1.TokenService/IssueToken"
ATTESTED = b"secauth.v1.TokenService/IssueAttestedToken"
LOGIN = b"secauth.v1.AuthnService/BeginAuthentication"
OK, INVALID_CREDENTIALS, RATE_LIMITED, SHUTTING_DOWN, SESSION_INVALID, PERMISSION_DENIED = 1, 3, 9, 12, 19, 22
ALICE = 2001


LOCAL, NETWORK = "/run/secauth/gateway/local.sock", "/run/secauth/gateway/tls.sock"
PEER, PEER_GONE, CANCEL = 6, 7, 5


def connect(path=ROOT, uid=0, gid=None):
    """A connection as somebody: the kernel tells the daemon the effective ids of this moment."""
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(20)
    if gid is not None:
        os.setegid(gid)
    os.seteuid(uid)
    try:
        connection.connect(path)
    finally:
        os.seteuid(0)
        os.setegid(0)
    return connection


def request(name, body=b"", call=1, millis=8000, peer=0):
    return HEADER.pack(28 + len(name) + len(body), 1, 1, 0, call, millis, peer, len(name), 0, 0) + name + body


def control(kind, call=0, peer=0, body=b""):
    return HEADER.pack(28 + len(body), 1, kind, 0, call, 0, peer, 0, 0, 0) + body


def varint(number):
    return bytes([number]) if number < 128 else bytes([number & 127 | 128]) + varint(number >> 7)


def facts(address="", certificate=b"", more=b""):
    """PeerFacts."""
    return (more + (b"\x1a" + varint(len(address)) + address.encode() if address else b"") +
            (b"\x22" + varint(len(certificate)) + certificate if certificate else b""))


def tell(gateway, caller, number=1, body=b"", descriptors=1):
    """A PEER frame of a local gateway."""
    frame = control(PEER, peer=number, body=body)
    if descriptors:
        caller.tell(gateway, frame, descriptors)
    else:
        gateway.sendall(frame)


def read(connection, length):
    data = b""
    while len(data) < length:
        more = connection.recv(length - len(data))
        if not more:
            raise EOFError
        data += more
    return data


def reply(connection):
    length, _, _, status, call, _, _, _, _, _ = HEADER.unpack(read(connection, 32))
    read(connection, length - 28)
    return call, status


def ask(connection, name, body=b"", peer=0):
    connection.sendall(request(name, body, peer=peer))
    return reply(connection)[1]


def lives(connection):
    """Whether the daemon keeps the connection and serves it."""
    try:
        return ask(connection, KEYS) == OK
    except (EOFError, ConnectionError):
        return False


def is_over(connection):
    try:
        return connection.recv(1) == b""
    except ConnectionError:
        return True


def login(password=b"a wrong password"):
    """BeginAuthentication of a name that nobody has, from sshd."""
    user, service = b"nobody", b"sshd"
    origin = b"\x0a" + bytes([len(service)]) + service
    return (b"\x0a" + bytes([len(user)]) + user + b"\x1a" + bytes([len(password)]) + password +
            b"\x22" + bytes([len(origin)]) + origin)


def strangers_have_two_connections_each_and_64_in_all():
    with contextlib.ExitStack() as stack:
        kept = 0
        for uid in range(3000, 3040):
            three = [stack.enter_context(connect(USER, uid)) for _ in range(3)]
            alive = sum(map(lives, three))
            assert alive <= 2, f"uid {uid} has {alive} connections"
            kept += alive
        assert kept == 64, f"{kept} connections are kept"
        assert lives(connect(USER, ALICE)), "a known uid is not in their way"
    time.sleep(0.2)
    assert lives(connect(USER, 3050)), "what is closed makes room"


def strangers_may_ask_for_keys_and_little_else():
    with connect(USER, 3000) as stranger:
        assert ask(stranger, KEYS) == OK
        for name in STATUS, ISSUE, USERS, LOGIN:
            assert ask(stranger, name) == PERMISSION_DENIED, name
    with connect(USER, ALICE) as alice:
        assert ask(alice, STATUS) == OK
        assert ask(alice, USERS) == PERMISSION_DENIED


def root_and_the_overflow_uid_are_closed_at_once():
    for uid in 0, 65534:
        assert is_over(connect(USER, uid)), uid


def the_administrators_group_counts_however_it_is_held(gid):
    gid = int(gid)
    with connect(USER, 3001, gid) as administrator:
        assert ask(administrator, USERS) == OK, "as the group of the process"
    before = os.getgroups()
    os.setgroups([1234, gid])
    with connect(USER, 3002, 3002) as administrator:
        assert ask(administrator, USERS) == OK, "among its other groups"
    os.setgroups(list(range(5000, 5200)) + [gid])
    with connect(USER, 3003, 3003) as administrator:
        assert ask(administrator, USERS) == OK, "among very many"
    os.setgroups(before)
    with connect(USER, 3004, 3004) as stranger:
        assert ask(stranger, USERS) == PERMISSION_DENIED


def one_known_uid_leaves_room_for_others():
    with contextlib.ExitStack() as stack:
        mine = [stack.enter_context(connect(USER, ALICE)) for _ in range(600)]
        assert lives(mine[0])
        assert not lives(mine[-1]), "one uid has no more than an eighth"
        assert lives(connect(USER, 2002)), "bob has his place"


def flood(stop):
    """A process that opens connections as fast as it can and never closes one by itself."""
    held = []
    while not stop.is_set():
        connection = socket.socket(socket.AF_UNIX)
        connection.setblocking(False)
        try:
            connection.connect(USER)
            connection.send(request(KEYS) * 20)
        except OSError:
            pass
        held.append(connection)
        if len(held) > 400:
            held.pop(0).close()


def a_flood_on_the_user_socket_leaves_root_served():
    children = []
    for uid in (ALICE, 2002, 3000, 3001):
        child = os.fork()
        if child == 0:
            os.setuid(uid)
            flood(threading.Event())
        children.append(child)
    try:
        time.sleep(0.3)
        slowest = 0
        for _ in range(50):
            began = time.monotonic()
            with connect() as root:
                assert ask(root, STATUS) == OK
            slowest = max(slowest, time.monotonic() - began)
        print(f"the slowest of 50 calls took {slowest * 1000:.0f} ms")
        assert slowest < 2
    finally:
        for child in children:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)


def a_gateway_is_believed_about_bytes_only():
    uid, pid = b"\x0a\x03\x08\xd1\x0f", b"\x10\x07"  # what local gateways once said
    lies = [facts(), facts(certificate=32 * b"c"), facts("192.0.2.1", 31 * b"c"), facts("192.0.2.1", 33 * b"c"),
            facts("192.0.2.1:443"), facts("example"), b"\x0a"]
    for told in lies:
        with connect(NETWORK) as gateway:
            gateway.sendall(control(PEER, peer=1, body=told) + request(KEYS, peer=1))
            assert is_over(gateway), told
    alice = Caller(ALICE)
    for body, descriptors in (b"", 0), (b"", 2), (b"", 9), (uid, 1), (uid + pid, 0), (facts("192.0.2.1"), 1):
        with connect(LOCAL) as gateway:
            tell(gateway, alice, body=body, descriptors=descriptors)
            assert is_over(gateway), (body, descriptors)
    with connect(LOCAL) as gateway:  # one with a frame that is no PEER
        socket.send_fds(gateway, [request(KEYS)], [alice.end.fileno()])
        assert is_over(gateway) or is_over(gateway), "it may be answered first"
    for path in USER, NETWORK:  # elsewhere none arrives, and nothing comes of it
        with connect(path, ALICE if path == USER else 0) as connection:
            socket.send_fds(connection, [request(KEYS)], 5 * [alice.end.fileno()])
            assert reply(connection)[1] == OK


def a_gateway_speaks_for_the_peers_that_it_told():
    alice = Caller(ALICE)
    for path, told in (LOCAL, None), (NETWORK, facts("2001:db8::1")), (NETWORK, facts("192.0.2.1", 32 * b"c")):
        with connect(path) as gateway:
            def say():
                tell(gateway, alice, 7, told or b"", 1 if told is None else 0)

            assert ask(gateway, KEYS) == OK, "for itself it has the keys"
            assert ask(gateway, ISSUE) == PERMISSION_DENIED, "and nothing else"
            assert ask(gateway, KEYS, peer=7) == PERMISSION_DENIED, "a peer that was never told has no rights"
            say()
            assert ask(gateway, KEYS, peer=7) == OK
            assert ask(gateway, ISSUE, peer=7) not in (OK, PERMISSION_DENIED)
            for name in STATUS, USERS:
                assert ask(gateway, name, peer=7) == PERMISSION_DENIED, name
            say()
            gateway.sendall(control(PEER_GONE, peer=7) + control(PEER_GONE, peer=9))
            assert ask(gateway, KEYS, peer=7) == PERMISSION_DENIED, "one that is gone neither"


def a_gateway_acts_for_nobody_who_is_not_connected():
    """Descriptors that name somebody who has not connected to it: whoever listens elsewhere, and who has left."""
    alice = Caller(ALICE)
    with connect(LOCAL) as gateway:
        alice.client.close()
        tell(gateway, alice)
        assert ask(gateway, KEYS, peer=1) == PERMISSION_DENIED, "alice has hung up"
        with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as listener:
            listener.bind(f"{folder}/alices")
            os.seteuid(ALICE)
            listener.listen(1)  # the kernel names her to whoever connects
            os.seteuid(0)
            for path in USER, f"{folder}/alices":
                with connect(path) as towards:
                    socket.send_fds(gateway, [control(PEER, peer=1)], [towards.fileno()])
                    assert ask(gateway, KEYS, peer=1) == PERMISSION_DENIED, path
        with open("/dev/null") as null:
            socket.send_fds(gateway, [control(PEER, peer=1)], [null.fileno()])
        assert ask(gateway, KEYS, peer=1) == PERMISSION_DENIED
        assert ask(gateway, KEYS) == OK, "it is told, and goes on"


def through_a_gateway_nobody_is_root():
    nobody = Caller(0)
    with connect(LOCAL) as gateway:
        tell(gateway, nobody)
        assert ask(gateway, KEYS, peer=1) == OK
        session = b"\x0a\x16" + b"a" * 22 + b"\x12\x06\x0a\x04demo"
        status = ask(gateway, ATTESTED, session, peer=1)
        assert status in (PERMISSION_DENIED, SESSION_INVALID), status
        assert ask(gateway, USERS, peer=1) == PERMISSION_DENIED


def a_gateways_peers_are_bounded(daemon):
    """Their number, and no descriptor of theirs is kept."""
    alice, before = Caller(ALICE), len(os.listdir(f"/proc/{daemon}/fd"))
    with connect(LOCAL) as gateway:
        for number in range(1, 16386):
            tell(gateway, alice, number)
        assert ask(gateway, KEYS, peer=16384) == OK
        assert ask(gateway, KEYS, peer=16385) == PERMISSION_DENIED, "one too many stays unknown"
        gateway.sendall(control(PEER_GONE, peer=1))
        tell(gateway, alice, 16385)
        assert ask(gateway, KEYS, peer=16385) == OK, "until there is room"
        assert len(os.listdir(f"/proc/{daemon}/fd")) <= before + 2


def many_calls_are_open_at_once():
    count = 3000
    with connect(NETWORK) as gateway:
        gateway.sendall(control(PEER, peer=1, body=facts("192.0.2.1")))
        sender = threading.Thread(target=lambda: [gateway.sendall(request(KEYS, call=n, peer=1)) for n in range(count)])
        sender.start()
        assert {reply(gateway)[0] for _ in range(count)} == set(range(count))
        sender.join()


def a_connection_that_asks_without_end_is_told_to_wait():
    """A thousand calls a second; whoever stays below it on another connection of the same uid notices nothing."""
    count = 6000
    with connect(USER, ALICE) as flood, connect(USER, ALICE) as quiet:
        sender = threading.Thread(target=lambda: [flood.sendall(request(KEYS, call=n)) for n in range(count)])
        sender.start()
        asked, told = 0, set()
        for n in range(count):
            told.add(reply(flood)[1])
            if n % 500 == 0:
                asked += 1
                assert ask(quiet, KEYS) == OK
        sender.join()
        assert told == {OK, RATE_LIMITED} and asked == 12, told
        time.sleep(1.1)
        assert ask(flood, KEYS) == OK


def a_cancelled_call_has_no_answer():
    with connect() as caller:
        caller.sendall(request(LOGIN, login(), call=1) + control(CANCEL, call=1) + control(CANCEL, call=9))
        assert ask(caller, KEYS) == OK, "its number is free at once"
        time.sleep(0.5)
        caller.sendall(request(KEYS, call=2))
        assert reply(caller) == (2, OK), "and the first never comes"


def limit_descriptors(pid, limit):
    """As the daemon's own user, who needs no capability for it."""
    subprocess.run(["setpriv", "--reuid", "secauth", "--regid", "secauth", "--clear-groups", "--",
                    "prlimit", "--pid", pid, f"--nofile={limit}:"], check=True)


def running_out_of_descriptors_is_survived(pid):
    with connect() as before:
        assert lives(before)
        used = len(os.listdir(f"/proc/{pid}/fd"))
        limit_descriptors(pid, used + 3)
        waiting = [connect() for _ in range(10)]
        assert lives(before), "who is there is served"
        waiting[9].settimeout(0.5)
        with contextlib.suppress(TimeoutError):
            waiting[9].sendall(request(KEYS))
            reply(waiting[9])
            raise AssertionError("there were descriptors left")
        limit_descriptors(pid, 4096)
        waiting[9].settimeout(10)
        assert reply(waiting[9])[1] == OK, "and then whoever waited"
        assert lives(waiting[5])


def a_reader_that_takes_nothing_is_cut():
    with connect() as greedy:
        greedy.settimeout(14)
        began = time.monotonic()
        try:
            for call in range(1, 1000000):
                greedy.sendall(request(KEYS, call=call))
            raise AssertionError("the daemon read on and on")
        except (BrokenPipeError, ConnectionResetError):
            pass
        assert 8 < time.monotonic() - began < 14


def a_caller_that_has_said_all_gets_its_answer():
    with connect() as caller:
        caller.sendall(request(STATUS) + request(KEYS, call=2))
        caller.shutdown(socket.SHUT_WR)
        assert sorted([reply(caller), reply(caller)]) == [(1, OK), (2, OK)]
        assert is_over(caller)


def callers_that_hang_up_harm_nobody():
    for _ in range(50):
        with connect() as caller:
            caller.sendall(request(LOGIN, login()) + request(STATUS, call=2) + request(KEYS, call=3)[:20])
    assert lives(connect())


def calls_on_their_way_are_told_that_it_stops(pid):
    with connect() as one, connect() as other:
        assert lives(one)
        os.kill(int(pid), signal.SIGSTOP)
        one.sendall(request(KEYS))
        other.sendall(request(KEYS))
        with connect() as late:
            late.sendall(request(KEYS))
            os.kill(int(pid), signal.SIGTERM)
            os.kill(int(pid), signal.SIGCONT)
            for caller in one, other, late:
                assert reply(caller)[1] in (OK, SHUTTING_DOWN)
                assert is_over(caller)


def what_was_accepted_is_answered_at_the_end(pid):
    with connect() as inside, connect() as late:
        assert lives(late)
        inside.sendall(request(LOGIN, login()))
        time.sleep(0.3)
        os.kill(int(pid), signal.SIGTERM)
        time.sleep(0.3)
        assert ask(late, KEYS) == SHUTTING_DOWN
        for path in ROOT, USER:
            try:
                connect(path)
                raise AssertionError("it still listens")
            except ConnectionRefusedError:
                pass
        assert reply(inside) == (1, INVALID_CREDENTIALS), "the denial comes at its time"
        assert is_over(inside) and is_over(late)


globals()[sys.argv[1]](*sys.argv[2:])

"""What watch.test does: followers of WatchKeySet and WatchRevocations, on the sockets and over gRPC.

watch.py PART [ARGUMENT...]    as root in its private host; exits 0 where all is as it shall be
"""
import contextlib
import json
import os
import queue
import sys
import threading
import time

import grpc

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../support"))
from callers import *  # noqa: E402,F403
from callers import channel_of  # noqa: E402
from streams import OnGrpc, OnSocket, cancel_frame, first  # noqa: E402

PLACE = "/run/t/place.json"
LOCAL, NETWORK = "/run/secauth/gateway/local.sock", "/run/secauth/gateway/tls.sock"
KEYS, REVOCATIONS = "Key/WatchKeySet", "Key/WatchRevocations"
SOON = 1.0  # by which every follower has heard


class Follower(threading.Thread):
    """Reads on a thread and keeps all that it was told, by when it came."""

    def __init__(self, name, stream):
        super().__init__(daemon=True)
        self.name, self.stream, self.heard, self.last = name, stream, queue.Queue(), None
        self.ready = threading.Event()
        self.start()

    def run(self):
        with contextlib.suppress(ConnectionError, OSError, ValueError):
            for self.last in self.stream:
                for revocation in self.last.revocations:
                    self.heard.put(revocation)
                if self.last.caught_up:
                    self.ready.set()
        self.ready.set()

    def told(self, since):
        """What came until SOON after `since`, at least one."""
        told = [self.heard.get(timeout=max(0.01, since + SOON - time.monotonic()))]
        time.sleep(0.05)
        while not self.heard.empty():
            told.append(self.heard.get())
        return told


def key_of(revocation):
    what = revocation.WhichOneof("what")
    if what != "rule":
        return what, getattr(revocation, what)
    whose = revocation.rule.WhichOneof("whose")
    return whose, getattr(revocation.rule, whose)


# ---- parts ----

def registered():
    doors = Doors()
    register(doors)
    rows = [{"client_id": "other", "kind": CONFIDENTIAL, "grants": [CREDENTIALS], "audiences_owned": ["other"]},
            {"client_id": "P2", "kind": PUBLIC, "grants": [REFRESH], "login": True, "audiences":
             [{"audience": "demo", "scopes": ["read"]}], "grace": {"value": 0}}]
    with open(CLIENTS, encoding="ascii") as file:
        secrets = json.load(file)
    for row in rows:
        secrets[row["client_id"]] = doors.reply("root", "Client/CreateClient", client=row).secret.decode()
    with open(CLIENTS, "w", encoding="ascii") as file:
        json.dump(secrets, file)


def the_key_set_comes_at_once_and_whenever_it_changes():
    channel = channel_of("tls")
    streams = [OnSocket(KEYS), OnSocket(KEYS, USER_SOCKET, 4711), OnGrpc(KEYS, "local"), OnGrpc(KEYS, "tls", channel)]
    with Daemon() as root:
        now = must(root.call("Key/GetKeySet"))
        for stream in streams:
            told = first(stream)
            assert (told.jwks, told.etag, told.max_age_seconds) == (now.jwks, now.etag, now.max_age_seconds)
        must(root.call("SigningKey/RotateSigningKey", force=True))
        asked = time.monotonic()
        changed = must(root.call("Key/GetKeySet"))
        assert changed.etag != now.etag
        for stream in streams:
            while next(stream).etag != changed.etag:  # the new key first, then the one that is prepared after it
                pass
            assert time.monotonic() < asked + SOON
        again = first(streams[0])
        assert again.etag == changed.etag and time.monotonic() < asked + 10, "the whole set, though it is the same"


def the_streams_of_all_doors():
    """Each follower by its name, and whether it sees all."""
    demo = lambda: auth("demo")  # noqa: E731
    return [Follower("root", OnSocket(REVOCATIONS)), Follower("gateway", OnSocket(REVOCATIONS, LOCAL)),
            Follower("demo on the socket", OnSocket(REVOCATIONS, USER_SOCKET, 4711, client=demo())),
            Follower("demo, local", OnGrpc(REVOCATIONS, "local", client=demo())),
            Follower("demo, tls", OnGrpc(REVOCATIONS, "tls", client=demo()))]


def by_reuse(doors, grant):
    """The one of before, of a client without a grace."""
    doors.reply("tls", "Token/RefreshToken", client=auth("P2"), refresh_token=grant.refresh_token)
    assert doors.ask("tls", "Token/RefreshToken", client=auth("P2"), refresh_token=grant.refresh_token).reason == "INVALID_GRANT"


def by_over_limit(doors, _):
    for _ in range(5):
        doors.login("P1")


def by_closing(doors):
    """A login session, which has no audiences of its own."""
    session = doors.reply("root", "Session/OpenSession", user=b"alice", uid={"id": ALICE},
                          origin={"service": "sshd", "rhost": b"203.0.113.1", "tty": b"ssh"}).session_id
    assert session
    doors.reply("root", "Session/CloseSession", session_id=session, user=b"alice", origin={"service": "sshd"})
    return session


def jti_of(token):
    return json.loads(base64.urlsafe_b64decode(token.split(b".")[1] + b"=="))["jti"]


def every_way_of_ending_is_heard():
    """Each as it is done on a host, and each follower hears of it within a second."""
    doors = Doors()
    followers = the_streams_of_all_doors()
    others = Follower("another owner", OnSocket(REVOCATIONS, client=auth("other")))
    for follower in [*followers, others]:
        assert follower.ready.wait(10) and follower.stream.status is None, (follower.name, follower.stream.status)
    ways = {
        "RevokeSession": ("P1", lambda g: doors.reply("root", "Session/RevokeSession", session_id=g.session_id)),
        "RevokeUserSessions": ("P1", lambda g: doors.reply("root", "Session/RevokeUserSessions", user=b"alice")),
        "reuse": ("P2", lambda g: by_reuse(doors, g)),
        "RevokeToken of the refresh token": ("P1", lambda g: doors.reply(
            "tls", "Token/RevokeToken", client=auth("P1"), token=g.refresh_token)),
        "over the limit": ("P1", lambda g: by_over_limit(doors, g)),
        "password reset": ("P1", lambda g: doors.reply("root", "User/SetUserPassword", name="alice", password=PASSWORD)),
        "user disabled": ("P1", lambda g: doors.reply("root", "User/SetUserActive", name="alice", active=False)),
    }
    for way, (client, end) in ways.items():
        grant = doors.login(client)
        since = time.monotonic()
        end(grant)
        for follower in followers:
            told = [key_of(revocation) for revocation in follower.told(since)]
            assert ("sid", grant.session_id) in told, (way, follower.name, told)
        print(f"{way}: all have heard")
    doors.reply("root", "User/SetUserActive", name="alice", active=True)
    settle(followers)

    grant = doors.login("P1")
    since = time.monotonic()
    doors.reply("tls", "Token/RevokeToken", client=auth("P1"), token=grant.access_token)
    for follower in followers:
        told = follower.told(since)
        assert key_of(told[0]) == ("jti", jti_of(grant.access_token)) and told[0].until_ms > time.time() * 1000
    since = time.monotonic()
    session = by_closing(doors)
    for follower in followers:
        assert ("sid", session) in [key_of(revocation) for revocation in follower.told(since)], follower.name
    for way, end in (("client disabled", lambda: doors.reply("root", "Client/SetClientActive", client_id="P2", active=False)),
                     ("client deleted", lambda: doors.reply("root", "Client/DeleteClient", client_id="P1")),
                     ("user deleted", lambda: doors.reply("root", "User/DeleteUser", name="bob"))):
        grant = doors.login("P1", user="bob") if way != "client disabled" else None
        since = time.monotonic()
        end()
        for follower in followers:
            told = [key_of(revocation) for revocation in follower.told(since)]
            assert grant is None or ("sid", grant.session_id) in told, (way, follower.name, told)
            assert {"client", "subject"} & {what for what, _ in told}, (way, follower.name, told)
        if way == "client deleted":
            doors.reply("root", "Client/CreateClient", client={
                "client_id": "P1", "kind": PUBLIC, "grants": [REFRESH], "login": True,
                "audiences": [{"audience": "demo", "scopes": ["read"]}]})
        print(f"{way}: all have heard")
    told = []
    while not others.heard.empty():
        told.append(key_of(others.heard.get()))
    # A login may give tokens for any audience, and of a rule nobody can tell whom it concerns.
    assert [key for what, key in told if what == "sid"] == [session], told
    assert "jti" not in [what for what, _ in told], told


def settle(followers):
    time.sleep(0.2)
    for follower in followers:
        while not follower.heard.empty():
            follower.heard.get()


def strangers_and_public_clients_follow_nothing():
    for stream in (OnSocket(REVOCATIONS, client=auth("P1")), OnGrpc(REVOCATIONS, "tls", client=auth("P1")),
                   OnSocket(REVOCATIONS, client={"client_id": "demo", "secret": b"sac1_wrong"}),
                   OnGrpc(REVOCATIONS, "local", client={"client_id": "demo"})):
        assert first(stream) == "INVALID_CLIENT", stream.status
    assert first(OnSocket(REVOCATIONS, USER_SOCKET, ALICE)) == "INVALID_ARGUMENT"
    assert first(OnSocket(REVOCATIONS, LOCAL, peer={"uid": ALICE})) == "INVALID_ARGUMENT", "a peer is no gateway"
    assert first(OnSocket(REVOCATIONS, sequence=1)) == "INVALID_ARGUMENT"


def whoever_is_gone_hears_no_more():
    """A client, an API key: their streams end within 10 s, and nobody else's."""
    doors = Doors()
    key = doors.reply("root", "ApiKey/CreateApiKey", client_id="C1", audiences=[{"audience": "demo", "scopes": ["read"]}])
    gone = [OnSocket(REVOCATIONS, client={"client_id": "C1", "api_key": key.secret}),
            OnGrpc(REVOCATIONS, "local", client=auth("C2"))]
    stays = OnSocket(REVOCATIONS, client=auth("C1"))
    assert not any(isinstance(first(stream), str) for stream in [*gone, stays])
    doors.reply("root", "ApiKey/RevokeApiKey", key_id=key.api_key.key_id)
    doors.reply("root", "Client/SetClientActive", client_id="C2", active=False)
    since = time.monotonic()
    for stream in gone:
        for _ in stream:
            pass
        assert stream.status == "INVALID_CLIENT" and time.monotonic() < since + 10, stream.status
    assert first(stays).caught_up


def kept():
    """Something is revoked, and what a follower knew before is noted."""
    doors = Doors()
    stream = OnSocket(REVOCATIONS)
    told = first(stream)
    while not told.caught_up:
        told = next(stream)
    grants = [doors.login("P1") for _ in range(3)]
    for grant in grants:
        doors.reply("root", "Session/RevokeSession", session_id=grant.session_id)
    with open(PLACE, "w", encoding="ascii") as file:
        json.dump([told.incarnation, told.sequence, [grant.session_id for grant in grants]], file)


def resumed():
    """Where it left off, on both kinds of doors; nothing is told twice and nothing is missing."""
    with open(PLACE, encoding="ascii") as file:
        incarnation, sequence, sessions = json.load(file)
    for stream in (OnSocket(REVOCATIONS, incarnation=incarnation, sequence=sequence),
                   OnGrpc(REVOCATIONS, "tls", client=auth("demo"), incarnation=incarnation, sequence=sequence)):
        told = first(stream)
        assert not told.snapshot and told.caught_up and told.sequence == sequence + len(sessions), told
        assert [key_of(revocation) for revocation in told.revocations] == [("sid", session) for session in sessions]
    whole = first(OnSocket(REVOCATIONS))
    assert whole.snapshot and whole.incarnation == incarnation
    assert set(sessions) <= {revocation.sid for revocation in whole.revocations}
    for wrong in ({"incarnation": incarnation, "sequence": told.sequence + 1}, {"incarnation": "0" * 32, "sequence": 1},
                  {"incarnation": incarnation, "sequence": 2**64 - 1}):
        assert first(OnSocket(REVOCATIONS, **wrong)) == "OUT_OF_RANGE", wrong
        stream = OnGrpc(REVOCATIONS, "local", client=auth("demo"), **wrong)
        assert first(stream) == "OUT_OF_RANGE" and stream.call.code() == grpc.StatusCode.OUT_OF_RANGE


def a_stream_has_its_connection_to_itself():
    stream = OnSocket(KEYS)
    assert first(stream).jwks
    stream.connection.send(KEYS)
    with contextlib.suppress(ConnectionError):
        for _ in stream:
            raise AssertionError("a second stream, or the first one goes on")
    assert stream.status is None, "the connection has ended"
    login = {"user": b"nobody", "password": b"wrong", "origin": {"service": "x"}}
    with Daemon() as root:
        root.send("Authn/BeginAuthentication", **login)
        kind = root.send(KEYS)
        assert root.next(kind)[0] == "INVALID_ARGUMENT", "beside a call that is open"
    stream = OnSocket(KEYS)
    assert first(stream).jwks
    stream.cancel()
    assert must(stream.connection.call("Key/GetKeySet")).jwks, "after CANCEL the connection is like any other"
    # On a gateway's socket they stand side by side.
    with Daemon(LOCAL) as gateway:
        kinds = [gateway.send(KEYS), gateway.send(REVOCATIONS), gateway.send("Key/GetKeySet")]
        frames = {}
        for _ in kinds:
            length, _, frame, status, call, *_ = HEADER.unpack(gateway.read(32))
            frames[call] = (frame, STATUS[status])
            gateway.read(length - 28)
        assert frames == {1: (3, "OK"), 2: (3, "OK"), 3: (2, "OK")}, frames


def memory_of(pid):
    with open(f"/proc/{pid}/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") // 1024


def many(count):
    """So many sessions of alice, in the store at once: each is a row that followers are told when it ends."""
    store = sqlite3.connect(STORE, timeout=10)
    with store:
        row = store.execute("SELECT * FROM sessions LIMIT 1")
        columns = [column[0] for column in row.description]
        values = dict(zip(columns, row.fetchone()))
        for number in range(count):
            new = values | {"number": None, "id": f"x{number:021d}", "handle_mac": None, "ended_ms": 0, "subject": "nobody"}
            store.execute(f"INSERT INTO sessions ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})",
                          [new[column] for column in columns])
    store.close()


def end_many():
    store = sqlite3.connect(STORE, timeout=10)
    with store:
        store.execute("UPDATE sessions SET ended_ms = 1 + ? WHERE subject = 'nobody'", (int(time.time() * 1000),))
    store.close()


def narrow_channel():
    """Its library takes no more than 64 KiB that nobody has asked for."""
    with open("/run/t/ca.pem", "rb") as file:
        trust = grpc.ssl_channel_credentials(file.read())
    return grpc.secure_channel("localhost:7443", trust, [("grpc.use_local_subchannel_pool", 1), ("grpc.http2.bdp_probe", 0)])


def a_slow_reader_is_cut_off_and_resumes(pid, gateway_pid):
    """It takes nothing while tens of thousands of revocations come; then it reads on."""
    many(30000)
    slow = OnSocket(REVOCATIONS)
    slow_grpc = OnGrpc(REVOCATIONS, "tls", narrow_channel(), timeout=30, client=auth("demo"))
    before = first(slow)
    while not before.caught_up:
        before = next(slow)
    assert first(slow_grpc).sequence >= 0
    memory = memory_of(pid), memory_of(gateway_pid)
    end_many()
    with Daemon() as root:  # the daemon notices at its own next commit
        root.call("Client/SetClientActive", client_id="P2", active=True)
        root.call("Client/SetClientActive", client_id="P2", active=False)
        time.sleep(7)
        assert must(root.call("Key/GetKeySet")).jwks, "nobody waits for it"
    grown = memory_of(pid) - memory[0], memory_of(gateway_pid) - memory[1]
    print(f"a reader that stands still: {grown[0]} KiB in the daemon, {grown[1]} KiB in the gateway")
    assert grown[0] < 16384 and grown[1] < 8192, grown
    told, last = 0, before
    with contextlib.suppress(ConnectionError):
        for last in slow:
            told += len(last.revocations)
    assert slow.status == "SLOW_READER", slow.status
    resumed_at = OnSocket(REVOCATIONS, incarnation=last.incarnation, sequence=last.sequence)
    for message in resumed_at:
        told += len(message.revocations)
        last = message
        if message.caught_up:
            break
    assert told >= 30000 and last.sequence - before.sequence == told, (told, last.sequence, before.sequence)
    for _ in slow_grpc:
        pass
    assert slow_grpc.call.code() == grpc.StatusCode.RESOURCE_EXHAUSTED, slow_grpc.call.code()


def as_many_as_there_may_be(pid):
    """64 of a source, 512 of a gateway, half of them without a proof, 1,024 in all; each hears, and one that goes frees a place."""
    memory, gateways, callers, keys = memory_of(pid), [], [], set()
    for path, facts in ((LOCAL, lambda n: {"uid": 3000 + n}), (NETWORK, lambda n: {"address": f"203.0.113.{n + 1}"})):
        gateway = Daemon(path)
        gateways.append(gateway)
        for peer in range(8):
            gateway.tell(peer + 1, **facts(peer))
            callers.append(getattr(gateway, "caller", None))
            calls = [send(gateway, KEYS) if peer < 4 else send(gateway, REVOCATIONS, client=auth("demo")) for _ in range(64)]
            keys |= set(calls) if peer < 4 else set()  # the same numbers on both
            assert answers(gateway, calls) == {"OK": 64}, "who need prove nothing have left room for those who must"
            assert refused(gateway, KEYS) == "OVERLOADED", "65 of a source, 257 of those who prove nothing"
        gateway.tell(9, **facts(9))
        assert refused(gateway, REVOCATIONS, client=auth("demo")) == "OVERLOADED", "513 of a gateway"
    assert first(OnSocket(KEYS)) == "OVERLOADED", "1,025 in all"
    print(f"1,024 followers: {(memory_of(pid) - memory) / 1024:.1f} MiB")
    with Daemon() as root:
        since = time.monotonic()
        must(root.call("SigningKey/RotateSigningKey", force=True))
        for gateway in gateways:
            assert answers(gateway, keys) == {"OK": 256}
        print(f"all of them have heard after {1000 * (time.monotonic() - since):.0f} ms")
        assert time.monotonic() < since + SOON
    gateways[0].socket.sendall(cancel_frame(1))
    deadline = time.monotonic() + 2
    while first(OnSocket(KEYS)) == "OVERLOADED":
        assert time.monotonic() < deadline, "CANCEL frees a place"
    gateways[1].socket.close()
    deadline = time.monotonic() + 2
    while first(OnSocket(REVOCATIONS)) == "OVERLOADED":
        assert time.monotonic() < deadline
    assert memory_of(pid) - memory < 32 * 1024


def who_watches_health_leaves_room():
    """One stranger with connections enough for all streams that a gateway serves: nobody proves anything for its own."""
    channels = [channel_of("tls") for _ in range(6)]
    watchers = [channel.unary_stream("/grpc.health.v1.Health/Watch")(b"", timeout=20) for channel in channels for _ in range(90)]
    served = 0
    for watcher in watchers:
        try:
            served += next(watcher) == b"\x08\x01"
        except grpc.RpcError as error:
            assert answer_of(error).reason == "OVERLOADED", answer_of(error)
    assert served == 512, served
    assert first(OnGrpc(KEYS, "tls")).jwks, "the daemon's streams have their own room"
    assert first(OnGrpc(REVOCATIONS, "tls", client=auth("demo"))).snapshot
    for channel in channels:
        channel.close()


def send(gateway, rpc, **fields):
    gateway.send(rpc, **fields)
    return gateway.last


def answers(gateway, calls):
    """Statuses of the next first frames of these calls; what is told again meanwhile is not counted."""
    seen, statuses, calls = set(), {}, set(calls)
    while seen != calls:
        length, _, _, status, call, *_ = HEADER.unpack(gateway.read(32))
        gateway.read(length - 28)
        if call in calls - seen:
            seen.add(call)
            statuses[STATUS[status]] = statuses.get(STATUS[status], 0) + 1
    return statuses


def refused(gateway, rpc, **fields):
    gateway.send(rpc, **fields)
    while True:
        length, _, kind, status, call, *_ = HEADER.unpack(gateway.read(32))
        gateway.read(length - 28)
        if call == gateway.last:
            return STATUS[status] if kind == 4 else "an item"


def a_caller_that_goes_away_frees_the_daemons_stream():
    """Cancellation, the deadline and the end of the connection, through both gateways: 64 a source are there again."""
    for door in ("local", "tls"):
        for leave in (lambda s: s.cancel(), lambda s: s.channel.close(), None):
            channel = channel_of(door)
            streams = [OnGrpc(KEYS, door, channel, timeout=None if leave else 0.5) for _ in range(64)]
            assert all(first(stream).jwks for stream in streams)
            assert first(OnGrpc(KEYS, door)) == "OVERLOADED"
            for stream in streams:
                if leave is None:
                    for _ in stream:
                        pass
                    assert stream.status == "DEADLINE_EXCEEDED"
                else:
                    leave(stream)
            deadline = time.monotonic() + 2
            while first(OnGrpc(KEYS, door)) == "OVERLOADED":
                assert time.monotonic() < deadline, (door, leave)
                time.sleep(0.05)


def the_end_is_told(pid):
    """At the daemon's stop."""
    streams = [OnSocket(KEYS), OnSocket(REVOCATIONS), OnGrpc(KEYS, "local"), OnGrpc(REVOCATIONS, "tls", client=auth("demo"))]
    for stream in streams:
        assert not isinstance(first(stream), str)
    os.kill(int(pid), 15)
    for stream in streams:
        for _ in stream:
            pass
        assert stream.status == "SHUTTING_DOWN", stream.status


def the_gateways_end_is_told(pid):
    streams = [OnGrpc(KEYS, "tls"), OnGrpc(REVOCATIONS, "tls", client=auth("demo"))]
    for stream in streams:
        assert not isinstance(first(stream), str)
    os.kill(int(pid), 15)
    for stream in streams:
        for _ in stream:
            pass
        assert stream.call.code() == grpc.StatusCode.UNAVAILABLE, stream.call.code()


run_part()

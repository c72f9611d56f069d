"""What T24_keepalive_and_health.test does; as root in its private host.

T24_keepalive_and_health.py PART [ARGUMENT...]    exits 0 where all is as it shall be
"""
import contextlib
import os
import pathlib
import socket
import sys
import threading
import time

import grpc

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../support"))
from h2 import *  # noqa: E402,F403
from wire import *  # noqa: E402,F403

SERVING, NOT_SERVING, SERVICE_UNKNOWN = b"\x08\x01", b"\x08\x02", b"\x08\x03"  # HealthCheckResponse
NAMED, UNKNOWN = "secauth.v1.TokenService", "secauth.v1.NoService"
KEEPALIVE = [("grpc.keepalive_time_ms", 10000), ("grpc.keepalive_permit_without_calls", 1),
             ("grpc.http2.max_pings_without_data", 0), ("grpc.use_local_subchannel_pool", 1)]
DOORS = ("local", "tls", "mtls")


def read(path):
    with open(path, "rb") as file:
        return file.read()


def channel(door, options=KEEPALIVE):
    if door == "local":
        return grpc.insecure_channel("unix:/run/secauth-grpc/local.sock", options)
    shown = (read("/run/t/server.key"), read("/run/t/server.pem")) if door == "mtls" else (None, None)
    trust = grpc.ssl_channel_credentials(read("/run/t/ca.pem"), *shown)
    return grpc.secure_channel(f"localhost:{7444 if door == 'mtls' else 7443}", trust, options)


def named(service):
    """HealthCheckRequest."""
    return b"\x0a" + bytes([len(service)]) + service.encode() if service else b""


def check(door, service):
    with channel(door) as c:
        try:
            return c.unary_unary("/grpc.health.v1.Health/Check")(named(service), timeout=5)
        except grpc.RpcError as error:
            return error.code().name


def watch(c, service):
    return c.unary_stream("/grpc.health.v1.Health/Watch")(named(service))


def is_serving():
    assert [check(door, "") for door in DOORS] == 3 * [SERVING]


def is_not_serving():
    assert [check(door, service) for door in DOORS for service in ("", NAMED)] == 6 * [NOT_SERVING]


def check_says_what_it_shall():
    for door in DOORS:
        said = [check(door, service) for service in ("", NAMED, UNKNOWN)]
        assert said == [SERVING, SERVING, "NOT_FOUND"], (door, said)


def health_asks_for_no_credential():
    """The calls of this file have none; where a certificate is required, the handshake asks, and health does not."""
    with grpc.secure_channel("localhost:7444", grpc.ssl_channel_credentials(read("/run/t/ca.pem"))) as bare:
        try:
            bare.unary_unary("/grpc.health.v1.Health/Check")(b"", timeout=3)
            raise AssertionError("served without a certificate")
        except grpc.RpcError as error:
            assert error.code().name == "UNAVAILABLE", error
    assert check("mtls", "") == SERVING


def calls_are_told_to_try_again():
    for door in DOORS:
        with channel(door) as c:
            try:
                c.unary_unary("/secauth.v1.KeyService/GetKeySet")(b"", timeout=5)
                raise AssertionError("answered without a daemon")
            except grpc.RpcError as error:
                assert error.code().name == "UNAVAILABLE", (door, error)
                assert int(dict(error.trailing_metadata())["grpc-retry-pushback-ms"]) > 0, door


def connect(door):
    if door == "local":
        s = socket.socket(socket.AF_UNIX)
        s.connect("/run/secauth-grpc/local.sock")
        return s
    return over_tls(socket.create_connection(("127.0.0.1", 7443)), "/run/t/ca.pem")


def a_flood_of_pings_is_cut_off():
    for door in "local", "tls":
        peer, sent = H2(connect(door)), 0
        with contextlib.suppress(OSError):
            for _ in range(50):
                peer.send(frame(PING, 0, 0, 8 * b"p"))
                sent += 1
                time.sleep(0.1)
        goaway = peer.until(lambda kind, *_: kind == GOAWAY)
        assert sent < 10 and goaway and b"too_many_pings" in goaway[3], (door, sent, goaway)
        assert peer.is_cut()


class Watched:
    """A channel that pings, and whether its connection was ever lost."""

    def __init__(self, door, what):
        self.name, self.channel, self.states, self.messages, self.error = f"{door} {what}", channel(door), [], 0, None
        self.channel.subscribe(self.states.append, try_to_connect=True)
        grpc.channel_ready_future(self.channel).result(10)
        if what == "health":
            self.follow(watch(self.channel, ""))
        elif what == "revocations":
            request = MESSAGES["WatchRevocationsRequest"](client={"client_id": "svc", "secret": read("/run/t/svc").strip()})
            self.follow(self.channel.unary_stream("/secauth.v1.KeyService/WatchRevocations")(request.SerializeToString()))

    def follow(self, stream):
        def run():
            try:
                for _ in stream:
                    self.messages += 1
            except grpc.RpcError as error:
                self.error = error

        threading.Thread(target=run, daemon=True).start()

    def stayed(self):
        ready = self.states.index(grpc.ChannelConnectivity.READY)
        return self.states[ready + 1:] == [] and self.error is None


def pings_by_hand(door, seconds, goaways):
    """A PING each 5.2 s on a connection without a call, just above what the server allows."""
    peer, end = H2(connect(door), seconds=5.2), time.monotonic() + seconds
    acknowledged = 0
    while time.monotonic() < end:
        peer.send(frame(PING, 0, 0, b"12345678"))
        try:
            while True:
                kind, flags, _, payload = peer.frame()
                if kind == GOAWAY:
                    goaways.append((door, payload))
                if kind == PING and flags & ACK:
                    acknowledged += 1
                elif kind == PING:
                    peer.send(frame(PING, ACK, 0, payload))
        except TimeoutError:
            pass
        except EOFError:
            goaways.append((door, "closed"))
            return
    if acknowledged < 4:
        goaways.append((door, f"{acknowledged} pings were acknowledged"))


def clients_that_ping_stay(seconds):
    clients = [Watched(door, what) for door in DOORS for what in ("idle", "health", "revocations")]
    goaways = []
    hands = [threading.Thread(target=pings_by_hand, args=[door, int(seconds), goaways]) for door in ("local", "tls")]
    for hand in hands:
        hand.start()
    time.sleep(int(seconds))
    for hand in hands:
        hand.join()
    for client in clients:
        print(client.name, client.messages, "messages", "stayed" if client.stayed() else f"LOST {client.states} {client.error}")
    print("by hand:", goaways or "stayed")
    assert all(client.stayed() for client in clients) and not goaways
    assert all(client.messages > 0 for client in clients if not client.name.endswith("idle"))


def watchers(mark):
    """SERVING, NOT_SERVING, SERVING; the unknown service stays unknown, its stream open."""
    heard, lock, channels = {}, threading.Lock(), [channel(door) for door in DOORS]

    def follow(key, stream):
        with contextlib.suppress(grpc.RpcError):
            for state in stream:
                with lock:
                    heard[key].append((state, time.monotonic()))
        heard[key].append(("ended", time.monotonic()))

    for door, c in zip(DOORS, channels):
        for service in "", NAMED, UNKNOWN:
            heard[door, service] = []
            threading.Thread(target=follow, args=[(door, service), watch(c, service)], daemon=True).start()
    end = time.monotonic() + 30
    while time.monotonic() < end and not all(heard.values()):
        time.sleep(0.05)
    pathlib.Path(mark + ".began").touch()
    wanted = {"": [SERVING, NOT_SERVING, SERVING], NAMED: [SERVING, NOT_SERVING, SERVING], UNKNOWN: [SERVICE_UNKNOWN]}
    while time.monotonic() < end and any(len(h) < len(wanted[key[1]]) for key, h in heard.items()):
        time.sleep(0.05)
    for key, states in heard.items():
        print(*key, [state for state, _ in states])
    for key, states in heard.items():
        assert [state for state, _ in states] == wanted[key[1]], key


run_part()

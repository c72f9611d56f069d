"""What T02_lost_reply.test does.

T02_lost_reply.py register              people and clients
T02_lost_reply.py lost                  replies that a proxy loses, at every door
T02_lost_reply.py kills TIMES           SIGKILL of the daemon and of a gateway, so many times each, at each of four steps
"""
import itertools
import os
import pwd
import signal
import socket
import struct
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../support"))
from callers import *  # noqa: E402,F403
import grpc  # noqa: E402
from callers import Answer, LOCAL_SOCKET, ROOT_SOCKET, UNREACHABLE, GrpcCaller, SocketCaller, channel_of  # noqa: E402
from lossy import Lossy  # noqa: E402

CLOCK = "/run/t/clock"
GRACE_SECONDS = 30


def until(condition, what, seconds=10):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.005)


# ---- replies that are lost ----

def clock_goes_on(seconds):
    """Both clocks of the daemon (tests/support/clock_shim.c)."""
    with open(CLOCK, "r+b") as file:
        ahead = struct.unpack("2q", file.read(16))[0] + int(seconds * 1000)
        file.seek(0)
        file.write(struct.pack("2q", ahead, ahead))


def sequence(doors):
    return doors.reply("root", "Host/GetStatus").audit_sequence


def lose_one(doors, door, proxy, client_id):
    if door == "root":
        caller = SocketCaller("/run/t/lossy-root.sock")
    else:
        caller = GrpcCaller(channel_of(door, "localhost:7500" if door == "tls" else "unix:/run/t/lossy-local.sock"))
    session = doors.login("P1")
    token = session.refresh_token
    if client_id == "C1":
        hand_to("C1", session.session_id)
    fields = {"client": auth(client_id), "refresh_token": token}
    before = sequence(doors)
    proxy.lose()
    caller.start("Token/RefreshToken", MESSAGES["RefreshTokenRequest"](**fields).SerializeToString())
    until(lambda: sequence(doors) > before, "the daemon commits")
    proxy.cut()
    assert caller.finish().reason == UNREACHABLE, "the reply is lost"
    caller.close()

    came = []
    for wait in (1, GRACE_SECONDS - 2):  # to a second after it, and to a second before the end of the grace
        clock_goes_on(wait)
        grant = doors.reply(door, "Token/RefreshToken", **fields).grant
        assert grant.replayed == (client_id == "P1"), f"{client_id} at {door}: marked replayed"
        active = doors.reply("root", "Token/IntrospectToken", token=grant.access_token, client=auth("demo")).active
        assert active, f"{client_id} at {door}: with a usable access token"
        came.append(grant.refresh_token)
    assert came[0] == came[1], f"{client_id} at {door}: Each repeat returns the same successor"
    assert generation(came[0]) == generation(token) + (client_id == "P1"), "and one that follows from what was presented"
    newest = came[0]
    for _ in range(5):
        grant = doors.reply(door, "Token/RefreshToken", client=auth(client_id), refresh_token=newest).grant
        assert not grant.replayed, f"{client_id} at {door}: the chain goes on without a new login"
        newest = grant.refresh_token


def lost():
    doors = Doors()
    proxies = {"root": Lossy("/run/t/lossy-root.sock", ROOT_SOCKET), "local": Lossy("/run/t/lossy-local.sock", LOCAL_SOCKET),
               "tls": Lossy(7500, 7443)}
    for client_id, (door, proxy) in itertools.product(("P1", "C1"), proxies.items()):
        lose_one(doors, door, proxy, client_id)


# ---- processes that are killed ----

STEPS = {"w": "before the write", "c": "after the commit", "f": "before the frame", "h": "before the HTTP/2 frame"}
HTTP_STEP = {"tls": "h", "local": "l"}
GOOD_EXCUSES = {UNREACHABLE, "SHUTTING_DOWN", "DEADLINE_EXCEEDED"}


class Host:
    """The daemon and both gateways, with the steps at which they are killed (tests/support/kill_shim.c)."""

    COMMANDS = {
        "daemon": (["/usr/sbin/secauthd"], None),
        "local": (["/usr/sbin/secauth-grpc", "--upstream", "local", "--local", LOCAL_SOCKET], "secauth-grpc-local"),
        "tls": (["/usr/sbin/secauth-grpc", "--upstream", "tls", "--listen", "127.0.0.1:7443", "--cert", "/run/t/server.pem",
                 "--key", "/run/t/server.key"], "secauth-grpc"),
    }

    def __init__(self):
        self.processes, self.log = {}, open(os.environ["KEEP"] + "/killed.log", "ab")
        with open("/run/t/armed", "wb") as armed:
            armed.write(b"\0")
        os.chmod("/run/t/armed", 0o666)
        self.killer = socket.socket(socket.AF_UNIX)
        self.killer.bind("/run/t/killer.sock")
        os.chmod("/run/t/killer.sock", 0o666)
        self.killer.listen(4)
        self.killer.settimeout(20)
        for name in self.COMMANDS:
            self.start(name)

    def start(self, name):
        command, user = self.COMMANDS[name]
        entry = pwd.getpwnam(user) if user else None
        environment = {"PATH": os.environ["PATH"], "LD_PRELOAD": "/run/t/kill_shim.so",
                       **({"KILL_SHIM_HTTP": HTTP_STEP[name]} if user else {})}
        self.processes[name] = subprocess.Popen(command, stdout=self.log, stderr=self.log, env=environment, umask=0o077,
                                                user=entry and entry.pw_uid, group=entry and entry.pw_gid,
                                                extra_groups=[] if entry else None)
        until(lambda: self.is_there(name), f"{name} is there")

    def is_there(self, name):
        try:
            if name == "tls":
                socket.create_connection(("127.0.0.1", 7443)).close()
            else:
                probe = socket.socket(socket.AF_UNIX)
                probe.connect(ROOT_SOCKET if name == "daemon" else LOCAL_SOCKET)
                probe.close()
            return True
        except OSError:
            return False

    def arm(self, step):
        with open("/run/t/armed", "r+b") as armed:
            armed.write(step.encode())

    def kill_at_step(self, victim):
        """When somebody comes to the step that is armed, the victim dies there."""
        there, _ = self.killer.accept()
        self.processes[victim].send_signal(signal.SIGKILL)
        self.processes[victim].wait()
        there.close()

    def end(self):
        for process in self.processes.values():
            process.kill()
            process.wait()


class Honest:
    """A client that keeps what it was given and repeats what it was not answered."""

    def __init__(self, doors, door):
        self.doors, self.door, self.token = doors, door, doors.login("P1").refresh_token
        self.repeats = 0

    def fields(self):
        return {"client": auth("P1"), "refresh_token": self.token}

    def begin(self):
        self.caller = self.doors.some(self.door, 1)[0]
        self.caller.start("Token/RefreshToken", MESSAGES["RefreshTokenRequest"](**self.fields()).SerializeToString())

    def repeat(self, answer, what):
        """Until there is a grant."""
        end = time.monotonic() + 15
        while answer is None or answer.reason != "OK":
            if answer is not None:
                assert answer.reason != "INVALID_GRANT", f"never INVALID_GRANT ({what})"
                assert answer.reason in GOOD_EXCUSES and time.monotonic() < end, f"{what}: {answer.reason} at {self.door}"
                self.repeats += 1
                time.sleep(0.02)
            try:
                if answer is not None:
                    self.doors.forget(self.door)
                answer = self.doors.ask(self.door, "Token/RefreshToken", **self.fields())
            except (OSError, grpc.FutureTimeoutError):  # the door is not open yet
                answer = Answer(UNREACHABLE, None, False)
        return answer.reply.grant

    def end(self, what):
        successor = self.repeat(self.caller.finish(), what).refresh_token
        assert generation(successor) == generation(self.token) + 1, f"{what}: that same successor, or a first success"
        again = self.repeat(None, what)
        assert again.replayed and again.refresh_token == successor, f"{what}: one successor"
        self.token = successor


def kill_once(host, honest, step, victim, gateway):
    what = f"{victim} {STEPS.get(step, STEPS['h'])}"
    host.arm(step)
    for client in honest:
        client.begin()
    host.kill_at_step(victim if victim == "daemon" else gateway)
    host.start(victim if victim == "daemon" else gateway)
    for client in honest:
        client.end(what)


def kills(times):
    doors, host = Doors(), Host()
    until(lambda: doors.ask("root", "Host/GetStatus").reason == "OK", "the daemon answers")
    honest = [Honest(doors, door) for door in ("root", "local", "tls")]
    began = time.monotonic()
    for step, victim, turn in itertools.product(STEPS, ("daemon", "gateway"), range(int(times))):
        gateway = ("tls", "local")[turn % 2]
        kill_once(host, honest, HTTP_STEP[gateway] if step == "h" else step, victim, gateway)
    assert all(client.repeats > 0 for client in honest), "each has lost a reply"
    print(f"{int(times) * 2 * len(STEPS)} kills in {time.monotonic() - began:.1f} s, {sum(c.repeats for c in honest)} repeats")
    host.end()


if __name__ == "__main__":
    {"register": lambda: register(Doors()), "lost": lost, "kills": kills}[sys.argv[1]](*sys.argv[2:])

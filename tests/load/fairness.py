"""What fairness.test measures; run as root in its private host.

fairness.py people                       alice, keys (who logs in with keys only) and 20 flooding uids
fairness.py flood SECONDS RATE           RATE attempts a second from 100 sources through root.sock and 20 uids through
                                         user.sock, until the time is over; prints how many were sent
fairness.py console SECONDS COUNT        COUNT logins of alice at the console, spread over the time; each under two seconds
fairness.py account SECONDS              the median, in milliseconds, of account and session for the key-only administrator
"""
import os
import selectors
import statistics
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../support"))
from wire import *  # noqa: E402,F403

RIGHT, WRONG = b"the right password", b"a wrong password"
SOURCES, UIDS = 100, range(3000, 3020)
LIMIT_SECONDS = 2.0
OPEN_MAX = 60  # calls of one connection that may wait for their answer


def people():
    with Daemon() as root:
        for name, uid in [("alice", 2001), ("keys", 2002)] + [(f"u{uid}", uid) for uid in UIDS]:
            must(root.call("User/CreateUser", user={"name": name, "uid": {"id": uid}, "active": True}, password=RIGHT))


class Flooder:
    """A connection that sends wrong passwords and reads what comes, without waiting for it."""

    def __init__(self, number, daemon, attempt):
        self.daemon, self.attempt, self.number, self.open = daemon, attempt, number, 0
        self.data, self.answers = b"", {}

    def send(self, turn):
        if self.open >= OPEN_MAX:
            return False
        attempt = dict(self.attempt)
        if "user" not in attempt:  # another name each time, or the pair would soon wait and nothing be hashed
            attempt["user"] = b"n%d" % turn
        self.daemon.send("Authn/BeginAuthentication", password=WRONG + b"%d.%d" % (self.number, turn), **attempt)
        self.open += 1
        return True

    def take(self):
        self.data += self.daemon.socket.recv(65536)
        while len(self.data) >= 32:
            length, _, _, status, *_ = HEADER.unpack(self.data[:32])
            if len(self.data) < length + 4:
                break
            self.data = self.data[length + 4:]
            self.open -= 1
            self.answers[STATUS[status]] = self.answers.get(STATUS[status], 0) + 1


def flood(seconds, rate):
    flooders = []
    for i in range(SOURCES):
        origin = {"service": "sshd", "rhost": b"198.51.100.%d" % i}
        flooders.append(Flooder(i, Daemon(), {"origin": origin}))
    for uid in UIDS:
        flooders.append(Flooder(uid, Daemon(USER_SOCKET, uid=uid), {"user": b"u%d" % uid, "origin": {"service": "i3lock"}}))
    selector = selectors.DefaultSelector()
    for flooder in flooders:
        selector.register(flooder.daemon.socket, selectors.EVENT_READ, flooder)
    began, sent, turn = time.monotonic(), 0, 0
    while (now := time.monotonic()) < began + float(seconds):
        if sent < (now - began) * float(rate):
            sent += flooders[turn % len(flooders)].send(turn)
            turn += 1
        for key, _ in selector.select(0 if sent < (now - began) * float(rate) else 0.01):
            key.data.take()
    answers = {}
    for flooder in flooders:
        for status, count in flooder.answers.items():
            answers[status] = answers.get(status, 0) + count
    print(f"{sent} attempts, {sent / float(seconds):.0f} a second: {answers}")
    assert sent >= float(seconds) * float(rate) * 0.9, "the flood was thinner than it shall be"


def console(seconds, count):
    took = []
    began = time.monotonic()
    for i in range(int(count)):
        time.sleep(max(0, began + i * float(seconds) / int(count) - time.monotonic()))
        at = time.monotonic()
        with Daemon() as root:
            status, _ = root.call("Authn/BeginAuthentication", user=b"alice", uid={"id": 2001}, password=RIGHT,
                                  origin={"service": "login", "tty": b"tty1"})
        took.append(time.monotonic() - at)
        assert status == "OK", (i, status)
    print(f"{count} logins at the console: median {statistics.median(took):.3f} s, most {max(took):.3f} s")
    assert max(took) < LIMIT_SECONDS


def account(seconds):
    """What sudo asks for somebody who logs in with keys: the account and a session, no password."""
    took = []
    until = time.monotonic() + float(seconds)
    while time.monotonic() < until:
        at = time.monotonic()
        with Daemon() as root:
            origin = {"service": "sudo"}
            must(root.call("Authn/CheckAccount", user=b"keys", uid={"id": 2002}, origin=origin))
            must(root.call("Session/OpenSession", user=b"keys", uid={"id": 2002}, origin=origin))
        took.append((time.monotonic() - at) * 1000)
        time.sleep(0.1)
    print(f"{statistics.median(took):.2f} {statistics.quantiles(took, n=20)[-1]:.2f}")


run_part()

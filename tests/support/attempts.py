#!/usr/bin/python3
"""Attempts at the daemon's sockets, many at a time; for tests in a private host.

    with Caller() as root:
        root.login("alice", b"...", rhost=b"203.0.113.1")      granted, challenged, or the status
        root.tries({"user": "alice", "password": wrong(n), "rhost": address(n)} for n in range(10000))

attempts.py USER COUNT [SOURCE] [SERVICE]   that many distinct failures, from as many addresses or from that one; prints
                                            how many of what
"""
import collections
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
from wire import *  # noqa: E402,F403
from wire import HEADER  # noqa: E402,F401

WINDOW = 512  # calls in flight
OUTCOMES = {1: "granted", 2: "challenged"}
RIGHT, S1 = b"the right password", b"203.0.113.1"


class Caller(Daemon):
    """A connection that may have many calls open."""

    def receive_any(self, kind):
        length, _, _, status, call, millis, *_ = HEADER.unpack(self.read(32))
        body = self.read(length - 28)
        reply = kind.FromString(body) if STATUS[status] == "OK" else None
        return call, STATUS[status], reply, millis

    def tries(self, attempts):
        """The outcome of every attempt, in their order; many at a time."""
        kind, outcomes, open_calls, attempts = MESSAGES["BeginAuthenticationResponse"], {}, {}, list(attempts)
        for number, attempt in enumerate(attempts):
            self.send("Authn/BeginAuthentication", **request(**attempt))
            open_calls[self.last] = number
            while len(open_calls) >= WINDOW or (number == len(attempts) - 1 and open_calls):
                call, status, reply, _ = self.receive_any(kind)
                outcomes[open_calls.pop(call)] = OUTCOMES[reply.outcome] if status == "OK" else status
        return [outcomes[number] for number in range(len(attempts))]

    def login(self, user, password=RIGHT, **more):
        """granted, challenged, or the status; what may be retried when is in .millis, the reply in .reply."""
        kind = self.send("Authn/BeginAuthentication", **request(user, password, **more))
        _, status, self.reply, self.millis = self.receive_any(kind)
        return OUTCOMES[self.reply.outcome] if status == "OK" else status

    def answer(self, user, code, **more):
        """The challenge of the last login."""
        asked = request(user, **more)
        del asked["password"]
        kind = self.send("Authn/ContinueAuthentication", state=self.reply.challenge.state, answer=code, **asked)
        _, status, self.reply, self.millis = self.receive_any(kind)
        return OUTCOMES[self.reply.outcome] if status == "OK" else status


def request(user, password=RIGHT, rhost=S1, service="sshd", tty=b"", acting_uid=0, **more):
    origin = {"service": service, "rhost": rhost, "tty": tty, "acting_uid": acting_uid}
    return {"user": user.encode() if isinstance(user, str) else user, "password": password, "origin": origin, **more}


def wrong(number):
    return b"a wrong password %d" % number


def address(number):
    return b"198.%d.%d.%d" % (18 + number // 62500, number // 250 % 250, number % 250 + 1)


def main(user, count, source="", service="sshd"):
    with Caller() as root:
        outcomes = root.tries({"user": user, "password": wrong(n), "rhost": source.encode() or address(n), "service": service}
                              for n in range(int(count)))
    for outcome, times in sorted(collections.Counter(outcomes).items()):
        print(outcome, times)


if __name__ == "__main__":
    main(*sys.argv[1:])

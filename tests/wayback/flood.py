"""What an unprivileged crowd does to user.sock; run as root in a private host, by flood.test.

flood.py SECONDS STOP     until SECONDS are over or the file STOP is there: 12 uids, of which 4 have a record and one is
                          alice's, hold every connection that they get. On a third of them wrong passwords are pipelined, on
                          a third a frame comes a byte a second, and on the rest half a frame is all that ever comes.
                          Connections that the daemon closes are made again. Prints what was done and what was answered.
"""
import os
import selectors
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../support"))
from wire import *  # noqa: E402,F403

UIDS = [2001, 3001, 3002, 3003] + list(range(4001, 4009))  # the first four have records
EACH = 80  # connections that a uid tries to hold: more than it may
PIPELINED = 40
counts = {"connections": 0, "refused": 0, "closed": 0, "attempts": 0, "answers": {}}


class Attacker:
    def __init__(self, uid, number, selector):
        self.uid, self.number, self.selector, self.daemon = uid, number, selector, None
        self.kind = ("pipeline", "loris", "half")[number % 3]
        self.connect()

    def connect(self):
        self.data, self.open, self.again = b"", 0, 0
        try:
            self.daemon = Daemon(USER_SOCKET, uid=self.uid, timeout=0.05)
            self.daemon.socket.setblocking(False)
            self.selector.register(self.daemon.socket, selectors.EVENT_READ, self)
            counts["connections"] += 1
        except OSError:
            self.drop("refused")

    def drop(self, why):
        counts[why] += 1
        if self.daemon:
            try:
                self.selector.unregister(self.daemon.socket)
            except (KeyError, ValueError):
                pass
            self.daemon.socket.close()
        self.daemon, self.again = None, time.monotonic() + 0.5

    def act(self, turn):
        if self.daemon is None:
            return self.connect() if time.monotonic() > self.again else None
        try:
            if self.kind == "pipeline":
                while self.open < PIPELINED:
                    self.daemon.send("Authn/BeginAuthentication", user=b"alice" if turn % 2 else b"nobody%d" % turn,
                                     password=b"wrong %d.%d" % (self.number, turn), origin={"service": "i3lock"})
                    self.open, counts["attempts"] = self.open + 1, counts["attempts"] + 1
                    turn += 1
            elif self.kind == "loris":
                self.daemon.socket.send(HEADER.pack(200, 1, 1, 0, 1, 25000, 0, 40, 0, 0)[turn % 32:][:1])
            elif self.open == 0:
                self.daemon.socket.send(HEADER.pack(200, 1, 1, 0, 1, 25000, 0, 40, 0, 0) + b"half of it")
                self.open = 1
        except BlockingIOError:
            pass
        except OSError:
            self.drop("closed")

    def take(self):
        try:
            more = self.daemon.socket.recv(65536)
        except BlockingIOError:
            return
        except OSError:
            more = b""
        if not more:
            return self.drop("closed")
        self.data += more
        while len(self.data) >= 32:
            length, _, _, status, *_ = HEADER.unpack(self.data[:32])
            if len(self.data) < length + 4:
                break
            self.data, self.open = self.data[length + 4:], max(0, self.open - 1)
            name = STATUS.get(status, status)
            counts["answers"][name] = counts["answers"].get(name, 0) + 1


def flood(seconds, stop):
    selector = selectors.DefaultSelector()
    crowd = [Attacker(uid, n, selector) for n in range(EACH) for uid in UIDS]
    until, turn = time.monotonic() + float(seconds), 0
    print("began", flush=True)
    while time.monotonic() < until and not os.path.exists(stop):
        for attacker in crowd:
            attacker.act(turn)
            turn += 1
        for key, _ in selector.select(0.2):
            key.data.take()
    print(counts)
    assert counts["refused"] + counts["closed"] > 100, "no cap was met"
    assert counts["attempts"] > 500, "the hashes were not flooded"


flood(*sys.argv[1:])

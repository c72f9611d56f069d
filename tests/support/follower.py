"""For Python tests in a private host: a verifier that follows what is revoked, and reads no store.

    from follower import Follower, claims
    with Follower() as follower:            # root's; Follower(client=auth("demo")) is a client's
        follower.voids(token)               # what it knows now
        follower.hears_of(token)            # waits a second for it
"""
import base64
import json
import threading
import time

from wire import Daemon


def claims(token):
    part = token.split(b".")[1]
    return json.loads(base64.urlsafe_b64decode(part + b"=" * (-len(part) % 4)))


class Follower:
    SECONDS = 1.0

    def __init__(self, **fields):
        self.sids, self.jtis, self.rules, self.changed = set(), set(), {}, threading.Condition()
        self.connection = Daemon(timeout=20)
        self.kind = self.connection.send("Key/WatchRevocations", **fields)
        self.caught_up = False
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()
        with self.changed:
            assert self.changed.wait_for(lambda: self.caught_up, 10), "the follower hears nothing"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.connection.socket.close()

    def _read(self):
        while True:
            try:
                ended, message = self.connection.next(self.kind)
            except OSError:
                return
            if ended is not None:
                print("the stream of revocations ended:", ended)
                return
            with self.changed:
                for row in message.revocations:
                    self._take(row)
                self.caught_up |= message.caught_up
                self.changed.notify_all()

    def _take(self, row):
        if row.HasField("sid"):
            self.sids.add(row.sid)
        elif row.HasField("jti"):
            self.jtis.add(row.jti)
        else:
            whose = row.rule.WhichOneof("whose")
            self.rules[whose, getattr(row.rule, whose)] = (row.rule.since_ms, row.rule.not_before_ms)

    def voids(self, token):
        said = claims(token)
        raw = base64.urlsafe_b64decode(said["jti"] + "=")
        minted = int.from_bytes(raw[:6], "big")
        whose = [("subject", said["sub"]), ("client", int.from_bytes(raw[8:12], "big")), ("instance", int.from_bytes(raw[6:8], "big"))]
        rules = [self.rules[one] for one in whose if one in self.rules]
        return said.get("sid") in self.sids or said["jti"] in self.jtis or any(since <= minted < before for since, before in rules)

    def hears_of(self, token):
        begun = time.monotonic()
        with self.changed:
            heard = self.changed.wait_for(lambda: self.voids(token), self.SECONDS)
        return heard and time.monotonic() - begun

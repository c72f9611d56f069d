"""What T22_store_contention.test does, while another process holds the store's write lock: `T22_store_contention.py hold SECONDS`,
`backup`, and `register` before them."""
import os
import re
import sqlite3
import sys
import threading
import time
from collections import Counter

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../support"))
from callers import *  # noqa: E402,F403
from callers import SECONDS, Doors  # noqa: E402

TELLING = re.compile(r"sqlite|lock|busy|database|/var|\.db|process", re.I)
CALM = 0.7  # seconds of it before and after


class Load:
    """Callers of every kind at every door, each with its next call once it has an answer."""

    def __init__(self):
        self.over, self.threads, self.lock = threading.Event(), [], threading.Lock()
        self.answers = []  # (when asked, when answered, kind, answer)
        doors = Doors()
        grants = {door: doors.login("P1") for door in ("tls", "local", "root")}
        for door, grant in grants.items():
            self.begin(self.refreshing, door, grant.refresh_token)
        for door in ("tls", "user"):
            self.begin(self.asking, door, "Token/IntrospectToken", token=grants["tls"].access_token, client=auth("demo"))
        self.begin(self.asking, "local", "Token/IssueToken", client=auth("C1"), tokens={"audiences": ["demo"]})
        self.begin(self.asking, "root", "Authn/BeginAuthentication", user=b"alice", uid={"id": ALICE}, password=PASSWORD,
                   origin={"service": "sshd", "rhost": b"203.0.113.7"})
        self.begin(self.asking, "tls", "Authn/BeginAuthentication", user=b"bob", password=PASSWORD, client=auth("P1"),
                   tokens={"audiences": ["demo"]})

    def begin(self, what, door, *words, **fields):
        doors = Doors()
        doors.some(door, 1)  # connected before others run
        thread = threading.Thread(target=what, args=(doors, door, *words), kwargs=fields, daemon=True)
        self.threads.append(thread)
        thread.start()

    def note(self, began, kind, answer):
        with self.lock:
            self.answers.append((began, time.monotonic(), kind, answer))
        return answer

    def refreshing(self, doors, door, token):
        while not self.over.is_set():
            began = time.monotonic()
            answer = self.note(began, "refresh", doors.ask(door, "Token/RefreshToken", client=auth("P1"), refresh_token=token))
            token = answer.reply.grant.refresh_token if answer.reason == "OK" else token
            time.sleep(0.002)

    def asking(self, doors, door, rpc, **fields):
        while not self.over.is_set():
            began = time.monotonic()
            self.note(began, rpc.split("/")[1], doors.ask(door, rpc, **fields))
            time.sleep(0.002)

    def end(self):
        self.over.set()
        for thread in self.threads:
            thread.join(SECONDS + 15)
            assert not thread.is_alive(), "They wait within their deadline"

    def granted(self, begin, end):
        return sum(begin <= answered < end and answer.reason == "OK" for _, answered, _, answer in self.answers)


def judge(load):
    seen = Counter()
    for began, answered, kind, answer in load.answers:
        seen[kind, answer.reason] += 1
        assert answered - began < SECONDS + 2, f"{kind}: They wait within their deadline"
        assert answer.reason in ("OK", "STORAGE", "OVERLOADED", "DEADLINE", "DEADLINE_EXCEEDED"), \
            f"{kind}: or answer UNAVAILABLE; never UNAUTHENTICATED ({answer.reason})"
        assert answer.reason in ("OK", "DEADLINE", "DEADLINE_EXCEEDED") or answer.hinted, f"{kind}: with a retry hint"
        assert not TELLING.search(answer.words), f"{kind}: no detail of the store in the message ({answer.words})"
    print(", ".join(f"{kind} {reason} {count}" for (kind, reason), count in sorted(seen.items())))
    lockouts = Doors().reply("root", "Lockout/ListLockouts").lockouts
    assert not lockouts, "never counted against the user"


def hold(seconds):
    load = Load()
    time.sleep(CALM)
    other = sqlite3.connect(STORE, timeout=10, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    took = time.monotonic()
    time.sleep(float(seconds))
    other.execute("ROLLBACK")
    gone = time.monotonic()
    other.close()
    time.sleep(1 + CALM)
    load.end()
    before, after = load.granted(took - CALM, took), load.granted(gone + 1, gone + 1 + CALM)
    writing = [row for row in load.answers if took + 0.2 < row[1] < gone and row[2] in ("refresh", "IssueToken") and row[3].reason == "OK"]
    assert not writing, "while the lock is held nothing is written"
    judge(load)
    print(f"granted in a second: {before} before, {after} a second after the release")
    # Seconds of a machine with other work differ by as much.
    assert after >= before / 3, "full speed again within a second of release"
    assert Doors().reply("root", "Host/GetStatus").disk == "normal", "a lock is no fault of the disk"


def backup():
    load = Load()
    time.sleep(CALM)
    other = sqlite3.connect(STORE, timeout=10, isolation_level=None)
    for turn in range(3):
        other.execute("VACUUM INTO ?", (f"/run/t/backup{turn}.db",))
    other.close()
    load.end()
    judge(load)
    wrong = [row for row in load.answers if row[3].reason != "OK"]
    assert not wrong, "an online backup holds up nobody"
    copy = sqlite3.connect("/run/t/backup2.db")
    assert copy.execute("PRAGMA integrity_check").fetchone()[0] == "ok"


if __name__ == "__main__":
    {"register": lambda: register(Doors()), "hold": hold, "backup": backup}[sys.argv[1]](*sys.argv[2:])

"""What T21_growth.test does on root's socket, a part at a time.

register         people and clients
leaves_no_row    client_credentials tokens
fill ROWS        ROWS of everything that grows (twelve times as many revoked tokens), the first by calls, the rest copies of those
clock HOURS      both clocks of the daemon go on
counts           rows of every table, as JSON
p99 SECONDS      of token calls by four callers, in milliseconds
kept             what lives is still there
"""
import itertools
import json
import os
import sqlite3
import struct
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../support"))
from callers import *  # noqa: E402,F403

KEPT = "/run/t/kept.json"
# What is unlike in each copy of a row; everything else stays. A function makes it of the copy's number.
KEY = object()  # a number of as many bytes
UNLIKE = {
    "sessions": {"number": lambda n: 1000000 + n, "id": lambda n: f"copy{n:018d}", "handle_mac": KEY},
    "revoked_tokens": {"jti": lambda n: f"copy{n:031d}"},
    "pairs": {"key": KEY},
    "guards": {"name": KEY},
    "api_keys": {"number": lambda n: 1000000 + n, "id": lambda n: f"copy{n:018d}"},
    "known_sources": {"source": lambda n: f"addr:2001:db8::{n:x}"},
}


def store():
    return sqlite3.connect(STORE, timeout=20)


def counts_of_tables():
    with store() as db:
        names = [row[0] for row in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")]
        return {name: db.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in names}


def counts():
    print(json.dumps(counts_of_tables()))


def leaves_no_row():
    doors, before = Doors(), counts_of_tables()
    for _ in range(10):
        answers = doors.at_once("root", 50, "Token/IssueToken", client=auth("C1"), tokens={"audiences": ["demo"]})
        assert all(answer.reason == "OK" for answer in answers)
    after = counts_of_tables()
    assert after.pop("audit") == before.pop("audit") + 500, "each has its record"
    assert after == before, "client_credentials tokens leave no row at all"


def copy_rows(table, count):
    with store() as db:
        found = db.execute(f"SELECT * FROM {table} LIMIT 1")
        names, row = [column[0] for column in found.description], found.fetchone()
        assert row is not None, f"there is a row in {table}"
        there = db.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
        make = [UNLIKE[table].get(name) for name in names]
        rows = ([old if new is None else n.to_bytes(len(old), "big") if new is KEY else new(n) for new, old in zip(make, row)]
                for n in range(count - there))
        db.executemany(f"INSERT INTO {table} VALUES ({','.join('?' * len(names))})", rows)


def fill(count):
    doors, count = Doors(), int(count)
    login = {"origin": {"service": "sshd"}}
    for number in range(20):  # wrong and right passwords, from many places
        for password in (b"wrong password %d" % number, PASSWORD):
            login["origin"]["rhost"] = b"203.0.113.%d" % number
            doors.ask("root", "Authn/BeginAuthentication", user=b"alice", uid={"id": ALICE}, password=password, **login)
    for number in range(101):
        login["origin"]["rhost"] = b"198.51.100.%d" % number
        doors.ask("root", "Authn/BeginAuthentication", user=b"bob", uid={"id": 2002}, password=b"guess %d" % number, **login)
    for _ in range(20):
        doors.reply("root", "ApiKey/CreateApiKey", client_id="C1", label="brief", expires_ms=int(time.time() + 3600) * 1000,
                    audiences=[{"audience": "demo", "scopes": ["read"]}])
        grant = doors.login("P1")
        for _ in range(3):
            grant = doors.reply("root", "Token/RefreshToken", client=auth("P1"), refresh_token=grant.refresh_token).grant
        token = doors.reply("root", "Token/IssueToken", client=auth("C1"), tokens={"audiences": ["demo"]}).grant.access_token
        doors.reply("root", "Token/RevokeToken", client=auth("C1"), token=token)
    for table in UNLIKE:
        copy_rows(table, count * (12 if table == "revoked_tokens" else 1))
    there = counts_of_tables()
    assert all(there[table] >= count for table in UNLIKE), there


def clock(hours):
    with open("/run/t/clock", "r+b") as file:
        ahead = struct.unpack("2q", file.read(16))[0] + int(float(hours) * 3600000)
        file.seek(0)
        file.write(struct.pack("2q", ahead, ahead))


def keep():
    """A session that begins now, and is in use."""
    grant = Doors().login("P1", "bob")
    with open(KEPT, "w", encoding="ascii") as file:
        json.dump({"refresh": grant.refresh_token.decode(), "sid": grant.session_id}, file)


def kept():
    with open(KEPT, encoding="ascii") as file:
        found = json.load(file)
    grant = Doors().reply("root", "Token/RefreshToken", client=auth("P1"), refresh_token=found["refresh"].encode()).grant
    assert grant.session_id == found["sid"], "what lives is still there"
    found["refresh"] = grant.refresh_token.decode()
    with open(KEPT, "w", encoding="ascii") as file:
        json.dump(found, file)


def p99(seconds):
    doors, took = Doors(), []
    token = doors.reply("root", "Token/IssueToken", client=auth("C1"), tokens={"audiences": ["demo"]}).grant.access_token
    callers = doors.some("root", 4)
    issue = MESSAGES["IssueTokenRequest"](client=auth("C1"), tokens={"audiences": ["demo"]}).SerializeToString()
    look = MESSAGES["IntrospectTokenRequest"](client=auth("demo"), token=token).SerializeToString()
    end = time.monotonic() + float(seconds)
    for turn in itertools.count():
        if time.monotonic() > end:
            break
        began = time.monotonic()
        for number, caller in enumerate(callers):
            caller.start(*(("Token/IssueToken", issue) if (turn + number) % 2 else ("Token/IntrospectToken", look)))
        for caller in callers:
            assert caller.finish().reason == "OK"
            took.append(time.monotonic() - began)
    took.sort()
    print(f"{took[len(took) * 99 // 100] * 1000:.2f}")


if __name__ == "__main__":
    {"register": lambda: register(Doors()), "leaves_no_row": leaves_no_row, "fill": fill, "clock": clock, "counts": counts, "p99": p99,
     "keep": keep, "kept": kept}[sys.argv[1]](*sys.argv[2:])

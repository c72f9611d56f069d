"""Many sessions between those of a store, whose daemon is stopped: `sessions.py STORE COUNT`."""
import os
import sqlite3
import sys

store, count = sqlite3.connect(sys.argv[1]), int(sys.argv[2])
found = store.execute("SELECT * FROM sessions ORDER BY number DESC LIMIT 1")
names, row = [column[0] for column in found.description], found.fetchone()
there = store.execute("SELECT count(*) FROM sessions").fetchone()[0]
number, key, handle = (names.index(name) for name in ("number", "id", "handle_mac"))
apart = count // there + 1
store.execute("UPDATE sessions SET number = -number")  # out of the way of each other
store.execute("UPDATE sessions SET number = -number * ?", (apart,))


def copies():
    copy = list(row)
    for place in range(1, there * apart):
        if place % apart != 0:
            copy[number], copy[key], copy[handle] = place, f"copy{place:018d}", os.urandom(32)
            yield copy


store.executemany(f"INSERT INTO sessions VALUES ({','.join('?' * len(names))})", copies())
store.commit()
store.execute("PRAGMA wal_checkpoint(TRUNCATE)")
store.close()

#!/usr/bin/python3
"""Guesses at alice from one source, released together. A caller is a connection of its own, which to the daemon is what a
process is. The barrier is the daemon itself: it is stopped until every guess lies in its sockets.

P10_parallel_guesses.py rounds COUNT DAEMON-PID  COUNT rounds of 64 guesses on 64 connections, one of them right. Prints
                                                 how many were won, and fails where a round without a grant left the pair
                                                 without a wait or with other than 5 evaluated guesses
P10_parallel_guesses.py thousand DAEMON-PID      1,000 wrong guesses on 20 connections; prints how many were evaluated.
                                                 All lie in the daemon's queue of hashes before the first is decided:
                                                 calls that are pipelined on a connection do not wait for one another
"""
import collections
import contextlib
import os
import random
import select
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../support"))
from attempts import *  # noqa: E402,F403

GUESSES = 64


@contextlib.contextmanager
def stopped(pid):
    os.kill(pid, signal.SIGSTOP)
    yield
    os.kill(pid, signal.SIGCONT)


def outcomes_of(callers, each):
    """What comes for `each` guesses on every one of the connections."""
    kind, outcomes = MESSAGES["BeginAuthenticationResponse"], []
    left = {caller.socket: each for caller in callers}
    by_socket = {caller.socket: caller for caller in callers}
    while left:
        for ready in select.select(list(left), [], [])[0]:
            _, status, reply, _ = by_socket[ready].receive_any(kind)
            outcomes.append(OUTCOMES[reply.outcome] if status == "OK" else status)
            left[ready] -= 1
            if left[ready] == 0:
                del left[ready]
    return collections.Counter(outcomes)


def sequence(admin):
    return must(admin.call("Host/GetStatus")).audit_sequence


def evaluated(admin, since):
    """How many passwords have been hashed since that record: each has one of its own."""
    count, more = 0, True
    while more:
        page = must(admin.call("Audit/ListAuditRecords", after_sequence=since, event="LOGIN", page_size=500))
        count += sum(record.reason in ("", "WRONG_PASSWORD") for record in page.records)
        since = more = page.next_after_sequence
    return count


def pairs(admin):
    return [row for row in must(admin.call("Lockout/ListLockouts", user=b"alice")).lockouts if row.kind == 1]


def rounds(count, pid):
    right, won, odd, chance = os.environ["PW"].encode(), 0, [], random.Random(10)
    callers, admin = [Caller() for _ in range(GUESSES)], Caller()
    for number in range(int(count)):
        guesses = [right] + [b"guess %d" % n for n in range(GUESSES - 1)]
        chance.shuffle(guesses)
        since = sequence(admin)
        with stopped(int(pid)):
            for caller, guess in zip(callers, guesses):
                caller.send("Authn/BeginAuthentication", **request("alice", guess))
        outcomes = outcomes_of(callers, 1)
        assert set(outcomes) <= {"granted", "INVALID_CREDENTIALS"}, outcomes
        looked_at = evaluated(admin, since)
        rows = pairs(admin)
        if outcomes["granted"]:
            won += 1
        elif len(rows) != 1 or rows[0].failures < 5 or rows[0].wait_ms == 0 or looked_at != 5:
            odd.append((number, looked_at, rows))
        must(admin.call("Lockout/ClearLockout", all=True))
    print(f"{won} of {count} rounds had the right one accepted")
    for line in odd:
        print("odd: round", *line)


def thousand(pid):
    callers, admin = [Caller() for _ in range(20)], Caller()
    since = sequence(admin)
    with stopped(int(pid)):
        for number in range(1000):
            callers[number % 20].send("Authn/BeginAuthentication", **request("alice", wrong(number)))
    outcomes = outcomes_of(callers, 50)
    looked_at = evaluated(admin, since)
    print(f"{looked_at} of 1000 guesses were evaluated; {dict(outcomes)}; failures: {pairs(admin)[0].failures}")
    assert outcomes == {"INVALID_CREDENTIALS": 1000}, outcomes
    must(admin.call("Lockout/ClearLockout", all=True))


run_part()

#!/usr/bin/python3
"""200 rounds of 64 guesses at alice from one source, one of them right, released together; each has a connection of its
own. Prints how many rounds were won, and fails where a failing round left the pair without a wait or under 5 failures.

P10_parallel_guesses.py [ROUNDS]"""
import os
import random
import select
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../support"))
from attempts import *  # noqa: E402,F403

RIGHT_ONE, GUESSES = os.environ["PW"].encode(), 64
rounds, won, evaluated, odd = int(sys.argv[1]), 0, [], []
chance = random.Random(10)
callers = [Caller() for _ in range(GUESSES)]
admin = Caller()
sockets = {caller.socket: caller for caller in callers}
for number in range(rounds):
    guesses = [RIGHT_ONE] + [b"guess %d" % n for n in range(GUESSES - 1)]
    chance.shuffle(guesses)
    # The barrier: nothing is looked at before all of them are there.
    for caller, guess in zip(callers, guesses):
        kind = caller.send("Authn/BeginAuthentication", **request("alice", guess))
    outcomes, waiting = [], dict(sockets)
    while waiting:
        for ready in select.select(list(waiting), [], [])[0]:
            _, status, reply, _ = waiting.pop(ready).receive_any(kind)
            outcomes.append(OUTCOMES[reply.outcome] if status == "OK" else status)
    assert set(outcomes) <= {"granted", "INVALID_CREDENTIALS"}, set(outcomes)
    rows = must(admin.call("Lockout/ListLockouts", user=b"alice")).lockouts
    pairs = [row for row in rows if row.kind == 1]
    if "granted" in outcomes:
        won += 1
    elif len(pairs) != 1 or pairs[0].failures < 5 or pairs[0].wait_ms == 0:
        odd.append((number, pairs))
    must(admin.call("Lockout/ClearLockout", all=True))
print(f"{won} of {rounds} rounds had the right one accepted")
for number, pairs in odd:
    print(f"odd: round {number}: {pairs}")

#!/usr/bin/python3
"""From S1 60 wrong passwords at once, more than the queue of hashes takes of one source, and then one login of bob's from
where he never was: S1 gets its quarter of the queue and is told that the rest is too much; bob's turn is the next."""
import collections
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../support"))
from attempts import *  # noqa: E402,F403

S3, ATTEMPTS = b"203.0.113.3", 60


def lane(caller):
    return next(lane for lane in must(caller.call("Host/GetStatus")).lanes if lane.name == "hash")


with Caller() as flood, Caller() as person, Caller() as watch:
    capacity, refused = lane(watch).capacity, lane(watch).refused
    for number in range(ATTEMPTS):
        kind = flood.send("Authn/BeginAuthentication", **request(f"n{number}", wrong(number), S1))
    outcome = person.login("bob", os.environ["PW"].encode(), rhost=S3)
    left = lane(watch).queued
    answers = collections.Counter(flood.receive_any(kind)[1] for _ in range(ATTEMPTS))
    refused = lane(watch).refused - refused
print(f"a queue of {capacity}; S1: {dict(answers)}; bob: {outcome}, while {left} of S1's waited")
assert set(answers) == {"INVALID_CREDENTIALS", "OVERLOADED"}, answers
# While the 60 arrive, one or two of those taken are hashed, and make room for as many.
assert capacity // 4 <= answers["INVALID_CREDENTIALS"] <= capacity // 4 + 4, answers
assert refused == answers["OVERLOADED"], refused
assert outcome == "granted" and left > capacity // 8, (outcome, left)

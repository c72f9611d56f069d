"""full_queue.py: what flooded.test does to the queue of hashes; run as root in its private host.

The one worker is busy for seconds with slow's hash, and behind it no place is free, of those either that are kept for
people at a console. Prints `full` when it is so, and holds until it is killed.
"""
import os
import signal
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../support"))
from wire import *  # noqa: E402,F403


def attempt(daemon, user, seat):
    daemon.send("Authn/BeginAuthentication", user=user, password=b"anything",
                origin={"service": "login", "tty": b"tty%d" % seat})


def lane(daemon):
    return next(lane for lane in must(daemon.call("Host/GetStatus")).lanes if lane.name == "hash")


def until_queued(daemon, count):
    end = time.monotonic() + 10
    while lane(daemon).queued != count:
        assert time.monotonic() < end, lane(daemon)
        time.sleep(0.01)


with Daemon() as watch, Daemon() as slow, Daemon() as others:
    # Of two of slow's one is in the worker's hands when the other waits alone.
    attempt(slow, b"slow", 62)
    attempt(slow, b"slow", 63)
    until_queued(watch, 1)
    capacity = lane(watch).capacity
    assert 4 <= capacity <= 60, capacity
    for turn in range(1, capacity):
        attempt(others, b"stranger%d" % turn, turn + 1)
    until_queued(watch, capacity)
    print("full", flush=True)
    signal.pause()

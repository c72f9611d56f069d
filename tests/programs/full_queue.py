"""full_queue.py: what flooded.test does to the queue of hashes; run as root in its private host.

The one worker is busy for seconds with slow's hash, and behind it no place is free, of those either that are kept for
people at a console. Prints `full` when it is so, and holds until it is killed.
"""
import os
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../support"))
from wire import *  # noqa: E402,F403

MORE_THAN_PLACES = 60


def attempt(daemon, user, seat):
    return daemon.send("Authn/BeginAuthentication", user=user, password=b"anything",
                       origin={"service": "login", "tty": b"tty%d" % seat})


with Daemon() as slow, Daemon() as root:
    attempt(slow, b"slow", 63)
    for turn in range(MORE_THAN_PLACES):
        kind = attempt(root, b"stranger%d" % turn, turn + 2)
    assert root.receive(kind)[0] == "OVERLOADED"  # the others wait for their turn
    print("full", flush=True)
    signal.pause()

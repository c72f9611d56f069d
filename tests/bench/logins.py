"""Callers who log in at root's socket until they are killed: `logins.py CALLERS PASSWORD`; each login costs its hash."""
import os
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../support"))
from wire import *  # noqa: E402,F403


def caller(password):
    with Daemon() as root:
        while True:
            root.call("Authn/BeginAuthentication", user=b"person0", uid={"id": 3000}, password=password, origin={"service": "bench"})


threads = [threading.Thread(target=caller, args=(sys.argv[2].encode(),)) for _ in range(int(sys.argv[1]))]
for thread in threads:
    thread.start()

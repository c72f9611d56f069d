"""The callers of group_commit.test: `group_commit.py CALLERS CALLS SECRET_FILE` prints how many milliseconds it took."""
import os
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../support"))
from wire import *  # noqa: E402,F403


def main(callers, calls, secret_file):
    with open(secret_file, "rb") as file:
        client = {"client_id": "demo", "secret": file.read().strip()}
    jtis, connections = [], [Daemon() for _ in range(callers)]

    def caller(connection):
        for _ in range(calls):
            jtis.append(must(connection.call("Token/IssueToken", client=client, tokens={"audiences": ["demo"]})).grant.access_token)

    threads = [threading.Thread(target=caller, args=(c,)) for c in connections]
    began = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took = (time.monotonic() - began) * 1000
    assert len(set(jtis)) == callers * calls, "some caller was refused"
    print(round(took))


main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3])

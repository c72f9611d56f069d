"""The medians of 50 denials of each NAME with alice's password, of a name that nobody has, and of a wrong password of
alice's, interleaved: within 20% of the last. P12_names.py NAME..."""
import os
import statistics
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../support"))
from attempts import *  # noqa: E402,F403

kinds = {name: (name, os.environ["PW"].encode()) for name in sys.argv[1:]}
kinds |= {"zelda": ("zelda", wrong(1)), "wrong": ("alice", wrong(1))}
took = {kind: [] for kind in kinds}
with Caller() as root:
    for number in range(50):
        began = {}
        for kind, (name, password) in kinds.items():  # each from a source of its own, so that none waits
            reply = root.send("Authn/BeginAuthentication", **request(name, password, rhost=address(number)))
            began[root.last] = (kind, time.monotonic())
        for _ in kinds:
            call, status, _, _ = root.receive_any(reply)
            kind, since = began[call]
            assert status == "INVALID_CREDENTIALS", (kind, status)
            took[kind].append((time.monotonic() - since) * 1000)
plain = statistics.median(took["wrong"])
for kind, times in took.items():
    print(f"{statistics.median(times):8.1f} ms  {kind!r}")
    assert abs(statistics.median(times) - plain) <= plain / 5, kind

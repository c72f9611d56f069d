"""What denials.test measures; run as root in its private host.

denials.py PART [ARGUMENT...]    exits 0 where all is as it shall be; prints what it measured
"""
import os
import statistics
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../support"))
from wire import *  # noqa: E402,F403

RIGHT, WRONG = b"the right password", b"a wrong password"
KINDS = {  # what is denied: the name, its uid where the name service knows one, the password
    "a wrong password": (b"alice", 2001, WRONG),
    "a name that nobody knows": (b"nobody-here", None, WRONG),
    "a name that breaks the rule": (b"-Alice/../\n", None, WRONG),
    "a name of 4,096 bytes": (b"a" * 4096, None, WRONG),
    "another uid": (b"alice", 2002, RIGHT),
    "a disabled account": (b"dora", 2010, RIGHT),
    "a disabled account, wrong password": (b"dora", 2010, WRONG),
    "an account past its end": (b"eric", 2011, RIGHT),
    "an account not yet valid": (b"nora", 2012, RIGHT),
    "an account without a password": (b"lock", 2013, WRONG),
    "a password of 512 bytes": (b"alice", 2001, b"a" * 512),
    "a password of 1,025 bytes": (b"alice", 2001, b"a" * 1025),
    "a password with a NUL": (b"alice", 2001, RIGHT + b"\0"),
    "what sshd sends for people it refuses": (b"alice", 2001, b"\b\n\r\177INCORRECT\b\n\r"),
    "no password": (b"alice", 2001, b""),
    "a yescrypt hash, wrong password": (b"yves", 2014, WRONG),
}


def begin(connection, name, uid, password, rhost=b"203.0.113.7"):
    origin = {"service": "sshd", "rhost": rhost}
    more = {} if uid is None else {"uid": {"id": uid}}
    return connection.call("Authn/BeginAuthentication", user=name, password=password, origin=origin, **more)


def people():
    """Everybody whom KINDS names."""
    with Daemon() as root:
        for name, uid, more in (("alice", 2001, {}), ("dora", 2010, {}), ("eric", 2011, {"not_after": 1000}),
                                ("nora", 2012, {"not_before": int(time.time()) + 86400})):
            must(root.call("User/CreateUser", user={"name": name, "uid": {"id": uid}, "active": True, **more}, password=RIGHT))
        must(root.call("User/SetUserActive", name="dora", active=False))
        must(root.call("User/ImportUser", shadow_line=b"lock:!:19000:0:99999:7:::", uid={"id": 2013}))
        yescrypt = subprocess.run(["/usr/bin/perl", "-e", "print crypt($ARGV[0], $ARGV[1])", RIGHT,
                                   "$y$j9T$F5Jx5fExrKuPp53xLKQ..1"], check=True, capture_output=True).stdout
        assert yescrypt.startswith(b"$y$"), yescrypt
        must(root.call("User/ImportUser", shadow_line=b"yves:" + yescrypt + b":19000:0:99999:7:::", uid={"id": 2014}))


def all_denials_take_the_same_time(rounds, floor, spread):
    """Interleaved; medians within `spread` ms; none below the floor; all with one answer."""
    floor, spread = int(floor), float(spread)
    took = {kind: [] for kind in KINDS}
    with Daemon() as root:
        for _ in range(int(rounds)):
            for kind, attempt in KINDS.items():
                began = time.monotonic()
                status, _ = begin(root, *attempt)
                took[kind].append((time.monotonic() - began) * 1000)
                assert status == "INVALID_CREDENTIALS", (kind, status)
    medians = {kind: statistics.median(times) for kind, times in took.items()}
    for kind, median in medians.items():
        print(f"{median:8.1f} ms  least {min(took[kind]):8.1f}  most {max(took[kind]):8.1f}  {kind}")
    least, most = min(medians.values()), max(medians.values())
    assert min(map(min, took.values())) > floor - 1, "a denial came before its time"  # the daemon counts milliseconds
    assert most - least <= spread, f"the medians are {most - least:.1f} ms apart"


def grants_leave_at_once(floor):
    took = []
    with Daemon() as root:
        for _ in range(5):
            began = time.monotonic()
            must(begin(root, b"alice", 2001, RIGHT))
            took.append((time.monotonic() - began) * 1000)
    print(f"a grant took {statistics.median(took):.1f} ms")
    assert statistics.median(took) < int(floor)


def a_held_denial_keeps_no_worker(floor):
    """Many denials at once are over long before one after the other would be: a timer holds them, not a thread."""
    connections = [Daemon() for _ in range(40)]
    began = time.monotonic()
    kinds = [c.send("Authn/BeginAuthentication", user=b"alice", uid={"id": 2001}, password=WRONG,
                    origin={"service": "sshd", "rhost": f"198.51.100.{i}".encode()}) for i, c in enumerate(connections)]
    for connection, kind in zip(connections, kinds):
        assert connection.receive(kind)[0] == "INVALID_CREDENTIALS"
        connection.socket.close()
    took = (time.monotonic() - began) * 1000
    print(f"40 denials at once took {took:.0f} ms")
    assert took < 40 * int(floor) / 2


def a_guess_counts_though_nobody_waits_for_its_answer():
    """The time of a call is up while its hash is computed. The guess counts, and keeps nobody out longer than it may."""
    here = b"203.0.113.99"
    with Daemon() as root:
        for number in range(5):
            origin = {"service": "sshd", "rhost": here}
            status, _ = root.call("Authn/BeginAuthentication", millis=20, user=b"alice", uid={"id": 2001}, origin=origin,
                                  password=WRONG + b" %d" % number)
            assert status == "INVALID_CREDENTIALS", status
        row, = must(root.call("Lockout/ListLockouts", user=b"alice", source="addr:" + here.decode())).lockouts
        assert row.failures == 5, row
        reply = must(root.call("Audit/ListAuditRecords", newest=True, page_size=5, user="alice"))
        assert [(r.reason, r.source) for r in reply.records] == [("WRONG_PASSWORD", "addr:" + here.decode())] * 5, reply
        must(begin(root, b"alice", 2001, RIGHT, here))


run_part()

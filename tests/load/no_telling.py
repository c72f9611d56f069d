"""Whether a caller can tell one denial from another by its time; run as root in the private host of no_telling.test.

The socket is root's, as for sshd, or with SA_DOOR=user that of everybody, for a service's uid.

no_telling.py people                     one person of every kind
no_telling.py wait                       from 16 sources one of them waits, from now on
no_telling.py tell SAMPLES equal|apart   SAMPLES interleaved denials of each kind, 16 in flight from 16 sources; `equal`
                                         fails where the times tell the kinds apart, `apart` where they do not
no_telling.py always SAMPLES equal|apart the same of both steps where a code is asked of every name, 8 in flight

The test is that of Kruskal and Wallis: all times are ranked together (ties share the middle rank), and
    H = (12 / (N (N + 1)) * sum over kinds of R^2 / n - 3 (N + 1)) / (1 - sum of (t^3 - t) over ties / (N^3 - N))
with R a kind's sum of ranks. Where the kinds have one distribution, H is distributed as chi squared with k - 1 degrees
of freedom. One test compares all kinds at once, so nothing is compared several times, and none of its assumptions is
about the shape of the distribution, which is not normal here (a jitter of 50 ms and the scheduler).

Six kinds are five degrees of freedom, of which 25.74 is exceeded once in 10,000 runs and 30.86 once in 100,000: the
threshold is 30.86. Three kinds are two, of which -2 ln(p) is exceeded with the probability p: 23.03.
The order within a round is shuffled, so that whatever drifts falls on all kinds alike.
"""
import os
import random
import selectors
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../support"))
from wire import *  # noqa: E402,F403

RIGHT, WRONG = b"the right password", b"a wrong password"
IN_FLIGHT = 16
SERVICE_UID = 33
THRESHOLD, THRESHOLD_OF_THREE = 30.86, 23.03  # chi squared, 5 and 2 degrees of freedom, 1 in 100,000
KINDS = {
    "an unknown name": (b"nobody-here", None, WRONG),
    "a wrong password": (b"alice", 2001, WRONG),
    "a pair that waits": (b"wait", 2005, WRONG),
    "a disabled account, wrong password": (b"dora", 2010, WRONG),
    "an expired account, wrong password": (b"eric", 2011, WRONG),
    "a password that is too long": (b"alice", 2001, b"a" * 600),
}


def door():
    return Daemon(USER_SOCKET, uid=SERVICE_UID) if os.environ.get("SA_DOOR") == "user" else Daemon()


def people():
    with Daemon() as root:
        for name, uid, more in (("alice", 2001, {}), ("wait", 2005, {}), ("dora", 2010, {}),
                                ("eric", 2011, {"not_after": 1000})):
            must(root.call("User/CreateUser", user={"name": name, "uid": {"id": uid}, "active": True, **more}, password=RIGHT))
        must(root.call("User/SetUserActive", name="dora", active=False))


def wait():
    with door() as caller:
        for i in range(8):  # beyond what is free
            kinds = [caller.send("Authn/BeginAuthentication", **request(KINDS["a pair that waits"], source, b"%d" % i))
                     for source in range(IN_FLIGHT)]
            for kind in kinds:
                caller.receive(kind)


def request(kind, source, more=b""):
    name, uid, password = kind
    fields = {} if uid is None else {"uid": {"id": uid}}
    return {"user": name, "password": password + more, **fields,
            "origin": {"service": "sshd", "rhost": b"203.0.113.%d" % (source + 1)}}


def sample(count):
    """Times in milliseconds by kind; every answer is the same in all that it says."""
    jobs = []
    for _ in range(count):
        turn = list(KINDS)
        random.shuffle(turn)
        jobs += turn
    jobs.reverse()
    times, bodies = {kind: [] for kind in KINDS}, set()
    selector = selectors.DefaultSelector()

    def send(daemon, source):
        kind = jobs.pop()
        daemon.send("Authn/BeginAuthentication", **request(KINDS[kind], source))
        daemon.now = (kind, time.monotonic(), source)

    for source in range(IN_FLIGHT):
        daemon = door()
        selector.register(daemon.socket, selectors.EVENT_READ, daemon)
        send(daemon, source)
    open_calls = IN_FLIGHT
    while open_calls:
        for key, _ in selector.select(30):
            daemon = key.data
            kind, began, source = daemon.now
            header = HEADER.unpack(daemon.read(32))
            body = daemon.read(header[0] - 28)
            times[kind].append((time.monotonic() - began) * 1000)
            bodies.add((STATUS[header[3]], header[5], body))
            open_calls -= 1
            if jobs:
                send(daemon, source)
                open_calls += 1
    return times, bodies


def kruskal_wallis(groups):
    values = sorted((value, group) for group, times in enumerate(groups) for value in times)
    total, sums, ties, at = len(values), [0.0] * len(groups), 0, 0
    while at < total:
        end = at
        while end < total and values[end][0] == values[at][0]:
            end += 1
        for i in range(at, end):
            sums[values[i][1]] += (at + end + 1) / 2
        ties += (end - at) ** 3 - (end - at)
        at = end
    h = 12 / (total * (total + 1)) * sum(s * s / len(g) for s, g in zip(sums, groups)) - 3 * (total + 1)
    return h / (1 - ties / (total ** 3 - total))


def tell(samples, expected):
    times, bodies = sample(int(samples))
    for kind, values in times.items():
        values.sort()
        print(f"{values[len(values) // 2]:8.1f} ms  least {values[0]:8.1f}  most {values[-1]:8.1f}  {kind}")
    h = kruskal_wallis(list(times.values()))
    print(f"H = {h:.1f}, threshold {THRESHOLD}; answers: {sorted(b[:2] for b in bodies)}")
    if expected == "equal":
        assert len(bodies) == 1, "the answers differ in what they say"
        assert h < THRESHOLD, "the times tell the kinds apart"
    else:
        assert h >= THRESHOLD, "the times tell nothing although the fixed time is gone"


# ---- a code that is asked of every name ----

ASKED = {"an unknown name": (b"nobody-here", None, WRONG), "a wrong password": (b"tina", 2012, WRONG),
         "the right password": (b"tina", 2012, RIGHT)}


def enrolled():
    with Daemon() as root:
        must(root.call("User/CreateUser", user={"name": "tina", "uid": {"id": 2012}, "active": True}, password=RIGHT))
        key = os.urandom(20)
        must(root.call("Mfa/EnrollTotp", user="tina", key=key))
        code = subprocess.run(["oathtool", "--totp", key.hex()], check=True, capture_output=True).stdout.strip()
        must(root.call("Mfa/ConfirmTotp", user="tina", code=code))


def ask_and_answer(source, rounds, times, answers):
    """Both steps, one after the other: a question, and what a wrong code gets."""
    with Daemon() as root:
        for _ in range(rounds):
            for kind in random.sample(list(ASKED), len(ASKED)):
                said = request(ASKED[kind], source)
                began = time.monotonic()
                status, reply = root.call("Authn/BeginAuthentication", **said)
                asked = time.monotonic()
                state, reply.challenge.state = reply.challenge.state, b"?"
                answers["asks"].add((status, len(state), reply.SerializeToString()))
                del said["password"]
                said.pop("uid", None)
                then = time.monotonic()
                answers["denies"].add(root.call("Authn/ContinueAuthentication", state=state, answer=b"000000", **said))
                times["asks"][kind].append((asked - began) * 1000)
                times["denies"][kind].append((time.monotonic() - then) * 1000)


def always(samples, expected):
    workers, answers = 8, {"asks": set(), "denies": set()}
    times = {step: {kind: [] for kind in ASKED} for step in answers}
    threads = [threading.Thread(target=ask_and_answer, args=(source, int(samples) // workers, times, answers))
               for source in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for step, kinds in times.items():
        for kind, values in kinds.items():
            values.sort()
            print(f"{values[len(values) // 2]:8.1f} ms  least {values[0]:8.1f}  most {values[-1]:8.1f}  {step} after {kind}")
        h = kruskal_wallis(list(kinds.values()))
        print(f"H = {h:.1f}, threshold {THRESHOLD_OF_THREE}")
        assert len(answers[step]) == 1 and len(kinds["the right password"]) == int(samples), answers[step]
        if expected == "equal":
            assert h < THRESHOLD_OF_THREE, "the times tell the kinds apart"
    assert expected == "equal" or h >= THRESHOLD_OF_THREE, "the times tell nothing although the fixed time is gone"


run_part()

"""Whether a caller can tell one denial from another by its time; run as root in the private host of no_telling.test.

no_telling.py rules                      prints the rules that the doors need
no_telling.py people                     one person of every kind, and those behind the third door
no_telling.py wait                       one of them fails from every source, for 16 s, and then waits for 16 s
no_telling.py tell SAMPLES equal|apart   at every door SAMPLES interleaved denials of each kind, 16 in flight from 16
                                         sources; `equal` fails where the times tell the kinds apart, `apart` where at
                                         some door they do not
no_telling.py always SAMPLES equal|apart the same of both steps where a code is asked of every name, at the first two

The doors, all at once: root's socket, as for sshd, whose sources are addresses; the socket of everybody, for services
whose uids a rule lets ask about other people; and the same socket for people who may ask about themselves alone. There,
whoever else is named is nobody's business, whether unknown, waiting, expired or given the right password: nothing is
looked at. So the sixth kind there is a wrong password of one's own, the only one for which a hash is computed.

The test is that of Kruskal and Wallis: all times are ranked together (ties share the middle rank), and
    H = (12 / (N (N + 1)) * sum over kinds of R^2 / n - 3 (N + 1)) / (1 - sum of (t^3 - t) over ties / (N^3 - N))
with R a kind's sum of ranks. Where the kinds have one distribution, H is distributed as chi squared with k - 1 degrees
of freedom. One test compares all kinds of a door at once, so nothing is compared several times, and none of its
assumptions is about the shape of the distribution, which is not normal here (a jitter and the scheduler).

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
SERVICES, PERSONS = range(6001, 6001 + IN_FLIGHT), range(7001, 7001 + IN_FLIGHT)
THRESHOLD, THRESHOLD_OF_THREE = 30.86, 23.03  # chi squared, 5 and 2 degrees of freedom, 1 in 100,000
KINDS = {
    "an unknown name": (b"nobody-here", None, WRONG),
    "a wrong password": (b"alice", 2001, WRONG),
    "a pair that waits": (b"wait", 2005, WRONG),
    "a disabled account, wrong password": (b"dora", 2010, WRONG),
    "an expired account, wrong password": (b"eric", 2011, WRONG),
    "a password that is too long": (b"alice", 2001, b"a" * 600),
}
OWN = "a wrong password of one's own"
KINDS_OF_OTHERS = {
    "an unknown name": (b"nobody-here", None, WRONG),
    "another's right password": (b"alice", 2001, RIGHT),
    "another who waits": (b"wait", 2005, WRONG),
    "another who is disabled, right password": (b"dora", 2010, RIGHT),
    "a password that is too long": (b"alice", 2001, b"a" * 600),
    OWN: None,
}


class Door:
    """A way in with 16 sources, and the kinds of denials that there are."""

    def __init__(self, name, uids=None, kinds=KINDS):  # noqa: B006
        self.name, self.uids, self.kinds = name, uids, kinds

    def open(self, source):
        return Daemon(USER_SOCKET, uid=self.uids[source]) if self.uids else Daemon()

    def request(self, kind, source, more=b""):
        name, uid, password = self.kinds[kind] or (b"p%d" % PERSONS[source], PERSONS[source], WRONG)
        return request((name, uid, password), source, more)


DOORS = [Door("root's socket"), Door("everybody's socket, a service's uid", SERVICES),
         Door("everybody's socket, a person's uid", PERSONS, KINDS_OF_OTHERS)]


def request(kind, source, more=b""):
    name, uid, password = kind
    fields = {} if uid is None else {"uid": {"id": uid}}
    return {"user": name, "password": password + more, **fields,
            "origin": {"service": "sshd", "rhost": b"203.0.113.%d" % (source + 1)}}


def rules():
    for uid in SERVICES:
        print(f"service_uid s{uid} uid={uid} services=sshd rate=100000/60")


def people():
    made = [("alice", 2001, {}), ("wait", 2005, {}), ("dora", 2010, {}), ("eric", 2011, {"not_after": 1000})]
    with Daemon() as root:
        for name, uid, more in made + [(f"p{uid}", uid, {}) for uid in PERSONS]:
            must(root.call("User/CreateUser", user={"name": name, "uid": {"id": uid}, "active": True, **more}, password=RIGHT))
        must(root.call("User/SetUserActive", name="dora", active=False))


def wait():
    """Five failures are free, and each further one doubles the wait: the fifth starts one of a second, the ninth one of 16."""
    callers = [(door, source, door.open(source)) for door in DOORS[:2] for source in range(IN_FLIGHT)]
    for pause in (0, 0, 0, 0, 0, 1, 2, 4, 8):
        time.sleep(pause * 1.02)
        kinds = [daemon.send("Authn/BeginAuthentication", **door.request("a pair that waits", source, os.urandom(4)))
                 for door, source, daemon in callers]
        for (_, _, daemon), kind in zip(callers, kinds):
            daemon.receive(kind)
    with Daemon() as root:
        rows = must(root.call("Lockout/ListLockouts", user=b"wait")).lockouts
        waiting = [row for row in rows if row.kind == 1 and row.wait_ms > 10000]
        assert len(waiting) == len(callers), rows


def sample(count):
    """For every door its times in milliseconds by kind, and all that the answers said."""
    jobs, times, bodies = {}, {}, {}
    for door in DOORS:
        jobs[door] = [kind for _ in range(count) for kind in random.sample(list(door.kinds), len(door.kinds))]
        times[door], bodies[door] = {kind: [] for kind in door.kinds}, set()
    selector, open_calls = selectors.DefaultSelector(), 0

    def send(daemon, door, source):
        kind = jobs[door].pop()
        daemon.send("Authn/BeginAuthentication", **door.request(kind, source))
        daemon.now = (door, source, kind, time.monotonic())

    for door in DOORS:
        for source in range(IN_FLIGHT):
            daemon = door.open(source)
            selector.register(daemon.socket, selectors.EVENT_READ, daemon)
            send(daemon, door, source)
            open_calls += 1
    while open_calls:
        for key, _ in selector.select(30):
            daemon = key.data
            door, source, kind, began = daemon.now
            header = HEADER.unpack(daemon.read(32))
            body = daemon.read(header[0] - 28)
            times[door][kind].append((time.monotonic() - began) * 1000)
            bodies[door].add((STATUS[header[3]], header[5], body))
            open_calls -= 1
            if jobs[door]:
                send(daemon, door, source)
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


def show(times, threshold, words=""):
    for kind, values in times.items():
        values.sort()
        print(f"{values[len(values) // 2]:8.1f} ms  least {values[0]:8.1f}  most {values[-1]:8.1f}  {words}{kind}")
    h = kruskal_wallis(list(times.values()))
    print(f"H = {h:.1f}, threshold {threshold}")
    return h


def tell(samples, expected):
    times, bodies = sample(int(samples))
    for door in DOORS:
        print(door.name)
        h = show(times[door], THRESHOLD)
        assert all(len(values) == int(samples) for values in times[door].values())
        if expected == "equal":
            assert len(bodies[door]) == 1, f"the answers differ in what they say: {bodies[door]}"
            assert h < THRESHOLD, "the times tell the kinds apart"
        else:
            assert h >= THRESHOLD, "the times tell nothing although the fixed time is gone"
    assert expected != "equal" or len({body for door in DOORS for body in bodies[door]}) == 1


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


def ask_and_answer(caller, worker, rounds, times, answers):
    """Both steps, one after the other: a question, and what a wrong code gets."""
    with caller:
        for _ in range(rounds):
            for kind in random.sample(list(ASKED), len(ASKED)):
                said = request(ASKED[kind], worker)
                began = time.monotonic()
                status, reply = caller.call("Authn/BeginAuthentication", **said)
                asked = time.monotonic()
                state, reply.challenge.state = reply.challenge.state, b"?"
                answers["asks"].add((status, len(state), reply.SerializeToString()))
                del said["password"]
                said.pop("uid", None)
                then = time.monotonic()
                answers["denies"].add(caller.call("Authn/ContinueAuthentication", state=state, answer=b"000000", **said))
                times["asks"][kind].append((asked - began) * 1000)
                times["denies"][kind].append((time.monotonic() - then) * 1000)


def always(samples, expected):
    answers = {"asks": set(), "denies": set()}
    times = {step: {kind: [] for kind in ASKED} for step in answers}
    callers = [DOORS[worker % 2].open(worker) for worker in range(IN_FLIGHT)]  # as other uids, so before any thread
    threads = [threading.Thread(target=ask_and_answer, args=(caller, worker, int(samples) // IN_FLIGHT, times, answers))
               for worker, caller in enumerate(callers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    apart = False
    for step, kinds in times.items():
        h = show(kinds, THRESHOLD_OF_THREE, f"{step} after ")
        assert len(answers[step]) == 1 and len(kinds["the right password"]) == int(samples), answers[step]
        assert expected == "apart" or h < THRESHOLD_OF_THREE, "the times tell the kinds apart"
        apart = apart or h >= THRESHOLD_OF_THREE
    assert expected == "equal" or apart, "the times tell nothing although the fixed time is gone"


run_part()

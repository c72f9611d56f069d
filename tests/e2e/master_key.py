"""What master_key.test does: `master_key.py PART [ARGUMENT...]`."""
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../support"))
from callers import *  # noqa: E402,F403

STORE, KEY = "/var/lib/secauth/store/secauth.db", "/var/lib/secauth-key/master.key"
DEMO = [{"audience": "demo", "scopes": ["read"]}]
TOKENS = {"audiences": ["demo"]}
CHALLENGED = 2
PEOPLE = 26  # with an authenticator each: a code is good once
MANY = 250   # so that the walk takes more than a batch
COLUMNS = {"users": "hash", "totp": "key", "signing_keys": "private"}
KILLS_AT_LEAST = 12


def origin():
    return {"service": "sshd", "rhost": b"203.0.113.1"}


def code_of(key, steps=0):
    return subprocess.run(["oathtool", "--totp", f"--now=@{int(time.time()) + 30 * steps}", key], check=True,
                          capture_output=True).stdout.strip()


def add_people(root):
    for number in range(PEOPLE):
        must(root.call("User/CreateUser", user={"name": f"p{number}", "uid": {"id": 5000 + number}, "active": True}, password=PASSWORD))
    for number in range(MANY):  # by their hash: it need not be anybody's
        line = f"m{number}:$6$saltsaltsalt${'a' * 86}:19000:0:99999:7:::"
        must(root.call("User/ImportUser", shadow_line=line.encode(), uid={"id": 6000 + number}))


def begin():
    with Daemon() as root:
        for name, uid in (("alice", 2001), ("bob", 2002)):
            must(root.call("User/CreateUser", user={"name": name, "uid": {"id": uid}, "active": True}, password=PASSWORD))
        add_people(root)
        secret = must(root.call("Client/CreateClient", client={
            "client_id": "svc", "kind": 1, "grants": [1], "audiences": DEMO, "audiences_owned": ["demo"]})).secret
        must(root.call("Client/CreateClient", client={
            "client_id": "app", "kind": 2, "grants": [2], "login": True, "audiences": DEMO}))
        api_key = must(root.call("ApiKey/CreateApiKey", client_id="svc", audiences=DEMO)).secret
        recovery = arm(root, "alice", os.urandom(20), True)
        refresh = Doors().login("app", "bob").refresh_token
        keys = {f"p{number}": os.urandom(20).hex() for number in range(PEOPLE)}
        for name, key in keys.items():
            arm(root, name, bytes.fromhex(key))
    save(secret=secret, api_key=api_key, refresh=refresh, keys=keys, next=0,
         recovery=[code.decode() for code in recovery])


def arm(root, name, key, recovery=False):
    """With the code of one step ago: it costs none that is there to be used."""
    left = 30 - time.time() % 30
    if left < 3:
        time.sleep(left)
    must(root.call("Mfa/EnrollTotp", user=name, key=key))
    return must(root.call("Mfa/ConfirmTotp", user=name, code=code_of(key.hex(), -1), recovery_codes=recovery)).recovery_codes


# ---- what shall go on ----

def issue(daemon, state, **proof):
    return must(daemon.call("Token/IssueToken", client={"client_id": "svc", **proof}, tokens=TOKENS)).grant.access_token


def by_secret(daemon, state):
    token = issue(daemon, state, secret=state["secret"].encode())
    proof = {"client_id": "svc", "secret": state["secret"].encode()}
    assert must(daemon.call("Token/IntrospectToken", client=proof, token=token)).active


def by_api_key(daemon, state):
    issue(daemon, state, api_key=state["api_key"].encode())


def refreshed(daemon, state):
    grant = must(daemon.call("Token/RefreshToken", client={"client_id": "app"}, refresh_token=state["refresh"].encode())).grant
    state["refresh"] = grant.refresh_token.decode()


def by_password(daemon, state):
    reply = must(begin_login(daemon, b"alice"))
    assert reply.outcome == CHALLENGED, reply


def begin_login(daemon, name):
    return daemon.call("Authn/BeginAuthentication", user=name, password=PASSWORD, origin=origin())


def answered(daemon, name, code):
    state = must(begin_login(daemon, name)).challenge.state
    assert must(daemon.call("Authn/ContinueAuthentication", user=name, state=state, answer=code, origin=origin())).outcome == 1


def by_code(daemon, state):
    """The next one of those who have not shown one."""
    name = f"p{state['next']}"
    state["next"] += 1
    answered(daemon, name.encode(), code_of(state["keys"][name]))


def wrong_ones_are_wrong(daemon):
    assert daemon.call("Token/IssueToken", client={"client_id": "svc", "secret": b"sac1_" + b"A" * 43}, tokens=TOKENS)[0] == "INVALID_CLIENT"


def all_are_good(code=True):
    state = load()
    with Daemon() as root:
        for one in (by_secret, by_api_key, refreshed, by_password) + ((by_code,) if code else ()):
            one(root, state)
        wrong_ones_are_wrong(root)
    if code:
        recover(state)
    save(**state)


def recover(state):
    """A recovery code; there are ten."""
    if len(state["recovery"]) > 1:
        with Daemon() as root:
            answered(root, b"alice", state["recovery"].pop().encode())


# ---- under load ----

class Load(threading.Thread):
    def __init__(self, state, one, most=1 << 30):
        super().__init__()
        self.state, self.one, self.most, self.over, self.count, self.error = state, one, most, threading.Event(), 0, None

    def run(self):
        try:
            with Daemon() as root:
                while not self.over.is_set() and self.count < self.most:
                    self.one(root, self.state)
                    self.count += 1
        except BaseException as error:  # the main thread shows it
            self.error = f"{self.one.__name__}, after {self.count}: {error!r}"


def changes(daemon, state):
    """A hash, and a key that waits for its code, are sealed while all others are."""
    must(daemon.call("User/SetUserPassword", name="m9", password=PASSWORD))
    must(daemon.call("Mfa/EnrollTotp", user="m8", key=os.urandom(20)))


def under_load():
    state = load()
    loads = [Load(state, one) for one in (by_secret, by_api_key, refreshed, by_password, changes)] + [Load(state, by_code, 12)]
    for load_ in loads:
        load_.start()
    time.sleep(0.3)
    before = [load_.count for load_ in loads]
    with Daemon() as root:
        reply = must(root.call("Host/RotateMasterKey"))
        assert reply.master_key == 2, reply
        until(lambda: not must(root.call("Host/GetStatus")).rotates)
        status = must(root.call("Host/GetStatus"))
        assert status.to_reseal == 0 and status.resealed >= MANY + PEOPLE, status
        time.sleep(0.3)
        for _ in range(2):  # the second one is of a key that nobody has had before
            must(root.call("SigningKey/RotateSigningKey", force=True))
    within = sum(load_.count for load_ in loads) - sum(before)
    for load_ in loads:
        load_.over.set()
        load_.join()
    save(**state)
    errors = [load_.error for load_ in loads if load_.error]
    assert not errors, errors
    assert all(load_.count > 0 for load_ in loads), [(load_.one.__name__, load_.count) for load_ in loads]
    print(f"{within} calls while {status.resealed} values were sealed anew, 0 errors")


def until(done, seconds=20):
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end, "it takes too long"
        time.sleep(0.02)


def epochs():
    store = sqlite3.connect(f"file:{STORE}?mode=ro", uri=True, timeout=10)
    found = {row[0] for table, column in COLUMNS.items() for row in
             store.execute(f"SELECT DISTINCT hex(substr({column}, 1, 1)) FROM {table} WHERE {column} IS NOT NULL")}
    numbers = [row[0] for row in store.execute("SELECT number FROM master_keys ORDER BY number")]
    store.close()
    return found, numbers


def sealed_with(number):
    found, numbers = epochs()
    assert (found, numbers) == ({f"{int(number):02X}"}, [int(number)]), (found, numbers)


def recorded(number):
    with Daemon() as root:
        rows = [must(root.call("Audit/ListAuditRecords", event=event, page_size=10)).records for event in
                ("MASTER_KEY_ROTATE", "MASTER_KEY_END")]
    assert [len(found) for found in rows] == [1, 1], rows
    assert rows[0][0].detail == f"number={number}" and rows[1][0].detail.startswith(f"number={number} resealed="), rows


# ---- killed ----

class Killed:
    """A daemon that can be killed before its nth call."""

    def __init__(self, log):
        self.log = open(log, "ab")

    def start(self):
        self.process = subprocess.Popen(["/usr/sbin/secauthd"], stdout=self.log, stderr=self.log, umask=0o077,
                                        env={"PATH": os.environ["PATH"], "LD_PRELOAD": "/run/t/kill_nth.so"})
        until(self.answers, 10)

    def answers(self):
        assert self.process.poll() is None, "the daemon does not start"
        try:
            with Daemon() as root:
                return root.call("Host/GetStatus")[0] == "OK"
        except OSError:
            return False

    def rotate(self, nth):
        """Whether the call was answered: it was not killed."""
        with open("/run/t/kill_at", "r+b") as file:
            file.write(bytes([nth]))
        try:
            with Daemon() as root:
                must(root.call("Host/RotateMasterKey"))
        except ConnectionError:
            assert self.process.wait(10) == -signal.SIGKILL
            return False
        with open("/run/t/kill_at", "r+b") as file:
            left = file.read(1)[0]
            file.seek(0)
            file.write(b"\0")
        assert left > 0
        return True

    def stop(self):
        self.process.terminate()
        assert self.process.wait(10) == 0


def number_of(root):
    return must(root.call("Host/GetStatus")).master_key


def kills(log):
    daemon, nth, numbers = Killed(log), 0, [2]
    daemon.start()
    while not daemon.rotate(nth + 1):
        nth += 1
        daemon.start()
        with Daemon() as root:
            until(lambda: not must(root.call("Host/GetStatus")).rotates)
            numbers.append(number_of(root))
        sealed_with(numbers[-1])
        all_are_good(code=nth % 4 == 0)
    with Daemon() as root:
        assert number_of(root) == numbers[-1] + 1
    all_are_good()
    daemon.stop()
    steps = [after - before for before, after in zip(numbers, numbers[1:])]
    assert nth >= KILLS_AT_LEAST and steps == sorted(steps) and set(steps) == {0, 1}, (nth, steps)
    print(f"killed at {nth} steps: {steps.count(0)} before the rotation had begun, {steps.count(1)} after, 0 secrets lost")


def half(log):
    """Killed in the midst of a rotation; each of the two keys alone, and both in each other's place."""
    daemon = Killed(log)
    daemon.start()
    assert not daemon.rotate(9)
    files = [KEY, KEY + ".next"]
    assert all(os.path.exists(file) for file in files) and len(epochs()[1]) == 2
    for file in files:
        shutil.copy2(file, "/run/t/" + os.path.basename(file))
    kept = ["/run/t/" + os.path.basename(file) for file in files]
    for there in ([kept[0], None], [kept[1], None], [kept[1], kept[0]]):
        for file, source in zip(files, there):
            if source is None:
                os.unlink(file)
            else:
                put(source, file)
        said = subprocess.run(["/usr/sbin/secauthd"], capture_output=True, text=True, timeout=10)
        assert said.returncode == 1 and "both its file and the one beside it (.next) are needed" in said.stderr, said
        for file, source in zip(files, kept):
            put(source, file)
    daemon.start()
    with Daemon() as root:
        until(lambda: not must(root.call("Host/GetStatus")).rotates)
    all_are_good()
    daemon.stop()


def put(source, file):
    shutil.copyfile(source, file)
    shutil.chown(file, "secauth", "secauth")
    os.chmod(file, 0o600)


def not_in(*logs):
    keys = [open(file, "rb").read() for file in ("/run/t/first.key", "/run/t/second.key", "/run/t/master.key", KEY)]
    for log in logs:
        with open(log, "rb") as file:
            data = file.read()
        assert not any(form in data for key in keys for form in (key, key.hex().encode(), key.hex().upper().encode()))


run_part()

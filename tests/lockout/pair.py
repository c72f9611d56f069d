"""(user, source): the design's section 6, "Lockout that is hard to turn into a weapon", its first item and what follows
of pairs."""
from sentences import *


@sentence("pair_source", "Separate buckets, separate consequences: (user, source)")
def _(host):
    alice, bob = host.person("alice"), host.person("bob")
    host.lock(alice)
    assert host.root.login(alice) == "INVALID_CREDENTIALS", "it waits"
    assert host.root.login(alice, rhost=S2) == "granted", "from elsewhere it does not"
    assert host.root.login(bob) == "granted", "nor does anybody else from there"


@sentence("pair_wait", "(user, source): 5 free failures, then 1 s doubling to 15 min")
def _(host):
    alice, bob = host.person("alice"), host.person("bob")
    host.fail(alice, 4)
    assert host.root.login(alice) == "granted"
    host.fail(bob, 5)
    for doubling in range(11):
        wait = min(1 << doubling, 900)
        row = [r for r in host.lockouts(user=bob.encode()) if r.kind == 1][0]
        assert row.failures == 5 + doubling and wait * 1000 - 900 < row.wait_ms <= wait * 1000, row
        host.step(wait - 1)
        assert host.root.login(bob) == "INVALID_CREDENTIALS", "it still waits"
        host.step(1)
        host.fail(bob, 1, 5 + doubling)
    host.step(899)
    assert host.root.login(bob) == "INVALID_CREDENTIALS"
    host.step(1)
    assert host.root.login(bob) == "granted", "15 minutes are the longest wait"


@sentence("pair_wait", "While it waits nothing is hashed")
def _(host):
    alice = host.person("alice")
    host.lock(alice)
    before = len(host.records("LOGIN", user=alice))
    assert [host.root.login(alice) for _ in range(20)] == ["INVALID_CREDENTIALS"] * 20, "the right password is not even looked at"
    assert len(host.records("LOGIN", user=alice)) == before, "what was hashed would be a record"


def ask(host, name, password):
    began = time.monotonic()
    kind = host.root.send("Authn/BeginAuthentication", **request(name, password))
    header = host.root.read(32)
    body = host.root.read(HEADER.unpack(header)[0] - 28)
    del kind
    status = MESSAGES["Status"].FromString(body)
    return (time.monotonic() - began) * 1000, (header[6:8], header[12:16], status.code, status.message)


@sentence("fixed_denial", "and the reply reads like any denial, for names with and without a record alike",
          {"login.denial_floor": 40, "login.denial_jitter": 0})
def _(host):
    alice, nobody = host.person("alice"), "nobody-has-this"
    plain_ms, plain = ask(host, alice, wrong(0))
    host.fail(alice, 4, 1)
    host.fail(nobody, 5)
    for name in (alice, nobody):
        ms, answer = ask(host, name, wrong(9))
        assert answer == plain, (answer, plain)
        assert ms >= 39 and plain_ms >= 39, (ms, plain_ms)  # tests/load/no_telling.test compares the times


@sentence("late_denial", "(while hashed denials queue, unhashed ones are as late as the last of them)",
          {"password.memory": 19456, "password.passes": 2, "login.denial_floor": 20, "login.denial_jitter": 0})
def _(host):
    kind = MESSAGES["BeginAuthenticationResponse"]
    with Caller() as other:
        began = time.monotonic()
        for n in range(50):  # a second of hashing
            other.send("Authn/BeginAuthentication", **request(f"nobody{n}", wrong(n), address(n)))
        for _ in range(30):
            other.receive_any(kind)
        late = time.monotonic() - began
        began = time.monotonic()
        assert host.root.login("nobody", b"") == "INVALID_CREDENTIALS"
        took = time.monotonic() - began
        for _ in range(20):
            other.receive_any(kind)
    if late < 0.2:
        raise RuntimeError("hashed denials did not queue")
    assert took > 0.5 * late, f"unhashed, after {took * 1000:.0f} ms; the last hashed one before it took {late * 1000:.0f}"


@sentence("console_told", "a person at the console is told how long")
def _(host):
    alice = host.person("alice")
    host.lock(alice)
    assert host.root.login(alice) == "INVALID_CREDENTIALS" and host.root.millis == 0, "a stranger is not"
    host.lock(alice, rhost=b"", service="login", tty=b"/dev/tty1")
    assert host.root.login(alice, rhost=b"", service="login", tty=b"tty1") == "INVALID_CREDENTIALS"
    assert 8000 < host.root.millis <= 16000, host.root.millis


@sentence("pair_clear", "A success clears only its own (user, source)")
def _(host):
    alice = host.person("alice")
    host.fail(alice, 3)
    host.fail(alice, 3, rhost=S2)
    assert host.root.login(alice, rhost=S2) == "granted"
    assert host.failures(alice, S2) == 0, "its own"
    assert host.failures(alice, S1) == 3, "and no other"


@sentence("pair_first", "A failure is taken before the hash, so that parallel guesses cannot outrun the count")
def _(host):
    alice = host.person("alice")
    host.root.tries({"user": alice, "password": wrong(n)} for n in range(1000))
    evaluated = [r for r in host.records("LOGIN", user=alice) if r.reason == "WRONG_PASSWORD"]
    assert len(evaluated) == 5, f"{len(evaluated)} of 1,000 parallel guesses were evaluated"
    assert host.failures(alice) == 5


@sentence("give_back", "and given back after a success")
def _(host):
    alice = host.person("alice")
    assert all(host.root.login(alice, millis=1000) == "granted" for _ in range(20))
    host.fail(alice, 4)
    assert host.failures(alice) == 4 and host.root.login(alice) == "granted"


@sentence("same_password", "The same wrong password again costs its hash but counts once (a keyed hash of the last few)")
def _(host):
    alice = host.person("alice")
    before = len(host.records("LOGIN", user=alice))
    for _ in range(20):
        assert host.root.login(alice, b"the old password") == "INVALID_CREDENTIALS"
    assert len(host.records("LOGIN", user=alice)) == before + 20, "each was hashed"
    assert host.failures(alice) == 1, host.failures(alice)
    assert host.root.login(alice) == "granted"


@sentence("same_forgotten", "(..., forgotten at a change, never deciding)")
def _(host):
    alice = host.person("alice")
    old, new = b"what it was before", b"the next password"
    host.root.login(alice, old)
    host.root.login(alice, new)
    must(host.root.call("User/SetUserPassword", name=alice, password=new))
    assert host.root.login(alice, old) == "INVALID_CREDENTIALS"
    assert host.failures(alice) == 3, "after a change it is a failure again"
    assert host.root.login(alice, new) == "granted", "that it was wrong once decides nothing"


@sentence("pair_persist", "Counters survive restarts (a wait as what remained at the last failure)")
def _(host):
    alice, bob = host.person("alice"), host.person("bob")
    host.fail(alice, 9)  # waits 16 s after the ninth
    for n in range(5, 9):
        host.step(1 << n - 5)
        host.fail(alice, 1, n)
    host.fail(bob, 4)
    host.again()
    assert host.failures(alice) == 9 and host.failures(bob) == 4, (host.failures(alice), host.failures(bob))
    row = [r for r in host.lockouts(user=alice.encode()) if r.kind == 1][0]
    assert 14000 < row.wait_ms <= 16000, row.wait_ms
    host.fail(bob, 1, 4)
    host.again(signal.SIGKILL)
    assert host.failures(alice) == 9 and host.failures(bob) == 5, "nor does kill -9 lose one"
    assert host.root.login(alice) == "INVALID_CREDENTIALS"
    host.step(16)
    assert host.root.login(alice) == "granted"


@sentence("eviction", "the table holds an hour of them at the full hash rate, so that no live entry can be evicted")
def _(host):
    alice = host.person("alice")
    host.lock(alice)
    host.root.tries({"user": f"nobody{n}", "password": wrong(n), "rhost": address(n)} for n in range(2000))
    assert host.root.login(alice) == "INVALID_CREDENTIALS", "2,000 other names have pushed it out"


@sentence("give_back", "An entry is made only by a finished hash")
def _(host):
    alice = host.person("alice")
    for _ in range(6):  # right, and given up on by the caller before there is an answer
        with Caller() as hasty:
            hasty.send("Authn/BeginAuthentication", **request(alice, rhost=S9))
    time.sleep(0.1)
    assert host.failures(alice, S9) == 0
    assert all(host.root.login(alice, rhost=S9, millis=1000) == "granted" for _ in range(6)), "nothing is held by what never failed"


@sentence("unknown_name", "keys are keyed hashes of names")
def _(host):
    secret = "hunter2-typed-as-a-name"
    host.fail(secret, 2)
    host.again()  # what is in the log of the database is in the database
    held = b"".join(path.read_bytes() for path in pathlib.Path("/var/lib/secauth").glob("*.db*"))
    assert secret.encode() not in held, "the name stands in the database"
    rows = [row for row in host.lockouts() if row.kind == 1 and row.source == "addr:203.0.113.1"]
    assert any(row.user.startswith("?") and row.failures == 2 for row in rows), rows


@sentence("empty", "An empty answer, a cancelled or timed-out prompt is no guess")
def _(host):
    alice = host.person("alice")
    assert [host.root.login(alice, b"") for _ in range(30)] == ["INVALID_CREDENTIALS"] * 30
    assert host.lockouts(user=alice.encode()) == [], "nothing is counted"
    assert host.root.login(alice) == "granted"


@sentence("filler", "sshd's filler, repeated and cut, costs a hash and a unit of its source and counts for no user")
def _(host):
    alice = host.person("alice")
    filler = b"\b\n\r\177INCORRECT" * 4
    before = len(host.records("LOGIN", user=alice))
    for cut in range(10, 30):
        assert host.root.login(alice, filler[:cut]) == "INVALID_CREDENTIALS"
    assert len(host.records("LOGIN", user=alice)) == before + 20, "it costs a hash"
    rows = [row for row in host.lockouts() if row.kind == 2 and row.source == "addr:203.0.113.1"]
    assert rows and rows[0].failures == 20, "and a unit of its source"
    assert host.failures(alice) == 0, "and counts for no user"
    assert host.root.login(alice) == "granted"


@sentence("spray_alarm", "One wrong password tried against ten names within an hour raises an alarm and changes no limit")
def _(host):
    names = [host.person("p") for _ in range(11)]
    before = len(host.records("PASSWORD_SPRAY"))
    for number, name in enumerate(names[:10]):
        assert len(host.records("PASSWORD_SPRAY")) == before, number
        host.root.login(name, b"Spring2026!", rhost=address(number))
    assert len(host.records("PASSWORD_SPRAY")) == before + 1, "ten names"
    assert host.root.login(names[10], rhost=address(3)) == "granted"
    assert all(host.failures(name, address(number)) == 1 for number, name in enumerate(names[:10]))
    for number, name in enumerate(names[:10]):
        host.step(HOUR / 9)
        host.root.login(name, b"Autumn2026!", rhost=address(number))
    assert len(host.records("PASSWORD_SPRAY")) == before + 1, "an hour and more is no alarm"


@sentence("pair_wait", "a changed password is proven by the same pair as a login")
def _(host):
    alice = host.person("alice")

    def change(caller, current, acting_uid):
        return caller.call("Authn/ChangePassword", user=alice.encode(), current_password=current, new_password=b"another good one",
                           origin={"service": "passwd", "acting_uid": acting_uid}, check_only=True)[0]

    uid = host.uid
    assert change(host.root, RIGHT, uid) == "OK"
    for n in range(9):
        host.step(max(0, 1 << n - 5) if n >= 5 else 0)
        assert change(host.root, wrong(n), uid) == "INVALID_CREDENTIALS"
    assert host.failures(alice, f"uid:{uid}") == 9
    assert change(host.root, RIGHT, uid) == "INVALID_CREDENTIALS", "passwd waits"
    assert host.root.login(alice, rhost=b"", service="sudo", acting_uid=uid) == "INVALID_CREDENTIALS", "and so does sudo"
    with Caller(USER_SOCKET, uid) as own:
        assert change(own, RIGHT, 0) == "INVALID_CREDENTIALS", "and the person on the user socket"
    assert host.root.login(alice) == "granted", "but nobody else"
    host.step(16)
    assert change(host.root, RIGHT, uid) == "OK"
    assert host.failures(alice, f"uid:{uid}") == 0, "a success clears its own"


@sentence("turned_away", "denials without a hash are counted per source and reason and written once a minute")
def _(host):
    alice = host.person("alice")
    last = max([0] + [row.sequence for row in host.records("TURNED_AWAY")])

    def written():
        return [row for row in host.records("TURNED_AWAY") if row.sequence > last]

    host.fail(alice, 12)
    for _ in range(3):
        host.root.login(alice, b"")
    host.root.tries({"user": f"n{n}", "password": b"", "rhost": address(n)} for n in range(600))
    assert written() == [], "not one each"
    host.step(60)
    end = time.monotonic() + 3
    while not any(row.source == "" for row in written()) and time.monotonic() < end:
        time.sleep(0.1)
    mine = {row.reason: row.detail for row in written() if row.source == "addr:203.0.113.1"}
    assert mine.get("WAITING", "").startswith("count=7 seconds=6"), mine
    assert mine.get("EMPTY_PASSWORD", "").startswith("count=3 seconds=6"), mine
    rest = {row.detail for row in written() if row.source == ""}
    assert len(written()) == 257 and len(rest) == 1, f"{len(written())} records: it is bounded, and what is over the bound is summed"
    assert rest.pop().startswith("count=346 seconds=6")  # 254 addresses of 600 had room beside the two rows above


@sentence("unmanaged", "people not yet imported would lock themselves out by logging in: no hash, no bucket, no wait and no write")
def _(host):
    before = len(host.records("LOGIN"))
    outcomes = host.root.tries({"user": "nina", "password": b"her old password", "uid": {"id": 4747}} for _ in range(100))
    assert set(outcomes) == {"NOT_MANAGED"}, set(outcomes)
    assert host.lockouts() == [] and len(host.records("LOGIN")) == before


@sentence(None, "`secauthctl lockout list|clear`")
def _(host):
    alice = host.person("alice")
    host.fail(alice, 3)

    def lockout(*words):
        return subprocess.run(["secauthctl", "lockout", *words], check=True, capture_output=True, text=True).stdout

    assert alice in lockout("list") and "source" in lockout("list"), "pairs, and sources"
    assert "addr:203.0.113.1" in lockout("show", alice)
    lockout("clear", "--user", alice)
    assert alice not in lockout("list") and host.failures(alice) == 0
    assert "addr:203.0.113.1" in lockout("list"), "the source's own allowance is another matter"
    lockout("clear", "--source", "addr:203.0.113.1")
    assert "addr:203.0.113.1" not in lockout("list")


@sentence(None, "The limits of all this are stated in the manual.")
def _(_host):
    page = " ".join(pathlib.Path("etc/man/secauthd.8").read_text().split(".Sh LOCKOUT")[1].split(".Sh ")[0].split())
    limits = page.split("The limits of all this:")[1]
    for words in ("behind one address", "put a name on guard", "the service's name as the source", "one's own uid", "an hour",
                  "Names without a record", "4,194,304", "After a restart", "not imported yet", "While hashes queue"):
        assert words in limits, words


run()

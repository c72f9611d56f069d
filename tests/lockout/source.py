"""Who is charged: the paragraph "Source, for every limit, is the first that applies" of the design's section 5."""
from sentences import *

CONSOLE = {"rhost": b"", "service": "login", "tty": b"/dev/tty1"}


def waits(host, name, **more):
    """Whether the right password is turned away; a try that is granted costs nothing."""
    return host.root.login(name, **more) != "granted"


def bucket(host, source):
    rows = [row for row in host.lockouts() if row.kind == 2 and row.source == source]
    return rows[0].failures if rows else 0


@sentence("opaque", "Source, for every limit, is the first that applies: PAM_RHOST, else the acting_uid, else the seat, else the service's name")
def _(host):
    alice = host.person("alice")
    all_of_them = {"rhost": b"203.0.113.1", "acting_uid": 4343, "tty": b"tty1", "service": "login"}
    for taken, source in (("", "addr:203.0.113.1"), ("rhost", "uid:4343"), ("acting_uid", "seat:tty1"), ("tty", "service:login")):
        all_of_them[taken] = 0 if taken == "acting_uid" else b""
        host.root.login(alice, wrong(1), **{key: value for key, value in all_of_them.items() if key})
        assert host.failures(alice, source) == 1, (source, host.lockouts())
    host.root.login(alice, wrong(1), rhost=b"pc.example", acting_uid=4343)
    assert host.failures(alice, "text:pc.example") == 1, host.lockouts()


@sentence("net64", "PAM_RHOST if it parses as an address that is not loopback (IPv4 /32; IPv6 /64)")
def _(host):
    alice = host.person("alice")
    for n in range(5):
        host.root.login(alice, wrong(n), rhost=b"2001:db8:1:2::%x" % (n + 1))
    assert waits(host, alice, rhost=b"2001:db8:1:2:aaaa::9"), "a /64 is one"
    assert not waits(host, alice, rhost=b"2001:db8:1:3::1"), "the next is another"
    host.fail(alice, 5)
    assert waits(host, alice, rhost=b"::ffff:203.0.113.1"), "IPv4 in IPv6 is IPv4"
    assert not waits(host, alice, rhost=S2)


@sentence("around", "and the /48 with ten times the allowance", {"login.source_failures": 20})
def _(host):
    alice = host.person("alice")
    outcomes = host.root.tries({"user": f"nobody{n}", "password": wrong(n), "rhost": b"2001:db8:7:%x::1" % (n // 5)} for n in range(250))
    assert outcomes.count("INVALID_CREDENTIALS") == 200 and outcomes.count("RATE_LIMITED") == 50, "200 of the /48"
    assert bucket(host, "net48:2001:db8:7::") == 200
    assert host.root.login(alice, rhost=b"2001:db8:7:fff::1") == "RATE_LIMITED", "all of it"
    assert host.root.login(alice, rhost=b"2001:db8:8:fff::1") == "granted", "and no other"


@sentence("opaque", "else PAM_RHOST as opaque text (empty is absent; loopback and words are opaque, never \"local\")")
def _(host):
    alice = host.person("alice")
    for rhost in (b"localhost", b"127.0.0.1", b"::1", b"local", b"tty1", b"203.0.113.1.example"):
        host.root.login(alice, wrong(1), rhost=rhost, service="login", tty=b"tty1")
        assert host.failures(alice, f"text:{rhost.decode()}") == 1, rhost
    assert host.failures(alice, "seat:tty1") == 0, "no word of a stranger's is the console"
    host.root.login(alice, wrong(2), **CONSOLE)
    assert host.failures(alice, "seat:tty1") == 1, "empty is absent"


@sentence("acting_uid", "the `acting_uid` where it is not 0: bob's failing `su alice` does not hinder alice")
def _(host):
    alice, alice_uid, carol = host.person("alice"), host.uid, 4444
    host.fail(alice, 20, rhost=b"", service="su", acting_uid=4343)
    assert host.failures(alice, "uid:4343") == 5
    assert not waits(host, alice, rhost=b"", service="su", acting_uid=carol), "carol's su alice"
    assert not waits(host, alice, rhost=b"", service="su", acting_uid=alice_uid), "alice's own"
    assert not waits(host, alice, **CONSOLE) and not waits(host, alice)
    assert waits(host, alice, rhost=b"", service="su", acting_uid=4343)


@sentence("console_services", "the seat, where the tty, a leading `/dev/` taken off, is `tty1`..`tty63` or `:N` and the service is"
          " in `console_services`", rules=["console_services login lightdm"])
def _(host):
    alice = host.person("alice")
    for tty, service, source in ((b"/dev/tty1", "login", "seat:tty1"), (b"tty63", "login", "seat:tty63"), (b":0", "lightdm", "seat::0"),
                                 (b"tty64", "login", "service:login"), (b"pts/1", "login", "service:login"),
                                 (b"tty1", "vsftpd", "service:vsftpd"), (b":0", "xdm", "service:xdm")):
        before = host.failures(alice, source)
        host.root.login(alice, wrong(host.uid + before), rhost=b"", tty=tty, service=service)
        assert host.failures(alice, source) == before + 1, (tty, service, source)


@sentence("service_wait", "else the service's name, under which pairs wait at most 5 s")
def _(host):
    alice = host.person("alice")
    for n in range(15):
        host.root.login(alice, wrong(n), rhost=b"", service="ftp")
        host.step(5)
    host.step(-1)
    assert waits(host, alice, rhost=b"", service="ftp")
    host.step(1)
    assert host.failures(alice, "service:ftp") == 15
    assert not waits(host, alice, rhost=b"", service="ftp")


@sentence("user_uid", "On user.sock: the uid")
def _(host):
    alice, uid = host.person("alice"), host.uid
    with Caller(USER_SOCKET, uid) as own:
        for n in range(5):
            assert own.login(alice, wrong(n), rhost=address(n)) == "INVALID_CREDENTIALS"
        assert own.login(alice, rhost=address(9)) == "INVALID_CREDENTIALS", "whatever it says of where it comes from"
    assert host.failures(alice, f"uid:{uid}") == 5


@sentence("around", "for a uid with a service rule (uid, reported PAM_RHOST), which may add a limit and never lift one",
          rules=["service_uid web uid=33 services=apache rate=30/60"])
def _(host):
    alice = host.person("alice")
    with Caller(USER_SOCKET, 33) as web:
        for n in range(5):
            assert web.login(alice, wrong(n), service="apache") == "INVALID_CREDENTIALS"
        assert web.login(alice, service="apache") == "INVALID_CREDENTIALS", "the pair of the address that it reports"
        assert web.login(alice, service="apache", rhost=S2) == "granted", "others go on"
        outcomes = web.tries({"user": f"x{n}", "password": wrong(n), "service": "apache", "rhost": address(n)} for n in range(40))
        assert outcomes.count("INVALID_CREDENTIALS") == 25, "30 in all, whatever addresses it names"
        assert web.login(alice, service="apache", rhost=S9) == "RATE_LIMITED"
    assert host.root.login(alice, rhost=S9) == "granted", "which is nothing to the address itself"


@sentence("around", "Through a gateway: a public client is (client id, address)", {"login.source_failures": 20})
def _(host):
    alice, uid = host.person("alice"), host.uid
    for app in ("one", "two"):
        must(host.root.call("Client/CreateClient", client={"client_id": f"{app}{uid}", "kind": 2, "login": True,
                                                           "audiences": [{"audience": "demo", "scopes": ["read"]}]}))
    with Caller("/run/secauth/gateway/local.sock") as gateway:
        gateway.tell(1, uid=uid)

        def login(app, password):
            return gateway.call("Authn/BeginAuthentication", user=alice.encode(), password=password,
                                client={"client_id": f"{app}{uid}"}, tokens={"audiences": ["demo"]})[0]

        for n in range(5):
            assert login("one", wrong(n)) == "INVALID_CREDENTIALS"
        assert login("one", RIGHT) == "INVALID_CREDENTIALS", "the pair waits"
        assert login("two", RIGHT) == "OK", "of this client"
        assert host.failures(alice, f"client:one{uid}@uid:{uid}") == 5
        assert bucket(host, f"clients@uid:{uid}") == 5, "all clients of one place have an allowance as well: an id is only claimed"


@sentence("source_bucket", "The root process is no source and has no rate; a source's bucket (100 in 60 s, sliding, settable)")
def _(host):
    alice = host.person("alice")
    outcomes = host.root.tries({"user": f"nobody{n}", "password": wrong(n), "rhost": address(n // 5)} for n in range(2000))
    assert set(outcomes) == {"INVALID_CREDENTIALS"}, "2,000 of 400 sources by one process"
    outcomes = host.root.tries({"user": f"nobody{n}", "password": wrong(n)} for n in range(150))
    assert outcomes.count("INVALID_CREDENTIALS") == 100 and outcomes.count("RATE_LIMITED") == 50
    assert host.root.login(alice) == "RATE_LIMITED" and 0 < host.root.millis <= 65000, host.root.millis
    assert host.root.login(alice, rhost=S2) == "granted"
    host.step(30)
    assert host.root.login(alice) == "RATE_LIMITED", "it slides"
    host.step(36)
    assert host.root.login(alice) == "granted"
    outcomes = host.root.tries({"user": f"x{n}", "password": wrong(n)} for n in range(150))
    assert outcomes.count("INVALID_CREDENTIALS") == 100


@sentence("source_bucket", "settable", {"login.source_failures": 7, "login.source_window": 10})
def _(host):
    outcomes = host.root.tries({"user": f"nobody{n}", "password": wrong(n)} for n in range(10))
    assert outcomes.count("INVALID_CREDENTIALS") == 7
    host.step(11)
    assert host.root.login("nobody", wrong(0)) == "INVALID_CREDENTIALS"


@sentence("bucket_success", "is charged by failed proofs only; a success gives its unit back")
def _(host):
    alice = host.person("alice")
    assert {host.root.login(alice) for _ in range(150)} == {"granted"}
    assert bucket(host, "addr:203.0.113.1") == 0
    host.fail(alice, 3)
    assert bucket(host, "addr:203.0.113.1") == 3


@sentence("call_ceiling", "Calls as such have high ceilings per connection")
def _(host):
    host.person("alice")
    with Caller(USER_SOCKET, host.uid) as own:
        statuses = []
        for _ in range(30):
            for _ in range(100):
                kind = own.send("Key/GetKeySet")
            statuses += [own.receive_any(kind)[1] for _ in range(100)]
    assert statuses.count("RATE_LIMITED") > 0 and statuses.count("OK") >= 1000, statuses.count("OK")
    for _ in range(20):
        for _ in range(100):
            kind = host.root.send("Key/GetKeySet")
        assert {host.root.receive_any(kind)[1] for _ in range(100)} == {"OK"}, "root has none"


@sentence("kept", "every fourth job is kept for the console, known sources and password changes",
          {"password.memory": 19456, "password.passes": 2, "password.hash_threads": 1, "login.denial_jitter": 0})
def _(host):
    alice, bob = host.person("alice"), host.person("bob")
    assert host.root.login(alice) == "granted"
    flood = Caller()
    kind, uid = MESSAGES["BeginAuthenticationResponse"], host.uid

    def change():
        return host.root.call("Authn/ChangePassword", user=bob.encode(), current_password=RIGHT, new_password=b"another good one",
                              origin={"service": "passwd", "acting_uid": uid}, check_only=True)[0]

    for what in (lambda: host.root.login(bob, **CONSOLE), lambda: host.root.login(alice), change):
        for n in range(60):  # a second of strangers, each a source of its own
            flood.send("Authn/BeginAuthentication", **request(f"nobody{n}", wrong(n), address(n)))
        time.sleep(0.05)
        began = time.monotonic()
        assert what() in ("granted", "OK")
        took = time.monotonic() - began
        for _ in range(60):
            flood.receive_any(kind)
        drained = time.monotonic() - began
        if drained < 0.4:
            raise RuntimeError("the strangers did not queue")
        assert took < drained / 2, f"{took * 1000:.0f} ms of {drained * 1000:.0f}"


run()

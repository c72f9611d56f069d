"""The user, everywhere: guards and known sources, and the second factor's counter (design section 6)."""
from sentences import *

CONSOLE = {"rhost": b"", "service": "login", "tty": b"/dev/tty1"}
NEW = b"192.0.2.77"


def account(host, name, rhost):
    return must(host.root.call("Authn/CheckAccount", user=name.encode(), origin={"service": "sshd", "rhost": rhost})).state


def session(host, name, rhost, **more):
    """As a key login has one: account, then session, no password."""
    assert account(host, name, rhost) == 1
    return must(host.root.call("Session/OpenSession", user=name.encode(), origin={"service": "sshd", "rhost": rhost, **more}))


@sentence("guard", "a hundred distinct failures in 24 h from sources that are not known put the name on guard")
def _(host):
    alice = host.person("alice")
    host.put_on_guard(alice, 99)
    assert host.root.login(alice, rhost=NEW) == "granted", "99 are not enough"
    bob = host.person("bob")
    host.put_on_guard(bob, 100)
    assert host.guard(bob).locked
    assert host.root.login(bob, rhost=NEW) == "INVALID_CREDENTIALS"
    carol = host.person("carol")
    host.put_on_guard(carol, 60)
    host.step(DAY + 2 * HOUR)
    host.put_on_guard(carol, 60, 60)
    assert not host.guard(carol).locked, "in 24 h"


@sentence("same_password", "a hundred distinct failures: the same wrong password from many sources is one")
def _(host):
    alice = host.person("alice")
    host.root.tries({"user": alice, "password": b"one and the same", "rhost": address(n)} for n in range(150))
    assert host.guard(alice).failures == 1, host.guard(alice)
    assert host.root.login(alice, rhost=NEW) == "granted"


@sentence("guard_renews", "until 24 h after the last")
def _(host):
    alice = host.person("alice")
    host.put_on_guard(alice)
    host.step(20 * HOUR)
    host.put_on_guard(alice, 1, 100)
    host.step(23 * HOUR)
    assert host.guard(alice).locked and host.root.login(alice, rhost=NEW) == "INVALID_CREDENTIALS"
    host.step(HOUR + 1)
    assert host.root.login(alice, rhost=NEW) == "granted", "a day after the last it is over"


@sentence("guard", "from unknown sources a second factor is then asked, or without one denied",
          rules=["factor who=* factors=off"])
def _(host):
    alice, tina = host.person("alice"), host.person("tina")
    code = host.enroll(tina)
    assert host.root.login(tina, rhost=NEW) == "granted", "before, the rules ask nobody"
    host.put_on_guard(alice)
    host.put_on_guard(tina)
    assert host.root.login(alice, rhost=S9) == "INVALID_CREDENTIALS", "alice has none"
    assert host.root.login(tina, rhost=S9) == "challenged"
    assert host.root.answer(tina, code(), rhost=S9) == "granted"


@sentence("guard", "and so is a changed password, for which nobody can be asked for a code")
def _(host):
    alice = host.known_from(host.person("alice"))

    def change(rhost):
        return host.root.call("Authn/ChangePassword", user=alice.encode(), current_password=RIGHT, check_only=True,
                              expired_only=True, origin={"service": "sshd", "rhost": rhost})[0]

    must(host.root.call("User/SetUserPassword", name=alice, password=RIGHT, must_change=True))
    host.put_on_guard(alice)
    assert change(NEW) == "INVALID_CREDENTIALS"
    assert host.records("PASSWORD", user=alice)[-1].reason == "ON_GUARD"
    assert change(S1) == "OK"


@sentence("guard_known", "Known sources, the console and keys never notice")
def _(host):
    alice, bob = host.known_from(host.person("alice")), host.person("bob")
    for name in (alice, bob):
        host.put_on_guard(name)
    assert account(host, bob, NEW) == 1 and session(host, bob, NEW).recorded, "a key needs no password"
    assert host.root.login(bob, rhost=NEW) == "granted", "and with it the source is known"
    assert host.root.login(alice) == "granted", "a known source"
    assert host.root.login(alice, **CONSOLE) == "granted", "the console"


@sentence("guard_known", "a stranger with 10,000 failures from 1,000 addresses does not stop the owner")
def _(host):
    alice, uid = host.known_from(host.person("alice")), host.uid
    host.root.tries({"user": alice, "password": wrong(n), "rhost": address(n % 1000)} for n in range(10000))
    assert host.guard(alice).locked and 5 <= host.failures(alice, address(7)) <= 7
    began = time.monotonic()
    assert host.root.login(alice) == "granted", "from a known source"
    assert host.root.login(alice, **CONSOLE) == "granted", "at the console"
    assert session(host, alice, S9).recorded, "with a key"
    assert host.root.login(alice, rhost=b"", service="sudo", acting_uid=uid) == "granted", "nor the sudo of who came in"
    assert time.monotonic() - began < 3
    assert host.root.login(alice, rhost=NEW) == "INVALID_CREDENTIALS"


@sentence("guard_stays", "and no success clears it")
def _(host):
    alice = host.known_from(host.person("alice"))
    host.put_on_guard(alice)
    assert host.root.login(alice) == "granted" and host.root.login(alice, **CONSOLE) == "granted"
    assert host.guard(alice).locked
    assert host.root.login(alice, rhost=NEW) == "INVALID_CREDENTIALS"


@sentence("pair_persist", "Across a restart are kept: guards and known sources")
def _(host):
    alice, bob = host.known_from(host.person("alice")), host.person("bob")
    host.put_on_guard(alice)
    host.put_on_guard(bob, 70)
    host.step(2 * HOUR)
    host.again()
    assert host.root.login(alice, rhost=NEW) == "INVALID_CREDENTIALS"
    assert host.root.login(alice) == "granted"
    host.put_on_guard(bob, 29, 70)
    host.again(signal.SIGKILL)
    host.put_on_guard(bob, 1, 99)
    assert host.guard(bob).locked, host.guard(bob)
    assert 21 * HOUR < host.guard(alice).remaining_ms / 1000 <= 22 * HOUR, host.guard(alice)


# ---- known ----

@sentence("known_days", "A source is known to a user for 30 days after a grant from it")
def _(host):
    alice = host.known_from(host.person("alice"))
    host.step(29 * DAY)
    host.put_on_guard(alice)
    assert host.root.login(alice) == "granted", "29 days later"
    host.step(30 * DAY + 1)
    host.put_on_guard(alice, 100, 100)
    assert host.root.login(alice) == "INVALID_CREDENTIALS", "and 30 after that"


@sentence("known_factors", "with every factor asked", rules=["factor who=* service=easy factors=off", "factor who=* factors=enrolled"])
def _(host):
    tina = host.person("tina")
    code = host.enroll(tina)
    assert host.root.login(tina) == "challenged"
    assert host.root.login(tina, service="easy") == "granted", "a service where no code is asked"
    assert host.known(tina) == [], "which makes nothing known"
    assert host.root.login(tina) == "challenged" and host.root.answer(tina, code()) == "granted"
    assert host.known(tina) == ["addr:203.0.113.1"]


@sentence("known_session", "or a session after a good `account`")
def _(host):
    alice = host.person("alice")
    session(host, alice, S9)
    assert host.known(alice) == ["addr:203.0.113.9"]
    host.put_on_guard(alice)
    assert host.root.login(alice, rhost=S9) == "granted"


@sentence("known_kinds", "an address or a uid; never a service name, text, loopback, one listed in shared_sources, or one that"
          " a gateway or a service uid reports",
          rules=["shared_sources 198.51.100.0/24 uid:4343", "service_uid web uid=33 services=apache", "session_services sshd"])
def _(host):
    alice, uid = host.person("alice"), host.uid
    for kind, more in {
            "a service name": {"rhost": b"", "service": "cron"}, "text": {"rhost": b"pc.example"},
            "loopback": {"rhost": b"127.0.0.1"}, "loopback of IPv6": {"rhost": b"::1"},
            "a shared address": {"rhost": b"198.51.100.7"},
            "a shared uid": {"rhost": b"", "service": "su", "acting_uid": 4343}}.items():
        assert host.root.login(alice, **more) == "granted", kind
        assert host.known(alice) == [], kind
    with Caller(USER_SOCKET, 33) as web:
        assert web.login(alice, service="apache", rhost=S9) == "granted"
    must(host.root.call("Client/CreateClient", client={"client_id": f"app{uid}", "kind": 2, "login": True,
                                                       "audiences": [{"audience": "demo", "scopes": ["read"]}]}))
    with Caller("/run/secauth/gateway/local.sock") as gateway:
        gateway.tell(1, uid=uid)
        status, _ = gateway.call("Authn/BeginAuthentication", user=alice.encode(), password=RIGHT,
                                 client={"client_id": f"app{uid}"}, tokens={"audiences": ["demo"]})
        assert status == "OK", status
    assert host.known(alice) == [], "reported by a service's uid, or through a gateway"
    assert host.root.login(alice) == "granted" and host.root.login(alice, rhost=b"", service="sudo", acting_uid=uid) == "granted"
    assert host.root.login(alice, rhost=b"2001:db8:1:2:3::4") == "granted"
    assert host.known(alice) == ["addr:203.0.113.1", "net64:2001:db8:1:2::", f"uid:{uid}"], host.known(alice)


# ---- the second factor ----

@sentence("factor_lock", "a second factor has a small counter of its own (10 in a row, each after the right password), which may"
          " lock hard; recovery codes still work")
def _(host):
    tina = host.person("tina")
    code = host.enroll(tina)
    recovery = [c for c in must(host.root.call("Mfa/CreateRecoveryCodes", user=tina)).codes]
    host.fail(tina, 4)
    for n in range(10):
        assert host.root.login(tina) == "challenged", n
        assert host.root.answer(tina, b"%06d" % ((int(code()) + 1 + n) % 1000000)) == "INVALID_CREDENTIALS"
    rows = [row for row in must(host.root.call("Lockout/GetLockout", user=tina.encode())).lockouts if row.kind == 4]
    assert rows and rows[0].failures == 10 and rows[0].locked, rows
    assert host.root.login(tina) == "challenged"
    assert host.root.answer(tina, code()) == "INVALID_CREDENTIALS", "TOTP is shut"
    assert host.root.login(tina) == "challenged"
    assert host.root.answer(tina, recovery[0]) == "granted", "a recovery code is not"


run()

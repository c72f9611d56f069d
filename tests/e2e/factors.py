"""What factors.test asks: second factors at every door of a login; run as root in its private host.

factors.py PART [ARGUMENT...]    exits 0 where all is as it shall be
"""
import base64
import json
import os
import pathlib
import subprocess
import sys
import time

import grpc

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../support"))
from wire import *  # noqa: E402,F403

PASSWORD, WRONG = b"correct horse battery", b"a wrong password"
GRANTED, CHALLENGED = 1, 2
ALGORITHMS = {"SHA1": 1, "SHA256": 2, "SHA512": 3}
UIDS = {"alice": 2001, "bob": 2002, "tina": 4444, "sara": 4445, "olga": 4446, "nina": 4747, "dis": 4545}
HERE, THERE = b"203.0.113.1", b"203.0.113.2"


class Totp:
    """Somebody's authenticator: Debian's oathtool. Codes come in the order of their steps, none of them twice."""

    def __init__(self, name, algorithm="SHA1", digits=6):
        self.name, self.algorithm, self.digits = name, algorithm, digits
        self.key = os.urandom(20)

    def at(self, seconds):
        return subprocess.run(["oathtool", f"--totp={self.algorithm}", f"--digits={self.digits}", f"--now=@{int(seconds)}",
                               self.key.hex()], check=True, capture_output=True).stdout.strip()

    def code(self, steps=0):
        return self.at(time.time() + 30 * steps)

    def arm(self, recovery=False):
        """With the code of one step ago, so that those of this step and the next are there to be used."""
        left = 30 - time.time() % 30
        if left < 4:  # nobody is in the middle of a step when it ends
            time.sleep(left)
        with Daemon() as root:
            must(root.call("Mfa/EnrollTotp", user=self.name, algorithm=ALGORITHMS[self.algorithm], digits=self.digits,
                           key=self.key))
            return must(root.call("Mfa/ConfirmTotp", user=self.name, code=self.code(-1), recovery_codes=recovery)).recovery_codes


def origin(rhost=HERE, service="sshd"):
    return {"service": service, "rhost": rhost}


def begin(daemon, name, password=PASSWORD, rhost=HERE, service="sshd", **more):
    if "client" not in more:
        more["origin"] = origin(rhost, service)
        if name in UIDS:
            more["uid"] = {"id": UIDS[name]}
    return daemon.call("Authn/BeginAuthentication", user=name.encode(), password=password, **more)


def asked(daemon, name, password=PASSWORD, **more):
    """The state of the question that follows."""
    reply = must(begin(daemon, name, password, **more))
    assert reply.outcome == CHALLENGED and not reply.authn_handle and not reply.HasField("grant"), reply
    prompt = reply.challenge.prompt
    assert prompt.text.endswith(": ") and len(prompt.text) <= 128 and prompt.echo, prompt
    assert len(reply.challenge.state) == 22 and not reply.password_len and not reply.must_change_password
    return reply.challenge.state


def answer(daemon, name, state, code, rhost=HERE, service="sshd", **more):
    if "client" not in more:
        more["origin"] = origin(rhost, service)
    return daemon.call("Authn/ContinueAuthentication", user=name.encode(), state=state, answer=code, **more)


def denied(got, status="INVALID_CREDENTIALS"):
    assert got[0] == status, got


def granted(got):
    reply = must(got)
    assert reply.outcome == GRANTED, reply
    return reply


def failures(name):
    with Daemon() as root:
        return must(root.call("Mfa/GetMfa", user=name)).failures


def last_record():
    with Daemon() as root:
        return must(root.call("Audit/ListAuditRecords", newest=True, page_size=1)).records[0].sequence


def records(name, after=0):
    """(event, outcome, reason, detail) of somebody's, the oldest first."""
    with Daemon() as root:
        rows = must(root.call("Audit/ListAuditRecords", after_sequence=after, page_size=500, newest=not after, user=name)).records
        return [(row.event, row.outcome, row.reason, row.detail) for row in rows]


def people():
    with Daemon() as root:
        for name, uid in UIDS.items():
            must(root.call("User/CreateUser", user={"name": name, "uid": {"id": uid}, "active": True}, password=PASSWORD))


# ---- after the password ----

def a_code_is_asked_after_the_password():
    with Daemon() as root:
        for totp in Totp("tina"), Totp("sara", "SHA256", 8), Totp("olga", "SHA512", 8):
            totp.arm()
            denied(begin(root, totp.name, WRONG))
            began = time.monotonic()
            state = asked(root, totp.name)
            assert time.monotonic() - began < 0.4, "the question comes at once"
            began = time.monotonic()
            reply = granted(answer(root, totp.name, state, totp.code()))
            assert time.monotonic() - began < 0.4, "so does the grant"
            assert len(reply.authn_handle) == 22
            must(root.call("Session/OpenSession", user=totp.name.encode(), uid={"id": UIDS[totp.name]}, origin=origin(),
                           authn_handle=reply.authn_handle))
            row, = must(root.call("Session/ListSessions", user=totp.name.encode())).sessions
            assert row.amr == "pwd otp", row
        assert granted(begin(root, "nina")).authn_handle, "nobody is asked who has none"


def every_decision_is_one_record():
    told = [row for row in records("tina") if row[0] in ("LOGIN", "FACTOR_ASK")]
    assert told == [("LOGIN", "denied", "WRONG_PASSWORD", ""), ("FACTOR_ASK", "granted", "", ""),
                    ("LOGIN", "granted", "", "factor=totp")], told


def a_state_is_its_owners_and_good_once():
    totp = Totp("tina")
    totp.arm()
    with Daemon() as root, Daemon(USER_SOCKET, uid=UIDS["bob"]) as bob:
        state, code = asked(root, "tina"), totp.code()
        for stranger in (answer(root, "bob", state, code), answer(root, "tina", state, code, rhost=THERE),
                         answer(root, "tina", state, code, service="sudo"), answer(bob, "tina", state, code),
                         answer(root, "tina", b"0" * 22, code), answer(root, "tina", state[:21], code),
                         answer(root, "tina", b"", code)):
            denied(stranger)
        granted(answer(root, "tina", state, code))
        denied(answer(root, "tina", state, totp.code(1)))  # a good code, but the state is gone
        denied(answer(root, "tina", asked(root, "tina"), code))  # a good state, but the code is used
        states = [asked(root, "tina") for _ in range(5)]
        denied(answer(root, "tina", states[0], totp.code(1)))  # of five the first is gone
        granted(answer(root, "tina", states[1], totp.code(1)))


def what_is_no_guess_counts_nowhere():
    totp = Totp("tina")
    totp.arm()
    with Daemon() as root:
        for no_guess in b"", b"  \t", PASSWORD:
            for _ in range(6):
                denied(answer(root, "tina", asked(root, "tina"), no_guess))
        assert failures("tina") == 0
        granted(answer(root, "tina", asked(root, "tina"), b" " + totp.code() + b"\t"))


def ten_wrong_codes_shut_totp_and_no_recovery_code():
    totp = Totp("tina")
    recovery = totp.arm(recovery=True)
    assert len(set(recovery)) == 10
    with Daemon() as root:
        for wrong in b"81804", b"0000000", "\u0968\u0968\u0968\u0968\u0968\u0968".encode(), b"a" * 2000, recovery[0][:-1], \
                totp.code(-2), totp.code(3), b"0" * 6, b"1" * 6, b"-1":
            denied(answer(root, "tina", asked(root, "tina"), wrong))
        assert failures("tina") == 10
        denied(answer(root, "tina", asked(root, "tina"), totp.code()))
        assert records("tina")[-1][2] == "TOO_MANY_WRONG_CODES", records("tina")[-1]
        denied(begin(root, "tina", PASSWORD + totp.code(), rhost=THERE))
        granted(answer(root, "tina", asked(root, "tina"), recovery[0].upper()))
        assert failures("tina") == 0
        denied(answer(root, "tina", asked(root, "tina"), recovery[0]))
        assert failures("tina") == 1 and records("tina")[-1][2] == "CODE_USED", records("tina")[-1]
        granted(answer(root, "tina", asked(root, "tina"), b" " + recovery[1].replace(b"-", b"") + b" "))
        granted(answer(root, "tina", asked(root, "tina"), totp.code()))
        assert records("tina")[-1][3] == "factor=totp" and ("LOGIN", "granted", "", "factor=recovery") in records("tina")


def parallel_guesses_get_no_more_than_ten():
    """Of a burst of answers to as many questions, a good one counts only while fewer than ten wrong ones came first."""
    late = 0
    for turn in range(6):
        totp = Totp("olga")
        totp.arm()
        calls = [(Daemon(), b"198.51.100.%d" % i) for i in range(30)]
        states = [asked(daemon, "olga", rhost=rhost) for daemon, rhost in calls]
        first, good = last_record(), 5 * turn
        codes = [totp.code() if i == good else b"%06d" % i for i in range(30)]
        kinds = [daemon.send("Authn/ContinueAuthentication", user=b"olga", state=state, answer=code, origin=origin(rhost))
                 for (daemon, rhost), state, code in zip(calls, states, codes)]
        outcomes = [daemon.receive(kind)[0] for (daemon, _), kind in zip(calls, kinds)]
        for daemon, _ in calls:
            daemon.socket.close()
        reasons = ["GRANT" if row[1] == "granted" else row[2] for row in records("olga", first)]
        before = reasons.index("GRANT") if "GRANT" in reasons else len(reasons)
        assert outcomes.count("OK") == reasons.count("GRANT") <= 1 and len(reasons) == 30, (outcomes, reasons)
        assert before == 30 or before < 10, reasons
        late += before == 30
        print(f"the good one was number {good + 1} of 30; wrong ones before its grant: {before if before < 30 else 'no grant'}")
    assert late > 0, "none came too late: the burst tried nothing"


def one_code_opens_one_door():
    """Logins at once with one code: all are judged before any is spent."""
    for _ in range(3):
        totp = Totp("sara", "SHA256", 8)
        totp.arm()
        calls = [(Daemon(), b"198.51.100.%d" % i) for i in range(4)]
        states = [asked(daemon, "sara", rhost=rhost) for daemon, rhost in calls]
        code = totp.code()
        kinds = [daemon.send("Authn/ContinueAuthentication", user=b"sara", state=state, answer=code, origin=origin(rhost))
                 for (daemon, rhost), state in zip(calls, states)]
        outcomes = sorted(daemon.receive(kind)[0] for (daemon, _), kind in zip(calls, kinds))
        assert outcomes == ["INVALID_CREDENTIALS"] * 3 + ["OK"], outcomes
        totp = Totp("sara", "SHA256", 8)
        totp.arm()
        kinds = [daemon.send("Authn/BeginAuthentication", user=b"sara", password=PASSWORD + totp.code(), origin=origin(rhost))
                 for daemon, rhost in calls]  # the same behind the password
        outcomes = sorted(daemon.receive(kind)[0] for (daemon, _), kind in zip(calls, kinds))
        assert outcomes == ["INVALID_CREDENTIALS"] * 3 + ["OK"], outcomes


# ---- appended to the password ----

def a_code_may_stand_behind_the_password():
    for totp in Totp("tina"), Totp("olga", "SHA512", 8):
        totp.arm()
        with Daemon() as root:
            denied(begin(root, totp.name, PASSWORD + b"000000"))
            denied(begin(root, totp.name, WRONG + totp.code()))
            reply = granted(begin(root, totp.name, PASSWORD + totp.code()))
            assert reply.password_len == len(PASSWORD) and len(reply.authn_handle) == 22
            assert records(totp.name)[-1][3] == "factor=totp"
            denied(begin(root, totp.name, PASSWORD + totp.code()))  # it is used: no code, so part of a wrong password
            assert failures(totp.name) == 0
            assert granted(answer(root, totp.name, asked(root, totp.name), totp.code(1))).outcome == GRANTED


# ---- what else can happen between the two steps ----

def a_proof_is_void_when_the_record_changed():
    totp = Totp("tina")
    totp.arm()
    with Daemon() as root:
        state = asked(root, "tina")
        must(root.call("User/SetUserActive", name="tina", active=False))
        denied(answer(root, "tina", state, totp.code()))
        must(root.call("User/SetUserActive", name="tina", active=True))
        state = asked(root, "tina")
        must(root.call("User/SetUserPassword", name="tina", password=b"another password of hers"))
        denied(answer(root, "tina", state, totp.code()))
        must(root.call("User/SetUserPassword", name="tina", password=PASSWORD))
        assert failures("tina") == 0
        state = asked(root, "tina")
        must(root.call("Mfa/RemoveMfa", user="tina"))
        denied(answer(root, "tina", state, totp.code()))
        granted(begin(root, "tina"))


def times_in_memory(pid, words):
    """How often words stand in what a process can write to."""
    count = 0
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for line in maps:
            begins, ends = (int(number, 16) for number in line.split()[0].split("-"))
            if line.split()[1].startswith("rw"):
                try:
                    memory.seek(begins)
                    count += memory.read(ends - begins).count(words)
                except OSError:  # a page that nobody may read: libsodium's guards
                    pass
    return count


def a_question_waits_without_the_password(pid):
    password = b"Nobody else's password %d" % time.time_ns()
    totp = Totp("olga")
    totp.arm()
    with Daemon() as root:
        must(root.call("User/SetUserPassword", name="olga", password=password))
        state = asked(root, "olga", password)
        assert times_in_memory(pid, password) == 0, "it is still there"
        assert times_in_memory(pid, state) > 0, "what looks for it does not see the daemon's memory"
        granted(answer(root, "olga", state, totp.code()))
        must(root.call("User/SetUserPassword", name="olga", password=PASSWORD))


# ---- rules ----

def off_asks_nobody():
    Totp("tina").arm()
    with Daemon() as root:
        assert granted(begin(root, "tina"))


def after_password_lets_nobody_in_without():
    totp = Totp("tina")
    totp.arm()
    with Daemon() as root:
        denied(begin(root, "nina"))
        assert records("nina")[-1][:3] == ("LOGIN", "denied", "FACTOR_NOT_ENROLLED")
        granted(answer(root, "tina", asked(root, "tina"), totp.code()))


def fresh_spares_a_known_source():
    totp = Totp("tina")
    totp.arm()
    with Daemon() as root:
        granted(answer(root, "tina", asked(root, "tina", rhost=THERE), totp.code(), rhost=THERE))
        granted(begin(root, "tina", rhost=THERE))
        asked(root, "tina", rhost=b"203.0.113.77")


def oneself_is_asked_by_a_rule_that_means_the_service():
    totp = Totp("tina")
    totp.arm()
    with Daemon(USER_SOCKET, uid=UIDS["tina"]) as tina:
        granted(begin(tina, "tina", service="i3lock"))
        state = asked(tina, "tina", service="desk")
        denied(answer(tina, "tina", state, b"000000", service="desk"))
        reply = granted(answer(tina, "tina", asked(tina, "tina", service="desk"), totp.code(), service="desk"))
        assert not reply.authn_handle


def a_services_uid_asks_about_others_in_two_steps():
    totp = Totp("tina")
    totp.arm()
    with Daemon(USER_SOCKET, uid=33) as web, Daemon(USER_SOCKET, uid=34) as other:
        state = asked(web, "tina", service="web")
        denied(answer(other, "tina", state, totp.code(), service="web"))
        denied(answer(web, "tina", state, totp.code(), service="web", rhost=THERE))
        granted(answer(web, "tina", state, totp.code(), service="web"))
        assert granted(begin(web, "tina", PASSWORD + totp.code(1), service="web")).password_len == len(PASSWORD)
        denied(begin(web, "tina", service="sshd"))


# ---- always ----

def always_asks_every_name_alike():
    """One question for all, in all its bytes but the state; and no answer to it is good but that to the right password."""
    totp = Totp("tina")
    totp.arm()
    with Daemon() as root:
        must(root.call("User/SetUserActive", name="dis", active=False))
        questions = set()
        for number, (name, password, more) in enumerate((
                ("tina", PASSWORD, {}), ("tina", WRONG, {}), ("nobody", WRONG, {}), ("-x\n", WRONG, {}), ("nina", PASSWORD, {}),
                ("dis", PASSWORD, {}), ("alice", PASSWORD, {"uid": {"id": 9999}}), ("tina", WRONG + totp.code(), {}),
                ("tina", b"a" * 600, {}), ("tina", b"\b\n\r\177INCORRECT", {}))):
            rhost = b"192.0.2.%d" % (number + 1)
            for code in b"", b"000000", PASSWORD, totp.code() if number else b"1":
                reply = must(root.call("Authn/BeginAuthentication", user=name.encode(), password=password,
                                       origin=origin(rhost), **more))
                state, reply.challenge.state = reply.challenge.state, b""
                questions.add((reply.outcome, len(state), reply.SerializeToString()))
                denied(answer(root, name, state, code, rhost=rhost))
        assert len(questions) == 1 and questions.pop()[:2] == (CHALLENGED, 22), questions
        assert failures("tina") == 2, "only those count that follow the right password"
        granted(answer(root, "tina", asked(root, "tina"), totp.code()))
        assert granted(begin(root, "tina", PASSWORD + totp.code(1))).password_len == len(PASSWORD)


def always_counts_a_first_step_whatever_its_password_is():
    """So neither hanging up makes guesses free, nor does the wait of the pair tell what the question does not."""
    totp = Totp("tina")
    totp.arm()
    with Daemon() as root:
        for number, (name, password) in enumerate((("tina", PASSWORD), ("tina", WRONG), ("nobody", WRONG))):
            rhost = b"192.0.2.%d" % (number + 101)
            for other in range(4):
                asked(root, name, b"guess %d" % other, rhost=rhost)
            asked(root, name, password, rhost=rhost)
            asked_again = begin(root, name, b"guess 5", rhost=rhost)
            denied(asked_again)  # five have failed: the pair waits
        rhost = b"192.0.2.120"
        for turn in range(3):  # what was counted is cleared by a grant
            for other in range(3):
                asked(root, "tina", b"guess %d" % other, rhost=rhost)
            if turn < 2:
                granted(answer(root, "tina", asked(root, "tina", rhost=rhost), totp.code(turn), rhost=rhost))


def always_answers_alike_however_slow_the_disk():
    """Syncs take half a second: every answer that was typed waits for one, that to a wrong password too."""
    totp, times = Totp("tina"), {}
    totp.arm()
    with Daemon() as root:
        for name, password in ("tina", PASSWORD), ("tina", WRONG), ("nobody", WRONG):
            state = asked(root, name, password, rhost=b"192.0.2.130")
            pathlib.Path("/run/t/slow").touch()
            began = time.monotonic()
            denied(answer(root, name, state, b"000000", rhost=b"192.0.2.130"))
            times[name, password] = round((time.monotonic() - began) * 1000)
            pathlib.Path("/run/t/slow").unlink()
    assert all(500 <= took < 900 for took in times.values()), times


# ---- through a gateway ----

APP, TOKENS = {"client_id": "app"}, {"audiences": ["demo"]}


class Tls:
    """Like a Daemon, over TLS with Debian's grpcio; statuses are those of google.rpc, with their reason."""

    def __enter__(self):
        with open("/run/t/ca.pem", "rb") as trust:
            self.channel = grpc.secure_channel("localhost:7443", grpc.ssl_channel_credentials(trust.read()))
        return self

    def __exit__(self, *_):
        self.channel.close()

    def call(self, method, **fields):
        service, rpc = method.split("/")
        call = self.channel.unary_unary(f"/secauth.v1.{service}Service/{rpc}", lambda m: m.SerializeToString(),
                                        MESSAGES[rpc + "Response"].FromString)
        try:
            return "OK", call(MESSAGES[rpc + "Request"](**fields), timeout=10)
        except grpc.RpcError as error:
            for packed in MESSAGES["Status"].FromString(dict(error.trailing_metadata())["grpc-status-details-bin"]).details:
                if packed.type_url.endswith("ErrorInfo"):
                    return MESSAGES["ErrorInfo"].FromString(packed.value).reason, None


def clients():
    with Daemon() as root:
        for client_id in "app", "other":
            must(root.call("Client/CreateClient", client={"client_id": client_id, "kind": 2, "login": True, "grants": [2],
                                                          "audiences": [{"audience": "demo", "scopes": ["read"]}]}))


def a_gateway_carries_the_question_and_the_tokens_come_with_the_answer():
    totp, app = Totp("tina"), {"client": APP, "tokens": TOKENS}
    totp.arm()
    with Tls() as tls, Daemon() as root:
        state = asked(tls, "tina", **app)
        denied(answer(tls, "tina", state, totp.code(), client={"client_id": "other"}, tokens=TOKENS))
        denied(answer(root, "tina", state, totp.code()))
        denied(answer(tls, "tina", state, totp.code(), client={"client_id": "nobody"}, tokens=TOKENS), "INVALID_CLIENT")
        denied(answer(tls, "tina", state, totp.code(), client=APP, tokens={"audiences": ["else"]}), "INVALID_TARGET")
        denied(answer(tls, "tina", state, b"000000", **app))
        reply = granted(answer(tls, "tina", asked(tls, "tina", **app), totp.code(), **app))
        assert reply.grant.access_token and reply.grant.refresh_token.startswith(b"sar1_") and not reply.authn_handle
        claims = json.loads(base64.urlsafe_b64decode(reply.grant.access_token.split(b".")[1] + b"=="))
        assert claims["amr"] == ["pwd", "otp"] and claims["acr"] == "2", claims
        assert granted(begin(tls, "tina", PASSWORD + totp.code(1), **app)).grant.access_token
        must(root.call("User/SetUserActive", name="tina", active=False))
        denied(begin(tls, "tina", **app), "ACCOUNT_DISABLED")
        must(root.call("User/SetUserActive", name="tina", active=True))


def a_gateway_tells_a_shut_account_once_all_is_proven():
    """With `always`: not before, and the code that proved it is spent."""
    totp, app = Totp("tina"), {"client": APP, "tokens": TOKENS}
    totp.arm(recovery=True)
    with Tls() as tls, Daemon() as root:
        must(root.call("User/SetUserActive", name="tina", active=False))
        denied(answer(tls, "tina", asked(tls, "tina", **app), b"000000", **app))
        denied(answer(tls, "tina", asked(tls, "tina", **app), b"aaaaaa-aaaaaa", **app))  # a recovery code by its looks
        assert failures("tina") == 2
        denied(answer(tls, "tina", asked(tls, "tina", WRONG, **app), totp.code(), **app))
        denied(answer(tls, "nobody", asked(tls, "nobody", **app), totp.code(), **app))
        denied(answer(tls, "nina", asked(tls, "nina", **app), totp.code(), **app))
        denied(answer(tls, "tina", asked(tls, "tina", **app), totp.code(), **app), "ACCOUNT_DISABLED")
        must(root.call("User/SetUserActive", name="tina", active=True))
        denied(answer(tls, "tina", asked(tls, "tina", **app), totp.code(), **app))
        granted(answer(tls, "tina", asked(tls, "tina", **app), totp.code(1), **app))


run_part()

"""Sentences of the design as checks, each with the rule that it stands for.

    from sentences import *

    @sentence("pair_wait", "(user, source): 5 free failures, then 1 s doubling to 15 min")
    def _(host):
        ...assertions...

    run()

A check runs against secauthd, where it must pass, and against secauthd_switched with SECAUTH_TEST_OFF=RULE, where the
very same check must fail by an assertion. Every run has people of its own, no failures and clocks that are right.
`settings` and `rules` of a sentence are the daemon's then. A sentence with the rule None has no rule to switch off.
Arguments of the script: parts of the sentences that are wanted.
"""
import hmac
import mmap
import os
import pathlib
import signal
import struct
import subprocess
import sys
import time
import traceback

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../support"))
from attempts import *  # noqa: E402,F403

KEEP, BUILD = pathlib.Path(os.environ["KEEP"]), pathlib.Path(os.environ["BUILD"])
S2, S9 = b"203.0.113.2", b"203.0.113.9"
SETTINGS = {"secauthd.log_level": "warning", "token.issuer": "https://private.example", "password.memory": 64,
            "password.passes": 1, "password.quality": "off", "login.denial_floor": 20, "login.denial_jitter": 5,
            "gateway.local": "local"}
SECOND, HOUR, DAY = 1, 3600, 86400
_sentences = []


class Host:
    def __init__(self):
        self.process, self.uid, self.off = None, 5000, ""
        path = pathlib.Path("/run/t/clock")
        path.write_bytes(bytes(16))
        with open(path, "r+b") as file:
            self.clock = mmap.mmap(file.fileno(), 16)

    # ---- the daemon ----

    def start(self, off="", settings=(), rules=()):
        self.off, self.settings = off, {**SETTINGS, **dict(settings)}
        sections = {}
        for name, value in self.settings.items():
            section, key = name.split(".")
            sections.setdefault(section, []).append(f"{key} = {value}")
        os.makedirs("/etc/secauth", exist_ok=True)
        pathlib.Path("/etc/secauth/secauthd.conf").write_text(
            "".join(f"[{section}]\n" + "\n".join(lines) + "\n" for section, lines in sections.items()))
        pathlib.Path("/etc/secauth/rules").write_text("".join(rule + "\n" for rule in rules))
        self.launch()

    def launch(self):
        program = BUILD / "tests/support/secauthd_switched" if self.off else "/usr/sbin/secauthd"
        environment = {"PATH": os.environ["PATH"], "LD_PRELOAD": "/run/t/clock_shim.so", "CLOCK_SHIM": "/run/t/clock"}
        if self.off:
            environment["SECAUTH_TEST_OFF"] = self.off
        with open(KEEP / "secauthd.log", "ab") as log:
            self.process = subprocess.Popen([program], env=environment, stdout=log, stderr=log)
        end = time.monotonic() + 10
        while True:
            try:
                self.root = Caller()
                break
            except OSError:
                if time.monotonic() > end or self.process.poll() is not None:
                    raise RuntimeError("the daemon does not start") from None
                time.sleep(0.01)

    def stop(self, with_signal=signal.SIGTERM):
        if self.process is None:
            return
        self.root.socket.close()
        self.process.send_signal(with_signal)
        if self.process.wait(10) != 0 and with_signal == signal.SIGTERM:
            raise RuntimeError("the daemon did not end well")
        self.process = None

    def again(self, with_signal=signal.SIGTERM):
        self.stop(with_signal)
        self.launch()

    def step(self, seconds, wall=None):
        """Both clocks, or the wall clock by `wall` seconds."""
        now_wall, now_boot = struct.unpack("qq", self.clock[:])
        self.clock[:] = struct.pack("qq", now_wall + int((seconds if wall is None else wall) * 1000),
                                    now_boot + int(seconds * 1000))

    def clean(self):
        self.clock[:] = bytes(16)
        must(self.root.call("Lockout/ClearLockout", all=True))

    # ---- people ----

    def person(self, name="p", **more):
        """A new person with the right password: the name."""
        self.uid += 1
        name = f"{name}{self.uid}"
        must(self.root.call("User/CreateUser", password=RIGHT, user={"name": name, "uid": {"id": self.uid}, "active": True, **more}))
        return name

    def known_from(self, name, source=S1):
        """The person, who has logged in from there."""
        assert self.root.login(name, rhost=source) == "granted"
        return name

    def enroll(self, name):
        """Arm a TOTP key: a function that says the code of now. The one that armed it is a step old."""
        key = f"the key of {name}....."[:20].encode()

        def code(steps=0):
            offset_ms = struct.unpack("qq", self.clock[:])[0]
            step = int(time.time() + offset_ms / 1000) // 30 + steps
            digest = hmac.digest(key, struct.pack(">Q", step), "sha1")
            at = digest[-1] & 15
            return b"%06d" % ((int.from_bytes(digest[at:at + 4], "big") & 0x7fffffff) % 1000000)

        must(self.root.call("Mfa/EnrollTotp", user=name, key=key))
        must(self.root.call("Mfa/ConfirmTotp", user=name, code=code(-1)))
        return code

    # ---- what is there ----

    def lockouts(self, **which):
        return list(must(self.root.call("Lockout/ListLockouts", page_size=500, **which)).lockouts)

    def failures(self, name, source=S1):
        """What a pair's count is."""
        text = f"addr:{source.decode()}" if isinstance(source, bytes) else source
        rows = [row for row in self.lockouts(user=name.encode(), source=text) if row.kind == 1]
        return rows[0].failures if rows else 0

    def guard(self, name):
        rows = [row for row in must(self.root.call("Lockout/GetLockout", user=name.encode())).lockouts if row.kind == 3]
        return rows[0] if rows else MESSAGES["Lockout"]()

    def known(self, name):
        return sorted(s.source for s in must(self.root.call("Lockout/GetLockout", user=name.encode())).known_sources)

    def records(self, event, count=500, **more):
        return [r for r in must(self.root.call("Audit/ListAuditRecords", newest=True, page_size=count, event=event, **more)).records]

    def put_on_guard(self, name, count=100, base=0):
        """`count` distinct failures, each from an address of its own."""
        outcomes = self.root.tries({"user": name, "password": wrong(base + n), "rhost": address(base + n)} for n in range(count))
        assert set(outcomes) == {"INVALID_CREDENTIALS"}, set(outcomes)

    def fail(self, name, count, base=0, **more):
        return [self.root.login(name, wrong(base + n), **more) for n in range(count)]

    def lock(self, name, **more):
        """Nine failures: the pair waits for 16 s, longer than a busy machine takes for what follows."""
        self.fail(name, 5, **more)
        for n in range(4):
            self.step(1 << n)
            self.fail(name, 1, 5 + n, **more)


def sentence(rule, words, settings=(), rules=()):
    return lambda check: _sentences.append((rule, words, check, settings, rules)) or check


def _try(host, check):
    host.clean()
    try:
        check(host)
        return None
    except AssertionError as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        return f"line {where.lineno}: {where.line} {error}"


def _say(passed, words, detail=""):
    print("ok" if passed else "failed", words.replace("\t", " "), detail.replace("\t", " ").replace("\n", " "),
          sep="\t", flush=True)


def _one(host, rule, words, check, settings, rules):
    host.stop()
    host.start("", settings, rules)
    began = time.monotonic()
    failed = _try(host, check)
    _say(failed is None, f"“{words}” ({time.monotonic() - began:.1f} s)" if os.environ.get("SA_TIMES") else f"“{words}”", failed or "")
    if rule is None:
        return
    host.stop()
    host.clock[:] = bytes(16)
    host.start(rule, settings, rules)
    failed = _try(host, check)
    _say(failed is not None, f"and it fails without {rule}", "the check passes although its rule is off")


def run():
    host = Host()
    for rule, words, check, settings, rules in _sentences:
        if len(sys.argv) > 1 and not any(part in words or part == rule for part in sys.argv[1:]):
            continue
        try:
            _one(host, rule, words, check, settings, rules)
        except Exception as error:  # noqa: BLE001: whatever it is, it is no passed check
            _say(False, f"“{words}” is tried", f"{type(error).__name__}: {error} {traceback.format_exc().splitlines()[-3:-1]}")
            if host.process is not None and host.process.poll() is None:
                host.process.kill()
                host.process.wait()
            host.process = None
    host.stop()

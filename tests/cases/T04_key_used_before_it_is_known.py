"""What T04_key_used_before_it_is_known.test does on the daemon's sockets; run as root in its private host.

T04...py load             20 tokens a second until SIGTERM, each looked at by two verifiers; then /run/t/report.json.
                         Kids that are about to be revoked stand in /run/t/revoked, the daemon's clock in /run/t/clock
T04...py PART             exits 0 where all is as it shall be
"""
import base64
import bisect
import json
import os
import signal
import subprocess
import sys
import threading
import time

import jwt

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../support"))
from wire import *  # noqa: E402,F403

LEEWAY = 60  # seconds
REPORT, REVOKED, CLOCK, SECRET, LAST = (f"/run/t/{name}" for name in ("report.json", "revoked", "clock", "secret", "last"))
ISSUER = "https://private.example"
PAUSE = 1 / 20


def registered():
    with Daemon() as root:
        reply = must(root.call("Client/CreateClient", client={
            "client_id": "svc", "kind": 1, "grants": [1], "audiences": [{"audience": "demo", "scopes": ["read"]}]}))
    with open(SECRET, "wb") as file:
        file.write(reply.secret)


def issue(root):
    with open(SECRET, "rb") as file:
        client = {"client_id": "svc", "secret": file.read()}
    grant = must(root.call("Token/IssueToken", client=client, tokens={"audiences": ["demo"]})).grant
    new = f"{LAST}.{os.getpid()}"
    with open(new, "wb") as file:
        file.write(grant.access_token)
    os.rename(new, LAST)
    return grant.access_token.decode()


def kid_of(token):
    return jwt.get_unverified_header(token)["kid"]


def now():
    """By the daemon's clock."""
    with open(CLOCK, encoding="ascii") as file:
        return time.time() + int(file.read())


def revoked():
    with open(REVOKED, encoding="ascii") as file:
        return file.read().split()


class Verifier:
    """Any service: PyJWT and a key set that it keeps for as long as it may."""

    def __init__(self):
        self.fetched, self.keys = None, {}
        self.history = []  # (when, kids)

    def look(self, root):
        """A fetch where what is kept is too old; its age counts from the request."""
        asked = time.monotonic()
        if self.fetched is None or asked - self.fetched >= self.max_age:
            self.take(must(root.call("Key/GetKeySet")))
            self.fetched = asked

    def take(self, reply):
        rows = json.loads(reply.jwks)["keys"]
        self.keys = {key["kid"]: (jwt.PyJWK(key).key, key["alg"]) for key in rows}
        self.max_age = reply.max_age_seconds
        self.history.append((time.monotonic(), frozenset(self.keys)))

    def since(self, kid):
        """The sets since the first that has it."""
        first = next((i for i, (_, kids) in enumerate(self.history) if kid in kids), len(self.history))
        return self.history[first:]

    def refuses(self, token):
        """The reason, or None. Times are looked at by the daemon's clock, since that is what the test moves."""
        kid = kid_of(token)
        if kid not in self.keys:
            return "unknown kid"
        try:
            key, algorithm = self.keys[kid]
            claims = jwt.decode(token, key, algorithms=[algorithm], audience="demo", issuer=ISSUER,
                                options={"verify_exp": False, "verify_iat": False})
        except jwt.PyJWTError as error:
            return repr(error)
        return None if claims["exp"] > now() else "expired"

    def had(self, kid, when):
        """Whether the set that was served last before `when` has it; None where none was."""
        at = bisect.bisect_left(self.history, (when,))
        return None if at == 0 else kid in self.history[at - 1][1]


class Follower(Verifier):
    """One that follows WatchKeySet; when the stream breaks it keeps what it has and follows anew."""

    def __init__(self):
        super().__init__()
        self.first = threading.Event()
        threading.Thread(target=self.follow, daemon=True).start()

    def look(self, root):
        assert self.first.wait(10)

    def follow(self):
        while True:
            try:
                with Daemon() as stream:
                    kind = stream.send("Key/WatchKeySet")
                    while (reply := stream.next(kind)[1]) is not None:
                        self.take(reply)
                        self.first.set()
            except OSError:
                pass
            time.sleep(0.05)


class Load:
    def __init__(self):
        self.keeper, self.follower = Verifier(), Follower()
        self.tokens, self.wrong, self.right, self.asked, self.outages = [], [], 0, 0, 0
        self.algorithms = set()
        self.root = None

    def judge(self, who, token, reason):
        if reason is None:
            self.asked += 1
        elif kid_of(token) in revoked():
            self.right += 1
        elif reason != "expired":
            self.wrong.append(f"{who}: {kid_of(token)}: {reason}")

    def turn(self):
        if self.root is None:
            self.root = Daemon()
        token = issue(self.root)
        self.tokens.append((time.monotonic(), token))
        self.algorithms.add(jwt.get_unverified_header(token)["alg"])
        for who, verifier in (("keeper", self.keeper), ("follower", self.follower)):
            verifier.look(self.root)
            self.judge(who, token, verifier.refuses(token))
        if len(self.tokens) % 10 == 0:
            active = must(self.root.call("Token/IntrospectToken", token=token.encode())).active
            self.judge("introspection", token, None if active else "inactive")

    def try_turn(self):
        """A daemon that was killed is no refusal: the caller asks again."""
        try:
            self.turn()
        except (OSError, EOFError, AssertionError) as error:
            if isinstance(error, AssertionError) and "SHUTTING_DOWN" not in str(error):
                raise
            self.outages += 1
            self.root = None

    def finish(self):
        """Once more, every token that lives: the keys of the old ones are published still."""
        for who, verifier in (("keeper", self.keeper), ("follower", self.follower)):
            verifier.look(self.root or Daemon())
            for _, token in self.tokens:
                self.judge(who + " at the end", token, verifier.refuses(token))
        signed = {kid_of(token) for _, token in self.tokens} - set(revoked())
        sudden = [f"{kid_of(token)} {when - time.monotonic() + time.time():.3f}" for when, token in self.tokens
                  if self.follower.had(kid_of(token), when - self.keeper.max_age) is False]
        with open(REPORT, "w", encoding="ascii") as file:
            json.dump({"tokens": len(self.tokens), "verifications": self.asked, "wrong": self.wrong,
                       "rightly refused": self.right, "outages": self.outages, "sudden": sudden, "signed": sorted(signed),
                       "unpublished": sorted(kid for kid in signed if any(kid not in kids for _, kids in self.follower.since(kid))),
                       "keys": len({kid_of(token) for _, token in self.tokens}), "algorithms": sorted(self.algorithms)}, file)


def load():
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    work, due = Load(), time.monotonic()
    while not stop.is_set():
        work.try_turn()
        due = max(due + PAUSE, time.monotonic() - 1)
        time.sleep(max(0, due - time.monotonic()))
    work.finish()


def is_published(*kids):
    with Daemon() as root:
        published = {key["kid"] for key in json.loads(must(root.call("Key/GetKeySet")).jwks)["keys"]}
        assert published >= set(kids), set(kids) - published


def last_token_and_leeway_have_passed():
    """Of the token that was issued last."""
    with open(LAST, encoding="ascii") as file:
        claims = jwt.decode(file.read(), options={"verify_signature": False})
    assert claims["exp"] + LEEWAY < now(), (claims["exp"], now())


def signs():
    """The kid of a token that is issued now."""
    with Daemon() as root:
        print(kid_of(issue(root)))


def last_token_is_active():
    with Daemon() as root, open(LAST, "rb") as file:
        assert must(root.call("Token/IntrospectToken", token=file.read())).active


def racing_rotations_are_one_step_each():
    """Eight administrators at once force a rotation; each that was told so made one step of its own."""
    answers = []

    def ask():
        with Daemon() as root:
            answers.append(must(root.call("SigningKey/RotateSigningKey", force=True)))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 4
    kids = [answer.kid for answer in answers if answer.rotated]
    assert len(set(kids)) == len(kids) > 0, kids
    with Daemon() as root:
        keys = must(root.call("SigningKey/ListSigningKeys")).keys
        states = [key.state for key in keys]
        assert states.count(2) == 1 and len(keys) <= 16, states
        assert kid_of(issue(root)) == next(key.kid for key in keys if key.state == 2)
    print(len(kids))


def the_last_key_is_replaced():
    """Revoked one after the other, faster than any could be prepared in time: there is always one that signs."""
    with Daemon() as root:
        gone = []
        for _ in range(5):
            token = issue(root)
            gone.append(token)
            reply = must(root.call("SigningKey/RevokeSigningKey", kid=kid_of(token)))
            assert reply.accepted and reply.signing_kid != kid_of(token)
            assert kid_of(issue(root)) == reply.signing_kid
            assert root.call("SigningKey/RevokeSigningKey", kid=kid_of(token))[0] == "NOT_FOUND"
        for token in gone:
            assert not must(root.call("Token/IntrospectToken", token=token.encode())).active
        published = {key["kid"] for key in json.loads(must(root.call("Key/GetKeySet")).jwks)["keys"]}
        assert not published & {kid_of(token) for token in gone}
        # Those that were prepared count as well: none is left but what was made for this.
        for key in must(root.call("SigningKey/ListSigningKeys")).keys:
            must(root.call("SigningKey/RevokeSigningKey", kid=key.kid))
        keys = must(root.call("SigningKey/ListSigningKeys")).keys
        assert [key.state for key in keys] == [1, 2], keys
        assert kid_of(issue(root)) == keys[1].kid


def pem_and_key_set_hold_the_same_keys():
    """`key export` in both forms, by openssl's reading of one and Python's of the other."""
    run = lambda form: subprocess.check_output(["secauthctl", "key", "export", form], text=True)  # noqa: E731
    jwks = json.loads(run("--jwks"))["keys"]
    pems = run("--pem").split("-----BEGIN PUBLIC KEY-----")[1:]
    bodies = {"".join(pem.split("-----END")[0].split()) for pem in pems}
    for key in jwks:
        encoding = "DER", "SubjectPublicKeyInfo"
        from cryptography.hazmat.primitives import serialization
        der = jwt.PyJWK(key).key.public_bytes(getattr(serialization.Encoding, encoding[0]),
                                              getattr(serialization.PublicFormat, encoding[1]))
        assert base64.b64encode(der).decode() in bodies
    assert len(bodies) == len(jwks)


run_part()

"""Access tokens of secauth, verified offline: the key set and what was revoked are followed, no call is made for a token.

    verifier = Verifier(stubs(), channel, issuer="https://auth.example", audience="demo", client_id="demo", secret=b"sac1_...")
    verifier.start()
    claims = verifier.verify(token, scope="read")      # or raises Refused

Needs Debian's python3-grpcio and python3-jwt. One verifier serves all threads.
"""
import base64
import json
import threading
import time

import grpc
import jwt

LEEWAY_SECONDS = 30     # how far clocks may be apart
CURRENT_SECONDS = 20    # the daemon speaks every 5 seconds on each stream
DENIED_MAX = 65536      # what is kept of revocations; past that the verifier is not current
TOKEN_MAX = 4096
REQUIRED = ["iss", "sub", "aud", "exp", "iat", "jti", "client_id"]


class Refused(Exception):
    """Why a token is refused, in one word for the log; `scope` stands for a good token that may not do this."""


class Verifier:
    def __init__(self, pb, channel, issuer, audience, client_id, secret):
        self.pb, self.issuer, self.audience = pb, issuer, audience
        self.service = pb.key_grpc.KeyServiceStub(channel)
        self.auth = pb.common.ClientAuth(client_id=client_id, secret=secret)
        self.keys = {}            # kid: (public key, algorithm); replaced whole
        self.denied = {}          # (kind, key): (since_ms, not_before_ms, until_ms)
        self.lock = threading.Lock()
        self.heard = {"keys": None, "revocations": None}
        self.incarnation, self.sequence = "", 0

    def start(self):
        for follow in (self._follow_keys, self._follow_revocations):
            threading.Thread(target=self._for_ever, args=(follow,), daemon=True).start()

    def is_current(self):
        """Whether all that was revoked until a few seconds ago is known."""
        now = time.monotonic()
        return all(heard is not None and now - heard <= CURRENT_SECONDS for heard in self.heard.values())

    def verify(self, token, scope=""):
        if len(token) > TOKEN_MAX:
            raise Refused("form")
        try:
            header = jwt.get_unverified_header(token)
            if set(header) != {"alg", "typ", "kid"} or header["typ"] != "at+jwt":
                raise Refused("header")
            if header["kid"] not in self.keys:
                raise Refused("kid")
            key, algorithm = self.keys[header["kid"]]
            # The algorithm is the key's; the token may only agree.
            claims = jwt.decode(token, key, algorithms=[algorithm], audience=self.audience, issuer=self.issuer,
                                leeway=LEEWAY_SECONDS, options={"require": REQUIRED})
        except jwt.ExpiredSignatureError as error:
            raise Refused("expired") from error
        except jwt.InvalidAudienceError as error:
            raise Refused("audience") from error
        except jwt.PyJWTError as error:
            raise Refused(type(error).__name__) from error
        if self._is_revoked(claims):
            raise Refused("revoked")
        if "cnf" in claims:  # of use only with a proof (RFC 8705, RFC 9449), which this service does not ask for
            raise Refused("bound")
        if not set(scope.split()) <= set(claims.get("scope", "").split()):
            raise Refused("scope")
        return claims

    # Following.

    def _for_ever(self, follow):
        while True:
            try:
                follow()
            except grpc.RpcError as error:
                if error.code() == grpc.StatusCode.OUT_OF_RANGE:  # the store is another one: from the beginning
                    self.incarnation, self.sequence = "", 0
            time.sleep(0.2)

    def _follow_keys(self):
        for message in self.service.WatchKeySet(self.pb.key.WatchKeySetRequest()):
            keys = json.loads(message.jwks)["keys"]
            self.keys = {key["kid"]: (jwt.PyJWK(key).key, key["alg"]) for key in keys}
            self.heard["keys"] = time.monotonic()

    def _follow_revocations(self):
        request = self.pb.key.WatchRevocationsRequest(client=self.auth, incarnation=self.incarnation,
                                                      sequence=self.sequence)
        for message in self.service.WatchRevocations(request):
            with self.lock:
                for revocation in message.revocations:
                    self._deny(revocation)
            self.incarnation, self.sequence = message.incarnation, message.sequence
            if message.caught_up:
                self.heard["revocations"] = time.monotonic()

    def _deny(self, revocation):
        if len(self.denied) >= DENIED_MAX:
            now_ms = time.time() * 1000
            self.denied = {name: entry for name, entry in self.denied.items() if entry[2] > now_ms}
            if len(self.denied) >= DENIED_MAX:
                self.heard["revocations"] = None
                raise MemoryError("too many revocations")
        kind = revocation.WhichOneof("what")
        if kind == "rule":
            rule = revocation.rule
            kind = rule.WhichOneof("whose")
            self.denied[kind, getattr(rule, kind)] = (rule.since_ms, rule.not_before_ms, revocation.until_ms)
        else:
            self.denied[kind, getattr(revocation, kind)] = (0, 1 << 62, revocation.until_ms)

    def _is_revoked(self, claims):
        jti = base64.urlsafe_b64decode(claims["jti"] + "=")  # 26 bytes: when it was minted, where, and for which client
        minted_ms = int.from_bytes(jti[:6], "big")
        names = (("sid", claims.get("sid")), ("jti", claims["jti"]), ("subject", claims["sub"]),
                 ("instance", int.from_bytes(jti[6:8], "big")), ("client", int.from_bytes(jti[8:12], "big")))
        with self.lock:
            entries = [self.denied[name] for name in names if name in self.denied]
        return any(since_ms <= minted_ms < not_before_ms for since_ms, not_before_ms, _ in entries)

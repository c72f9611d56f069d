"""For Python tests in a private host: tokens made by hand, and libsecauth's word on each.

    from tokens import *                                    # what wire.py has, and:
    token = jws(header, claims, lambda signed: b"...")      # texts or dicts, signed as it is said
    es256(key), rs256(key), hs256(secret)                   # such functions
    Offline(keys, "demo").reason(token)                     # of libsecauth: "ok", or why not, in a word
    with Log() as log: ...                                  # log.reasons("IntrospectToken"): of the calls in between
"""
import base64
import hashlib
import hmac
import json
import os
import re
import subprocess
import sys
import time

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, utils

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
from wire import *  # noqa: E402,F403
from wire import Daemon, must  # noqa: E402

ISSUER = "https://private.example"
KEYS = "/run/t/keys.json"
NO_REASON = "-"


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unb64(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def text(value):
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))


def jws(header, claims, sign):
    signed = f"{b64(text(header).encode())}.{b64(text(claims).encode())}"
    return f"{signed}.{b64(sign(signed.encode()))}"


def es256(key):
    def sign(signed):
        r, s = utils.decode_dss_signature(key.sign(signed, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")
    return sign


def rs256(key):
    return lambda signed: key.sign(signed, padding.PKCS1v15(), hashes.SHA256())


def hs256(secret):
    return lambda signed: hmac.new(secret, signed, hashlib.sha256).digest()


def signer(key):
    return es256(key) if isinstance(key, ec.EllipticCurvePrivateKey) else rs256(key)


def daemons_key(kid):
    """The private key of the daemon's, as tests/support/signing_keys told /run/t/private."""
    ders = {name: der for name, _, der in map(str.split, must_read("/run/t/private").splitlines())}
    return serialization.load_der_private_key(unb64(ders[kid]), None)


def must_read(path):
    with open(path, encoding="ascii") as file:
        return file.read()


def save_keys(root):
    jwks = must(root.call("Key/GetKeySet")).jwks
    with open(KEYS, "wb") as file:
        file.write(jwks)
    return json.loads(jwks)["keys"]


class Offline:
    """libsecauth, in a process that stays."""

    def __init__(self, audience, *more, issuer=ISSUER, keys=KEYS):
        self.process = subprocess.Popen([os.environ["BUILD"] + "/tests/support/offline_verify", keys, issuer, audience,
                                         *map(str, more)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def reason(self, token):
        self.process.stdin.write(token + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()

    def close(self):
        self.process.stdin.close()
        assert self.process.wait() == 0


class Log:
    """What the daemon's log says of calls: the line comes after the answer, so it is waited for."""

    def __init__(self):
        self.path = os.environ["KEEP"] + "/secauthd.log"

    def __enter__(self):
        self.at = os.path.getsize(self.path)
        return self

    def __exit__(self, *_):
        pass

    def reasons(self, method, count):
        """Of the last calls of a method: the words behind reason=, NO_REASON where there is none."""
        end = time.monotonic() + 10
        while True:
            with open(self.path, encoding="utf-8") as file:
                file.seek(self.at)
                lines = [line for line in file if f"/{method} " in line]
            if len(lines) >= count or time.monotonic() > end:
                assert len(lines) == count, f"{len(lines)} lines of {method}, not {count}"
                return [(re.findall(r" reason=(\S+)", line) or [NO_REASON])[0] for line in lines]
            time.sleep(0.05)

"""For Python tests in a private host: clients that prove themselves otherwise than by a secret, with stock libraries.

    from proofs import *                     # beside callers.py
    key = Key("ES256"); key.jwk(kid="a")     # a key pair; its public half
    key.assertion("J1", **claims)            # private_key_jwt for ISSUER
    key.dpop("TokenService/IssueToken")      # a DPoP proof
    until_taken(lambda: ...)                 # the answer, once proofs are taken at all
    channel = certified("/run/t/m1")         # TLS with a client certificate that client_certificate(...) has made
    wire_auth(("client_id", b"C1"), ...)     # a ClientAuth as it stands on the wire, doubles too
"""
import base64
import hashlib
import json
import subprocess
import time
import uuid

import grpc
import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

ISSUER = "https://private.example"


class Key:
    def __init__(self, alg="ES256", bits=2048):
        self.alg = alg
        self.private = ec.generate_private_key(ec.SECP256R1()) if alg == "ES256" else rsa.generate_private_key(65537, bits)

    def jwk(self, **more):
        convert = ECAlgorithm if self.alg == "ES256" else RSAAlgorithm
        public = json.loads(convert.to_jwk(self.private.public_key()))
        return {name: public[name] for name in ("kty", "crv", "x", "y", "n", "e") if name in public} | more

    def jkt(self):
        """RFC 7638."""
        text = json.dumps(self.jwk(), sort_keys=True, separators=(",", ":")).encode()
        return base64.urlsafe_b64encode(hashlib.sha256(text).digest()).rstrip(b"=").decode()

    def sign(self, claims, headers=None, alg=None):
        return jwt.encode(claims, self.private, algorithm=alg or self.alg, headers=headers)

    def assertion(self, client_id, headers=None, **claims):
        now = int(time.time())
        said = {"iss": client_id, "sub": client_id, "aud": ISSUER, "iat": now, "exp": now + 60,
                "jti": uuid.uuid4().hex} | claims
        return self.sign({name: value for name, value in said.items() if value is not None}, headers).encode()

    def dpop(self, method, headers=None, **claims):
        said = {"htm": "POST", "htu": f"{ISSUER}/secauth.v1.{method}", "iat": int(time.time()),
                "jti": uuid.uuid4().hex} | claims
        return self.sign({name: value for name, value in said.items() if value is not None},
                         {"typ": "dpop+jwt", "jwk": self.jwk()} | (headers or {})).encode()


def jwks(*keys):
    return json.dumps({"keys": [key.jwk(kid=str(i)) for i, key in enumerate(keys)]}).encode()


def claims(token):
    return jwt.decode(token, options={"verify_signature": False})


def until_taken(ask):
    """The answer to ask(), each time with a new proof: in its first seconds the daemon takes none (OVERLOADED)."""
    answer, end = ask(), time.monotonic() + 10
    while answer.reason == "OVERLOADED" and time.monotonic() < end:
        time.sleep(0.2)
        answer = ask()
    return answer


# ---- certificates ----

def client_certificate(path, name):
    """path.pem and path.key, of the CA that the TLS gateway is told to trust; the fingerprint."""
    subprocess.run(f"openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN={name} -keyout {path}.key "
                   f"-out {path}.csr && openssl x509 -req -in {path}.csr -CA /run/t/ca.pem -CAkey /run/t/ca.key "
                   f"-CAcreateserial -days 1 -out {path}.pem", shell=True, check=True, capture_output=True)
    der = subprocess.run(["openssl", "x509", "-in", f"{path}.pem", "-outform", "DER"], check=True, capture_output=True).stdout
    return hashlib.sha256(der).digest()


def certified(path, target="localhost:7443"):
    parts = []
    for name in ("/run/t/ca.pem", f"{path}.key", f"{path}.pem"):
        with open(name, "rb") as file:
            parts.append(file.read())
    channel = grpc.secure_channel(target, grpc.ssl_channel_credentials(*parts),
                                  [("grpc.use_local_subchannel_pool", 1), ("grpc.enable_retries", 0)])
    grpc.channel_ready_future(channel).result(10)
    return channel


# ---- the wire ----

FIELDS = {"client_id": 1, "secret": 2, "api_key": 3, "assertion": 4, "certificate": 5, "dpop_proof": 6}


def varint(number):
    data = b""
    while number > 127:
        data, number = data + bytes([number & 127 | 128]), number >> 7
    return data + bytes([number])


def member(number, data):
    return varint(number << 3 | 2) + varint(len(data)) + data


def wire_auth(*pairs):
    """A ClientAuth whose members are these pairs of a name and bytes, in this order; a name may come twice."""
    return b"".join(member(FIELDS[name], data) for name, data in pairs)

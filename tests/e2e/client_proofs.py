"""What client_proofs.test does; run as root in its private host.

client_proofs.py PART [ARGUMENT...]     exits 0 where all is as it shall be
"""
import base64
import hashlib
import hmac
import itertools
import json
import os
import pickle
import sys
import time

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../support"))
from callers import *  # noqa: E402,F403
from proofs import *  # noqa: E402,F403

STATE = "/run/t/proofs"
DEMO = [{"audience": "demo", "scopes": ["read", "write"]}]
ISSUE = "TokenService/IssueToken"
ONE_ANSWER = "client authentication failed"


def save(**more):
    state = load() if os.path.exists(STATE) else {}
    with open(STATE, "wb") as file:
        pickle.dump(state | more, file)


def load():
    with open(STATE, "rb") as file:
        return pickle.load(file)


def pem(key):
    return key.private.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                     serialization.NoEncryption())


def key(name):
    made = Key.__new__(Key)
    made.alg = "ES256" if name.startswith("ec") else "RS256"
    made.private = serialization.load_pem_private_key(load()[name], None)
    return made


def client(client_id, **more):
    return {"client_id": client_id, "kind": CONFIDENTIAL, "grants": [CREDENTIALS], "audiences": DEMO} | more


def issue(doors, door, **auth_fields):
    return doors.ask(door, "Token/IssueToken", client=auth_fields, tokens={"audiences": ["demo"]})


def granted(answer, sentence):
    assert answer.reason == "OK", f"{sentence}: {answer.reason}"
    return answer.reply.grant


def registered(doors):
    register(doors)
    keys = {"ec1": Key(), "ec2": Key(), "rsa2048": Key("RS256"), "rsa4096": Key("RS256", 4096), "ec_other": Key()}
    m1, m2 = client_certificate("/run/t/m1", "M1"), client_certificate("/run/t/m2", "M2")
    client_certificate("/run/t/other", "other")
    save(m1=m1, m2=m2, **{name: pem(one) for name, one in keys.items()})
    for row in (client("J1", jwks=jwks(keys["ec1"], keys["ec2"])), client("J2", jwks=jwks(keys["rsa2048"], keys["rsa4096"])),
                client("J3", jwks=jwks(keys["ec1"])), client("M1", certificates=[m1, m2]), client("D1", dpop_bound=True)):
        reply = doors.reply("root", "Client/CreateClient", client=row)
        assert bool(reply.secret) == (row["client_id"] == "D1"), "who proves itself otherwise gets no secret"
        save(**{"secret " + row["client_id"]: reply.secret})
        assert reply.client.jwks == row.get("jwks", b"") and list(reply.client.certificates) == row.get("certificates", [])


def keys_are_judged(doors):
    good, small = Key(), Key("RS256", 1024)
    p384 = json.loads(ECAlgorithm.to_jwk(ec.generate_private_key(ec.SECP384R1()).public_key()))
    whole = json.loads(ECAlgorithm.to_jwk(good.private))
    jwk = good.jwk()
    off_curve = jwk | {"y": base64.urlsafe_b64encode(bytes(32)).rstrip(b"=").decode()}
    big = json.loads(RSAAlgorithm.to_jwk(rsa.generate_private_key(65537, 2048).public_key()))
    sets = {"RSA of 1,024 bits": [small.jwk()], "P-384": [p384], "a private key": [whole], "a symmetric key": [{"kty": "oct", "k": "AAAA"}],
            "a point off the curve": [off_curve], "no key": [], "three keys": [jwk, Key().jwk(), Key().jwk()],
            "a key for encryption": [jwk | {"use": "enc"}], "another algorithm": [jwk | {"alg": "RS256"}],
            "two keys of one kid": [jwk | {"kid": "a"}, Key().jwk(kid="a")], "an even exponent": [big | {"e": "AQAA"}],
            "a coordinate with padding": [jwk | {"x": jwk["x"] + "="}], "a number as coordinate": [jwk | {"x": 7}]}
    texts = {name: json.dumps({"keys": keys}).encode() for name, keys in sets.items()}
    texts |= {"no JSON": b"{", "an array": b"[]", "a member twice": b'{"keys":[],"keys":[' + json.dumps(jwk).encode() + b"]}",
              "4,097 bytes": json.dumps({"keys": [jwk], "x": "a" * 4096}).encode()}
    for name, text in texts.items():
        answer = doors.ask("root", "Client/CreateClient", client=client("bad", jwks=text))
        assert answer.reason == "INVALID_ARGUMENT" and answer.field == "client.jwks", f"{name}: {answer.reason} {answer.field}"
    wrong = {"certificates": [b"short"], "attestation": {"uid": {"id": 0}}, "exchanges": [{"from_audience": "a", "to_audience": "b"}]}
    for field, value in wrong.items():
        answer = doors.ask("root", "Client/CreateClient", client=client("bad", **{field: value}))
        assert answer.reason == "INVALID_ARGUMENT" and answer.field.startswith("client." + field), f"{field}: {answer.reason} {answer.field}"
    assert doors.ask("root", "Client/GetClient", client_id="bad").reason == "NOT_FOUND", "nothing was registered"


def assertions_are_taken(doors):
    until_taken(lambda: issue(doors, "root", client_id="J1", assertion=key("ec1").assertion("J1")))
    for door in ("root", "user", "local", "tls"):
        for name, client_id in (("ec1", "J1"), ("ec2", "J1"), ("rsa2048", "J2"), ("rsa4096", "J2")):
            for headers in (None, {"typ": None}):
                text = key(name).assertion(client_id, headers)
                grant = granted(issue(doors, door, client_id=client_id, assertion=text), f"{name} through {door}")
                assert claims(grant.access_token)["client_id"] == client_id and "cnf" not in claims(grant.access_token)
        assert granted(issue(doors, door, client_id="J1", assertion=key("ec2").assertion("J1", {"kid": "1"})), "kid")
    now = int(time.time())
    granted(issue(doors, "root", client_id="J1", assertion=key("ec1").assertion("J1", exp=now + 5)), "a shorter life")
    granted(issue(doors, "root", client_id="J1", assertion=key("ec1").assertion("J1", nbf=now, jti="x" * 128)), "128 bytes")
    same = {"jti": "one"}
    granted(issue(doors, "root", client_id="J1", assertion=key("ec1").assertion("J1", **same)), "jti of J1")
    granted(issue(doors, "root", client_id="J3", assertion=key("ec1").assertion("J3", **same)), "and the same of another client")


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def compact(signer, header, payload):
    """Signed as it is given: bytes, or what JSON makes of it."""
    parts = [b64(part if isinstance(part, bytes) else json.dumps(part).encode()) for part in (header, payload)]
    text = b".".join(parts)
    return text + b"." + b64(signer(text))


def raw_es256(private):
    from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

    def sign(text):
        r, s = decode_dss_signature(private.sign(text, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")
    return sign


def malformed(good, header, payload, private):
    """Name and text of what looks like `good` and is not; header and payload are what it says, `private` signs."""
    sign = raw_es256(private)
    head, body, signature = good.split(b".")
    raw = base64.urlsafe_b64decode(signature + b"==")
    text = json.dumps(payload).encode()
    last = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    yield "nothing", b""
    yield "two parts", head + b"." + body
    yield "four parts", good + b".x"
    yield "a line feed behind it", good + b"\n"
    yield "a flipped signature", head + b"." + body + b"." + b64(bytes([raw[0] ^ 1]) + raw[1:])
    yield "no signature", head + b"." + body + b"."
    yield "a signature of 63 bytes", head + b"." + body + b"." + b64(raw[:63])
    yield "a signature of 65 bytes", head + b"." + body + b"." + b64(raw + b"\0")
    yield "a signature of zeros", head + b"." + body + b"." + b64(bytes(64))
    yield "a signature in DER", compact(lambda part: private.sign(part, ec.ECDSA(hashes.SHA256())), header, payload)
    yield "a signature with padding", good + b"=="
    yield "bits left over in the signature", good[:-1] + bytes([last[(last.index(good[-1]) & 48 | (last.index(good[-1]) + 1) & 15)]])
    yield "another body under the signature", head + b"." + b64(text.replace(b"}", b',"x":1}')) + b"." + signature
    yield "a header member twice", compact(sign, json.dumps(header).encode().replace(b"}", b',"alg":"ES256"}'), payload)
    yield "a claim twice", compact(sign, header, text[:-1] + b',"jti":"other"}')
    yield "no object", compact(sign, header, [payload])
    for name, more in {"crit": {"crit": ["exp"]}, "jku": {"jku": "https://x.example"}, "x5u": {"x5u": "https://x.example"},
                       "b64": {"b64": False}, "cty": {"cty": "JWT"}, "another member": {"x": 1}}.items():
        yield "a header with " + name, compact(sign, header | more, payload)
    for alg in ("none", "None", "HS256", "RS256", "ES384", "es256", ""):
        yield f"alg {alg!r}", compact(sign, header | {"alg": alg}, payload)
    yield "alg none and no signature", compact(lambda _: b"", header | {"alg": "none"}, payload)
    public = private.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    yield "HS256 under the public key", compact(lambda part: hmac.new(public, part, hashlib.sha256).digest(), header | {"alg": "HS256"}, payload)


def assertions_are_strict(doors):
    now, one = int(time.time()), key("ec1")
    good = one.assertion("J1")
    cases = {name: one.assertion("J1", **said) for name, said in {
        "iss of another": {"iss": "J2"}, "sub of another": {"sub": "J2"}, "no iss": {"iss": None}, "no sub": {"sub": None},
        "aud in an array": {"aud": [ISSUER]}, "aud of two": {"aud": [ISSUER, "x"]}, "another aud": {"aud": "https://other.example"},
        "aud with a slash": {"aud": ISSUER + "/"}, "no aud": {"aud": None}, "no exp": {"exp": None}, "expired": {"exp": now - 10},
        "exp 90 s away": {"exp": now + 90}, "exp as text": {"exp": str(now + 60)}, "exp as a fraction": {"exp": now + 30.5},
        "no iat": {"iat": None}, "iat from the future": {"iat": now + 30}, "iat of two minutes ago": {"iat": now - 120},
        "iat behind exp": {"iat": now + 4, "exp": now + 2}, "nbf from the future": {"nbf": now + 30}, "no jti": {"jti": None},
        "an empty jti": {"jti": ""}, "a jti of 129 bytes": {"jti": "x" * 129}, "a jti that is a number": {"jti": 7}}.items()}
    cases |= {"typ " + typ: one.assertion("J1", {"typ": typ}) for typ in ("at+jwt", "dpop+jwt", "jwt")}
    cases |= {"a kid that is not there": one.assertion("J1", {"kid": "9"}), "the other key's kid": one.assertion("J1", {"kid": "1"}),
              "an embedded key": one.assertion("J1", {"jwk": one.jwk()}), "another key": key("ec_other").assertion("J1"),
              "a key of another client": key("rsa2048").assertion("J1")}
    payload = claims(one.assertion("J1"))
    cases |= {name: text for name, text in malformed(good, {"alg": "ES256"}, payload, one.private) if text}
    for (name, text), door in zip(cases.items(), itertools.cycle(("root", "tls", "local"))):
        answer = issue(doors, door, client_id="J1", assertion=text)
        assert (answer.reason, answer.words) == ("INVALID_CLIENT", ONE_ANSWER), f"{name}: {answer.reason} {answer.words}"
    granted(issue(doors, "tls", client_id="J1", assertion=good), "what all of them resemble is good")
    for door in ("tls", "root", "local"):
        answer = issue(doors, door, client_id="J1", assertion=good)
        assert (answer.reason, answer.words) == ("INVALID_CLIENT", ONE_ANSWER), f"jti once, replayed through {door}: {answer.reason}"
    kinds = {"unknown client": ("nobody", {"assertion": one.assertion("nobody")}), "no keys": ("C1", {"assertion": one.assertion("C1")}),
             "a secret of an assertion's client": ("J1", {"secret": b"sac1_" + b"a" * 43}), "no proof": ("J1", {}),
             "a certificate": ("J1", {"certificate": {}}), "an API key": ("J1", {"api_key": b"sak1_x"})}
    for name, (client_id, proof) in kinds.items():
        answer = issue(doors, "tls", client_id=client_id, **proof)
        assert (answer.reason, answer.words) == ("INVALID_CLIENT", ONE_ANSWER), f"{name}: {answer.reason} {answer.words}"
    answer = issue(doors, "root", client_id="J1", assertion=b"a" * 4097)
    assert answer.reason == "INVALID_ARGUMENT" and answer.field == "client.assertion", answer
    print(f"{len(cases) + len(kinds)} assertions refused")


class Certified:
    """A caller of the TLS gateway with a certificate, or with none."""

    def __init__(self, path):
        self.caller = GrpcCaller(certified(path))

    def issue(self, client_id, **proof):
        proof = proof or {"certificate": {}}
        self.caller.start("Token/IssueToken", MESSAGES["IssueTokenRequest"](
            client={"client_id": client_id, **proof}, tokens={"audiences": ["demo"]}).SerializeToString())
        return self.caller.finish()


def certificates_bind(doors):
    for name in ("m1", "m2"):
        grant = granted(Certified("/run/t/" + name).issue("M1"), f"the certificate {name} is registered")
        said = claims(grant.access_token)
        assert said["cnf"] == {"x5t#S256": b64(load()[name]).decode()}, said
        assert said["sub"] == said["client_id"] == "M1" and grant.token_type == "Bearer"
    m1, other = Certified("/run/t/m1"), Certified("/run/t/other")
    refused = {"another certificate": other.issue("M1"), "a client that is known by none": m1.issue("J1"),
               "a client with a secret": m1.issue("C1"), "an unknown client": m1.issue("nobody"),
               "no certificate": issue(doors, "tls", client_id="M1", certificate={}),
               "the local gateway": issue(doors, "local", client_id="M1", certificate={}),
               "root's own socket": issue(doors, "root", client_id="M1", certificate={}),
               "its name alone": m1.issue("M1", secret=b""), "an assertion": m1.issue("M1", assertion=key("ec1").assertion("M1"))}
    for name, answer in refused.items():
        assert (answer.reason, answer.words) == ("INVALID_CLIENT", ONE_ANSWER), f"{name}: {answer.reason}"
    assert doors.ask("root", "Client/RotateClientSecret", client_id="M1").reason == "INVALID_ARGUMENT", "it has no secret"
    assert doors.ask("root", "ApiKey/CreateApiKey", client_id="M1", audiences=[DEMO[0]]).reason == "INVALID_ARGUMENT", "and no keys"
    doors.reply("root", "Client/UpdateClient", client=client("M1", certificates=[load()["m2"]]))
    assert m1.issue("M1").reason == "INVALID_CLIENT", "what is no longer registered is no proof"
    granted(Certified("/run/t/m2").issue("M1"), "the other goes on")


def dpop_binds(doors):
    one, secret = key("ec_other"), auth("C1")
    for door in ("root", "user", "local", "tls"):
        for name in ("ec_other", "rsa2048"):
            grant = granted(issue(doors, door, **secret, dpop_proof=key(name).dpop(ISSUE)), f"{name} through {door}")
            assert grant.token_type == "DPoP" and claims(grant.access_token)["cnf"] == {"jkt": key(name).jkt()}
    for htu in (f"https://localhost:7443/secauth.v1.{ISSUE}", f"HTTPS://Private.example/secauth.v1.{ISSUE}?a#b"):
        granted(issue(doors, "tls", **secret, dpop_proof=one.dpop(ISSUE, htu=htu)), htu)
    bound = {"client_id": "D1", "secret": load()["secret D1"]}
    assert issue(doors, "tls", **bound).reason == "INVALID_DPOP_PROOF", "a client that is to have bound tokens gets no others"
    granted(issue(doors, "tls", **bound, dpop_proof=one.dpop(ISSUE)), "with a proof it gets them")
    grant = granted(issue(doors, "tls", **secret), "who shows none")
    assert grant.token_type == "Bearer" and "cnf" not in claims(grant.access_token), "gets a bearer token"
    answer = doors.ask("tls", "Token/IntrospectToken", client=bound, token=grant.access_token)
    assert answer.reason == "OK", "no token is handed out there, so no proof is asked for"


def dpop_is_strict(doors):
    one, secret, now = key("ec_other"), auth("C1"), int(time.time())
    good = one.dpop(ISSUE)
    cases = {name: one.dpop(ISSUE, **said) for name, said in {
        "htm GET": {"htm": "GET"}, "htm in small letters": {"htm": "post"}, "no htm": {"htm": None}, "no htu": {"htu": None},
        "another method's htu": {"htu": f"{ISSUER}/secauth.v1.TokenService/RefreshToken"},
        "another host": {"htu": f"https://other.example/secauth.v1.{ISSUE}"}, "http": {"htu": f"http://private.example/secauth.v1.{ISSUE}"},
        "a path in capitals": {"htu": f"{ISSUER}/SECAUTH.v1.{ISSUE}"}, "a path behind it": {"htu": f"{ISSUER}/secauth.v1.{ISSUE}/x"},
        "no iat": {"iat": None}, "iat of two minutes ago": {"iat": now - 120}, "iat from the future": {"iat": now + 30},
        "no jti": {"jti": None}, "a jti of 129 bytes": {"jti": "x" * 129}}.items()}
    whole = json.loads(ECAlgorithm.to_jwk(one.private))
    cases |= {name: one.dpop(ISSUE, headers) for name, headers in {
        "typ JWT": {"typ": "JWT"}, "no typ": {"typ": None}, "a private key": {"jwk": whole}, "another key": {"jwk": Key().jwk()},
        "a kid": {"kid": "a"}, "no key": {"jwk": None}, "a key of another kind": {"jwk": key("rsa2048").jwk()}}.items()}
    header = {"alg": "ES256", "typ": "dpop+jwt", "jwk": one.jwk()}
    cases |= {name: text for name, text in malformed(good, header, claims(one.dpop(ISSUE)), one.private) if text}
    for (name, text), door in zip(cases.items(), itertools.cycle(("root", "tls", "local"))):
        answer = issue(doors, door, **secret, dpop_proof=text)
        assert answer.reason == "INVALID_DPOP_PROOF", f"{name}: {answer.reason} {answer.words}"
    granted(issue(doors, "tls", **secret, dpop_proof=good), "what all of them resemble is good")
    for door in ("tls", "root", "local"):
        assert issue(doors, door, **secret, dpop_proof=good).reason == "INVALID_DPOP_PROOF", "jti once"
    answer = issue(doors, "tls", client_id="C1", secret=b"sac1_wrong", dpop_proof=one.dpop(ISSUE))
    assert answer.reason == "INVALID_CLIENT", "who is not proven is told nothing of the proof"
    print(f"{len(cases)} DPoP proofs refused")


def bound_sessions_stay_bound(doors):
    """RFC 9449 section 5: a refresh token of a public client is of no use without the key that it was bound to."""
    one, other, refresh = key("ec_other"), key("ec1"), "TokenService/RefreshToken"

    def ask(door, token, proof=None):
        more = {"dpop_proof": proof} if proof else {}
        return doors.ask(door, "Token/RefreshToken", client={"client_id": "P1", **more}, refresh_token=token)

    first = doors.reply("tls", "Authn/BeginAuthentication", user=b"alice", password=PASSWORD, tokens={"audiences": ["demo"]}, client={
        "client_id": "P1", "dpop_proof": one.dpop("AuthnService/BeginAuthentication")}).grant
    assert first.token_type == "DPoP" and claims(first.access_token)["cnf"] == {"jkt": one.jkt()}
    for door in ("tls", "local", "root"):
        for name, proof in (("no key", None), ("another key", other.dpop(refresh))):
            answer = ask(door, first.refresh_token, proof)
            assert answer.reason == "INVALID_GRANT", f"a bound session, {name}, through {door}: {answer.reason}"
        grant = granted(ask(door, first.refresh_token, one.dpop(refresh)), "the session goes on with its key")
        assert grant.token_type == "DPoP" and claims(grant.access_token)["cnf"] == {"jkt": one.jkt()}, "and so do its tokens"
        assert grant.refresh_token == first.refresh_token, "without rotation"
    free = doors.login("P1")
    grant = granted(ask("tls", free.refresh_token), "a session that is not bound")
    assert grant.token_type == "Bearer" and "cnf" not in claims(grant.access_token)
    grant = granted(ask("tls", grant.refresh_token, one.dpop(refresh)), "its client shows a key")
    assert claims(grant.access_token)["cnf"] == {"jkt": one.jkt()}, "and the token is bound to it"
    granted(ask("tls", grant.refresh_token), "the session is not")


def kept(doors):
    iat = int(time.time()) - 2  # so that it is not of the second in which the next daemon starts
    save(assertion=key("ec1").assertion("J1", iat=iat), unused=key("ec1").assertion("J1", iat=iat),
         dpop=key("ec_other").dpop(ISSUE, iat=iat))
    granted(issue(doors, "tls", client_id="J1", assertion=load()["assertion"]), "taken before the restart")
    granted(issue(doors, "tls", **auth("C1"), dpop_proof=load()["dpop"]), "taken before the restart")


def nothing_from_before(doors):
    for name in ("assertion", "unused"):
        answer = issue(doors, "tls", client_id="J1", assertion=load()[name])
        assert answer.reason == "INVALID_CLIENT", f"made before the start, {name}: {answer.reason}"
    assert issue(doors, "tls", **auth("C1"), dpop_proof=load()["dpop"]).reason == "INVALID_DPOP_PROOF"
    answer = until_taken(lambda: issue(doors, "tls", client_id="J1", assertion=key("ec1").assertion("J1")))
    granted(answer, "new ones are taken")
    reasons = [row.detail for row in doors.reply("root", "Audit/ListAuditRecords", page_size=500, newest=True).records
               if row.event == "CLIENT_AUTH"]
    assert any("why=ASSERTION_BEFORE_START" in detail for detail in reasons), reasons


def nothing_in_the_log(_, path):
    with open(path, "rb") as file:
        log = file.read()
    assert b"eyJ" not in log and b"sac1_" not in log and b"why=" not in log, "a proof or what it said is in the log"
    for reason in (b"reason=ASSERTION_REPLAYED", b"reason=DPOP_REPLAYED", b"reason=WRONG_CERTIFICATE", b"reason=OTHER_METHOD"):
        assert reason in log, reason


globals()[sys.argv[1]](Doors(), *sys.argv[2:])

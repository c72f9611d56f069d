"""What T07_duplicate_members.test does, in a private host. The key that signs here is the daemon's own, or one that a client
has registered: nothing but the form of these tokens is wrong."""
import os
import sys
import uuid

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../support"))
from tokens import *  # noqa: E402,F403

SECRETS = "/run/t/secrets.json"


def grant_number(name):
    return MESSAGES["Client"].DESCRIPTOR.fields_by_name["grants"].enum_type.values_by_name[name].number


def set_up():
    key = ec.generate_private_key(ec.SECP256R1())
    with open("/run/t/client.pem", "wb") as file:
        file.write(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                     serialization.NoEncryption()))
    demo = [{"audience": "demo", "scopes": ["read"]}]
    rows = ({"client_id": "svc", "kind": 1, "grants": [1], "audiences": demo},
            {"client_id": "demo", "kind": 1, "grants": [1, grant_number("CLIENT_GRANT_TOKEN_EXCHANGE")],
             "audiences_owned": ["demo"], "audiences": [{"audience": "next", "scopes": ["read"]}],
             "exchanges": [{"from_audience": "demo", "to_audience": "next", "scopes": ["read"]}]},
            {"client_id": "J1", "kind": 1, "grants": [1], "audiences": demo, "jwks": json.dumps({"keys": [jwk_of(key)]}).encode()})
    with Daemon() as root:
        secrets = {row["client_id"]: must(root.call("Client/CreateClient", client=row)).secret.decode() for row in rows}
        save_keys(root)
    with open(SECRETS, "w", encoding="ascii") as file:
        json.dump(secrets, file)


def jwk_of(key):
    numbers = key.public_key().public_numbers()
    return {"kty": "EC", "crv": "P-256", "x": b64(numbers.x.to_bytes(32, "big")), "y": b64(numbers.y.to_bytes(32, "big"))}


def twisted(header, claims, twice, inner):
    """(what, header, claims, reason): a token of which nothing but this is wrong."""
    def doubled(members, name, spelt=None):
        return text(members)[:-1] + f',"{spelt or name}":{json.dumps(members[name])}}}'
    yield "two alg", doubled(header, "alg"), claims, "duplicate"
    yield "two alg, one of them none", text(header).replace('{', '{"alg":"none",', 1), claims, "duplicate"
    for name in twice:
        yield f"two {name}", header, doubled(claims, name), "duplicate"
        yield f"{name} beside its escaped name", header, doubled(claims, name, f"\\u{ord(name[0]):04x}{name[1:]}"), "duplicate"
    yield "a duplicate nested in " + inner[0], *inner[1:], "duplicate"
    for crit in (["exp"], ["b64"], ["urn:unknown"], [], "exp", {}, None):
        yield f"crit {crit}", text(header | {"crit": crit}), claims, "crit"
    yield "crit naming a member that is there", text(header | {"crit": ["x"], "x": 1}), claims, "crit"


class Entry:
    """A place that takes JWTs: `refuses` is what it says; the log has one word for it."""

    def __init__(self, name, method, present, good, tokens):
        self.name, self.method, self.present, self.good, self.tokens = name, method, present, good, list(tokens)


def entries(root, secrets):
    mine = serialization.load_pem_private_key(must_read("/run/t/client.pem").encode(), None)
    auth = {name: {"client_id": name, "secret": secret.encode()} for name, secret in secrets.items()}
    tokens = {"audiences": ["demo"]}
    good = must(root.call("Token/IssueToken", client=auth["svc"], tokens=tokens)).grant.access_token.decode()
    header, claims = (json.loads(unb64(part)) for part in good.split(".")[:2])
    key = daemons_key(header["kid"])
    cnf = text(claims)[:-1] + ',"cnf":{"jkt":"a","jkt":"b"}}'
    ours = [(what, jws(h, c, signer(key)), reason)
            for what, h, c, reason in twisted(header, claims, ("sub", "exp", "aud"), ("cnf", header, cnf))]
    fresh = [lambda: jws(header, claims, signer(key))]

    def introspects(token):
        answer = must(root.call("Token/IntrospectToken", client=auth["demo"], token=token.encode()))
        return "active" if answer.active else "inactive" if answer.SerializeToString() == b"" else "more than inactive"
    yield Entry("bearer", "IntrospectToken", introspects, ("active", fresh[0]), [(*row, "inactive") for row in ours])

    def exchanges(token):
        return root.call("Token/ExchangeToken", client=auth["demo"], subject_token=token.encode(),
                         tokens={"audiences": ["next"]})[0]
    yield Entry("exchange", "ExchangeToken", exchanges, ("OK", fresh[0]), [(*row, "INVALID_GRANT") for row in ours])

    def assertion():
        now = int(time.time())
        return {"iss": "J1", "sub": "J1", "aud": ISSUER, "iat": now, "exp": now + 50, "jti": uuid.uuid4().hex}

    def asserts(token):
        return root.call("Token/IssueToken", client={"client_id": "J1", "assertion": token.encode()}, tokens=tokens)[0]
    nested = text(assertion())[:-1] + ',"cnf":{"jkt":"a","jkt":"b"}}'
    yield Entry("private_key_jwt", "IssueToken", asserts, ("OK", lambda: jws({"alg": "ES256"}, assertion(), es256(mine))),
                [(what, jws(h, c, es256(mine)), None, "INVALID_CLIENT") for what, h, c, _ in
                 twisted({"alg": "ES256"}, assertion(), ("sub", "exp", "jti"), ("cnf", {"alg": "ES256"}, nested))])

    def proof():
        return {"htm": "POST", "htu": f"{ISSUER}/secauth.v1.TokenService/IssueToken", "iat": int(time.time()),
                "jti": uuid.uuid4().hex}

    def proves(token):
        return root.call("Token/IssueToken", client=auth["svc"] | {"dpop_proof": token.encode()}, tokens=tokens)[0]
    dpop = {"typ": "dpop+jwt", "alg": "ES256", "jwk": jwk_of(mine)}
    two_x = text(dpop).replace('"kty"', '"x":"","kty"')
    yield Entry("DPoP", "IssueToken", proves, ("OK", lambda: jws(dpop, proof(), es256(mine))),
                [(what, jws(h, c, es256(mine)), None, "INVALID_DPOP_PROOF") for what, h, c, _ in
                 twisted(dpop, proof(), ("htm", "jti", "iat"), ("jwk", two_x, proof()))])


def until_taken(entry):
    """In its first seconds the daemon takes no proofs."""
    end = time.monotonic() + 10
    while (said := entry.present(entry.good[1]())) == "OVERLOADED" and time.monotonic() < end:
        time.sleep(0.2)
    return said


def tries():
    with open(SECRETS, encoding="ascii") as file:
        secrets = json.load(file)
    count = 0
    with Daemon() as root:
        offline = Offline("demo")
        for entry in entries(root, secrets):
            said = until_taken(entry)
            assert said == entry.good[0], f"{entry.name}: what is not wrong is taken: {said}"
            with Log() as log:
                for what, token, _, refused in entry.tokens:
                    said = entry.present(token)
                    assert said == refused, f"All refused, by every entry alike: {entry.name}: {what}: {said}"
                    count += 1
                words = log.reasons(entry.method, len(entry.tokens))
            for (what, token, reason, _), word in zip(entry.tokens, words):
                if reason is None:  # what others sign has one word for every form that is wrong
                    assert word == words[0] != NO_REASON, f"with one reason word: {entry.name}: {what}: {word}, {words[0]}"
                else:
                    found = offline.reason(token)
                    assert word == found == reason, \
                        f"with one reason word: {entry.name}: {what}: the log has {word}, libsecauth {found}, not {reason}"
            assert entry.present(entry.good[1]()) == entry.good[0], f"{entry.name}: and afterwards"
        offline.close()
    print(f"{count} tokens refused")


run_part()

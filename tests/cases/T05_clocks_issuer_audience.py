"""What T05_clocks_issuer_audience.test does, in a private host.

grants                     the forms of iss and aud, in every grant; leaves tokens in /run/t/fresh.json
verify                     a token of this second, by every verifier, with clocks that are behind and ahead
clocks TOKEN...            for `verify`: Python's verifiers, under a clock that it sets itself
"""
import os
import subprocess
import sys
import urllib.request
import warnings

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../support"))
if sys.argv[1] != "clocks":
    from tokens import *  # noqa: E402,F403
    from callers import Doors

ISSUER = "https://private.example"
CLOCK, KEYS, PEM, SECRETS = "/run/t/clock", "/run/t/keys.json", "/run/t/key.pem", "/run/t/secrets.json"
OFFSETS = (-30, -5, -1, 0, 1, 5, 30)  # of the verifier's clock: behind is negative
ALICE = 2001
PASSWORD = b"correct horse battery"


# ---- what is issued ----

def clients(root):
    two = [{"audience": name, "scopes": ["read"]} for name in ("demo", "second")]
    grants = MESSAGES["Client"].DESCRIPTOR.fields_by_name["grants"].enum_type.values_by_name
    rows = ({"client_id": "svc", "kind": 1, "grants": [1, 2], "audiences": two},
            {"client_id": "app", "kind": 2, "grants": [2], "login": True, "audiences": two},
            {"client_id": "job", "kind": 1, "grants": [1], "audiences": two, "attestation": {"uid": {"id": ALICE}}},
            {"client_id": "demo", "kind": 1, "grants": [1, grants["CLIENT_GRANT_TOKEN_EXCHANGE"].number],
             "audiences_owned": ["demo"], "audiences": two[1:],
             "exchanges": [{"from_audience": "demo", "to_audience": "second", "scopes": ["read"]}]})
    must(root.call("User/CreateUser", user={"name": "alice", "uid": {"id": ALICE}, "active": True}, password=PASSWORD))
    for name in ("demo", "second"):
        must(root.call("Client/SetClientAudience", client_id="host", audience={"audience": name, "scopes": ["read"]}))
    return {row["client_id"]: {"client_id": row["client_id"],
                               "secret": must(root.call("Client/CreateClient", client=row)).secret} for row in rows}


def every_grant(doors, root, auth, audiences):
    """(grant, access token); alone for exchange, which has one audience by nature."""
    tokens = {"audiences": audiences}
    yield "client_credentials", must(root.call("Token/IssueToken", client=auth["svc"], tokens=tokens)).grant
    login = doors.reply("tls", "Authn/BeginAuthentication", user=b"alice", password=PASSWORD, client={"client_id": "app"},
                        tokens=tokens).grant
    yield "login", login
    yield "refresh", must(root.call("Token/RefreshToken", client={"client_id": "app"}, refresh_token=login.refresh_token)).grant
    session = must(root.call("Session/OpenSession", user=b"alice", uid={"id": ALICE}, origin={"service": "sshd"})).session_id
    with Daemon(USER_SOCKET, uid=ALICE) as alice:
        yield "attested session", must(alice.call("Token/IssueAttestedToken", session_id=session, tokens=tokens)).grant
        yield "attested client", must(alice.call("Token/IssueAttestedToken", client_id="job", tokens=tokens)).grant
    if len(audiences) == 1:
        subject = must(root.call("Token/IssueToken", client=auth["svc"], tokens={"audiences": ["demo"]})).grant
        yield "exchange", must(root.call("Token/ExchangeToken", client=auth["demo"], subject_token=subject.access_token,
                                         tokens={"audiences": ["second"]})).grant


def key_of(token):
    """For verifiers that read PEM: the key that signs."""
    from jwcrypto.jwk import JWK
    kid = json.loads(unb64(token.split(".")[0]))["kid"]
    return JWK(**next(key for key in json.loads(must_read(KEYS))["keys"] if key["kid"] == kid)).export_to_pem()


def grants():
    with Daemon() as root:
        auth, doors = clients(root), Doors()
        save_keys(root)
        offline, slash = Offline("demo", 0, -1), Offline("demo", issuer=ISSUER + "/")
        for audiences in (["demo"], ["demo", "second"]):
            for name, grant in every_grant(doors, root, auth, audiences):
                token = grant.access_token.decode()
                claims = json.loads(unb64(token.split(".")[1]))
                wanted = ["second"] if name == "exchange" else audiences
                said = must(root.call("Token/IntrospectToken", token=grant.access_token))
                assert claims["iss"].encode() == ISSUER.encode() == said.iss.encode(), \
                    f"`iss` is the configured string everywhere, never normalised: {name}: {claims['iss']}, {said.iss}"
                assert claims["aud"] == (wanted[0] if len(wanted) == 1 else wanted) and list(said.aud) == wanted, \
                    f"`aud` has one documented JSON type for one audience in every grant: {name}: {claims['aud']}"
                assert claims["iat"] <= time.time() and "nbf" not in claims, f"`iat` is not in the future: {name}"
                if name != "exchange":
                    assert offline.reason(token) == "ok", f"libsecauth accepts both: {name}, {audiences}"
                    assert slash.reason(token) == "issuer", f"another slash in a token fails in libsecauth: {name}"
        with open(SECRETS, "wb") as file:
            file.write(auth["svc"]["secret"])
        with open(PEM, "wb") as file:
            file.write(key_of(token))


# ---- who verifies ----

def set_clock(offset):
    with open(CLOCK + ".new", "w", encoding="ascii") as file:
        file.write(f"{offset:+d}\n")
    os.rename(CLOCK + ".new", CLOCK)


def with_pyjwt(token, keys, leeway):
    import jwt
    key = {key["kid"]: key for key in keys}[jwt.get_unverified_header(token)["kid"]]
    jwt.decode(token, jwt.PyJWK(key).key, algorithms=["ES256"], audience="demo", issuer=ISSUER, leeway=leeway,
               options={"require": ["exp", "iat", "sub", "jti"]})


def with_authlib(token, keys, leeway):
    from authlib.jose import JsonWebKey, JsonWebToken
    said = {"iss": {"essential": True, "value": ISSUER}, "aud": {"essential": True, "value": "demo"}, "exp": {"essential": True}}
    JsonWebToken(["ES256"]).decode(token, JsonWebKey.import_key_set({"keys": keys}), claims_options=said).validate(leeway=leeway)


def with_jwcrypto(token, keys, leeway):
    from jwcrypto.jwk import JWKSet
    from jwcrypto.jwt import JWT
    reader = JWT(algs=["ES256"], check_claims={"iss": ISSUER, "aud": "demo", "exp": None})
    reader.leeway = leeway
    reader.deserialize(token, JWKSet.from_json(json.dumps({"keys": keys})))


def clocks():
    """Under faketime, with nothing of this project but the key set: what is refused, a line each."""
    import json as plain
    globals()["json"] = plain
    warnings.simplefilter("ignore")
    with open(KEYS, encoding="ascii") as file:
        keys = plain.load(file)["keys"]
    for offset in OFFSETS:
        set_clock(offset)
        for verify in (with_pyjwt, with_authlib, with_jwcrypto):
            for leeway in (0, 30):
                for number, token in enumerate(sys.argv[2:]):
                    try:
                        verify(token, keys, leeway)
                    except Exception as error:  # whatever it is, the token was refused
                        print(verify.__name__[5:], offset, leeway, number, repr(error), flush=True)
    print("done")


def python_refusals(tokens):
    environment = os.environ | {"LD_PRELOAD": os.environ["LIBFAKETIME"], "FAKETIME_TIMESTAMP_FILE": CLOCK,
                                "FAKETIME_NO_CACHE": "1", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
    run = subprocess.run([sys.executable, __file__, "clocks", *tokens], env=environment, capture_output=True, text=True, check=False)
    lines = run.stdout.splitlines()
    assert run.returncode == 0 and lines[-1] == "done", run.stderr[-2000:]
    return [(name, int(offset), int(leeway), error) for name, offset, leeway, _, error in
            (line.split(" ", 4) for line in lines[:-1])]


NODE = """
import {createLocalJWKSet, jwtVerify} from 'jose';
import {readFileSync} from 'node:fs';
const [keys, issuer, offsets, ...tokens] = process.argv.slice(2);
const set = createLocalJWKSet(JSON.parse(readFileSync(keys)));
for (const offset of JSON.parse(offsets))
  for (const clockTolerance of [0, 30])
    for (const token of tokens)
      await jwtVerify(token, set, {issuer, audience: 'demo', typ: 'at+jwt', algorithms: ['ES256'], clockTolerance,
        maxTokenAge: 3600, currentDate: new Date(Date.now() + 1000 * offset)})
        .catch((error) => console.log(`jose ${offset} ${clockTolerance} ${error.code}`));
"""


def node_refusals(tokens):
    place = os.path.dirname(os.environ["NODE_MODULES"])
    with open(f"{place}/t05.mjs", "w", encoding="ascii") as file:
        file.write(NODE)
    run = subprocess.run(["node", f"{place}/t05.mjs", KEYS, ISSUER, json.dumps(OFFSETS), *tokens], capture_output=True, text=True,
                         check=True)
    return [(name, int(offset), int(leeway), error) for name, offset, leeway, error in
            (line.split(" ", 3) for line in run.stdout.splitlines())]


def library_refusals(tokens):
    for offset in OFFSETS:
        for leeway in (0, 30):
            offline = Offline("demo", int(time.time()) + offset, leeway or -1)
            for token in tokens:
                found = offline.reason(token)
                if found != "ok":
                    yield "libsecauth", offset, leeway, found
            offline.close()


def haproxy_refusals(token):
    """It looks at exp alone, by the rules of haproxy.cfg, and has no leeway."""
    for offset in OFFSETS:
        set_clock(offset)
        time.sleep(0.05)
        request = urllib.request.Request("http://127.0.0.1:7600/", headers={"Authorization": "Bearer " + token})
        try:
            urllib.request.urlopen(request, timeout=5).close()
        except urllib.error.HTTPError as error:
            yield "haproxy", offset, 0, str(error.code)


def debians_jose_refuses(token):
    """Signatures only; it has no clock."""
    kid = json.loads(unb64(token.split(".")[0]))["kid"]
    key = next(key for key in json.loads(must_read(KEYS))["keys"] if key["kid"] == kid)
    with open("/run/t/key.jwk", "w", encoding="ascii") as file:
        json.dump(key, file)
    for text_of_token, good in ((token, True), (token[:-6] + "AAAAAA", False)):
        run = subprocess.run(["jose", "jws", "ver", "-i", "-", "-k", "/run/t/key.jwk", "-O", "-"], input=text_of_token,
                             capture_output=True, text=True, check=False)
        if (run.returncode == 0) != good or (good and json.loads(run.stdout)["iss"] != ISSUER):
            return f"{good}: {run.returncode} {run.stderr}"
    thumbprint = subprocess.run(["jose", "jwk", "thp", "-i", "/run/t/key.jwk"], capture_output=True, text=True, check=True).stdout
    return None if thumbprint.strip() == kid else f"{thumbprint} is not {kid}"


def verify():
    with Daemon() as root:
        client = {"client_id": "svc", "secret": must_read(SECRETS).encode()}
        fresh = [must(root.call("Token/IssueToken", client=client, tokens={"audiences": audiences})).grant.access_token.decode()
                 for audiences in (["demo"], ["demo", "second"])]
    refused = [*library_refusals(fresh), *node_refusals(fresh), *haproxy_refusals(fresh[0]), *python_refusals(fresh)]
    within_backdate = [row for row in refused if abs(row[1]) <= 5]
    assert not within_backdate, f"Accepted in the second of its issue, at 1 and 5 s, with no leeway at all: {within_backdate}"
    with_leeway = [row for row in refused if row[2] == 30]
    assert not with_leeway, f"Accepted at 30 s behind, with the leeway that the manual states: {with_leeway}"
    assert {row[0] for row in refused} >= {"pyjwt", "libsecauth"} and all(row[1] == -30 for row in refused), \
        f"what looks at iat refuses at 30 s behind without it, and nothing else is refused: {refused}"
    problem = debians_jose_refuses(fresh[0])
    assert problem is None, f"Debian's jose verifies, and names the key as we do: {problem}"


globals()[sys.argv[1]]()

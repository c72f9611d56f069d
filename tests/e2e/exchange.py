"""What exchange.test does, in a private host with both gateways."""
import base64
import hashlib
import json
import os
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../support"))
from callers import *  # noqa: E402,F403
from proofs import Key, until_taken  # noqa: E402

EXCHANGE, GROUPS = 3, 6
SECRETS = {}
CERTIFICATE, OTHER_CERTIFICATE = hashlib.sha256(b"one").digest(), hashlib.sha256(b"another").digest()
SERVICES = {"front": ["back", "bare"], "back": ["vault"], "vault": ["deep"], "deep": ["deeper"]}


def b64(raw):
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def part_of(token, place):
    part = token.split(b".")[place]
    return json.loads(base64.urlsafe_b64decode(part + b"=" * (-len(part) % 4)))


def header(token):
    return part_of(token, 0)


def claims(token):
    return part_of(token, 1)


def add_client(doors, **client):
    SECRETS[client["client_id"]] = doors.reply("root", "Client/CreateClient", client={"kind": CONFIDENTIAL, **client}).secret


def client(client_id):
    return {"client_id": client_id, "secret": SECRETS[client_id]}


def exchange(doors, client_id, token, audience, scope="", door="tls"):
    return doors.ask(door, "Token/ExchangeToken", client=client(client_id), subject_token=token,
                     tokens={"audiences": [audience] if isinstance(audience, str) else audience, "scope": scope})


def hand_on(doors, client_id, token, audience, scope="", door="tls"):
    answer = exchange(doors, client_id, token, audience, scope, door)
    assert answer.reason == "OK", f"{client_id} to {audience}: {answer.reason}"
    return answer.reply.grant


def introspect(doors, token):
    return doors.reply("root", "Token/IntrospectToken", token=token)


def login(doors, audience="front", scope=""):
    return doors.reply("tls", "Authn/BeginAuthentication", user=b"alice", password=PASSWORD, client=auth("P1"),
                       tokens={"audiences": [audience] if isinstance(audience, str) else audience, "scope": scope}).grant


def set_up(doors):
    register(doors, groups=True)
    for audience, scopes in (("front", ["read", "write", "admin"]), ("bound", ["read"])):
        for name in ("P1", "C1"):
            doors.reply("root", "Client/SetClientAudience", client_id=name, audience={"audience": audience, "scopes": scopes})
    for name, targets in SERVICES.items():
        rows = [{"from_audience": name, "to_audience": to, "scopes": [] if to == "bare" else ["write", "read"]} for to in targets]
        add_client(doors, client_id=name, grants=[CREDENTIALS, EXCHANGE], audiences_owned=[name], exchanges=rows)
    rows = [{"from_audience": "front", "to_audience": "back", "scopes": ["read"]}]
    add_client(doors, client_id="thief", grants=[CREDENTIALS, EXCHANGE], audiences_owned=["stolen"], exchanges=[
        {"from_audience": "stolen", "to_audience": "back", "scopes": ["read"]}])
    add_client(doors, client_id="plain", grants=[CREDENTIALS], audiences_owned=["front"], exchanges=[])
    add_client(doors, client_id="M1", grants=[CREDENTIALS], certificates=[CERTIFICATE],
               audiences=[{"audience": "front", "scopes": ["read"]}])
    add_client(doors, client_id="M2", grants=[CREDENTIALS, EXCHANGE], certificates=[OTHER_CERTIFICATE],
               audiences_owned=["front"], exchanges=rows)


def what_it_says(doors):
    grant = login(doors)
    before = claims(grant.access_token)
    assert before["scope"] == "read write admin" and "act" not in before and "cnf" not in before, before
    for door in doors.ALL:
        handed = hand_on(doors, "front", grant.access_token, "back", door=door)
        after = claims(handed.access_token)
        for name in ("iss", "sub", "sid", "username", "amr", "acr", "auth_time"):
            assert after[name] == before[name], f"the same {name}"
        assert after["aud"] == "back" and after["client_id"] == "front", "for the audience, through the client"
        assert after["act"] == {"sub": "front"}, "it says who acts"
        assert after["scope"] == handed.scope == "write read", "scopes of the row that the token has, in the row's order"
        assert after["exp"] <= before["exp"] and after["jti"] != before["jti"], "it ends no later"
        assert not handed.refresh_token and handed.token_type == "Bearer" and handed.session_id == before["sid"]
        assert "groups" not in after, "the new client's record does not ask for groups"
    assert header(handed.access_token)["typ"] == "at+jwt"
    said = introspect(doors, handed.access_token)
    assert said.active and list(said.act) == ["front"] and said.acr == "1" and list(said.amr) == ["pwd"] and said.auth_time
    records = [row for row in doors.reply("root", "Audit/ListAuditRecords", page_size=500).records if row.event == "TOKEN_EXCHANGE"]
    assert len(records) == len(doors.ALL), "each exchange is on record"
    assert f"from={before['jti']} " in records[-1].detail and f"jti={after['jti']} " in records[-1].detail, "with both token ids"
    assert records[-1].user == "alice" and records[-1].session_id == before["sid"] and records[-1].client_id == "front"
    return grant


def a_chain(doors, grant):
    token, chain = grant.access_token, []
    for name, to in (("front", "back"), ("back", "vault"), ("vault", "deep")):
        token = hand_on(doors, name, token, to).access_token
        chain.insert(0, name)
        said = claims(token)["act"]
        for actor in chain:
            assert said["sub"] == actor, "who acts now is outside, who acted before is within"
            said = said.get("act")
        assert said is None and list(introspect(doors, token).act) == chain
    assert exchange(doors, "deep", token, "deeper").reason == "INVALID_GRANT", "a chain of at most three"
    return token


def narrower_never_wider(doors):
    grant = login(doors, scope="read")
    assert hand_on(doors, "front", grant.access_token, "back").scope == "read", "no scope that the token has not"
    assert exchange(doors, "front", grant.access_token, "back", "write").reason == "INVALID_SCOPE"
    assert exchange(doors, "front", grant.access_token, "back", "admin").reason == "INVALID_SCOPE"
    grant = login(doors)
    assert hand_on(doors, "front", grant.access_token, "back", " read  read ").scope == "read", "asked narrower"
    assert exchange(doors, "front", grant.access_token, "back", "admin").reason == "INVALID_SCOPE", "not in the row"
    grant = login(doors, scope="admin")
    assert exchange(doors, "front", grant.access_token, "back").reason == "INVALID_SCOPE", "none is left"
    assert hand_on(doors, "front", grant.access_token, "bare").scope == "", "a row without scopes"


def refused(doors, grant):
    token = grant.access_token
    assert exchange(doors, "front", token, "vault").reason == "INVALID_TARGET", "no row"
    assert exchange(doors, "front", token, "front").reason == "INVALID_TARGET", "not even for itself"
    for audiences in ([], ["back", "bare"]):
        assert exchange(doors, "front", token, audiences).reason == "INVALID_REQUEST", "exactly one audience"
    assert exchange(doors, "front", b"", "back").reason == "INVALID_REQUEST"
    assert exchange(doors, "front", b"x" * 4097, "back").reason == "INVALID_REQUEST"
    assert exchange(doors, "plain", token, "back").reason == "UNAUTHORIZED_CLIENT", "the grant is the client's or it is not"
    answer = doors.ask("tls", "Token/ExchangeToken", client=auth("P1"), subject_token=token, tokens={"audiences": ["back"]})
    assert answer.reason == "UNAUTHORIZED_CLIENT", "a public client exchanges nothing"
    answer = doors.ask("tls", "Token/ExchangeToken", client={"client_id": "front", "secret": b"x"}, subject_token=token,
                       tokens={"audiences": ["back"]})
    assert answer.reason == "INVALID_CLIENT"
    revoked = login(doors)
    assert doors.reply("tls", "Token/RevokeToken", client=auth("P1"), token=revoked.access_token).accepted
    foreign = exchange(doors, "thief", token, "back")
    for bad in (b"rubbish", token[:-4] + b"AAAA", grant.refresh_token, revoked.access_token):
        answer = exchange(doors, "front", bad, "back")
        assert (answer.reason, answer.words) == (foreign.reason, foreign.words) and answer.reason == "INVALID_GRANT", "one for all"


def it_ends_with_what_it_came_from(doors):
    grant = login(doors)
    handed = hand_on(doors, "front", grant.access_token, "back").access_token
    further = hand_on(doors, "back", handed, "vault").access_token
    assert doors.reply("tls", "Token/RevokeToken", client=auth("P1"), token=grant.refresh_token).accepted
    for token in (grant.access_token, handed, further):
        assert not introspect(doors, token).active, "all end with the session"
    assert exchange(doors, "front", grant.access_token, "back").reason == "INVALID_GRANT"
    own = doors.reply("tls", "Token/IssueToken", client=auth("C1"), tokens={"audiences": ["front"]}).grant.access_token
    handed = hand_on(doors, "front", own, "back").access_token
    assert claims(handed)["sub"] == "C1" and "sid" not in claims(handed) and introspect(doors, handed).active
    doors.reply("root", "Client/SetClientActive", client_id="C1", active=False)
    assert not introspect(doors, handed).active, "a client that is disabled takes what was made of its tokens with it"
    assert exchange(doors, "front", own, "back").reason == "INVALID_GRANT"
    doors.reply("root", "Client/SetClientActive", client_id="C1", active=True)
    assert not introspect(doors, handed).active and not introspect(doors, own).active, "and enabled again it begins anew"


def bound(doors):
    """A gateway's socket, on which we are the witness of certificates."""
    with Daemon("/run/secauth/gateway/tls.sock") as gateway:
        gateway.tell(1, address="192.0.2.1", certificate=CERTIFICATE)
        proof = {"client_id": "M1", "certificate": {}}
        token = must(gateway.call("Token/IssueToken", client=proof, tokens={"audiences": ["front"]})).grant.access_token
        assert claims(token)["cnf"] == {"x5t#S256": b64(CERTIFICATE)}, "bound to the certificate as it is registered"
        assert introspect(doors, token).cnf.x5t_s256 == b64(CERTIFICATE)
        status, _ = gateway.call("Token/ExchangeToken", client=client("front"), subject_token=token, tokens={"audiences": ["back"]})
        assert status == "INVALID_GRANT", "a bound token never becomes one that whoever bears it may use"
        gateway.tell(2, address="192.0.2.1", certificate=OTHER_CERTIFICATE)
        handed = must(gateway.call("Token/ExchangeToken", client={"client_id": "M2", "certificate": {}}, subject_token=token,
                                   tokens={"audiences": ["back"]})).grant
        said = claims(handed.access_token)
        assert said["cnf"] == {"x5t#S256": b64(OTHER_CERTIFICATE)} and said["act"] == {"sub": "M2"}, "bound to the one who acts"
        assert handed.token_type == "Bearer"


def bound_to_keys(doors):
    """A person's session and tokens that are bound to a DPoP key, and what becomes of them in an exchange."""
    add_client(doors, client_id="D1", kind=PUBLIC, grants=[REFRESH], login=True, dpop_bound=True,
               audiences=[{"audience": "front", "scopes": ["read"]}])
    key, other, own = Key(), Key(), Key()

    def login_with(proof):
        shown = {} if proof is None else {"dpop_proof": proof.dpop("AuthnService/BeginAuthentication")}
        return doors.ask("tls", "Authn/BeginAuthentication", user=b"alice", password=PASSWORD,
                         client={"client_id": "D1", **shown}, tokens={"audiences": ["front"]})

    def refresh_with(proof, token):
        shown = {} if proof is None else {"dpop_proof": proof.dpop("TokenService/RefreshToken")}
        return doors.ask("tls", "Token/RefreshToken", client={"client_id": "D1", **shown}, refresh_token=token)

    grant = until_taken(lambda: login_with(key)).reply.grant
    assert grant.token_type == "DPoP" and claims(grant.access_token)["cnf"] == {"jkt": key.jkt()}, "bound to the key"
    said = introspect(doors, grant.access_token)
    assert said.token_type == "DPoP" and said.cnf.jkt == key.jkt()
    assert introspect(doors, grant.refresh_token).cnf.jkt == key.jkt(), "so is its session"
    assert login_with(None).reason == "INVALID_DPOP_PROOF", "a client that is to have bound tokens gets no others"
    assert refresh_with(None, grant.refresh_token).reason == "INVALID_DPOP_PROOF"
    assert refresh_with(other, grant.refresh_token).reason == "INVALID_GRANT", "the session goes on with its own key only"
    again = refresh_with(key, grant.refresh_token).reply.grant
    assert again.refresh_token == grant.refresh_token and again.token_type == "DPoP", "it does not rotate"
    assert claims(again.access_token)["cnf"] == {"jkt": key.jkt()}
    assert exchange(doors, "front", grant.access_token, "back").reason == "INVALID_GRANT", "by a client that proves no key"
    proof = {**client("front"), "dpop_proof": own.dpop("TokenService/ExchangeToken")}
    handed = doors.reply("tls", "Token/ExchangeToken", client=proof, subject_token=grant.access_token,
                         tokens={"audiences": ["back"]}).grant
    assert handed.token_type == "DPoP" and claims(handed.access_token)["cnf"] == {"jkt": own.jkt()}, "bound to who acts"
    assert "UNBOUND" in {row.reason for row in doors.reply("root", "Audit/ListAuditRecords", page_size=500).records
                         if row.event == "TOKEN_EXCHANGE"}, "and the record says why one was refused"


def put_groups(doors, groups):
    doors.reply("root", "User/UpdateUser", user={"name": "alice", "groups": groups}, fields=[GROUPS])


def groups_and_typ(doors):
    put_groups(doors, ["staff", "ops"])
    grant = login(doors)
    assert claims(grant.access_token)["groups"] == ["staff", "ops"], "the client's record says groups"
    assert list(introspect(doors, grant.access_token).groups) == ["staff", "ops"]
    own = doors.reply("tls", "Token/IssueToken", client=auth("C1"), tokens={"audiences": ["front"]}).grant.access_token
    assert "groups" not in claims(own), "a client has none"
    doors.reply("root", "Client/SetClientAudience", client_id="P1",
                audience={"audience": "mail", "scopes": ["read"], "plain_typ": True})
    token = login(doors, "mail").access_token
    assert header(token)["typ"] == "JWT" and introspect(doors, token).active, "a plain typ where the audience's row says so"
    assert header(login(doors, ["mail", "front"]).access_token)["typ"] == "at+jwt", "where every audience's row does"


def too_much_for_a_token(doors):
    """64 groups of 32 characters, eight audiences of 64 bytes, 1,023 bytes of scopes."""
    scopes = [f"{'x' * 60}{i:03}" for i in range(16)]
    names = [f"{name}{'y' * 63}" for name in "abcdefgh"]
    for name in names:
        doors.reply("root", "Client/SetClientAudience", client_id="P1", audience={"audience": name, "scopes": scopes})
    grant = login(doors, names)
    assert len(grant.scope) == 1023 and len(grant.access_token) <= 4096, "the most that one may ask for fits"
    put_groups(doors, [f"{'g' * 30}{i:02}" for i in range(64)])
    assert len(claims(login(doors).access_token)["groups"]) == 64, "so do the most groups that one may have"
    put_groups(doors, [f"{'g' * 30}{i:02}" for i in range(40)])
    asked = {"user": b"alice", "password": PASSWORD, "client": auth("P1"), "tokens": {"audiences": names}}
    answer = doors.ask("tls", "Authn/BeginAuthentication", **asked)
    assert answer.reason == "INVALID_REQUEST", f"both do not: {answer}"
    answer = doors.ask("tls", "Token/RefreshToken", client=auth("P1"), refresh_token=grant.refresh_token)
    assert answer.reason == "INVALID_REQUEST", f"nor for a session that began before: {answer.reason}"
    answer = doors.ask("tls", "Token/RefreshToken", client=auth("P1"), refresh_token=grant.refresh_token, tokens={"audiences": names[:1], "scope": scopes[0]})
    assert answer.reason == "OK", f"whose token is as good as it was: {answer}"
    put_groups(doors, ["staff"])


def expired(doors, grant, handed):
    exp = claims(grant.access_token)["exp"]
    with open("/run/t/clock", "r+b") as file:  # 400 s on: a new life would be longer than what is left of the old one
        file.write(struct.pack("2q", 400000, 400000))
    late = hand_on(doors, "front", grant.access_token, "back")
    assert claims(late.access_token)["exp"] == exp and late.expires_in_seconds < 250, "it expires no later than the subject token"
    with open("/run/t/clock", "r+b") as file:
        file.write(struct.pack("2q", 700000, 700000))
    assert exchange(doors, "front", grant.access_token, "back").reason == "INVALID_GRANT", "an expired token is not exchanged"
    assert not introspect(doors, handed).active


def main():
    doors = Doors()
    set_up(doors)
    grant = what_it_says(doors)
    handed = a_chain(doors, grant)
    for part in (narrower_never_wider, it_ends_with_what_it_came_from, bound, bound_to_keys, groups_and_typ, too_much_for_a_token):
        part(doors)
    refused(doors, grant)
    expired(doors, grant, handed)
    with open("/run/t/token", "wb") as file:
        file.write(login(doors).access_token + b"\n")
    with open("/run/t/front", "wb", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
        file.write(SECRETS["front"] + b"\n")


main()

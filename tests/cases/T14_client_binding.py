"""What T14_client_binding.test does, in a private host with both gateways."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../support"))
from callers import *  # noqa: E402,F403
from proofs import *  # noqa: E402,F403

EXCHANGE = 3
DEMO, MID = {"audience": "demo", "scopes": ["read", "write"]}, {"audience": "mid", "scopes": ["read", "list"]}
TOKENS = {"audiences": ["demo"], "scope": "read"}
REFUSED = ("INVALID_SCOPE", "INVALID_TARGET")


class Scene:
    """Clients of every kind, each twice: one that may use its grant, and one (no...) that may not."""

    def __init__(self, doors):
        self.doors, self.key, self.secrets = doors, Key(), {}
        register(doors)
        m1 = client_certificate("/run/t/m1", "M1")
        self.m1 = GrpcCaller(certified("/run/t/m1"))
        rows = {"J1": {"jwks": jwks(self.key)}, "M1": {"certificates": [m1]}, "A1": {"attestation": {"uid": {"id": ALICE}}},
                "S1": {"audiences": [DEMO, MID]}, "E1": {"audiences_owned": ["mid"], "exchanges": [
                    {"from_audience": "mid", "to_audience": "demo", "scopes": ["read"]}]}}
        for name, more in rows.items():
            grants = {"E1": [EXCHANGE], "M1": [CREDENTIALS, REFRESH]}.get(name, [CREDENTIALS])
            for client_id, allowed in ((name, grants), ("no" + name, [])):
                row = {"client_id": client_id, "kind": CONFIDENTIAL, "audiences": [DEMO], "grants": allowed} | more
                self.secrets[client_id] = doors.reply("root", "Client/CreateClient", client=row).secret
        doors.reply("root", "Client/CreateClient", client={"client_id": "noP1", "kind": PUBLIC, "audiences": [DEMO]})
        self.keys = {name: doors.reply("root", "ApiKey/CreateApiKey", client_id=name, audiences=[
            {"audience": "demo", "scopes": ["read"]}]).secret for name in ("S1", "noS1")}
        self.mid = self.issue("S1", {"audiences": ["mid"]}).reply.grant.access_token

    def secret(self, name):
        return {"client_id": name, "secret": self.secrets[name]}

    def issue(self, name, tokens):
        return self.doors.ask("tls", "Token/IssueToken", client=self.secret(name), tokens=tokens)

    def by_key(self, name, tokens):
        return self.doors.ask("local", "Token/IssueToken", tokens=tokens, client={"client_id": name, "api_key": self.keys[name]})

    def by_assertion(self, name, tokens):
        return until_taken(lambda: self.doors.ask("root", "Token/IssueToken", tokens=tokens, client={
            "client_id": name, "assertion": self.key.assertion(name)}))

    def by_certificate(self, name, tokens, rpc="Token/IssueToken", **more):
        self.m1.start(rpc, MESSAGES[rpc.split("/")[1] + "Request"](
            client={"client_id": name, "certificate": {}}, tokens=tokens, **more).SerializeToString())
        return self.m1.finish()

    def login(self, name, tokens):
        return self.doors.ask("tls", "Authn/BeginAuthentication", user=b"alice", password=PASSWORD,
                              client={"client_id": name}, tokens=tokens)

    def attested(self, name, tokens):
        return self.doors.ask("local", "Token/IssueAttestedToken", client_id=name, tokens=tokens)

    def exchange(self, name, tokens):
        return self.doors.ask("tls", "Token/ExchangeToken", client=self.secret(name), subject_token=self.mid, tokens=tokens)

    def refresh(self, client, token, tokens=None):
        return self.doors.ask("tls", "Token/RefreshToken", client=client, refresh_token=token, tokens=tokens or {})


def grants_refuse_alike(scene):
    """For each grant an unregistered scope, an unregistered audience, no audience; a grant that the client may not use."""
    grants = {"secret": (scene.issue, "S1"), "API key": (scene.by_key, "S1"), "mTLS": (scene.by_certificate, "M1"),
              "private_key_jwt": (scene.by_assertion, "J1"), "login": (scene.login, "P1"), "attested": (scene.attested, "A1"),
              "exchange": (scene.exchange, "E1")}
    for name, (ask, client_id) in grants.items():
        answer = ask(client_id, TOKENS)
        assert answer.reason == "OK" and answer.reply.grant.scope == "read", f"{name}: what is registered is granted: {answer.reason}"
        assert bool(answer.reply.grant.refresh_token) == (name == "login"), \
            f"No refresh token from client_credentials, attested or exchange: {name}"
        for scope in ("admin", "read admin", "READ", "list"):
            answer = ask(client_id, {"audiences": ["demo"], "scope": scope})
            assert answer.reason == "INVALID_SCOPE", f"an unregistered scope: INVALID_SCOPE: {name}, {scope}: {answer.reason}"
        for audience in ("elsewhere", "DEMO", "demo/"):
            answer = ask(client_id, {"audiences": [audience]})
            assert answer.reason == "INVALID_TARGET", f"an unregistered audience: INVALID_TARGET: {name}, {audience}: {answer.reason}"
        answer = ask(client_id, {"audiences": ["demo", "elsewhere"]})
        assert answer.reason in ("INVALID_TARGET", "INVALID_REQUEST", "INVALID_ARGUMENT"), f"two, one unregistered: {name}: {answer.reason}"
        answer = ask(client_id, {})
        assert answer.reason in ("INVALID_TARGET", "INVALID_REQUEST", "INVALID_ARGUMENT"), f"no audience: a refusal: {name}: {answer.reason}"
        answer = ask("no" + client_id, TOKENS)
        assert answer.reason == "UNAUTHORIZED_CLIENT", f"a grant type that the client is not allowed: {name}: {answer.reason}"
    answer = scene.by_key("S1", {"audiences": ["demo"], "scope": "write"})
    assert answer.reason == "INVALID_SCOPE", f"a key is narrower than its client: {answer.reason}"
    assert scene.by_key("S1", {"audiences": ["mid"]}).reason == "INVALID_TARGET", "and its audiences are its own"
    assert scene.by_key("S1", {"audiences": ["demo"]}).reply.grant.scope == "read", "all of it is what the key has"


def tokens_are_their_clients(scene):
    """C1's refresh token as C2, as P1 with no secret, as M1."""
    doors, session = scene.doors, scene.doors.login("P1")
    hand_to("C1", session.session_id)
    token = session.refresh_token
    others = {"C2": lambda: scene.refresh(auth("C2"), token), "P1 with no secret": lambda: scene.refresh(auth("P1"), token),
              "M1": lambda: scene.by_certificate("M1", {}, "Token/RefreshToken", refresh_token=token)}
    for _ in range(3):
        for name, ask in others.items():
            answer = ask()
            assert answer.reason == "INVALID_GRANT", f"Wrong client: INVALID_GRANT: {name}: {answer.reason}"
        answer = scene.refresh(auth("C1"), token)
        assert answer.reason == "OK", f"the session unharmed and still refreshable by C1: {answer.reason}"
        assert answer.reply.grant.refresh_token == token and generation(token) == 1, "nothing moves towards reuse"
    for name, client in {"C1 with another's secret": auth("C2") | {"client_id": "C1"}, "C1 by its name": {"client_id": "C1"}}.items():
        assert scene.refresh(client, token).reason == "INVALID_CLIENT", name
    for fields in ({"scope": "admin"}, {"audiences": ["elsewhere"]}):
        assert scene.refresh(auth("C1"), token, fields).reason in REFUSED, f"refresh: {fields}"
    assert scene.refresh(auth("C1"), token).reply.grant.scope == "read write", "the session is what it was"

    session = doors.login("P1")
    for name, ask in {"C1": lambda: scene.refresh(auth("C1"), session.refresh_token), "C2": lambda: scene.refresh(auth("C2"), session.refresh_token),
                      "M1": lambda: scene.by_certificate("M1", {}, "Token/RefreshToken", refresh_token=session.refresh_token)}.items():
        assert ask().reason == "INVALID_GRANT", f"P1's as {name}"
    for fields in ({"scope": "admin"}, {"audiences": ["elsewhere"]}):
        assert scene.refresh(auth("P1"), session.refresh_token, fields).reason in REFUSED, f"the same for every client type: {fields}"
    answer = scene.refresh(auth("P1"), session.refresh_token)
    assert answer.reason == "OK" and not answer.reply.grant.replayed, "the session unharmed, and its token moves on for its own client"
    answer = scene.refresh({"client_id": "noP1"}, answer.reply.grant.refresh_token)
    assert answer.reason == "UNAUTHORIZED_CLIENT", f"a grant type that the client is not allowed: refresh: {answer.reason}"
    events = [row.event for row in doors.reply("root", "Audit/ListAuditRecords", page_size=500).records]
    assert "TOKEN_REUSE" not in events and "SESSION_REVOKE" not in events, "nothing moves towards reuse"


def main():
    scene = Scene(Doors())
    grants_refuse_alike(scene)
    tokens_are_their_clients(scene)


main()

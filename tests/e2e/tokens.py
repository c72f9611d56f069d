"""What tokens.test does on the daemon's sockets; run as root in its private host.

tokens.py PART [ARGUMENT...]    exits 0 where all is as it shall be
"""
import json
import os
import sys
import threading
import time

import jwt

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../support"))
from wire import *  # noqa: E402,F403

ALICE, PASSWORD = 2001, b"correct horse battery"
LOCAL_GATEWAY = "/run/secauth/gateway/local.sock"
CREDENTIALS, REFRESH = 1, 2
CONFIDENTIAL, PUBLIC = 1, 2


def public(client_id):
    return {"client_id": client_id}


def secret(client_id):
    return {"client_id": client_id, "secret": load()[client_id].encode()}


class Gateway(Daemon):
    """The local gateway's connection, speaking for a process of alice's."""

    def __init__(self):
        super().__init__(LOCAL_GATEWAY)
        self.tell(1, uid=ALICE)

    def login(self, client, audience="demo", scope="", password=PASSWORD):
        return self.call("Authn/BeginAuthentication", user=b"alice", password=password, client=client,
                         tokens={"audiences": [audience], "scope": scope})


def registered():
    """Clients of every kind; the secrets are kept for the parts that follow."""
    demo = {"audience": "demo", "scopes": ["read", "write"]}
    rows = (("svc", CONFIDENTIAL, [CREDENTIALS], False, [demo, {"audience": "other", "scopes": ["see"]}]),
            ("app", PUBLIC, [REFRESH], True, [demo]), ("slow", PUBLIC, [REFRESH], True, [demo]),
            ("nologin", PUBLIC, [REFRESH], False, [demo]), ("brief", PUBLIC, [], True, [demo]))
    with Daemon() as root:
        must(root.call("User/CreateUser", user={"name": "alice", "uid": {"id": ALICE}, "active": True}, password=PASSWORD))
        for client_id, kind, grants, login, audiences in rows:
            reply = must(root.call("Client/CreateClient", client={
                "client_id": client_id, "kind": kind, "grants": grants, "login": login, "audiences": audiences,
                **({"grace": {"value": 1}} if client_id == "slow" else {})}))
            save(**{client_id: reply.secret.decode()})
        reply = must(root.call("Client/CreateClient", client={"client_id": "demo", "kind": CONFIDENTIAL,
                                                              "grants": [CREDENTIALS], "audiences_owned": ["demo"]}))
        save(demo=reply.secret.decode())


def scopes_and_audiences_are_held_over_the_wire():
    def ask(audiences, scope="", client=None):
        return root.call("Token/IssueToken", client=client or secret("svc"), tokens={"audiences": audiences, "scope": scope})

    with Daemon() as root:
        assert must(ask(["demo"])).grant.scope == "read write", "nothing asked for is all that is registered"
        assert must(ask(["demo"], "write")).grant.scope == "write", "a request may narrow"
        assert must(ask(["demo"], " read   read ")).grant.scope == "read", "doubles and extra spaces fall away"
        assert ask(["demo"], "read admin")[0] == "INVALID_SCOPE", "an unknown scope is an error, never dropped"
        assert ask(["demo"], "READ")[0] == "INVALID_SCOPE", "case matters"
        assert ask(["demo"], "see")[0] == "INVALID_SCOPE", "another audience's scope is not this one's"
        assert ask(["else"])[0] == "INVALID_TARGET"
        assert ask([])[0] in ("INVALID_ARGUMENT", "INVALID_TARGET"), "no audience, no token"
        assert ask(["demo"], client=public("app"))[0] in ("UNAUTHORIZED_CLIENT", "INVALID_CLIENT")
        assert ask(["demo"], client={"client_id": "svc", "secret": b"sac1_wrong"})[0] == "INVALID_CLIENT"
        assert ask(["demo"], client=public("svc"))[0] == "INVALID_CLIENT", "no secret is no proof"
        assert ask(["demo"], client=public("nobody"))[0] == "INVALID_CLIENT"
        one = jwt.decode(must(ask(["demo"])).grant.access_token, options={"verify_signature": False})
        two = jwt.decode(must(ask(["demo", "other"])).grant.access_token, options={"verify_signature": False})
        assert one["aud"] == "demo", "a string for one audience"
        assert sorted(two["aud"]) == ["demo", "other"], "an array for several"


def a_login_gives_a_pair_only_where_the_client_may():
    with Gateway() as gateway:
        grant = must(gateway.login(public("app"))).grant
        assert grant.refresh_token.startswith(b"sar1_") and grant.access_token and grant.session_id
        claims = jwt.decode(grant.access_token, options={"verify_signature": False})
        assert claims["client_id"] == "app" and claims["amr"] == ["pwd"] and claims["acr"] == "1", claims
        assert claims["sid"] == grant.session_id
        assert gateway.login(public("nologin"))[0] == "UNAUTHORIZED_CLIENT"
        assert not must(gateway.login(public("brief"))).grant.refresh_token, "no refresh grant, no refresh token"
        assert gateway.login(secret("svc"))[0] == "UNAUTHORIZED_CLIENT"
        assert gateway.login(public("app"), password=b"not her password")[0] == "INVALID_CREDENTIALS"
        assert gateway.login(public("app"), scope="admin")[0] == "INVALID_SCOPE"
        assert gateway.login(public("nobody"))[0] == "INVALID_CLIENT"


def refresh(connection, client, token, **tokens):
    return connection.call("Token/RefreshToken", client=client, refresh_token=token, **tokens)


def eight_callers_at_once_get_one_successor():
    with Gateway() as gateway:
        first = must(gateway.login(public("app"))).grant.refresh_token
    connections, answers, start = [Daemon() for _ in range(8)], [], threading.Barrier(8)

    def race(connection):
        start.wait()
        answers.append(must(refresh(connection, public("app"), first)).grant)

    for turn in range(5):
        answers.clear()
        threads = [threading.Thread(target=race, args=(c,)) for c in connections]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(answers) == 8, f"turn {turn}: {8 - len(answers)} callers were refused"
        successors = {grant.refresh_token for grant in answers}
        assert len(successors) == 1, f"turn {turn}: {len(successors)} successors"
        assert sum(not grant.replayed for grant in answers) == 1, "one of them took the step"
        assert first not in successors
        first = successors.pop()
    for connection in connections:
        connection.socket.close()
    with Daemon(USER_SOCKET, uid=ALICE) as alice:
        assert must(refresh(alice, public("app"), first)).grant.refresh_token != first, "on the users' socket too"


def narrowing_and_revoking_a_refresh_token():
    with Gateway() as gateway, Daemon() as root:
        token = must(gateway.login(public("app"))).grant.refresh_token
        assert refresh(root, secret("svc"), token)[0] in ("INVALID_GRANT", "UNAUTHORIZED_CLIENT"), "not another client's"
        narrowed = must(refresh(root, public("app"), token, tokens={"audiences": ["demo"], "scope": "read"})).grant
        assert narrowed.scope == "read"
        whole = must(refresh(root, public("app"), narrowed.refresh_token)).grant
        assert whole.scope == "read write", "narrowing is for that token only"
        assert refresh(root, public("app"), whole.refresh_token, tokens={"audiences": ["demo"], "scope": "admin"})[0] == \
            "INVALID_SCOPE"
        assert refresh(root, public("app"), whole.refresh_token, tokens={"audiences": ["other"]})[0] == "INVALID_TARGET"
        assert root.call("Token/RevokeToken", client=public("slow"), token=whole.refresh_token)[0] == "INVALID_GRANT", \
            "another client revokes nothing"
        last = must(refresh(root, public("app"), whole.refresh_token)).grant
        assert must(root.call("Token/RevokeToken", client=public("app"), token=last.refresh_token)).accepted
        assert refresh(root, public("app"), last.refresh_token)[0] == "INVALID_GRANT", "revoked"
        assert not must(root.call("Token/IntrospectToken", token=last.access_token)).active, "with its session's tokens"


def reuse_ends_that_session_and_no_other():
    with Gateway() as gateway, Daemon() as root:
        stolen, other = (must(gateway.login(public("slow"))).grant for _ in range(2))
        second = must(refresh(root, public("slow"), stolen.refresh_token)).grant
        again = must(refresh(root, public("slow"), stolen.refresh_token)).grant
        assert again.replayed and again.refresh_token == second.refresh_token, "within the grace the same successor"
        third = must(refresh(root, public("slow"), second.refresh_token)).grant
        assert refresh(root, public("slow"), stolen.refresh_token)[0] == "INVALID_GRANT", "two behind: a slow duplicate"
        assert must(refresh(root, public("slow"), second.refresh_token)).grant.refresh_token == third.refresh_token, \
            "which revoked nothing"
        time.sleep(1.2)
        assert refresh(root, public("slow"), second.refresh_token)[0] == "INVALID_GRANT", "after the grace it is reuse"
        assert refresh(root, public("slow"), third.refresh_token)[0] == "INVALID_GRANT", "and the session is over"
        assert not must(root.call("Token/IntrospectToken", token=third.access_token)).active
        must(refresh(root, public("slow"), other.refresh_token))


def keep_tokens():
    with Gateway() as gateway, Daemon() as root:
        grant = must(gateway.login(public("app"))).grant
        token = must(root.call("Token/IssueToken", client=secret("svc"), tokens={"audiences": ["demo"]})).grant.access_token
        revoked = must(root.call("Token/IssueToken", client=secret("svc"), tokens={"audiences": ["demo"]})).grant.access_token
        must(root.call("Token/RevokeToken", client=secret("svc"), token=revoked))
        save(token=token.decode(), revoked=revoked.decode(), refresh_token=grant.refresh_token.decode(),
             jwks=must(root.call("Key/GetKeySet")).jwks.decode())


def verify(token, jwks):
    keys = {key.key_id: key.key for key in jwt.PyJWKSet.from_dict(json.loads(jwks)).keys}
    kid = jwt.get_unverified_header(token)["kid"]
    return jwt.decode(token, keys[kid], algorithms=["ES256"], audience="demo", issuer="https://private.example")


def tokens_and_keys_outlive_a_restart():
    state = load()
    with Daemon() as root:
        jwks = must(root.call("Key/GetKeySet")).jwks.decode()
        assert jwks == state["jwks"], "the key set is what it was"
        verify(state["token"], jwks)
        fresh = must(root.call("Token/IssueToken", client=secret("svc"), tokens={"audiences": ["demo"]})).grant.access_token
        assert verify(fresh, jwks)["jti"] != verify(state["token"], jwks)["jti"]
        assert jwt.get_unverified_header(fresh) == jwt.get_unverified_header(state["token"]), "one key signs before and after"
        assert must(root.call("Token/IntrospectToken", client=secret("demo"), token=state["token"].encode())).active
        assert not must(root.call("Token/IntrospectToken", client=secret("demo"), token=state["revoked"].encode())).active
        grant = must(refresh(root, public("app"), state["refresh_token"].encode())).grant
        again = must(refresh(root, public("app"), state["refresh_token"].encode())).grant
        assert again.refresh_token == grant.refresh_token and again.replayed


run_part()

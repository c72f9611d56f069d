"""What grpc_login.test asks over TLS with Debian's grpcio, the real daemon behind; run as root in its private host.

grpc_login.py PART [ARGUMENT...]    exits 0 where all is as it shall be
"""
import os
import statistics
import sys
import time

import grpc

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../support"))
from wire import *  # noqa: E402,F403

PASSWORD, APP = b"correct horse battery", {"client_id": "app"}
TOKENS = {"audiences": ["demo"]}


def over_tls():
    with open("/run/t/ca.pem", "rb") as trust:
        return grpc.secure_channel("localhost:7443", grpc.ssl_channel_credentials(trust.read()))


def ask(channel, method, **fields):
    """("OK", reply, {}) or (code, reason, the details by their name)."""
    service, rpc = method.split("/")
    call = channel.unary_unary(f"/secauth.v1.{service}Service/{rpc}", lambda m: m.SerializeToString(),
                               MESSAGES[rpc + "Response"].FromString)
    try:
        return "OK", call(MESSAGES[rpc + "Request"](**fields), timeout=10), {}
    except grpc.RpcError as error:
        metadata, details = dict(error.trailing_metadata()), {}
        for packed in MESSAGES["Status"].FromString(metadata["grpc-status-details-bin"]).details:
            name = packed.type_url.rsplit(".", 1)[1]
            details[name] = MESSAGES[name].FromString(packed.value)
        assert details["ErrorInfo"].domain == "secauth"
        return error.code().name, details["ErrorInfo"].reason, details


def login(channel, user, password=PASSWORD, client=None, **tokens):
    return ask(channel, "Authn/BeginAuthentication", user=user.encode(), password=password, client=client or APP,
               tokens={**TOKENS, **tokens})


def registered():
    demo = [{"audience": "demo", "scopes": ["read"]}]
    with Daemon() as root:
        for client_id, more in (("app", {"login": True, "grants": [2]}), ("nologin", {"grants": [2]}), ("brief", {"login": True})):
            must(root.call("Client/CreateClient", client={"client_id": client_id, "kind": 2, "audiences": demo, **more}))
        for number, name in enumerate(("alice", "dora", "eric", "petra")):
            must(root.call("User/CreateUser", password=PASSWORD, user={
                "name": name, "uid": {"id": 2001 + number}, "active": True, "must_change_password": name == "petra",
                "not_after": 1000 if name == "eric" else 0}))
        must(root.call("User/SetUserActive", name="dora", active=False))


def a_public_client_with_login_gets_a_pair():
    with over_tls() as channel:
        code, reply, _ = login(channel, "alice")
        assert code == "OK" and reply.outcome == 1, reply
        assert reply.grant.refresh_token.startswith(b"sar1_") and reply.grant.access_token, "a pair"
        assert not reply.authn_handle, "a handle is for PAM"
        assert ask(channel, "Token/RefreshToken", client=APP, refresh_token=reply.grant.refresh_token)[0] == "OK"
        assert login(channel, "alice", client={"client_id": "nologin"})[:2] == ("PERMISSION_DENIED", "UNAUTHORIZED_CLIENT")
        assert login(channel, "alice", client={"client_id": "nobody"})[:2] == ("UNAUTHENTICATED", "INVALID_CLIENT")
        assert not login(channel, "alice", client={"client_id": "brief"})[1].grant.refresh_token, "no refresh grant"


def an_account_is_told_after_the_proof_only():
    with over_tls() as channel:
        for user, reason in ("dora", "ACCOUNT_DISABLED"), ("eric", "ACCOUNT_EXPIRED"), ("petra", "PASSWORD_EXPIRED"):
            assert login(channel, user)[:2] == ("FAILED_PRECONDITION", reason), user
            assert login(channel, user, b"another password")[:2] == ("UNAUTHENTICATED", "INVALID_CREDENTIALS"), user
        assert login(channel, "nobody")[:2] == ("UNAUTHENTICATED", "INVALID_CREDENTIALS")


def denials_take_the_same_time(floor):
    kinds = {"wrong": ("alice", b"another password"), "unknown": ("nobody", PASSWORD), "disabled": ("dora", b"another password"),
             "too long": ("alice", b"a" * 600), "malformed": ("-a\n", PASSWORD), "disabled, proven": ("dora", PASSWORD)}
    took = {kind: [] for kind in kinds}
    with over_tls() as channel:
        for _ in range(7):
            for kind, attempt in kinds.items():
                began = time.monotonic()
                assert login(channel, *attempt)[0] in ("UNAUTHENTICATED", "FAILED_PRECONDITION")
                took[kind].append((time.monotonic() - began) * 1000)
    medians = {kind: round(statistics.median(times), 1) for kind, times in took.items()}
    print(medians)
    assert min(map(min, took.values())) > int(floor) - 1
    assert max(medians.values()) - min(medians.values()) < 15, medians


def errors_have_their_details():
    with over_tls() as channel:
        for missing, more in ("client", {}), ("tokens", {"client": APP}):
            code, _, details = ask(channel, "Authn/BeginAuthentication", user=b"alice", password=PASSWORD, **more)
            assert code == "INVALID_ARGUMENT" and details["BadRequest"].field_violations[0].field == missing, details
        assert login(channel, "alice", scope="admin")[:2] == ("PERMISSION_DENIED", "INVALID_SCOPE")
        assert login(channel, "alice", audiences=["else"])[:2] == ("PERMISSION_DENIED", "INVALID_TARGET")
        assert ask(channel, "Token/RefreshToken", client=APP, refresh_token=b"sar1_x")[:2] == ("UNAUTHENTICATED", "INVALID_GRANT")
        session = {"session_id": "a" * 22, "tokens": TOKENS}
        assert ask(channel, "Token/IssueAttestedToken", **session)[:2] == ("PERMISSION_DENIED", "PERMISSION_DENIED")
        assert ask(channel, "User/ListUsers")[:2] == ("PERMISSION_DENIED", "PERMISSION_DENIED")


def a_spent_source_is_told_when_to_come_back(limit):
    with over_tls() as channel:
        for _ in range(int(limit)):
            assert login(channel, "alice", b"another password")[0] == "UNAUTHENTICATED"
        for user in "alice", "nobody":
            code, reason, details = login(channel, user)
            assert (code, reason) == ("RESOURCE_EXHAUSTED", "RATE_LIMITED"), (code, reason)
            assert details["RetryInfo"].retry_delay.ToMilliseconds() > 0
    with Daemon() as root:
        must(root.call("Authn/BeginAuthentication", user=b"alice", uid={"id": 2001}, password=PASSWORD,
                       origin={"service": "sshd", "rhost": b"203.0.113.9"}))  # another source


def strangers_may_introspect_as_a_client(secret_file):
    with open(secret_file, "rb") as file:
        demo = {"client_id": "demo", "secret": file.read().strip()}
    with Daemon() as root:
        token = must(root.call("Token/IssueToken", client=demo, tokens=TOKENS)).grant.access_token
    with Daemon(USER_SOCKET, uid=3000) as stranger:
        assert must(stranger.call("Token/IntrospectToken", client=demo, token=token)).active
        assert not must(stranger.call("Token/IntrospectToken", client=demo, token=token[:-4] + b"AAAA")).active
        assert stranger.call("Token/IntrospectToken", token=token)[0] in ("INVALID_CLIENT", "INVALID_ARGUMENT")
        assert stranger.call("Token/IssueToken", client=demo, tokens=TOKENS)[0] == "PERMISSION_DENIED"


run_part()

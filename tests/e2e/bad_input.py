"""Bad input to the real daemon, for bad_input.test: at logins, at administrators' methods, and in every field of every
method that the descriptors have.

bad_input.py FOLDER PART...   FOLDER holds what protoc --python_out made of proto/; runs as root in a private host, where
alice (2001) has a record and RIGHT as her password, and the gateways `local` and `tls` are configured.
"""
import os
import re
import struct
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../contract"))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../support"))
from passed import Caller  # noqa: E402
from protocol_client import *  # noqa: E402,F403
from secauth.v1 import peer_pb2  # noqa: E402

RIGHT = b"the right password"
LOG = os.environ["KEEP"] + "/secauthd.log"
LOCAL, NETWORK = "/run/secauth/gateway/local.sock", "/run/secauth/gateway/tls.sock"
PACKAGE = "secauth.v1."
FORGED = "FORGED granted uid=0"
NAMES = {"of 0 bytes": b"", "of 33 bytes": b"a" * 33, "of 4,096 bytes": b"a" * 4096,
         "with a line feed": b"alice\n2026-01-01T00:00:00.000Z secauthd info: " + FORGED.encode(),
         "with a NUL": b"alice\0", "with a leading dash": b"-alice", "that is not UTF-8": b"alice\xff\xfe",
         "with an escape": b"\x1b]0;FORGED\x07", "with a blank": b"alice status=OK", "of root's in capitals": b"ROOT"}
GOOD_JWKS = (b'{"keys":[{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",'
             b'"y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]}')
PASSWORDS = {"of 0 bytes": (b"", "EMPTY_PASSWORD"), "of 512 bytes": (b"a" * 512, "PASSWORD_OVER_511_BYTES"),
             "of 1,025 bytes": (b"a" * 1025, "PASSWORD_OVER_511_BYTES"), "with a NUL": (RIGHT + b"\0", "PASSWORD_WITH_NUL")}


def ok(sentence):
    print("ok: " + sentence)


def log_of(request_id):
    """The daemon's one line about a call; it is written beside the answer."""
    for _ in range(100):
        with open(LOG, "rb") as log:
            lines = [line for line in log.read().split(b"\n") if b" %016x " % request_id in line]
        if lines:
            assert len(lines) == 1, lines
            return lines[0].decode()
        time.sleep(0.02)
    raise AssertionError(f"no line about {request_id:016x}")


def ask(c, method, request, **other):
    """(status, words, field, rule, line of the log)"""
    c.send(frame(name=PACKAGE + method, body=request.SerializeToString(), **other))
    _, status, body, request_id, _ = c.reply()
    if status == "OK":
        return status, "", None, None, log_of(request_id)
    said = status_pb2.Status.FromString(body)
    bad = [error_details_pb2.BadRequest.FromString(d.value).field_violations[0] for d in said.details
           if d.type_url.endswith("google.rpc.BadRequest")]
    return status, said.message, bad[0].field if bad else None, bad[0].description if bad else None, log_of(request_id)


def records(**query):
    with Connection() as c:
        status, body = c.ask(PACKAGE + "AuditService/ListAuditRecords",
                             audit_pb2.ListAuditRecordsRequest(newest=True, page_size=500, **query))
        assert status == "OK"
        return audit_pb2.ListAuditRecordsResponse.FromString(body).records


def everything():
    """What the administrator's lists say of users, clients, sessions and the log."""
    with Connection() as c:
        lists = [c.ask(PACKAGE + name) for name in ("UserService/ListUsers", "ClientService/ListClients",
                                                    "SessionService/ListSessions", "ApiKeyService/ListApiKeys")]
    return lists, records()[-1].sequence


# ---- logins ----

def login(user=b"alice", password=b"a wrong password", **other):
    return authn_pb2.BeginAuthenticationRequest(user=user, password=password, origin={"service": "sshd"}, **other)


def a_login_is_denied_like_any_other():
    for path, uid in [(ROOT, 0), (USER, ALICE)]:
        with Connection(path, uid) as c:
            wrong = ask(c, "AuthnService/BeginAuthentication", login())
            assert wrong[0] == "INVALID_CREDENTIALS" and "WRONG_PASSWORD" in wrong[4], wrong
            for what, name in NAMES.items():
                said = ask(c, "AuthnService/BeginAuthentication", login(name, RIGHT))
                assert said[:4] == wrong[:4], (what, said)
                rule = "MALFORMED_NAME" if path == ROOT else "NOT_ONESELF"
                assert f"reason={rule}" in said[4] and "FORGED" not in said[4], (what, said)
                ok(f"{path}: a name {what} is denied like a wrong password, and the log says {rule}")
            for what, (password, rule) in PASSWORDS.items():
                said = ask(c, "AuthnService/BeginAuthentication", login(b"alice", password))
                assert said[:4] == wrong[:4] and f"reason={rule}" in said[4], (what, said)
                ok(f"{path}: a password {what} is denied like a wrong one, and the log says {rule}")
            assert c.ask(PACKAGE + "AuthnService/BeginAuthentication", login(b"alice", RIGHT))[0] == "OK"
    names = {record.user for record in records(event="LOGIN")}
    assert all(re.fullmatch(r"alice|\?[0-9a-f]{32}", name) for name in names), names
    ok("the audit log has no name of these, but their keyed hashes")


def names_that_the_host_knows_are_left_to_it():
    with Connection() as c:
        for what, name in NAMES.items():
            for method, request in [
                    ("AuthnService/BeginAuthentication", login(name, RIGHT, uid={"id": 2002})),
                    ("AuthnService/CheckAccount", authn_pb2.CheckAccountRequest(user=name, origin={"service": "sshd"})),
                    ("AuthnService/ChangePassword", authn_pb2.ChangePasswordRequest(
                        user=name, current_password=RIGHT, new_password=b"another password", origin={"service": "x"})),
                    ("SessionService/OpenSession", session_pb2.OpenSessionRequest(user=name, origin={"service": "sshd"})),
                    ("SessionService/CloseSession", session_pb2.CloseSessionRequest(user=name, origin={"service": "x"}))]:
                said = ask(c, method, request)
                assert said[0] == "NOT_MANAGED", (method, what, said)
        before = everything()
        for what, name in NAMES.items():  # a name that is another's by its uid
            said = ask(c, "AuthnService/BeginAuthentication", login(b"alice", RIGHT, uid={"id": 2002}))
            assert said[0] == "INVALID_CREDENTIALS" and "UID_MISMATCH" in said[4], said
        assert before[0] == everything()[0]
    with Connection(USER, ALICE) as c:
        for what, name in NAMES.items():
            said = ask(c, "AuthnService/CheckAccount", authn_pb2.CheckAccountRequest(user=name, origin={"service": "x"}))
            assert said[0] == "PERMISSION_DENIED", (what, said)
    ok("the account's, the password's and the session's methods know no such name")


# ---- administration and tokens ----

DEMO = {"audience": "demo", "scopes": ["read"]}
ROW = {"from_audience": "demo", "to_audience": "other", "scopes": ["read"]}
CERTIFICATE = b"\xfe" * 32
# What breaks a rule of a client's record, by the field that is named; each beside a record that is right.
CLIENT_FIELDS = [
    ("attestation.uid", {"attestation": {}}), ("attestation.uid", {"attestation": {"uid": {"id": 0}}}),
    ("attestation.uid", {"attestation": {"uid": {"id": 2**32 - 1}}}),
    *(("attestation.unit", {"attestation": {"uid": {"id": 7}, "unit": unit}})
      for unit in ("noending", "a b.service", "a/b.service", ".service", "x" * 248 + ".service", "\u00e9.service")),
    ("attestation", {"attestation": {"uid": {"id": 7}}, "certificates": [CERTIFICATE]}),
    ("attestation", {"attestation": {"uid": {"id": 7}}, "kind": 2}),
    *(("certificates", {"certificates": value}) for value in (
        [b""], [b"x" * 31], [b"x" * 33], [CERTIFICATE] * 2, [bytes([i]) * 32 for i in range(3)])),
    ("certificates", {"certificates": [CERTIFICATE], "kind": 2}),
    *(("jwks", {"jwks": value}) for value in (b"x", b"{}", b"[]", b'{"keys":[]}', b"{" * 4096, b"x" * 4097, b"\xff\xfe")),
    ("jwks", {"jwks": GOOD_JWKS, "kind": 2}), ("jwks", {"jwks": GOOD_JWKS, "certificates": [CERTIFICATE]}),
    ("exchanges", {"exchanges": [ROW] * 17}), ("exchanges", {"exchanges": [ROW] * 2}), ("exchanges", {"exchanges": [ROW], "kind": 2}),
    *(("exchanges.from_audience", {"exchanges": [ROW | {"from_audience": name}]}) for name in ("", "not-owned", "a" * 65, "a b")),
    *(("exchanges.to_audience", {"exchanges": [ROW | {"to_audience": name}]}) for name in ("", "a" * 65, "a b")),
    *(("exchanges.scopes", {"exchanges": [ROW | {"scopes": scopes}]})
      for scopes in ([""], ["a b"], ["a"] * 2, [f"s{i}" for i in range(65)], [f"{i:064}" for i in range(17)])),
    ("grants", {"grants": [3], "kind": 2}), ("access_ttl_seconds", {"access_ttl_seconds": 29}), ("grace", {"grace": {"value": 301}}),
]
KEY_FIELDS = [
    ("client_id", {"client_id": ""}), ("client_id", {"client_id": "a" * 65}), ("label", {"label": "a" * 65}),
    ("expires_ms", {"expires_ms": 1}), ("expires_ms", {"expires_ms": -1}), ("audiences", {"audiences": []}),
    ("audiences", {"audiences": [DEMO] * 2}), ("audiences", {"audiences": [DEMO] * 9}),
    *(("audiences.audience", {"audiences": [DEMO | {"audience": name}]}) for name in ("", "other", "a" * 65)),
    *(("audiences.scopes", {"audiences": [DEMO | {"scopes": scopes}]}) for scopes in (["admin"], [""], ["read"] * 2, ["a"] * 65)),
]


def changes():
    """(method, request, field): each refused for what stands in the field."""
    text = lambda name: name.decode("utf-8", "surrogateescape")  # noqa: E731
    for what, raw in NAMES.items():
        if b"\xff" in raw:
            continue  # Python refuses to make it: see every_field
        name = text(raw)
        yield what, "UserService/CreateUser", user_pb2.CreateUserRequest(
            user={"name": name, "uid": {"id": 3000}}, password=RIGHT), "user.name"
        for method in ("SetUserActive", "DeleteUser", "GetUser"):
            yield what, "UserService/" + method, getattr(user_pb2, method + "Request")(name=name), "name"
        yield what, "UserService/SetUserPassword", user_pb2.SetUserPasswordRequest(name=name, password=RIGHT), "name"
        yield what, "UserService/ImportUser", user_pb2.ImportUserRequest(
            shadow_line=raw + b":!:19000:0:99999:7:::", uid={"id": 3000}), "shadow_line"
        bad_id = name if name not in ("a" * 33, "-alice", "ROOT") else "a" * 65  # these are client ids
        yield what, "ClientService/CreateClient", client_pb2.CreateClientRequest(
            client={"client_id": bad_id, "kind": 1}), "client.client_id"
        for method in ("SetClientActive", "DeleteClient"):
            yield what, "ClientService/" + method, getattr(client_pb2, method + "Request")(client_id=bad_id), "client_id"
        bad_audience = name if name not in ("a" * 33, "-alice", "ROOT") else "a" * 65
        yield what, "ClientService/SetClientAudience", client_pb2.SetClientAudienceRequest(
            client_id="svc", audience={"audience": bad_audience, "scopes": ["read"]}), "audience.audience"
    for what, (password, _) in PASSWORDS.items():
        yield "a password " + what, "UserService/CreateUser", user_pb2.CreateUserRequest(
            user={"name": "carol", "uid": {"id": 3000}}, password=password), "password"
        yield "a password " + what, "UserService/SetUserPassword", user_pb2.SetUserPasswordRequest(
            name="alice", password=password), "password"
        yield "a new password " + what, "AuthnService/ChangePassword", authn_pb2.ChangePasswordRequest(
            user=b"alice", new_password=password, origin={"service": "passwd"}), "new_password"
    for scope in ["", "a" * 65, 'a"b', "a\\b", "\u00e9"]:
        yield f"a scope {scope!a}", "ClientService/SetClientAudience", client_pb2.SetClientAudienceRequest(
            client_id="svc", audience={"audience": "demo", "scopes": [scope]}), "audience.scopes"
    for field, value in CLIENT_FIELDS:
        client = {"client_id": "svc", "kind": 1, "audiences_owned": ["demo"], "audiences": [DEMO]} | value
        yield "a record", "ClientService/CreateClient", client_pb2.CreateClientRequest(client=client), "client." + field
        yield "a record", "ClientService/UpdateClient", client_pb2.UpdateClientRequest(client=client), "client." + field
    yield "another kind", "ClientService/UpdateClient", client_pb2.UpdateClientRequest(
        client={"client_id": "svc", "kind": 2}), "client.kind"
    for field, value in KEY_FIELDS:
        yield "a key", "ApiKeyService/CreateApiKey", api_key_pb2.CreateApiKeyRequest(
            **({"client_id": "svc", "audiences": [DEMO]} | value)), field
    for method in ("RotateApiKey", "EndApiKeyOverlap", "RevokeApiKey"):
        for key_id in ("", "x" * 21, "!" + "x" * 21, "x" * 23, "\u202e" * 7):
            yield "a key's id", "ApiKeyService/" + method, getattr(api_key_pb2, method + "Request")(key_id=key_id), "key_id"
    for method in ("RotateClientSecret", "RotateApiKey"):
        module, owner = (client_pb2, {"client_id": "svc"}) if method == "RotateClientSecret" else (api_key_pb2, {"key_id": "x" * 22})
        service = "ClientService/" if module is client_pb2 else "ApiKeyService/"
        yield "an overlap", service + method, getattr(module, method + "Request")(overlap={"value": 2592001}, **owner), "overlap"
    for field, size in {"api_key": 129, "assertion": 4097, "dpop_proof": 4097}.items():
        yield f"{field} of {size} bytes", "TokenService/IssueToken", token_pb2.IssueTokenRequest(
            client={"client_id": "svc", field: b"x" * size}, tokens={"audiences": ["demo"]}), "client." + field
    secret = {"client_id": "svc", "secret": b"x" * 129}
    yield "a secret of 129 bytes", "TokenService/IssueToken", token_pb2.IssueTokenRequest(
        client=secret, tokens={"audiences": ["demo"]}), "client.secret"
    yield "a token of 4,097 bytes", "TokenService/IntrospectToken", token_pb2.IntrospectTokenRequest(
        client={"client_id": "svc"}, token=b"x" * 4097), "token"
    yield "an audience of 65 bytes", "TokenService/IssueToken", token_pb2.IssueTokenRequest(
        client={"client_id": "svc"}, tokens={"audiences": ["a" * 65]}), "tokens.audiences"
    yield "a scope of 1,025 bytes", "TokenService/IssueToken", token_pb2.IssueTokenRequest(
        client={"client_id": "svc"}, tokens={"audiences": ["demo"], "scope": "a" * 1025}), "tokens.scope"
    for what, field, said in (("no subject token", "subject_token", {"subject_token": b""}),
                              ("a subject token of 4,097 bytes", "subject_token", {"subject_token": b"x" * 4097}),
                              ("no audience", "tokens.audiences", {"tokens": {}}),
                              ("two audiences", "tokens.audiences", {"tokens": {"audiences": ["demo", "other"]}})):
        yield what, "TokenService/ExchangeToken", token_pb2.ExchangeTokenRequest(
            **{"client": {"client_id": "svc"}, "subject_token": b"x", "tokens": {"audiences": ["demo"]}} | said), field


def an_administrator_is_told_the_field_and_the_rule():
    with Connection() as c:
        before, count = everything(), 0
        for what, method, request, field in changes():
            said = ask(c, method, request)
            if said[0] == "TOO_LARGE" and request.ByteSize() > 256:
                continue
            assert said[0] in ("INVALID_ARGUMENT", "PASSWORD_REFUSED"), (what, method, said)
            assert said[2].split("[")[0].startswith(field) and len(said[3]) > 8, (what, method, said)
            assert f"field={said[2]} rule={said[3]}" in said[4] and "FORGED" not in said[4], said
            count += 1
        assert everything() == before, "something has changed"
        assert count > 80, count
    ok(f"{count} requests were refused by field and rule, and nothing has changed")


# ---- every field of every method ----

def varint(number):
    out = b""
    while number > 0x7f:
        out += bytes([number & 0x7f | 0x80])
        number >>= 7
    return out + bytes([number])


def piece(number, kind, data):
    """A field on the wire."""
    return varint(number << 3 | kind) + (varint(len(data)) + data if kind == 2 else data)


TEXTS = [b"", b"a" * 60000, b"a" * 3000, b"a" * 300, b"a" * 65, b"a" * 33, b"\n" + FORGED.encode() + b"\n", b"alice\0",
         b"\xff\xfe\x80", b"-rf", b"\x1b[2J\x1b]0;FORGED\x07", "\u202e\u2028\u009b31mFORGED".encode(), b"%s%n%n%x",
         b"'; DROP TABLE users; --", b"../../../etc/shadow", b"x" * 22, b"a.b.c", b"\xed\xa0\x80", b"root", b" ", b"\\x0a"]
NUMBERS = [0, 1, 2, 99, 501, 2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**63 - 1, 2**63, 2**64 - 1]
# What is right where a name says what it is, so that a bad field is reached behind good ones.
GOOD = {"user": b"vic", "name": b"vic", "client_id": b"vicc", "audience": b"demo", "audiences": b"demo", "scope": b"read",
        "scopes": b"read", "service": b"sshd", "session_id": b"x" * 22, "password": RIGHT, "new_password": RIGHT + b"!",
        "current_password": RIGHT, "shadow_line": b"vic2:!:19000:0:99999:7:::", "groups": b"staff",
        "audiences_owned": b"demo", "full_name": b"Vic Tim", "email": b"v@example.org", "event": b"LOGIN",
        "request_id": b"0" * 16, "group": b"", "page_token": b"", "secret": b"sac1_" + b"x" * 43, "key_id": b"x" * 22,
        "from_audience": b"demo", "to_audience": b"other", "unit": b"vic.service", "jwks": GOOD_JWKS}
GOOD_NUMBERS = {"login": 0, "access_ttl_seconds": 60, "expires_ms": 2**42}
NOT_BESIDE_OTHERS = {"certificates"}  # of good values


def wire_type(field):
    if field.message_type or field.type in (field.TYPE_STRING, field.TYPE_BYTES):
        return 2
    return {field.TYPE_FIXED64: 1, field.TYPE_SFIXED64: 1, field.TYPE_DOUBLE: 1, field.TYPE_FIXED32: 5,
            field.TYPE_SFIXED32: 5, field.TYPE_FLOAT: 5}.get(field.type, 0)


def good(field):
    if field.message_type:
        return whole(field.message_type)
    kind = wire_type(field)
    number = GOOD_NUMBERS.get(field.name, 1)
    return GOOD.get(field.name, b"x") if kind == 2 else {0: varint(number), 1: struct.pack("<Q", 1), 5: struct.pack("<I", 1)}[kind]


def whole(message, but=None, instead=b""):
    """A message with a good value in every field, but for one; of a oneof the first stands, or that one."""
    def stands(field):
        oneof = field.containing_oneof
        rivals = [field] if oneof is None else list(oneof.fields)
        return field is but or (field.name not in NOT_BESIDE_OTHERS and but not in rivals and field is rivals[0])

    return b"".join(instead if field is but else piece(field.number, wire_type(field), good(field))
                    for field in message.fields if stands(field))


def bad(field):
    """What may stand on the wire in a field's place."""
    number, kind = field.number, wire_type(field)
    yield b""                                                             # absent
    yield piece(number, kind, good(field)) * 2                            # twice
    yield piece(number, kind, good(field)) * 300                          # more than any list holds
    for other in {0, 1, 2, 5} - {kind}:                                   # another type
        yield piece(number, other, {0: varint(2**64 - 1), 1: b"\xff" * 8, 2: b"\xff" * 40, 5: b"\xff" * 4}[other])
    yield varint(number << 3 | 3)                                         # a group
    yield varint(number << 3 | kind)                                      # cut off
    yield piece(number, 0, b"\xff" * 10 + b"\x01")                        # a varint that does not end
    if kind == 2:
        yield varint(number << 3 | 2) + varint(2**31 - 1)                 # longer than all there is
        yield varint(number << 3 | 2) + varint(2**64 - 1)
    if field.message_type:
        yield piece(number, 2, b"")
        for inner in field.message_type.fields:
            for value in bad(inner):
                yield piece(number, 2, whole(field.message_type, inner, value))
    elif kind == 2:
        yield from (piece(number, 2, text) for text in TEXTS)
    elif kind == 0:
        yield from (piece(number, 0, varint(value)) for value in NUMBERS)
    else:
        yield from (piece(number, kind, end * (8 if kind == 1 else 4)) for end in (b"\0", b"\xff"))


def every_rpc():
    for module in MODULES:
        for service in module.DESCRIPTOR.services_by_name.values():
            for method in service.methods:
                yield f"{service.full_name}/{method.name}", method.input_type


def restore():
    """The user and the client that good requests name are there, whatever the last method did."""
    with Connection() as c:
        c.ask(PACKAGE + "UserService/CreateUser", user_pb2.CreateUserRequest(
            user={"name": "vic", "uid": {"id": 2100}}, password=RIGHT))
        c.ask(PACKAGE + "UserService/SetUserActive", user_pb2.SetUserActiveRequest(name="vic", active=True))
        c.ask(PACKAGE + "ClientService/CreateClient", client_pb2.CreateClientRequest(client={
            "client_id": "vicc", "kind": 2, "grants": [2], "login": True, "audiences": [{"audience": "demo"}]}))
        c.ask(PACKAGE + "ClientService/SetClientActive", client_pb2.SetClientActiveRequest(client_id="vicc", active=True))


def user():
    c = Connection(USER, ALICE)
    c.paced = True  # a connection has a ceiling of 1,000 calls a second
    return c, 0


def local():
    alice, c = Caller(ALICE), Connection(LOCAL)
    alice.tell(c.socket, frame(kind=PEER, call=0, peer=7))
    return c, 7


def network():
    c = Connection(NETWORK)
    c.send(frame(kind=PEER, call=0, peer=7, body=peer_pb2.PeerFacts(address="203.0.113.5").SerializeToString()))
    return c, 7


# Each way to the daemon: a connection, and whom the calls are for.
DOORS = {"root": lambda: (Connection(ROOT), 0), "user": user, "local": local, "network": network}


def answers(c, name, bodies, peer):
    """The statuses, in the order of the bodies; every call has its one answer."""
    found = {}
    for start in range(0, len(bodies), 60):
        part = bodies[start:start + 60]
        c.send(b"".join(frame(name=name, body=body, call=start + i + 1, peer=peer) for i, body in enumerate(part)))
        for _ in part:
            call, status, body, request_id, millis = c.reply()
            assert call not in found
            if status != "OK":
                c.check_error(status, body, millis)
            found[call] = status
        if getattr(c, "paced", False):
            time.sleep(len(part) / 800)
    return [found[i + 1] for i in range(len(bodies))]


def beginnings(connect, name, bodies):
    """The same of streams, which need a connection each: what comes first."""
    found = []
    for body in bodies:
        c, peer = connect()
        with c:
            c.send(frame(name=name, body=body, peer=peer))
            found.append(c.reply(streams=True)[1])
    return found


def every_field_of_every_method_holds():
    count, seen = 0, {}
    for name, request in every_rpc():
        bodies = [whole(request)] + [whole(request, field, value) for field in request.fields for value in bad(field)]
        bodies += [b"\xff" * 20, b"\x0a" * 100, piece(2**29 - 1, 2, b"unknown"), piece(0, 0, b"\1")]
        bodies = [body for body in bodies if len(body) <= 65536]
        for door, connect in DOORS.items():
            restore()
            if "/Watch" in name:
                said = beginnings(connect, name, bodies)
            else:
                c, peer = connect()
                with c:
                    said = answers(c, name, bodies, peer)
            for body, status in zip(bodies, said):
                assert status not in ("INTERNAL", "STORAGE", "OVERLOADED", "NO_MEMORY", "DEADLINE", "UNIMPLEMENTED",
                                      "RATE_LIMITED"), (door, name, status, body[:200].hex())
                seen.setdefault(name, set()).add(status)
            count += len(bodies)
        assert any(status != "PERMISSION_DENIED" for status in seen[name]), name
    with Connection() as c:
        assert c.ask(STATUS)[0] == "OK" and c.ask(PACKAGE + "AuthnService/BeginAuthentication",
                                                  login(b"alice", RIGHT))[0] == "OK"
    assert len(seen) > 25 and count > 10000, (len(seen), count)
    ok(f"{count} requests to {len(seen)} methods, each with its own status; alice is still let in")


# ---- what was sent makes no line ----

def hostile_sessions_are_shown_as_they_are():
    """Sessions and records with what a terminal, a log or an eye would act on, for secauthctl to show."""
    nasty = b"\x1b]0;FORGED\x07\x1b[2J\n" + FORGED.encode() + b"\r\n" + "\u009b31m\u202e".encode()
    with Connection() as c:
        for origin in [{"service": "sshd", "rhost": nasty, "tty": nasty[:60]},
                       {"service": "sshd\u202e " + FORGED, "rhost": nasty, "tty": nasty[:60]}]:
            assert c.ask(PACKAGE + "AuthnService/BeginAuthentication", authn_pb2.BeginAuthenticationRequest(
                user=b"alice", password=b"wrong " + nasty, origin=origin))[0] == "INVALID_CREDENTIALS"
            assert c.ask(PACKAGE + "SessionService/OpenSession", session_pb2.OpenSessionRequest(
                user=b"alice", uid={"id": ALICE}, origin=origin, auth_info=nasty, authn_handle=nasty[:22]))[0] == "OK"
        c.ask(PACKAGE + "TokenService/IntrospectToken", token_pb2.IntrospectTokenRequest(
            client={"client_id": "svc\u202e " + FORGED, "secret": b"x"}, token=nasty))


def failed_proofs_are_bounded():
    """A local user can fill neither the audit log nor push a spent source out of the table."""
    attest = token_pb2.IssueAttestedTokenRequest(session_id="A" * 22, tokens={"audiences": ["demo"]}).SerializeToString()
    introspect = [token_pb2.IntrospectTokenRequest(client={"client_id": f"c{i}", "secret": b"x"}).SerializeToString()
                  for i in range(600)]
    account = authn_pb2.CheckAccountRequest(user=b"carl", origin={"service": "x"}).SerializeToString()
    with Connection() as c:
        assert c.ask(PACKAGE + "UserService/CreateUser", user_pb2.CreateUserRequest(
            user={"name": "carl", "uid": {"id": 3006}}, password=RIGHT))[0] == "OK"
        assert c.ask(PACKAGE + "UserService/SetUserActive", user_pb2.SetUserActiveRequest(name="carl"))[0] == "OK"
    for uid, method, bodies in [(ALICE, "TokenService/IssueAttestedToken", [attest] * 600),
                                (3005, "TokenService/IntrospectToken", introspect),
                                (3006, "AuthnService/CheckAccount", [account] * 600)]:
        before = records()[-1].sequence
        with Connection(USER, uid) as c:
            said = answers(c, PACKAGE + method, bodies, 0)
        assert "RATE_LIMITED" in said, method
        # 100 in a minute, and what was under way when the last of them was counted
        assert records()[-1].sequence - before <= 100 + 64, method
        ok(f"600 failed calls of {method} leave hardly more records than failures are allowed")


def cancelled_calls_are_bounded():
    """Each is held for 1.5 s; whoever cancels them and asks on is read no faster for it."""
    empty = login(b"alice", b"").SerializeToString()
    with Connection(USER, ALICE) as c:
        c.socket.settimeout(0.3)
        sent, end = 0, time.monotonic() + 1.4
        while time.monotonic() < end:
            calls = range(sent + 1, sent + 101)
            try:
                c.send(b"".join(frame(name=PACKAGE + "AuthnService/BeginAuthentication", body=empty, call=call)
                                for call in calls))
                time.sleep(0.01)  # until they are held
                c.send(b"".join(frame(kind=CANCEL, call=call) for call in calls))
            except TimeoutError:
                break
            sent += 100
        assert sent < 5000, sent
    with Connection(USER, ALICE) as c:  # and goes on once they are over
        for call in range(300):
            c.send(frame(name=PACKAGE + "AuthnService/BeginAuthentication", body=empty, call=call + 1)
                   + frame(kind=CANCEL, call=call + 1))
        assert c.ask(KEYS, call=1000)[0] == "OK"


if __name__ == "__main__":
    globals()[sys.argv[2]](*sys.argv[3:])

"""What T13_scope_on_refresh.test does, in a private host with both gateways."""
import base64
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../support"))
from callers import *  # noqa: E402,F403

AUDIENCE = "letters"
NAMES = {"root": "root.sock", "user": "user.sock", "local": "local gRPC", "tls": "TLS gRPC"}


def claims(token):
    return json.loads(base64.urlsafe_b64decode(token.split(b".")[1] + b"=="))


class Session:
    """One of P1's; it keeps the refresh token that is good."""

    def __init__(self, doors, door, scope=""):
        answer = doors.reply("tls", "Authn/BeginAuthentication", user=b"alice", password=PASSWORD,
                             client=auth("P1"), tokens={"audiences": [AUDIENCE], "scope": scope})
        self.doors, self.door, self.token, self.granted = doors, door, answer.grant.refresh_token, answer.grant.scope

    def ask(self, scope=None, token=None):
        tokens = {} if scope is None else {"tokens": {"scope": scope}}
        return self.doors.ask(self.door, "Token/RefreshToken", client=auth("P1"),
                              refresh_token=token or self.token, **tokens)

    def gets(self, scope, expected, sentence):
        answer = self.ask(scope)
        where = f"{sentence} ({NAMES[self.door]}, scope {scope!r})"
        assert answer.reason == "OK", f"{where}: {answer.reason}"
        grant = answer.reply.grant
        assert grant.scope == expected, f"{where}: the reply says {grant.scope!r}"
        assert claims(grant.access_token).get("scope", "") == expected, f"{where}: the token says another scope"
        self.token = grant.refresh_token

    def refuses(self, scope, reasons, sentence):
        answer = self.ask(scope)
        assert answer.reason in reasons, f"{sentence} ({NAMES[self.door]}, scope {scope[:20]!r}): {answer.reason}"


def narrowing(doors, door):
    session = Session(doors, door)
    assert session.granted == "a b c", "session granted `a b c`"
    session.gets("a", "a", "Narrowing concerns that access token only")
    session.gets(None, "a b c", "the next refresh with none gives `a b c` again")
    session.gets("a b", "a b", "Narrowing concerns that access token only")
    session.refuses("a d", ["INVALID_SCOPE"], "`d` is INVALID_SCOPE")
    session.refuses("A", ["INVALID_SCOPE"], "`A` (case) is INVALID_SCOPE")
    session.gets("", "a b c", "and the presented token still works")
    session.gets("a  b ", "a b", "extra spaces are normalised")
    session.gets("a a b", "a b", "doubles are normalised")
    session.gets("   ", "a b c", "spaces alone name nothing")
    session.gets("c b", "b c", "the scope granted is always in the reply, in one fixed order")
    session.gets("c b a", "a b c", "the scope granted is always in the reply, in one fixed order")
    session.refuses(" ".join(f"x{i}" for i in range(4000)), ["INVALID_REQUEST", "TOO_LARGE", "RESOURCE_EXHAUSTED"], "4,000 scopes are refused")
    session.refuses(" ".join(["a"] * 520), ["INVALID_ARGUMENT", "INVALID_REQUEST"], "a list over 1,024 bytes is refused by name")
    session.refuses(" ".join(f"x{i}" for i in range(200)), ["INVALID_SCOPE"], "200 unknown ones are INVALID_SCOPE")
    session.gets(None, "a b c", "and the presented token still works")


def repeats(doors, door):
    """Repeat a narrowed refresh inside the grace with another scope."""
    session = Session(doors, door, "a b")
    before = session.token
    session.gets("a", "a", "a narrowed refresh")
    for scope, expected in (("b", "b"), (None, "a b"), ("a b", "a b")):
        again = session.ask(scope, before)
        assert again.reason == "OK" and again.reply.grant.replayed, f"a repeat within the grace succeeds: {again.reason}"
        assert again.reply.grant.refresh_token == session.token, "with the same successor"
        assert again.reply.grant.scope == expected, "a repeat never gets more than was granted"
        assert claims(again.reply.grant.access_token)["scope"] == expected, "nor does its token"
    for scope in ("c", "a b c"):
        assert session.ask(scope, before).reason == "INVALID_SCOPE", "a repeat never gets more than was granted"
    session.gets(None, "a b", "what the session was granted stays what it was")
    session.refuses("c", ["INVALID_SCOPE"], "what the session was not granted is INVALID_SCOPE, though the client has it")


def main():
    doors = Doors()
    register(doors)
    doors.reply("root", "Client/SetClientAudience", client_id="P1",
                audience={"audience": AUDIENCE, "scopes": ["a", "b", "c"]})
    for door in doors.ALL:
        narrowing(doors, door)
        repeats(doors, door)
    refused = [row for row in doors.reply("root", "Audit/ListAuditRecords", page_size=500).records
               if row.event == "TOKEN_REFRESH" and row.reason == "INVALID_SCOPE"]
    assert len(refused) == len(doors.ALL) * 6, f"every refusal of a scope is on record: {len(refused)}"


main()

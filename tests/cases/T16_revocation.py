"""What T16_revocation.test does, in a private host with both gateways."""
import os
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../support"))
from callers import *  # noqa: E402,F403
from follower import Follower  # noqa: E402

HINTS = {"right": "refresh_token", "wrong": "access_token", "unknown": "what_is_this", "no": ""}


def revoke(doors, token, client_id="P1", hint="", door="tls"):
    return doors.ask(door, "Token/RevokeToken", client=auth(client_id), token=token, token_type_hint=hint)


def refresh(doors, token, client_id="P1"):
    return doors.ask("tls", "Token/RefreshToken", client=auth(client_id), refresh_token=token)


def active(doors, token):
    return doors.reply("tls", "Token/IntrospectToken", token=token, client=auth("demo")).active


def is_dead(doors, grant):
    assert refresh(doors, grant.refresh_token).reason == "INVALID_GRANT", "then the token is really dead: refresh refused"
    assert not active(doors, grant.access_token), "introspection inactive"
    answer = doors.reply("root", "Token/IntrospectToken", token=grant.refresh_token)
    assert not answer.active, "of the refresh token too"
    assert answer.SerializeToString() == b"", "and says nothing else"


def hints(doors):
    follower = Follower()
    for (word, hint), door in zip(HINTS.items(), ("root", "user", "local", "tls")):
        grant = doors.login("P1")
        assert revoke(doors, grant.refresh_token, hint=hint, door=door).reply.accepted, f"with the {word} hint: success"
        is_dead(doors, grant)
        assert follower.hears_of(grant.access_token), "followers told"
        token = doors.reply("tls", "Token/IssueToken", client=auth("C1"), tokens={"audiences": ["demo"]}).grant.access_token
        assert active(doors, token)
        hint = {"refresh_token": "access_token", "access_token": "refresh_token"}.get(hint, hint)
        assert revoke(doors, token, "C1", hint, door).reply.accepted, f"an access token with the {word} hint: success"
        assert not active(doors, token), "really dead"
        assert follower.hears_of(token), "followers told"


def twice_and_rubbish(doors):
    grant = doors.login("P1")
    for _ in range(2):
        assert revoke(doors, grant.refresh_token).reply.accepted, "revoke the same token twice: success"
    is_dead(doors, grant)
    records = [row for row in doors.reply("root", "Audit/ListAuditRecords", page_size=500).records
               if row.event == "TOKEN_REVOKE" and row.session_id == grant.session_id]
    assert len(records) == 1, "which is on record once"
    for rubbish in (b"", b"x", b"sar1_" + b"A" * 50, b"sar1_", b"a.b.c", b"\xff\0\xfe", grant.access_token[:-4] + b"AAAA", b"y" * 4096):
        assert revoke(doors, rubbish).reply.accepted, "revoke rubbish: success"


def an_access_token(doors):
    grant = doors.login("P1")
    assert revoke(doors, grant.access_token).reply.accepted, "revoke an access token: success"
    assert not active(doors, grant.access_token), "it is dead"
    again = refresh(doors, grant.refresh_token)
    assert again.reason == "OK", "what revoking an access token does to the session is documented: nothing"
    assert active(doors, again.reply.grant.access_token), "its next token is good"


def of_another_client(doors):
    grant = doors.login("P1")
    hand_to("C1", grant.session_id)
    token = doors.reply("tls", "Token/IssueToken", client=auth("C1"), tokens={"audiences": ["demo"]}).grant.access_token
    before = doors.reply("root", "Host/GetStatus").audit_sequence
    for client_id in ("C2", "P1"):
        for presented in (grant.refresh_token, token):
            assert revoke(doors, presented, client_id).reason == "INVALID_GRANT", "Success in every case except C2's"
    said = doors.reply("root", "Audit/ListAuditRecords", after_sequence=before, page_size=500).records
    assert {(row.event, row.reason) for row in said} == {("TOKEN_REVOKE", "OTHER_CLIENT")}, "a refusal is in the audit log"
    assert active(doors, token), "C2 changes nothing"
    assert refresh(doors, grant.refresh_token, "C1").reason == "OK", "C2 changes nothing"
    assert revoke(doors, grant.refresh_token, "C1").reply.accepted
    assert refresh(doors, grant.refresh_token, "C1").reason == "INVALID_GRANT", "the token is really dead"
    wrong = {**auth("C1"), "secret": auth("C2")["secret"]}
    answer = doors.ask("tls", "Token/RevokeToken", client=wrong, token=token)
    assert answer.reason == "INVALID_CLIENT" and active(doors, token), "a wrong secret revokes nothing"


def after_the_access_token_expired(doors):
    grant = doors.login("P1")
    with open("/run/t/clock", "r+b") as file:  # both clocks, by an hour
        file.write(struct.pack("2q", 3600000, 3600000))
    assert not active(doors, grant.access_token), "its access token is long expired"
    assert revoke(doors, grant.access_token).reply.accepted, "revoking what has expired: success"
    assert revoke(doors, grant.refresh_token, hint="access_token").reply.accepted, "after the access token has expired: success"
    is_dead(doors, grant)


def main():
    doors = Doors()
    register(doors)
    for part in (hints, twice_and_rubbish, an_access_token, of_another_client, after_the_access_token_expired):
        part(doors)


main()

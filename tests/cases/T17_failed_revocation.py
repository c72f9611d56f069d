"""What T17_failed_revocation.test does, a part at a time.

register    people and clients
prepare     something for each call to revoke
refused     what revokes, while nothing can be written: all of it is refused, and nothing has changed (`refused after_all`: but what
            was written by a commit of which nobody was told)
unknown     the first call whose sync fails: nobody says that it is done
reachable   every door leads to the daemon
revoked     the same calls succeed
"""
import json
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../support"))
from callers import *  # noqa: E402,F403

TARGETS = "/run/t/targets.json"


def prepare():
    """Something for each call to revoke. The login is this process's, which stays while the test needs it."""
    doors = Doors()
    doors.reply("root", "User/SetUserActive", name="dave", active=True)
    grants = [doors.login("P1", user) for user in ("alice", "alice", "alice", "carol", "dave")]
    login = doors.reply("root", "Session/OpenSession", user=b"alice", uid={"id": ALICE}, origin={"service": "sshd", "rhost": b"203.0.113.9"})
    keys = doors.reply("root", "SigningKey/ListSigningKeys").keys
    api_key = doors.reply("root", "ApiKey/CreateApiKey", client_id="C1", label="of today",
                          audiences=[{"audience": "demo", "scopes": ["read"]}]).api_key.key_id
    with open(TARGETS + ".new", "w", encoding="ascii") as file:
        json.dump({"refresh": [grant.refresh_token.decode() for grant in grants], "access": [grant.access_token.decode() for grant in grants],
                   "sid": [grant.session_id for grant in grants], "login": login.session_id, "api_key": api_key, "kids": [key.kid for key in keys]}, file)
    os.rename(TARGETS + ".new", TARGETS)
    time.sleep(60)


def targets():
    with open(TARGETS, encoding="ascii") as file:
        return json.load(file)


def calls(found):
    """(the row's word, door, rpc, fields, what shows that it was done)."""
    def inactive(number):
        return lambda doors: not active(doors, found["access"][number])

    def gone(session_id):
        return lambda doors: session_id not in {row.session_id for row in doors.reply("root", "Session/ListSessions", page_size=500).sessions}

    def without_key(doors):
        return found["api_key"] not in {row.key_id for row in doors.reply("root", "ApiKey/ListApiKeys", client_id="C1").api_keys}

    def disabled(doors):
        return not doors.reply("root", "User/GetUser", name="dave").user.active

    def revoked(doors):
        return found["kids"][0] not in {key.kid for key in doors.reply("root", "SigningKey/ListSigningKeys").keys}

    return [
        ("RevokeToken", "tls", "Token/RevokeToken", {"client": auth("P1"), "token": found["refresh"][0].encode()}, inactive(0)),
        ("RevokeToken of an access token", "local", "Token/RevokeToken", {"client": auth("P1"), "token": found["access"][1].encode()}, inactive(1)),
        ("RevokeSession", "root", "Session/RevokeSession", {"session_id": found["sid"][2]}, gone(found["sid"][2])),
        ("RevokeUserSessions", "root", "Session/RevokeUserSessions", {"user": b"carol"}, inactive(3)),
        ("RevokeApiKey", "root", "ApiKey/RevokeApiKey", {"key_id": found["api_key"]}, without_key),
        ("CloseSession", "root", "Session/CloseSession", {"session_id": found["login"], "user": b"alice", "origin": {"service": "sshd"}},
         gone(found["login"])),
        ("user disable", "root", "User/SetUserActive", {"name": "dave", "active": False}, disabled),
        ("key revocation", "root", "SigningKey/RevokeSigningKey", {"kid": found["kids"][0]}, revoked),
    ]


def active(doors, token):
    return doors.reply("tls", "Token/IntrospectToken", token=token.encode(), client=auth("demo")).active


def refused(*after_all):
    doors = Doors()
    for word, door, rpc, fields, done in calls(targets()):
        if after_all and done(doors):
            continue  # what was written before its sync failed is in the file, and done
        answer = doors.ask(door, rpc, **fields)
        assert answer.reason == "STORAGE", f"{word}: UNAVAILABLE, never OK ({answer.reason})"
        assert answer.hinted, f"{word}: with a retry hint"
        assert not done(doors), f"{word}: state unchanged"


def unknown():
    doors = Doors()
    word, door, rpc, fields, _ = calls(targets())[0]
    answer = doors.ask(door, rpc, **fields)
    assert answer.reason in (UNREACHABLE, "STORAGE"), f"{word}: never OK ({answer.reason})"


def revoked():
    doors = Doors()
    before = doors.reply("root", "Host/GetStatus").audit_sequence
    for word, door, rpc, fields, done in calls(targets()):
        answer = doors.ask(door, rpc, **fields)
        assert answer.reason == "OK", f"{word}: the same call succeeds ({answer.reason})"
        assert done(doors), f"{word}: works"
    records = doors.reply("root", "Audit/ListAuditRecords", after_sequence=before, page_size=500).records
    said = {record.event for record in records}
    wanted = {"TOKEN_REVOKE", "SESSION_REVOKE", "SESSION_CLOSE", "USER_DISABLE", "KEY_REVOKE", "API_KEY_REVOKE"}
    assert wanted <= said, f"and is recorded (not {wanted - said})"


def reachable():
    doors = Doors()
    for door in doors.ALL:
        doors.reply(door, "Key/GetKeySet")


def people():
    doors = Doors()
    register(doors)
    for name, uid in (("carol", 2003), ("dave", 2004)):
        doors.reply("root", "User/CreateUser", user={"name": name, "uid": {"id": uid}, "active": True}, password=PASSWORD)


if __name__ == "__main__":
    {"register": people, "prepare": prepare, "refused": refused, "unknown": unknown, "reachable": reachable, "revoked": revoked}[sys.argv[1]](*sys.argv[2:])

"""What T15_secret_overlap.test does, in a private host with both gateways.

T15_secret_overlap.py PART      what one part makes is kept for the next
"""
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../support"))
from callers import *  # noqa: E402,F403

INSTANCES = 10
MINUTE = 60000


class Client:
    """C1 and its secret."""
    name, method = "client", "secret"

    def __init__(self, doors):
        self.doors = doors

    def ask(self, **overlap):
        return self.doors.ask("root", "Client/RotateClientSecret", client_id="C1", **overlap)

    def end(self):
        return self.doors.reply("root", "Client/EndClientSecretOverlap", client_id="C1")

    def record(self):
        return self.doors.reply("root", "Client/GetClient", client_id="C1").client


class Key(Client):
    """A key of C1."""
    name, method = "key", "api_key"

    def ask(self, **overlap):
        return self.doors.ask("root", "ApiKey/RotateApiKey", key_id=load()["key_id"], **overlap)

    def end(self):
        return self.doors.reply("root", "ApiKey/EndApiKeyOverlap", key_id=load()["key_id"])

    def record(self):
        return self.doors.reply("root", "ApiKey/ListApiKeys", client_id="C1").api_keys[0]


def proof(kind, text):
    return {"client_id": "C1", kind.method: text.encode()}


def issue(doors, kind, text, count=INSTANCES):
    return [answer.reason for answer in doors.at_once("mixed", count, "Token/IssueToken", client=proof(kind, text),
                                                      tokens={"audiences": ["demo"]})]


def works(doors, kind, which, sentence):
    reasons = issue(doors, kind, load()[kind.name][which])
    assert reasons == ["OK"] * INSTANCES, f"{sentence}: the {which} of a {kind.name}: {reasons}"


def fails(doors, kind, which, sentence):
    reasons = issue(doors, kind, load()[kind.name][which], 4)
    assert reasons == ["INVALID_CLIENT"] * 4, f"{sentence}: the {which} of a {kind.name}: {reasons}"


def replace(doors, kind, **overlap):
    """Rotate; what was `new` is `old` from now on, what was `old` the `oldest`."""
    known = load()[kind.name]
    answer = kind.ask(**overlap)
    assert answer.reason == "OK", f"the {kind.name} rotates: {answer.reason}"
    reply = answer.reply
    save(**{kind.name: {"oldest": known.get("old"), "old": known["new"], "new": reply.secret.decode()}})
    return reply


def used(secret):
    """Whether it was used in the last two minutes, as the record has it: to the minute."""
    assert secret.last_used_ms % MINUTE == 0, "last use to the minute"
    return abs(time.time() * 1000 - secret.last_used_ms) < 3 * MINUTE


def rotated(doors, kinds):
    register(doors)
    key = doors.reply("root", "ApiKey/CreateApiKey", client_id="C1", label="ten instances",
                      audiences=[{"audience": "demo", "scopes": ["read"]}])
    save(client={"new": auth("C1")["secret"].decode()}, key={"new": key.secret.decode()}, key_id=key.api_key.key_id)
    session = doors.login("P1")
    hand_to("C1", session.session_id)
    save(refresh=session.refresh_token.decode())
    for kind in kinds:
        works(doors, kind, "new", "before")
        reply = replace(doors, kind, overlap={"value": 60})
        assert 55000 < reply.old_expires_ms - time.time() * 1000 < 61000, "the end of the old one is stated"
        save(ends=reply.old_expires_ms // 1000)  # the key's, which is the later one
        new, old = kind.record().secrets
        assert not new.last_used_ms and used(old), f"the record shows which secret was used last: the old, {kind.name}"
        assert new.expires_ms == 0 and old.expires_ms == reply.old_expires_ms, "and when the old one ends"
        works(doors, kind, "old", "Both work until the stated end")
        works(doors, kind, "new", "Both work until the stated end")
        assert used(kind.record().secrets[0]), "the record shows which secret was used last: the new one as well"
        said = repr(kind.record()) + repr(doors.reply("root", "Client/ListClients"))
        assert not any(text in said for text in load()[kind.name].values() if text), "secrets are shown once"


def both_work(doors, kinds):
    for kind in kinds:
        works(doors, kind, "old", "Both work until the stated end")
        works(doors, kind, "new", "Both work until the stated end")


def old_has_ended(doors, kinds):
    for kind in kinds:
        fails(doors, kind, "old", "the old fails from then on by time alone")
        works(doors, kind, "new", "the new one goes on")
        assert len(kind.record().secrets) == 1, "the record shows those that are good now"
    client = proof(kinds[0], load()["client"]["new"])
    answer = doors.ask("tls", "Token/RefreshToken", client=client, refresh_token=load()["refresh"].encode())
    assert answer.reason == "OK", f"Existing sessions go on: {answer.reason}"


def rotated_twice(doors, kinds):
    for kind in kinds:
        replace(doors, kind, overlap={"value": 60})
        replace(doors, kind, overlap={"value": 60})
        fails(doors, kind, "oldest", "A second rotation has a stated rule for the oldest secret: it ends")
        works(doors, kind, "old", "the one before goes on")
        works(doors, kind, "new", "and the new one is good")
        assert len(kind.record().secrets) == 2, "at most two are good at once"


def ended_early(doors, kinds):
    for kind in kinds:
        kind.end()
        fails(doors, kind, "old", "the overlap ended early")
        works(doors, kind, "new", "the newest goes on")
        kind.end()
        works(doors, kind, "new", "ending what is over changes nothing")


def without_overlap(doors, kinds):
    for kind in kinds:
        reply = replace(doors, kind, overlap={"value": 0})
        assert reply.old_expires_ms == 0, "the old one ends at once, and the reply says so"
        fails(doors, kind, "old", "rotated with no overlap")
        works(doors, kind, "new", "rotated with no overlap")
        assert kind.ask(overlap={"value": 2592001}).reason == "INVALID_ARGUMENT", "an overlap has a bound"


def revoked(doors, kinds):
    client, key = kinds
    doors.reply("root", "Client/SetClientActive", client_id="C1", active=False)
    fails(doors, key, "new", "a disabled client's keys are refused")
    doors.reply("root", "Client/SetClientActive", client_id="C1", active=True)
    works(doors, key, "new", "enabled again, it begins anew with what it has")
    doors.reply("root", "ApiKey/RevokeApiKey", key_id=load()["key_id"])
    fails(doors, key, "new", "a revoked key is refused")
    works(doors, client, "new", "and the client's secret is not")
    events = {row.event for row in doors.reply("root", "Audit/ListAuditRecords", page_size=500).records}
    assert {"SECRET_ROTATE", "SECRET_END", "API_KEY_CREATE", "API_KEY_REVOKE"} <= events, "all of it is on record"
    doors.reply("root", "Client/DeleteClient", client_id="C1")
    fails(doors, client, "new", "a deleted client's secret is refused")


def main():
    doors = Doors()
    globals()[sys.argv[1]](doors, [Client(doors), Key(doors)])


main()

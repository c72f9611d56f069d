"""What T19_user_lifecycle.test does, in a private host with both gateways."""
import os
import struct
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../support"))
from callers import *  # noqa: E402,F403
from follower import Follower, claims  # noqa: E402

EXCHANGE, DATES = 3, 3
EXTRA = "/run/t/extra.json"
ORIGIN = {"service": "sshd", "rhost": b"192.0.2.7"}


def set_up():
    doors = Doors()
    register(doors)
    doors.reply("root", "Client/SetClientAudience", client_id="host", audience={"audience": "demo", "scopes": ["read", "write"]})
    doors.reply("root", "Client/SetClientAudience", client_id="P1", audience={"audience": "front", "scopes": ["read", "write"]})
    front = doors.reply("root", "Client/CreateClient", client={
        "client_id": "front", "kind": CONFIDENTIAL, "grants": [EXCHANGE], "audiences_owned": ["front"],
        "exchanges": [{"from_audience": "front", "to_audience": "demo", "scopes": ["read"]}]}).secret
    key = doors.reply("root", "ApiKey/CreateApiKey", client_id="C1", label="alice's", audiences=[{"audience": "demo", "scopes": ["read"]}])
    with open(EXTRA, "w", encoding="ascii") as file:
        json.dump({"front": front.decode(), "key": key.secret.decode()}, file)


def extra(name):
    with open(EXTRA, encoding="ascii") as file:
        return json.load(file)[name].encode()


def front():
    return {"client_id": "front", "secret": extra("front")}


class Alice:
    """Four sessions: of a PAM login that is this process's own, of P1, of C1, and one whose token was exchanged for a lesser one."""

    def __init__(self, doors):
        self.doors = doors
        answer = doors.reply("root", "Authn/BeginAuthentication", user=b"alice", password=PASSWORD, origin=ORIGIN)
        opened = doors.reply("root", "Session/OpenSession", user=b"alice", origin=ORIGIN, authn_handle=answer.authn_handle)
        self.sid = opened.session_id
        self.p1 = doors.login("P1")
        self.c1 = doors.login("P1")
        hand_to("C1", self.c1.session_id)
        self.c1 = doors.reply("tls", "Token/RefreshToken", client=auth("C1"), refresh_token=self.c1.refresh_token).grant
        self.whole = doors.login("P1", audience="front")
        exchanged = doors.reply("tls", "Token/ExchangeToken", client=front(), subject_token=self.whole.access_token,
                                tokens={"audiences": ["demo"]}).grant
        assert exchanged.scope == "read"
        pam = self.attested()
        assert pam.reason == "OK", f"her login's token: {pam.reason}"
        self.tokens = {"PAM": pam.reply.grant.access_token, "P1": self.p1.access_token, "C1": self.c1.access_token,
                       "exchange": exchanged.access_token}
        assert len({claims(token)["sid"] for token in self.tokens.values()}) == 4, "four sessions"
        for name, token in self.tokens.items():
            assert self.active(token), name
        self.sub = claims(self.p1.access_token)["sub"]

    def attested(self):
        return self.doors.ask("user", "Token/IssueAttestedToken", session_id=self.sid, tokens={"audiences": ["demo"]})

    def active(self, token, door="tls"):
        return self.doors.reply(door, "Token/IntrospectToken", token=token, client=auth("demo")).active

    def refreshes(self):
        return [self.doors.ask(door, "Token/RefreshToken", client=auth(client), refresh_token=grant.refresh_token).reason
                for door, client, grant in (("tls", "P1", self.p1), ("root", "C1", self.c1), ("local", "P1", self.whole))]

    def over(self, spared=(), stranger="SESSION_INVALID"):
        """Try refresh, exchange, introspection, API key."""
        for name, token in self.tokens.items():
            for door in ("root", "tls"):
                assert self.active(token, door) == (name in spared), f"all refused at once: introspection of {name} ({door})"
        assert self.refreshes() == ["INVALID_GRANT"] * 3, f"all refused at once: refresh: {self.refreshes()}"
        answer = self.doors.ask("tls", "Token/ExchangeToken", client=front(), subject_token=self.whole.access_token,
                                tokens={"audiences": ["demo"]})
        assert answer.reason == "INVALID_GRANT", f"all refused at once: exchange: {answer.reason}"
        if "PAM" not in spared:
            assert self.attested().reason == stranger, f"all refused at once: {self.attested().reason}"
        answer = self.doors.ask("tls", "Token/IssueToken", client={"client_id": "C1", "api_key": extra("key")},
                                tokens={"audiences": ["demo"]})
        assert answer.reason == "OK", "API keys follow a documented rule: they are the client's"

    def heard(self, follower, spared=(), seconds=1.0):
        follower.SECONDS = seconds
        for name, token in self.tokens.items():
            if name not in spared:
                assert follower.hears_of(token), f"Followers hear every one: {name}"
        for name in spared:
            assert not follower.voids(self.tokens[name]), f"and nothing of {name}"

    def anew(self, follower):
        token = self.doors.login("P1").access_token
        assert self.active(token), "a new login is good"
        time.sleep(0.2)
        assert not follower.voids(token), "to followers, too"
        return claims(token)["sub"]


def scene():
    doors = Doors()
    return doors, Alice(doors), Follower()


def disable():
    doors, alice, follower = scene()
    doors.reply("root", "User/SetUserActive", name="alice", active=False)
    alice.over()
    alice.heard(follower)
    doors.reply("root", "User/SetUserActive", name="alice", active=True)
    alice.over()
    assert alice.anew(follower) == alice.sub


def delete():
    doors, alice, follower = scene()
    doors.reply("root", "User/DeleteUser", name="alice")
    alice.over(stranger="PERMISSION_DENIED")
    alice.heard(follower)
    doors.reply("root", "User/CreateUser", user={"name": "alice", "uid": {"id": ALICE}, "active": True}, password=PASSWORD)
    alice.over()
    assert alice.anew(follower) != alice.sub, "A recreated name inherits nothing: other `sub`"


def end_account(doors, seconds):
    doors.reply("root", "User/UpdateUser", user={"name": "alice", "not_after": seconds}, fields=[DATES])


def expire():
    doors, alice, follower = scene()
    end_account(doors, int(time.time()) - 1)
    alice.over()
    alice.heard(follower)
    end_account(doors, 0)
    alice.over()
    assert alice.anew(follower) == alice.sub


def expire_by_time():
    doors, alice, follower = scene()
    end_account(doors, int(time.time()) + 100)
    assert alice.refreshes()[1] == "OK", "until then all is well"
    with open("/run/t/clock", "r+b") as file:  # both clocks
        file.write(struct.pack("2q", 101000, 101000))
    alice.over()
    alice.heard(follower, seconds=2.5)  # who notices the time does so once a second
    end_account(doors, 0)
    alice.over()
    alice.anew(follower)
    ended = [row for row in doors.reply("root", "Audit/ListAuditRecords", page_size=500).records if row.event == "SESSION_EXPIRE"]
    assert [(row.reason, row.user, row.detail) for row in ended] == [("ACCOUNT_EXPIRED", "alice", "sessions=5")], ended


def own_change():
    doors, alice, follower = scene()
    doors.reply("user", "Authn/ChangePassword", user=b"alice", current_password=PASSWORD, new_password=b"another " + PASSWORD,
                origin={"service": "passwd"})
    alice.over(spared=["PAM"])
    alice.heard(follower, spared=["PAM"])
    again = alice.attested()
    assert again.reason == "OK" and alice.active(again.reply.grant.access_token), "keeps this session"
    doors.reply("root", "User/SetUserPassword", name="alice", password=PASSWORD)


def reset():
    doors, alice, follower = scene()
    doors.reply("root", "User/SetUserPassword", name="alice", password=PASSWORD)
    alice.over()
    alice.heard(follower)
    alice.anew(follower)


run_part()

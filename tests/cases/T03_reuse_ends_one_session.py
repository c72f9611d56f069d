"""What T03_reuse_ends_one_session.test does, in a private host with both gateways."""
import os
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../support"))
from callers import *  # noqa: E402,F403
from follower import Follower  # noqa: E402


def clock_goes_on(seconds):
    with open("/run/t/clock", "r+b") as file:
        ahead = struct.unpack("2q", file.read(16))[0] + seconds * 1000
        file.seek(0)
        file.write(struct.pack("2q", ahead, ahead))


def refresh(doors, token, door="tls"):
    return doors.ask(door, "Token/RefreshToken", client=auth("P1"), refresh_token=token)


def active(doors, grant):
    return doors.reply("tls", "Token/IntrospectToken", token=grant.access_token, client=auth("demo")).active


def sessions(doors):
    return {row.session_id: row.user for row in doors.reply("root", "Session/ListSessions").sessions}


def main():
    doors = Doors()
    register(doors)
    follower = Follower()
    logins = {name: doors.login("P1", name.rstrip("123")) for name in ("alice1", "alice2", "alice3", "bob")}
    newest, stolen = logins["alice1"], logins["alice1"].refresh_token
    assert len(sessions(doors)) == 4, "a second login replaces no other"
    for _ in range(2):
        newest = refresh(doors, newest.refresh_token).reply.grant
    assert generation(newest.refresh_token) == generation(stolen) + 2 and active(doors, newest)
    assert refresh(doors, stolen).reason == "INVALID_GRANT", "g = G-2 within the grace: refused"
    assert active(doors, newest), "nothing revoked: a slow duplicate"
    clock_goes_on(31)
    assert refresh(doors, stolen).reason == "INVALID_GRANT", "INVALID_GRANT"
    assert follower.hears_of(newest.access_token), "followers hear of S1 within a second"
    for door in doors.ALL:
        assert refresh(doors, newest.refresh_token, door).reason == "INVALID_GRANT", "its newest refresh token is refused"
    assert not active(doors, newest), "its access token introspects inactive"
    del logins["alice1"]
    for name, grant in logins.items():
        assert active(doors, grant), f"S2, S3 and bob are untouched ({name})"
        assert not follower.voids(grant.access_token), f"followers hear of S1 alone ({name})"
        again = refresh(doors, grant.refresh_token)
        assert again.reason == "OK" and active(doors, again.reply.grant), f"S2, S3 and bob are untouched ({name})"
    there = sessions(doors)
    assert set(there) == {grant.session_id for grant in logins.values()}, "ListSessions shows exactly those"
    said = [record for record in doors.reply("root", "Audit/ListAuditRecords", page_size=500).records if record.event == "TOKEN_REUSE"]
    assert len(said) == 1 and said[0].reason == "REUSED", "the audit log says reuse"
    assert said[0].session_id == newest.session_id and said[0].user == "alice", "and names the session"


main()

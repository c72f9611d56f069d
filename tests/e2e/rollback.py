"""What rollback.test does on root's socket: `rollback.py begin | go_on | from_the_future`."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../support"))
from callers import *  # noqa: E402,F403



def refresh(doors, token):
    return doors.ask("root", "Token/RefreshToken", client=auth("P1"), refresh_token=token.encode())


def begin():
    doors = Doors()
    register(doors)
    first, other = doors.login("P1"), doors.login("P1", "bob")
    save(yesterday=first.refresh_token, sid=first.session_id, other=other.refresh_token)


def go_on():
    doors, state = Doors(), load()
    state["today"] = refresh(doors, state["yesterday"]).reply.grant.refresh_token.decode()
    save(**state)


def from_the_future():
    doors, state = Doors(), load()
    for _ in range(2):
        assert refresh(doors, state["today"]).reason == "INVALID_GRANT", "the database is older than its tokens"
    said = [row for row in doors.reply("root", "Audit/ListAuditRecords", page_size=500).records if row.event == "TOKEN_ROLLBACK"]
    assert [(row.reason, row.session_id, row.user) for row in said] == [("STATE_ROLLBACK", state["sid"], "alice")] * 2, said
    assert refresh(doors, state["other"]).reason == "OK", "nobody else's is refused"
    grant = refresh(doors, state["yesterday"]).reply.grant
    assert grant.refresh_token.decode() == state["today"], "who has the older token goes on: nothing was revoked"
    assert refresh(doors, state["today"]).reason == "OK", "and then the database has caught up"


{"begin": begin, "go_on": go_on, "from_the_future": from_the_future}[sys.argv[1]]()

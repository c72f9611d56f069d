"""What T01_parallel_refresh.test does: `T01_parallel_refresh.py KIND DOOR ROUNDS`."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../support"))
from callers import *  # noqa: E402,F403

CALLERS = (2, 8, 10, 32, 100)


def race(doors, door, count, client_id, token):
    """All of them present one token; the successor."""
    answers = doors.at_once(door, count, "Token/RefreshToken", client=auth(client_id), refresh_token=token)
    wrong = [answer.reason for answer in answers if answer.reason != "OK"]
    assert not wrong, f"Every reply is a success ... no INTERNAL or 5xx ({count} callers: {sorted(set(wrong))})"
    successors = {answer.reply.grant.refresh_token for answer in answers}
    assert len(successors) == 1, f"one and the same successor ({count} callers: {len(successors)})"
    assert len({answer.reply.grant.access_token for answer in answers}) == count, "each has an access token of its own"
    first = sum(not answer.reply.grant.replayed for answer in answers)
    assert first == (count if client_id == "C1" else 1), f"one of them took the step ({count} callers: {first})"
    return successors.pop()


def storm(client_id, door, rounds):
    doors = Doors()
    session = doors.login("P1")
    token = session.refresh_token
    if client_id == "C1":
        hand_to("C1", session.session_id)
    for count in CALLERS:
        for _ in range(int(rounds)):
            successor = race(doors, door, count, client_id, token)
            if client_id == "P1":
                assert generation(successor) == generation(token) + 1, "P1's G rises by exactly 1 a round"
            else:
                assert successor == token, "the same token comes back, G stands"
            token = successor
        shown = doors.reply("root", "Session/GetSession", session_id=session.session_id).session
        assert shown.session_id == session.session_id, "With more than 10 duplicates, none of them revokes the session"
    last = doors.reply(door if door != "mixed" else "tls", "Token/RefreshToken", client=auth(client_id), refresh_token=token)
    assert last.grant.access_token, "the session lives and the successor refreshes"


if __name__ == "__main__":
    if sys.argv[1] == "register":
        register(Doors())
    else:
        storm(*sys.argv[1:])

"""What T18_introspection_of_others.test does, in a private host with both gateways."""
import os
import statistics
import struct
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../support"))
from callers import *  # noqa: E402,F403

ROUNDS = 300  # of each kind, in turn
NOTHING = b""  # active: false, and nothing else, is a message of no bytes


def ask(doors, token, client_id=None, door="tls"):
    client = {} if client_id is None else {"client": auth(client_id)}
    return doors.ask(door, "Token/IntrospectToken", token=token, **client)


def sees(doors, token, client_id, door="tls"):
    answer = ask(doors, token, client_id, door)
    assert answer.reason == "OK", f"{client_id} through {door}: {answer.reason}"
    if not answer.reply.active:
        assert answer.reply.SerializeToString() == NOTHING, "Nothing but `active` in an inactive reply"
    return answer.reply.active


def forged(token):
    """Another signature, or another tag, of the same form."""
    last = token[-8:-7]
    return token[:-8] + (b"A" if last != b"A" else b"B") + token[-7:]


def who_sees(doors, access, refresh):
    for door in ("root", "user", "local", "tls"):
        assert sees(doors, access, "demo", door) and sees(doors, access, "C1", door), "R and C1 see the access token"
        assert not sees(doors, access, "C2", door), "C2 gets exactly `active: false`"
        assert sees(doors, refresh, "C1", door), "the issuing client sees a refresh token"
        for other in ("demo", "C2"):
            assert not sees(doors, refresh, other, door), "nobody but the issuing client and the administrator sees a refresh token"
    assert sees(doors, access, None, "root") and sees(doors, refresh, None, "root"), "the administrator sees both"
    said = ask(doors, access, "demo").reply
    assert said.client_id == "C1" and said.username == "alice" and said.token_type == "Bearer", "as C1's token for alice"
    assert list(said.amr) == ["pwd"] and said.acr == "1" and said.auth_time > 0, "with what was proven, and when"
    for door in ("user", "local", "tls"):
        for token in (access, refresh, forged(access)):
            answer = ask(doors, token, None, door)
            assert answer.reason in ("INVALID_ARGUMENT", "INVALID_REQUEST"), f"nobody gets no answer: {answer.reason}"
    for token in (access, refresh, forged(access), forged(refresh), b"", b"rubbish"):
        for claimed in ({"client_id": "P1"}, {"client_id": "C1"}, {"client_id": "nobody", "secret": b"x"},
                        {"client_id": "C1", "secret": b"wrong"}):
            answer = doors.ask("tls", "Token/IntrospectToken", token=token, client=claimed)
            assert answer.reason == "INVALID_CLIENT", f"nobody gets UNAUTHENTICATED: {claimed}: {answer.reason}"


def what_means_nothing(doors, access, refresh):
    other = doors.login("P1")
    hand_to("C1", other.session_id)
    assert doors.reply("tls", "Token/RevokeToken", client=auth("C1"), token=other.refresh_token).accepted
    revoked = [other.refresh_token]
    own = doors.reply("tls", "Token/IssueToken", client=auth("C1"), tokens={"audiences": ["demo"]}).grant.access_token
    assert sees(doors, own, "demo")
    assert doors.reply("tls", "Token/RevokeToken", client=auth("C1"), token=own).accepted
    revoked.append(own)
    for token in [forged(access), forged(refresh), *revoked, b"", b"rubbish", b"sar1_" + b"A" * 50]:
        for client_id in ("C1", "demo", "C2"):
            assert not sees(doors, token, client_id), "a forged, an expired and a revoked token are inactive to everybody"
        assert not sees(doors, token, None, "root"), "to the administrator too"
    return revoked


def timed(connection, client, tokens):
    """Median microseconds of each, in turn, as C2 asks."""
    taken = {name: [] for name in tokens}
    for _ in range(ROUNDS):
        for name, token in tokens.items():
            begun = time.perf_counter_ns()
            status, reply = connection.call("Token/IntrospectToken", token=token, client=client)
            taken[name].append((time.perf_counter_ns() - begun) / 1000)
            assert status == "OK" and reply.SerializeToString() == NOTHING, "C2 gets exactly `active: false`"
    return {name: statistics.median(times) for name, times in taken.items()}


def time_tells_nothing(access, refresh, revoked):
    kinds = {"access": {"live": access, "forged": forged(access), "revoked": revoked[1]},
             "refresh": {"live": refresh, "forged": forged(refresh), "revoked": revoked[0]}}
    with Daemon() as connection:
        timed(connection, auth("C2"), {"warm": access})
        for kind, tokens in kinds.items():
            medians = timed(connection, auth("C2"), tokens)
            print(kind, {name: round(median, 1) for name, median in medians.items()}, "us")
            assert max(medians.values()) < 1.2 * min(medians.values()), f"in bytes and time like the forged one: {medians}"


def main():
    doors = Doors()
    register(doors)
    grant = doors.login("P1")
    hand_to("C1", grant.session_id)
    grant = doors.reply("tls", "Token/RefreshToken", client=auth("C1"), refresh_token=grant.refresh_token).grant
    access, refresh = grant.access_token, grant.refresh_token
    who_sees(doors, access, refresh)
    revoked = what_means_nothing(doors, access, refresh)
    time_tells_nothing(access, refresh, revoked)
    with open("/run/t/clock", "r+b") as file:  # both clocks, by an hour
        file.write(struct.pack("2q", 3600000, 3600000))
    for client_id in ("C1", "demo", "C2"):
        assert not sees(doors, access, client_id), "an expired token is inactive to everybody"
    assert sees(doors, refresh, "C1"), "whose session goes on"
    with open("/run/t/clock", "r+b") as file:  # past the idle life of the session
        file.write(struct.pack("2q", 8 * 86400000, 8 * 86400000))
    assert not sees(doors, refresh, "C1") and not sees(doors, refresh, None, "root"), "an expired refresh token likewise"


main()

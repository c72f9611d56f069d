"""What T09_two_proofs_at_once.test does, in a private host with both gateways."""
import base64
import itertools
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../support"))
from callers import *  # noqa: E402,F403
from proofs import *  # noqa: E402,F403

# What else each of these requests holds, on the wire: behind the client, which is their first member.
METHODS = {"Token/IssueToken": member(2, member(1, b"demo")), "Token/IntrospectToken": member(2, b"a.b.c"),
           "Token/RevokeToken": member(2, b"a.b.c")}
RIGHT = {"Token/IssueToken": "OK", "Token/IntrospectToken": "OK", "Token/RevokeToken": "OK"}


def ask(caller, rpc, auth_bytes):
    caller.start(rpc, member(1, auth_bytes) + METHODS[rpc])
    return caller.finish()


def proofs_of(key, api_key):
    """Every way that there is, right and wrong, for C1; of M1's certificate what the wire can say of it: its member."""
    secret = auth("C1")["secret"]
    return {"C1's secret": lambda: ("secret", secret), "a wrong secret": lambda: ("secret", b"sac1_wrong"),
            "C2's secret": lambda: ("secret", auth("C2")["secret"]), "C1's API key": lambda: ("api_key", api_key),
            "a wrong API key": lambda: ("api_key", b"sak1_wrong"),
            "an assertion of C1": lambda: ("assertion", key.assertion("C1")),
            "the connection's certificate": lambda: ("certificate", b"")}


def set_up(doors):
    register(doors)
    key = Key()
    m1 = client_certificate("/run/t/m1", "M1")
    demo = [{"audience": "demo", "scopes": ["read", "write"]}]
    doors.reply("root", "Client/CreateClient", client={"client_id": "M1", "kind": CONFIDENTIAL, "grants": [CREDENTIALS],
                                                       "audiences": demo, "certificates": [m1]})
    doors.reply("root", "Client/UpdateClient", client={"client_id": "C1", "kind": CONFIDENTIAL, "jwks": jwks(key),
                                                       "grants": [CREDENTIALS, REFRESH], "audiences": demo})
    api_key = doors.reply("root", "ApiKey/CreateApiKey", client_id="C1",
                          audiences=[{"audience": "demo", "scopes": ["read"]}]).secret
    return key, api_key


def two_at_once(callers, proofs):
    count = 0
    for (one, first), (two, second) in itertools.product(proofs.items(), repeat=2):
        for door, caller in callers.items():
            for rpc in METHODS:
                answer = ask(caller, rpc, wire_auth(("client_id", b"C1"), first(), second()))
                assert answer.reason in ("INVALID_ARGUMENT", "INVALID_REQUEST"), \
                    f"Two credentials: INVALID_ARGUMENT, even if both are right: {one} and {two}, {rpc}, {door}: {answer.reason}"
                count += 1
    for name, pairs in {"two ids": (("client_id", b"C1"), ("client_id", b"C2")),
                        "one id twice": (("client_id", b"C1"), ("client_id", b"C1"))}.items():
        for door, caller in callers.items():
            answer = ask(caller, "Token/IssueToken", wire_auth(*pairs, proofs["C1's secret"]()))
            assert answer.reason in ("INVALID_ARGUMENT", "INVALID_REQUEST"), f"Different id: invalid_request: {name}, {door}"
            count += 1
    return count


def one_at_a_time(callers, proofs):
    """Each right one alone is accepted, so that it is their being two that was refused."""
    assertion = proofs["an assertion of C1"]
    until_taken(lambda: ask(callers["root"], "Token/RevokeToken", wire_auth(("client_id", b"C1"), assertion())))
    for door, caller in callers.items():
        for name in ("C1's secret", "C1's API key", "an assertion of C1"):
            for rpc in METHODS:
                answer = ask(caller, rpc, wire_auth(("client_id", b"C1"), proofs[name]()))
                assert answer.reason == RIGHT[rpc], f"{name} alone is accepted: {rpc}, {door}: {answer.reason}"
        answer = ask(caller, "Token/RevokeToken", wire_auth(("client_id", b"P1"), ("secret", b"")))
        assert answer.reason == "OK", f"An empty parameter counts as absent: {door}: {answer.reason}"
        answer = ask(caller, "Token/RevokeToken", wire_auth(("client_id", b"C1"), ("secret", b"")))
        assert answer.reason == "INVALID_CLIENT", f"and absent is no proof: {door}: {answer.reason}"
    for rpc in METHODS:
        answer = ask(callers["M1"], rpc, wire_auth(("client_id", b"M1"), ("certificate", b"")))
        assert answer.reason == RIGHT[rpc], f"M1's certificate alone is accepted: {rpc}: {answer.reason}"


def a_token_beside_a_secret(doors, proofs):
    """`authorization` in gRPC's metadata beside a right secret, a wrong one and none."""
    token = doors.reply("root", "Token/IssueToken", client=auth("C1"), tokens={"audiences": ["demo"]}).grant.access_token
    words = [b"Bearer " + token, b"Basic " + base64.b64encode(b"C1:" + auth("C1")["secret"])]
    for door, rpc, word in itertools.product(("local", "tls"), METHODS, words):
        channel = doors.some(door, 1)[0].channel
        for pairs in ((proofs["C1's secret"](),), (proofs["a wrong secret"](),), ()):
            body = member(1, wire_auth(("client_id", b"C1"), *pairs)) + METHODS[rpc]
            try:
                channel.unary_unary("/secauth.v1." + rpc.replace("/", "Service/"))(
                    body, timeout=10, metadata=(("authorization", word.decode()),))
                said = "OK"
            except grpc.RpcError as error:
                said = error.code().name
            assert said == "INVALID_ARGUMENT", f"a bearer token plus a secret: INVALID_ARGUMENT: {door}, {rpc}: {said}"


def main():
    doors = Doors()
    key, api_key = set_up(doors)
    callers = {door: doors.some(door, 1)[0] for door in doors.ALL} | {"M1": GrpcCaller(certified("/run/t/m1"))}
    proofs = proofs_of(key, api_key)
    count = two_at_once(callers, proofs)
    a_token_beside_a_secret(doors, proofs)
    rows = doors.reply("root", "Lockout/ListLockouts").lockouts
    assert not rows, f"no failure is counted against either client: {rows}"
    events = [row.event for row in doors.reply("root", "Audit/ListAuditRecords", page_size=500).records]
    assert "CLIENT_AUTH" not in events, "no failure is counted against either client"
    one_at_a_time(callers, proofs)
    print(f"{count} requests with two credentials")


main()

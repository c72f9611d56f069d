"""Grants of people through the local gateway, for session_ends.test: a stock gRPC client that keeps what it was given.

session_ends.py EXAMPLES STATE login CLIENT USER NAME...   logs in for each NAME; prints the session's id
session_ends.py EXAMPLES STATE goes-on NAME...    exits 0 where each refresh token and each access token is good
session_ends.py EXAMPLES STATE over NAME...       exits 0 where none of them is

STATE is the file in which grants are kept by NAME. The password, or the secret of the service `demo`, comes from stdin.
"""
import json
import os
import sys

import grpc

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(sys.argv[1], "python"))
from client import Client, grant_as_dict  # noqa: E402

SOCKET = "unix:/run/secauth-grpc/local.sock"


def is_refused(call):
    try:
        call()
        return False
    except grpc.RpcError as error:
        assert error.code() == grpc.StatusCode.UNAUTHENTICATED, (error.code(), error.details())
        return True


def main(state_file, command, *words):
    state = json.load(open(state_file, encoding="ascii")) if os.path.exists(state_file) else {}
    client, secret = Client(SOCKET, None), sys.stdin.readline().rstrip("\n").encode()
    wrong = []
    if command == "login":
        client_id, user, *names = words
        for name in names:
            state[name] = grant_as_dict(client.login(client_id, user, secret, "demo")) | {"client": client_id}
            print(state[name]["session_id"])
    for name in words if command == "goes-on" else []:
        kept = state[name]
        try:
            kept |= grant_as_dict(client.refresh(kept["client"], kept["refresh_token"].encode()))
            if not client.introspect("demo", secret, kept["access_token"].encode()).active:
                wrong.append(f"{name}: the access token is not active")
        except grpc.RpcError as error:
            wrong.append(f"{name}: {error.code().name} {error.details()}")
    for name in words if command == "over" else []:
        kept = state[name]
        if not is_refused(lambda: client.refresh(kept["client"], kept["refresh_token"].encode())):
            wrong.append(f"{name}: the refresh token is good")
        if client.introspect("demo", secret, kept["access_token"].encode()).active:
            wrong.append(f"{name}: the access token is active")
    with open(state_file, "w", encoding="ascii") as file:
        json.dump(state, file)
    print(*wrong, sep="\n", end="")
    return 1 if wrong else 0


sys.exit(main(*sys.argv[2:]))

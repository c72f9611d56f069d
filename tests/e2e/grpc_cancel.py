"""A login over TLS that its caller gives up: CANCEL frees the caller and not the slot. See grpc_tools.test."""
import os
import sys
import time

import grpc

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../support"))
from callers import *  # noqa: E402,F403
from callers import channel_of  # noqa: E402

TLS = channel_of("tls")


def begin(timeout):
    request = MESSAGES["BeginAuthenticationRequest"](user=b"alice", password=b"wrong", client={"client_id": "app"},
                                                     tokens={"audiences": ["demo"]})
    return TLS.unary_unary("/secauth.v1.AuthnService/BeginAuthentication").future(request.SerializeToString(), timeout=timeout)


def queued(root):
    """Jobs that wait for the one worker of the hash lane."""
    return next(lane for lane in must(root.call("Host/GetStatus")).lanes if lane.name == "hash").queued


with Daemon() as root:
    must(root.call("Client/CreateClient", client={"client_id": "app", "kind": PUBLIC, "grants": [REFRESH], "login": True,
                                                  "audiences": [{"audience": "demo", "scopes": ["read"]}]}))
    given_up = begin(10)
    time.sleep(0.1)
    assert queued(root) == 0, "it is being hashed"
    given_up.cancel()
    began = time.monotonic()
    assert given_up.code() == grpc.StatusCode.CANCELLED
    assert TLS.unary_unary("/secauth.v1.KeyService/GetKeySet")(b"", timeout=5)
    free = time.monotonic() - began
    following = begin(10)
    while not (waits := queued(root)) and not following.done():
        time.sleep(0.005)
    print(f"given up, the caller is free after {free * 1000:.0f} ms; the next hash waits for its own: {waits == 1}")
    assert waits == 1 and free < 0.3
    assert following.code() == grpc.StatusCode.UNAUTHENTICATED
    late, began = begin(0.15), time.monotonic()
    assert late.code() == grpc.StatusCode.DEADLINE_EXCEEDED and time.monotonic() - began < 0.5, "a deadline is kept"

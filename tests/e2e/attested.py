"""Connections that are older than what their processes are now: attested.test, in a private host with the local gateway."""
import os
import socket
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../support"))
from callers import *  # noqa: E402,F403

UNITS, UID = sys.argv[1], 911


def enter(unit):
    with open(f"{UNITS}/{unit}/cgroup.procs", "w", encoding="ascii") as file:
        file.write("0")


def ask(connection, client_id):
    return connection.call("Token/IssueAttestedToken", client_id=client_id, tokens={"audiences": ["demo"]})[0]


def reason():
    with Daemon() as root:
        records = must(root.call("Audit/ListAuditRecords", page_size=500)).records
    return [row for row in records if row.event == "TOKEN_ATTEST"][-1].reason


def who_moves():
    enter("backup.service")
    with Daemon(USER_SOCKET, UID) as connection:
        assert ask(connection, "backup") == "OK"
        enter("other.service")
        assert ask(connection, "backup") == "INVALID_CLIENT" and reason() == "OTHER_UNIT", "where it is at the call counts"
        enter("backup.service")
        assert ask(connection, "backup") == "OK"


def who_lends():
    """A process of the unit connects, hands its connection to one outside, and ends."""
    here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    child = os.fork()
    if child == 0:
        enter("backup.service")
        with Daemon(USER_SOCKET, UID) as connection:
            good = ask(connection, "backup") == "OK" and ask(connection, "batch") == "OK"
            socket.send_fds(there, [b"ok" if good else b"no"], [connection.socket.fileno()])
            there.recv(1)
        os._exit(0)
    enter("other.service")
    word, files, _, _ = socket.recv_fds(here, 2, 1)
    assert word == b"ok", "the one in the unit is the client"
    lent = Daemon(USER_SOCKET, UID)
    lent.socket.close()
    lent.socket, lent.last = socket.socket(fileno=files[0]), 7
    lent.socket.settimeout(30)
    here.send(b"x")
    os.waitpid(child, 0)
    for client_id in ("backup", "batch"):
        assert ask(lent, client_id) == "INVALID_CLIENT" and reason() == "OTHER_PROCESS", "a process that has ended is nobody"


def both():
    with Daemon(USER_SOCKET, UID) as connection:
        status, _ = connection.call("Token/IssueAttestedToken", client_id="batch", session_id="x" * 22,
                                    tokens={"audiences": ["demo"]})
        assert status == "INVALID_ARGUMENT", "either a session or a client"


def through_the_local_gateway():
    enter("backup.service")
    channel = grpc.insecure_channel(f"unix:{LOCAL_SOCKET}", [("grpc.use_local_subchannel_pool", 1)])
    os.seteuid(UID)
    try:
        grpc.channel_ready_future(channel).result(10)
    finally:
        os.seteuid(0)
    body = MESSAGES["IssueAttestedTokenRequest"](client_id="backup", tokens={"audiences": ["demo"]}).SerializeToString()
    caller = GrpcCaller(channel)
    caller.start("Token/IssueAttestedToken", body)
    assert caller.finish().reason == "OK", "the kernel names it to the daemon through the local gateway as well"
    enter("other.service")
    caller.start("Token/IssueAttestedToken", body)
    assert caller.finish().reason == "INVALID_CLIENT" and reason() == "OTHER_UNIT"
    channel.close()


def main():
    who_moves()
    who_lends()
    both()
    through_the_local_gateway()


main()

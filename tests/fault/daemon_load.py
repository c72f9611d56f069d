"""The load of daemon_kill.test: callers on the daemon's root socket who write down what they were told.

daemon_load.py register                    makes a client for each caller, since each may revoke so many live tokens only
daemon_load.py load FILE SECONDS SEED      eight callers; a line in FILE before every change and after every answer
daemon_load.py compare FILE                holds what the daemon says now to what the callers were told
"""
import json
import os
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../support"))
from wire import *  # noqa: E402,F403

PASSWORD, CALLERS = b"correct horse battery", 8
SVC = "/run/t/svc.json"


def svc(number):
    with open(SVC, encoding="ascii") as file:
        return {"client_id": f"svc{number}", "secret": json.load(file)[number].encode()}


def register():
    with Daemon() as root:
        replies = [must(root.call("Client/CreateClient", client={"client_id": f"svc{number}", "kind": 1, "grants": [1], "audiences": [
            {"audience": "demo", "scopes": ["read"]}]})) for number in range(CALLERS)]
    with open(SVC, "w", encoding="ascii") as file:
        json.dump([reply.secret.decode() for reply in replies], file)


def load(path, seconds, seed):
    """Each caller adds a person, disables or deletes some, logs others in, gets a token and revokes some."""
    lock, end, seed = threading.Lock(), time.monotonic() + float(seconds), int(seed)

    with open(path, "a", encoding="ascii") as file:
        def told(kind, *words):
            with lock:
                print(kind, *words, file=file, flush=True)

        def caller(number):
            turn, client = 0, svc(number)
            with Daemon() as root:
                while time.monotonic() < end:
                    turn += 1
                    name, uid = f"u{seed}-{number}-{turn}", 100000 + seed * 100000 + number * 10000 + turn
                    told("trying", name)
                    must(root.call("User/CreateUser", user={"name": name, "uid": {"id": uid}, "active": True}, password=PASSWORD))
                    told("added", name)
                    must(root.call("Authn/BeginAuthentication", user=name.encode(), uid={"id": uid}, password=PASSWORD,
                                   origin={"service": "sshd", "rhost": b"203.0.113.9"}))
                    told("login", name)
                    if turn % 3 == 0:
                        told("deleting", name)
                        must(root.call("User/DeleteUser", name=name))
                        told("deleted", name)
                    token = must(root.call("Token/IssueToken", client=client, tokens={"audiences": ["demo"]})).grant.access_token
                    told("token", token.decode())
                    if turn % 2 == 0:
                        told("revoking", token.decode())
                        must(root.call("Token/RevokeToken", client=client, token=token))
                        told("revoked", token.decode())

        def guarded(number):
            try:
                caller(number)
            except (ConnectionError, TimeoutError):
                pass  # the daemon was killed
            except BaseException as error:
                told("failed", repr(error).replace("\n", " "))
                raise

        threads = [threading.Thread(target=guarded, args=(n,)) for n in range(CALLERS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


def pages(root, method, field, **fields):
    token = ""
    while True:
        reply = must(root.call(method, page_size=500, page_token=token, **fields))
        yield from getattr(reply, field)
        token = reply.next_page_token
        if not token:
            return


def records(root):
    after = 0
    while True:
        rows = must(root.call("Audit/ListAuditRecords", after_sequence=after, page_size=500)).records
        if not rows:
            return
        yield from rows
        after = rows[-1].sequence


def compare(path):
    told = {}
    with open(path, encoding="ascii") as file:
        for line in file:
            kind, word = line.rstrip("\n").split(" ", 1)
            told.setdefault(kind, set()).add(word)
    assert "failed" not in told, told["failed"]
    added, deleted, unsure = told["added"], told.get("deleted", set()), told.get("deleting", set())
    with Daemon() as root:
        there = {user.name for user in pages(root, "User/ListUsers", "users")}
        log = list(records(root))
        lost = added - unsure - there
        assert not lost, f"added and gone: {sorted(lost)[:5]}"
        assert not deleted & there, f"deleted and back: {sorted(deleted & there)[:5]}"
        assert not there - told["trying"], "nobody is there whom nobody has added"
        numbers = [record.sequence for record in log]
        assert numbers == list(range(1, len(numbers) + 1)), "the sequence has a gap"
        for event, names in (("USER_CREATE", added), ("LOGIN", told["login"]), ("USER_DELETE", deleted)):
            missing = names - {record.user for record in log if record.event == event}
            assert not missing, f"{event} was told and is not on record: {sorted(missing)[:5]}"
        known = {record.user for record in log if record.event == "USER_CREATE"}
        assert not there - known, "a change without its record"
        revoked, revoking = told.get("revoked", set()), told.get("revoking", set())
        for token in sorted(told["token"])[-300:]:
            active = must(root.call("Token/IntrospectToken", token=token.encode())).active
            assert not (token in revoked and active), "a revoked token is good again"
            assert token in revoking or active, "a token that was given is not good"
        with open("/var/lib/secauth/managed", encoding="ascii") as managed:
            uids = {int(line) for line in managed if line[0].isdigit()}
        assert uids == {user.uid.id for user in pages(root, "User/ListUsers", "users")}, "the managed list is another"
    print(f"{len(added)} added, {len(deleted)} deleted, {len(told['login'])} logins, {len(told['token'])} tokens, "
          f"{len(revoked)} revoked, {len(log)} records")


{"register": register, "load": load, "compare": compare}[sys.argv[1]](*sys.argv[2:])

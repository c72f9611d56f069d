"""What taken_gateway.test does; run as root in its private host.

taken_gateway.py PART [ARGUMENT...]     exits 0 where all is as it shall be; attempts are printed with their answers
"""
import base64
import os
import pathlib
import pwd
import random
import re
import sys
import tempfile
import time

import jwt
from cryptography.hazmat.primitives import serialization

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../support"))
from callers import *  # noqa: E402,F403
from passed import Caller  # noqa: E402
from proofs import *  # noqa: E402,F403
from wire import HEADER, PROJECT, run_part  # noqa: E402

BOB = 2002
DEMO = [{"audience": "demo", "scopes": ["read", "write"]}]
TOKENS = {"audiences": ["demo"]}
# What a gateway may carry at all, for a peer and for itself.
CARRIED = {"Authn/BeginAuthentication", "Authn/ContinueAuthentication", "Token/IssueToken", "Token/RefreshToken",
           "Token/ExchangeToken", "Token/IntrospectToken", "Token/RevokeToken", "Key/GetKeySet", "Key/WatchKeySet",
           "Key/WatchRevocations"}
OWN = {"Key/GetKeySet", "Key/WatchKeySet", "Key/WatchRevocations"}


class Taken(Daemon):
    """The socket of a gateway, in the hands of whoever runs as its user."""

    def __init__(self, name):
        self.socket, self.last, self.peer = socket.socket(socket.AF_UNIX), 0, 0
        self.socket.settimeout(30)
        user = pwd.getpwnam("secauth-grpc" if name == "tls" else "secauth-grpc-local")
        os.setegid(user.pw_gid)
        os.seteuid(user.pw_uid)
        try:
            self.socket.connect(f"/run/secauth/gateway/{name}.sock")
        finally:
            os.seteuid(0)
            os.setegid(0)

    def claim(self, address=None, **facts):
        """From now on for a peer at this address, or at one that nobody has had: a source has two failures here."""
        self.peers = getattr(self, "peers", 0) + 1
        self.tell(self.peers, address=address or ".".join(str(random.randint(1, 254)) for _ in range(4)), **facts)
        return self

    def ask(self, rpc, **fields):
        return self.call(rpc, **fields)[0]

    def raw(self, frame, descriptor=None):
        """Whether the daemon ends the connection, or else what it says to GetKeySet for the peer."""
        if descriptor is None:
            self.socket.sendall(frame)
        else:
            socket.send_fds(self.socket, [frame], [descriptor])
        try:
            return self.ask("Key/GetKeySet")
        except ConnectionError:
            return "the connection is ended"


def attempt(what, answer, *allowed):
    print(f"{what:<88} {answer}", flush=True)
    assert answer in allowed, f"{what}: {answer}, and not {allowed}"


def rpcs():
    """Every method, and whether it streams."""
    found = {}
    for proto in sorted((PROJECT / "proto/secauth/v1").glob("*.proto")):
        text = proto.read_text()
        for service, body in re.findall(r"^service (\w+)Service \{(.*?)^\}", text, re.M | re.S):
            for rpc, response in re.findall(r"^  rpc (\w+)\(\w+\) returns \((stream )?", body, re.M):
                found[f"{service}/{rpc}"] = bool(response)
    return found


def first_answer(connection, rpc, streams):
    kind = connection.send(rpc)
    if not streams:
        return connection.receive(kind)[0]
    status, message = connection.next(kind)
    return "OK" if message is not None else status


# ---- the scene ----

def registered():
    doors = Doors()
    register(doors)
    key = Key()
    m1 = client_certificate("/run/t/m1", "M1")
    for row in ({"client_id": "J1", "jwks": jwks(key)}, {"client_id": "M1", "certificates": [m1]}):
        doors.reply("root", "Client/CreateClient",
                    client={"kind": CONFIDENTIAL, "grants": [CREDENTIALS], "audiences": DEMO, **row})
    pem = key.private.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    save(j1=pem, m1=m1.hex())


def key_of_j1():
    made = Key.__new__(Key)
    made.alg, made.private = "ES256", serialization.load_pem_private_key(load()["j1"].encode(), None)
    return made


def open_session(root, user, uid):
    return must(root.call("Session/OpenSession", user=user, uid={"id": uid}, origin={"service": "sshd", "rhost": b"192.0.2.9"})).session_id


def login(connection, user=b"alice", password=PASSWORD):
    return connection.call("Authn/BeginAuthentication", user=user, password=password, client={"client_id": "P1"}, tokens=TOKENS)


def logins():
    """What the taken gateway sees: a person and a client that come through it. And others that do not."""
    with Taken("tls") as tls, Taken("local") as local, Daemon() as root:
        tls.claim("192.0.2.1")
        local.tell(1, uid=ALICE)
        mine, others = must(login(tls)).grant, must(login(local)).grant
        save(session=mine.session_id, refresh=mine.refresh_token, access=mine.access_token, other_session=others.session_id,
             other_refresh=others.refresh_token, other_access=others.access_token)
        save(c1=must(tls.call("Token/IssueToken", client=auth("C1"), tokens=TOKENS)).grant.access_token,
             other_c1=must(root.call("Token/IssueToken", client=auth("C1"), tokens=TOKENS)).grant.access_token)


# ---- attempts ----

def every_method(kind):
    name = {"network": "tls", "local": "local"}[kind]
    carried = CARRIED | ({"Token/IssueAttestedToken"} if kind == "local" else set())
    for who in "itself", "a peer":
        for rpc, streams in rpcs().items():
            with Taken(name) as gateway:
                if who == "a peer" and kind == "network":
                    gateway.claim()
                elif who == "a peer":
                    gateway.tell(1, uid=ALICE)
                answer = first_answer(gateway, rpc, streams)
            print(f"{rpc + ', for ' + who:<88} {answer}")
            if rpc in (OWN if who == "itself" else carried):
                assert answer != "PERMISSION_DENIED" or who == "a peer", (rpc, answer)
            else:
                assert answer == "PERMISSION_DENIED", (rpc, answer)
            if answer == "OK":
                assert rpc in OWN, f"{rpc} for an empty request"


def every_client():
    with Taken("tls") as tls:
        for client in "C1", "C2", "J1", "M1", "demo", "host", "P1", "nobody":
            for what, proof in (("no proof", {}), ("a secret of its own making", {"secret": b"sac1_" + 43 * b"a"}),
                                ("an assertion that another key has signed", {"assertion": Key().assertion(client)})):
                answer = tls.claim().ask("Token/IssueToken", client={"client_id": client, **proof}, tokens=TOKENS)
                attempt(f"IssueToken as {client} with {what}", answer, "INVALID_CLIENT", "OVERLOADED",
                        "UNAUTHORIZED_CLIENT" if client == "P1" else "INVALID_CLIENT")
        tls.claim()
        attempt("a login of alice with a password of its own making", login(tls, password=b"not hers")[0], "INVALID_CREDENTIALS")
        attempt("C1's secret, which has passed through it", tls.ask("Token/IssueToken", client=auth("C1"), tokens=TOKENS), "OK")


def foreign_certificates():
    registered_one = bytes.fromhex(load()["m1"])
    foreign = client_certificate("/run/t/foreign", "foreign")

    def ask(gateway, client):
        return gateway.call("Token/IssueToken", client={"client_id": client, "certificate": {}}, tokens=TOKENS)

    with Taken("tls") as tls:
        attempt("M1 by a certificate, and none is told", ask(tls.claim(), "M1")[0], "INVALID_CLIENT")
        attempt("M1 by a certificate that is not registered", ask(tls.claim(certificate=foreign), "M1")[0], "INVALID_CLIENT")
        for client in "C1", "J1", "P1", "host", "demo":
            attempt(f"{client}, which has no certificate, by M1's", ask(tls.claim(certificate=registered_one), client)[0],
                    "INVALID_CLIENT")
        status, reply = ask(tls.claim(certificate=registered_one), "M1")
        attempt("M1 by a lie: its certificate, which nobody has shown", status, "OK")
        bound = claims(reply.grant.access_token)["cnf"]["x5t#S256"]
        print(f"  and gets a token bound to it, which needs the certificate's key to be used: {bound}")
        assert base64.urlsafe_b64decode(bound + "=") == registered_one and not reply.grant.refresh_token
        save(m1_token=reply.grant.access_token)
    with Taken("local") as local:
        local.tell(1, uid=ALICE)
        attempt("M1 through the local gateway", ask(local, "M1")[0], "INVALID_CLIENT")


def replays():
    """Proofs that clients have sent through it: each is good once."""
    key = key_of_j1()
    with Taken("tls") as tls, Daemon() as root:
        tls.claim()

        def assertion(connection, text):
            return connection.call("Token/IssueToken", client={"client_id": "J1", "assertion": text}, tokens=TOKENS)

        def proven(connection, proof, rpc="Token/IssueToken"):
            return connection.call(rpc, client={**auth("C1"), "dpop_proof": proof}, tokens=TOKENS)

        end = time.monotonic() + 10  # in its first seconds the daemon takes no proofs
        while assertion(tls, text := key.assertion("J1"))[0] == "OVERLOADED" and time.monotonic() < end:
            time.sleep(0.2)
        attempt("J1's assertion again", assertion(tls, text)[0], "INVALID_CLIENT")
        attempt("and from another address", assertion(tls.claim(), text)[0], "INVALID_CLIENT")
        attempt("and at another door", assertion(root, text)[0], "INVALID_CLIENT")
        attempt("J1's next one, for the first time", assertion(tls.claim(), key.assertion("J1"))[0], "OK")
        old = key.assertion("J1", iat=int(time.time()) - 90000, exp=int(time.time()) - 86400)
        attempt("one of yesterday", assertion(tls.claim(), old)[0], "INVALID_CLIENT")
        attempt("one that is meant for another issuer", assertion(tls.claim(), key.assertion("J1", aud="https://else.example"))[0],
                "INVALID_CLIENT")
        proof = key.dpop("TokenService/IssueToken")
        attempt("C1's DPoP proof, for the first time", proven(tls.claim(), proof)[0], "OK")
        attempt("again", proven(tls, proof)[0], "INVALID_DPOP_PROOF")
        attempt("one for another method", proven(tls.claim(), key.dpop("TokenService/RefreshToken"))[0], "INVALID_DPOP_PROOF")


def forged_addresses():
    """A new address for each guess: the ceiling of the instance holds, and nobody else is turned away."""
    with Taken("tls") as tls:
        said = []
        for i in range(260):
            tls.claim(f"203.0.{i // 200}.{i % 200 + 1}")
            tls.send("Authn/BeginAuthentication", user=b"guess%d" % i, password=b"a guess", client={"client_id": "P1"}, tokens=TOKENS)
        for _ in range(260):
            said.append(tls.receive(MESSAGES["BeginAuthenticationResponse"])[0])
        print(f"260 guesses from 260 addresses: {said.count('INVALID_CREDENTIALS')} are judged, {said.count('RATE_LIMITED')} are not")
        assert 195 <= said.count("INVALID_CREDENTIALS") <= 200, "a hundred times a source's two, with what came before"
        assert set(said) == {"INVALID_CREDENTIALS", "RATE_LIMITED"}
        attempt("one more, from one more address", login(tls.claim(), password=b"x")[0], "RATE_LIMITED")
        with Taken("local") as local:
            local.tell(1, uid=ALICE)
            attempt("alice at the other gateway meanwhile", login(local)[0], "OK")
        attempt("C1 by its secret, which no guess concerns, through this one",
                tls.ask("Token/IssueToken", client=auth("C1"), tokens=TOKENS), "OK")
        end = time.monotonic() + 15
        while (answer := login(tls.claim()))[0] == "RATE_LIMITED" and time.monotonic() < end:
            time.sleep(0.5)
        attempt("alice through this one, when the window is over", answer[0], "OK")


def facts_it_may_not_state():
    address, certificate = b"\x1a\x09192.0.2.1", b"\x22"

    def peer(body=b""):
        return HEADER.pack(28 + len(body), 1, 6, 0, 0, 0, 1, 0, 0, 0) + body

    over = "the connection is ended"
    for what, body in (("a uid", address + b"\x0a\x02\x08\x07"), ("a pid", address + b"\x10\x07"), ("no address", b""),
                       ("a name for an address", b"\x1a\x07example"),
                       ("a fingerprint of 31 bytes", address + certificate + b"\x1f" + bytes(31)),
                       ("a fingerprint without an address", certificate + b"\x20" + bytes(32)), ("rubbish", b"\xff\xff")):
        with Taken("tls") as tls:
            attempt(f"the network gateway states {what}", tls.raw(peer(body)), over, *(("OK",) if what in ("a uid", "a pid") else ()))
            if what in ("a uid", "a pid"):
                continue
    with Taken("tls") as tls:  # fields that mean nothing any more are no uid
        tls.raw(peer(address + b"\x0a\x02\x08\x07\x10\x07"))
        tls.peer = 1
        attempt("and asks as that uid for a token", tls.ask("Token/IssueAttestedToken", session_id=22 * "a", tokens=TOKENS),
                "PERMISSION_DENIED")
    alice = Caller(ALICE)
    for what, body, descriptor in (("alice's uid, and no descriptor", b"\x0a\x03\x08\xd1\x0f", None),
                                   ("nothing, and no descriptor", b"", None),
                                   ("alice's uid beside a descriptor", b"\x0a\x03\x08\xd1\x0f", alice.end.fileno()),
                                   ("an address beside a descriptor", address, alice.end.fileno())):
        with Taken("local") as local:
            attempt(f"the local gateway states {what}", local.raw(peer(body), descriptor), over)


def every_uid():
    """A login session's id of everybody's is known to it; the uid is not its to choose."""
    with Daemon() as root:
        hers, his = open_session(root, b"alice", ALICE), open_session(root, b"bob", BOB)

    def ask(local, session):
        return local.ask("Token/IssueAttestedToken", session_id=session, tokens=TOKENS)

    def show(local, descriptor):
        local.peer = 1
        socket.send_fds(local.socket, [HEADER.pack(28, 1, 6, 0, 0, 0, 1, 0, 0, 0)], [descriptor])
        return local

    refused = ("PERMISSION_DENIED", "SESSION_INVALID")
    with Taken("local") as local, tempfile.TemporaryDirectory() as folder:
        alice, root, itself = Caller(ALICE), Caller(0), Caller(pwd.getpwnam("secauth-grpc-local").pw_uid)
        attempt("as alice, who is connected, for her session", ask(show(local, alice.end.fileno()), hers), "OK")
        attempt("as alice, for bob's", ask(local, his), *refused)
        attempt("as alice, an administrator's method", local.ask("User/ListUsers"), "PERMISSION_DENIED")
        alice.client.close()
        attempt("as alice, who has hung up, told anew", ask(show(local, alice.end.fileno()), hers), "PERMISSION_DENIED")
        attempt("as itself, for bob's session", ask(show(local, itself.end.fileno()), his), *refused)
        attempt("as root, who is connected, for alice's session", ask(show(local, root.end.fileno()), hers), *refused)
        attempt("as root, an administrator's method", local.ask("User/ListUsers"), "PERMISSION_DENIED")
        with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as towards:
            listener.bind(f"{folder}/bobs")
            os.seteuid(BOB)
            listener.listen(1)
            os.seteuid(0)
            towards.connect(f"{folder}/bobs")
            attempt("as bob, by connecting to a socket on which he listens", ask(show(local, towards.fileno()), his),
                    "PERMISSION_DENIED")
        with socket.socket(socket.AF_UNIX) as towards:
            towards.connect(USER_SOCKET)
            attempt("as root, by connecting to the daemon itself", ask(show(local, towards.fileno()), hers),
                    "PERMISSION_DENIED")
        one, other = socket.socketpair()
        attempt("as somebody, by a pair of its own", ask(show(local, one.fileno()), his), *refused)
        one.close()
        other.close()


def the_key_signs_nothing():
    """The certificate's key is no signing key: what it signs is no token."""
    private = pathlib.Path("/run/t/server.key").read_bytes()
    said = jwt.decode(load()["access"], options={"verify_signature": False})
    header = jwt.get_unverified_header(load()["access"])
    key = serialization.load_pem_private_key(private, None)
    alg = "ES256" if hasattr(key, "curve") else "RS256"
    forged = jwt.encode(said | {"sub": "somebody", "exp": int(time.time()) + 600}, private, algorithm=alg,
                        headers={"typ": "at+jwt", "kid": header["kid"]})
    with Taken("tls") as tls:
        tls.claim()
        status, reply = tls.call("Token/IntrospectToken", client=auth("demo"), token=forged.encode())
        attempt("a token that it has signed itself, introspected", f"{status} active={reply.active}", "OK active=False")


def what_it_got():
    """A refresh token that has passed through it is good for whoever has it, until the session ends."""
    with Taken("tls") as tls:
        tls.claim()
        status, reply = tls.call("Token/RefreshToken", client={"client_id": "P1"}, refresh_token=load()["refresh"].encode())
        attempt("alice's refresh token, which has passed through it", status, "OK")
        save(refresh=reply.grant.refresh_token, access=reply.grant.access_token)
    print(f"  a session of alice's, {load()['session']}, and tokens of P1, C1 and M1")


# ---- the end of it ----

def numbers():
    with Daemon() as root:
        return {row.name: row for row in must(root.call("Host/ListGateways")).gateways}


def instance_of(token):
    jti = claims(token)["jti"]
    return int.from_bytes(base64.urlsafe_b64decode(jti + "=" * (-len(jti) % 4))[6:8], "big")


def listed():
    rows = numbers()
    assert set(rows) == {"local", "tls"} and all(row.served for row in rows.values()), rows
    assert rows["local"].number != rows["tls"].number and min(row.number for row in rows.values()) == 1
    assert rows["tls"].sessions >= 1 and rows["local"].sessions >= 1
    loot = load()
    assert [instance_of(loot[name]) for name in ("access", "c1", "m1_token")] == 3 * [rows["tls"].number]
    assert instance_of(loot["other_access"]) == rows["local"].number and instance_of(loot["other_c1"]) == 0
    save(numbers={name: row.number for name, row in rows.items()})


def active(root, name):
    return must(root.call("Token/IntrospectToken", client=auth("demo"), token=load()[name].encode())).active


def revoked_since_now():
    time.sleep(1.1)
    with Daemon() as root:
        assert must(root.call("Host/RevokeGateway", name="tls", since_ms=int(time.time() * 1000) - 50)).sessions == 0


def still_good():
    with Daemon() as root:
        assert all(active(root, name) for name in ("access", "c1", "other_access", "other_c1"))


def what_it_got_is_over():
    with Taken("tls") as tls, Daemon() as root:
        tls.claim()
        answer = tls.ask("Token/RefreshToken", client={"client_id": "P1"}, refresh_token=load()["refresh"].encode())
        attempt("alice's refresh token", answer, "INVALID_GRANT")
        for name in "access", "c1", "m1_token":
            attempt(f"the token `{name}`, introspected", f"active={active(root, name)}", "active=False")
        attempt("its session",
                root.call("Session/GetSession", session_id=load()["session"])[0], "NOT_FOUND")
        kind, told = root.send("Key/WatchRevocations"), []
        message = None
        while message is None or not message.caught_up:
            status, message = root.next(kind)
            assert status is None
            told += message.revocations
        rules = [revoked.rule for revoked in told if revoked.rule.instance == load()["numbers"]["tls"]]
        sessions = {revoked.sid for revoked in told if revoked.sid}
        print(f"  followers are told of {len(sessions)} sessions and of a rule for what came through number {rules[0].instance}")
        assert rules[-1].since_ms == 1577836800000 and rules[-1].not_before_ms > time.time() * 1000 - 60000, rules
        assert load()["session"] in sessions and load()["other_session"] not in sessions


def others_go_on():
    loot = load()
    with Taken("local") as local, Daemon() as root:
        assert active(root, "other_access") and active(root, "other_c1")
        local.tell(1, uid=ALICE)
        must(local.call("Token/RefreshToken", client={"client_id": "P1"}, refresh_token=loot["other_refresh"].encode()))
        assert root.call("Session/GetSession", session_id=loot["other_session"])[0] == "OK"


def recorded():
    with Daemon() as root:
        rows = must(root.call("Audit/ListAuditRecords", event="GATEWAY_REVOKE", page_size=10)).records
    assert len(rows) == 2 and all(row.outcome == "granted" for row in rows), rows
    detail = rows[1].detail
    assert re.fullmatch(rf"revoked=tls number={load()['numbers']['tls']} since_ms=1577836800000 sessions=[1-9]\d*", detail), detail


def good_again():
    with Taken("tls") as tls, Daemon() as root:
        tls.claim("192.0.2.1")
        save(again=must(tls.call("Token/IssueToken", client=auth("C1"), tokens=TOKENS)).grant.access_token)
        assert active(root, "again")
        assert login(tls)[0] == "OK"


def remembered():
    assert {name: row.number for name, row in numbers().items()} == load()["numbers"]
    with Daemon() as root:
        assert not active(root, "c1") and not active(root, "access") and active(root, "again") and active(root, "other_c1")


run_part()

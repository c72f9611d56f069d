"""Secrets of every kind, used in every method through every door, for secrets.test.

secrets.py FOLDER use       works with real secrets; writes them all to /run/t/secrets
secrets.py FOLDER everywhere   puts each of them into every field of bytes of every method
secrets.py FOLDER look PATH...   fails where one of them stands in a file below PATH, as it is or written otherwise
"""
import base64
import json
import os
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../contract"))
import bad_input  # noqa: E402
from bad_input import *  # noqa: E402,F403
import grpc  # noqa: E402

FILE = "/run/t/secrets"
HASH = b"$6$saltsaltsalt$" + base64.b64encode(os.urandom(64))[:86].replace(b"+", b".").replace(b"=", b"/")


def made(what):
    return what + base64.urlsafe_b64encode(os.urandom(12))


def ctl(*words, typed=b""):
    return subprocess.run(["secauthctl", *words], input=typed, stdout=subprocess.PIPE, check=True).stdout


def over_grpc(channel, method, request, response):
    call = channel.unary_unary("/" + PACKAGE + method, lambda message: message.SerializeToString(), response.FromString)
    try:
        return call(request, timeout=10)
    except grpc.RpcError as error:
        return error.code().name


def channels():
    with open(os.environ["TLS_CA"], "rb") as ca:
        yield grpc.secure_channel("localhost:7443", grpc.ssl_channel_credentials(ca.read()))
    yield grpc.insecure_channel("unix:/run/secauth-grpc/local.sock")


def second_factor(found):
    """Alice gets a key and recovery codes, and uses one of those; another key waits for its first code."""
    with Connection() as c:
        found["key"] = made(b"Marker-key-")
        _, body = c.ask(PACKAGE + "MfaService/EnrollTotp", mfa_pb2.EnrollTotpRequest(user="alice", key=found["key"]))
        found["totp"] = mfa_pb2.EnrollTotpResponse.FromString(body).secret
        code = subprocess.run(["oathtool", "--totp", found["key"].hex()], stdout=subprocess.PIPE, check=True).stdout.strip()
        _, body = c.ask(PACKAGE + "MfaService/ConfirmTotp", mfa_pb2.ConfirmTotpRequest(
            user="alice", code=code, recovery_codes=True))
        found["recovery"], used = mfa_pb2.ConfirmTotpResponse.FromString(body).recovery_codes[:2]
        _, body = c.ask(PACKAGE + "MfaService/EnrollTotp", mfa_pb2.EnrollTotpRequest(user="alice"))
        found["waiting"] = mfa_pb2.EnrollTotpResponse.FromString(body).secret
    with Connection(USER, ALICE) as own:
        status, body = own.ask(PACKAGE + "MfaService/CreateRecoveryCodes", mfa_pb2.CreateRecoveryCodesRequest(
            password=found["new"], code=used))
        assert status == "OK", status
        found["spent"], found["recovery2"] = used, mfa_pb2.CreateRecoveryCodesResponse.FromString(body).codes[0]
        assert own.ask(PACKAGE + "MfaService/CreateRecoveryCodes", mfa_pb2.CreateRecoveryCodesRequest(
            password=found["new"], code=used))[0] == "INVALID_CREDENTIALS"
    assert ctl("mfa", "remove", "alice")


def use():
    found = {name: made(b"Marker-" + name.encode()) for name in ("right", "wrong", "typed", "short", "new", "handed")}
    ctl("user", "add", "alice", "--uid", "2001", typed=found["right"])
    ctl("user", "passwd", "alice", typed=found["handed"])
    ctl("user", "passwd", "alice", typed=found["right"])
    ctl("user", "import", "--uid", "2010", typed=b"imported:" + HASH + b":19000:0:99999:7:::\n")
    found["hash"] = HASH
    ctl("client", "add", "svc", "--owns", "demo", "--audience", "demo=read", "--secret-file", "/run/t/svc")
    ctl("client", "add", "app", "--public", "--login", "--audience", "demo=read", "--grace", "1")
    ctl("client", "audience", "allow", "host", "demo", "--scopes", "read")
    with open("/run/t/svc", "rb") as file:
        found["secret"] = file.read().strip()
    ctl("api-key", "add", "svc", "--audience", "demo=read", "--key-file", "/run/t/key")
    with open("/run/t/key", "rb") as file:
        found["api_key"] = file.read().strip()
    key_id = found["api_key"][5:27].decode()
    found["api_key2"] = ctl("--output", "json", "api-key", "rotate", key_id, "--overlap", "600").split(b'"')[3]
    found["access"] = ctl("token", "issue", "--client", "svc", "--secret-file", "/run/t/svc", "--audience", "demo").strip()
    ctl("token", "introspect", "--client", "svc", "--secret-file", "/run/t/svc", typed=found["access"])
    with Connection() as c:  # a login, its session, its token, a change of its password
        _, body = c.ask(PACKAGE + "AuthnService/BeginAuthentication", login(b"alice", found["right"]))
        found["handle"] = authn_pb2.BeginAuthenticationResponse.FromString(body).authn_handle
        _, body = c.ask(PACKAGE + "SessionService/OpenSession", session_pb2.OpenSessionRequest(
            user=b"alice", uid={"id": ALICE}, origin={"service": "sshd"}, authn_handle=found["handle"]))
        session = session_pb2.OpenSessionResponse.FromString(body).session_id
        with Connection(USER, ALICE) as own:
            _, body = own.ask(PACKAGE + "TokenService/IssueAttestedToken", token_pb2.IssueAttestedTokenRequest(
                session_id=session, tokens={"audiences": ["demo"]}))
            found["attested"] = token_pb2.IssueAttestedTokenResponse.FromString(body).grant.access_token
        for user, password in [(b"alice", found["wrong"]), (found["typed"], found["right"]), (b"alice", found["short"])]:
            assert c.ask(PACKAGE + "AuthnService/BeginAuthentication", login(user, password))[0] == "INVALID_CREDENTIALS"
        assert c.ask(PACKAGE + "AuthnService/ChangePassword", authn_pb2.ChangePasswordRequest(
            user=b"alice", current_password=found["right"], new_password=found["new"],
            origin={"service": "passwd", "acting_uid": ALICE}))[0] == "OK"
    second_factor(found)
    for number, channel in enumerate(channels()):
        with channel:
            client, tokens = {"client_id": "app"}, {"audiences": ["demo"]}
            for user, password in [(b"alice", found["new"]), (b"alice", found["wrong"]), (found["typed"], found["new"])]:
                said = over_grpc(channel, "AuthnService/BeginAuthentication", authn_pb2.BeginAuthenticationRequest(
                    user=user, password=password, client=client, tokens=tokens), authn_pb2.BeginAuthenticationResponse)
                if not isinstance(said, str):
                    found[f"refresh{number}"] = said.grant.refresh_token
                    found[f"access{number}"] = said.grant.access_token
            said = over_grpc(channel, "TokenService/RefreshToken", token_pb2.RefreshTokenRequest(
                client=client, refresh_token=found[f"refresh{number}"]), token_pb2.RefreshTokenResponse)
            found[f"successor{number}"] = said.grant.refresh_token
            said = over_grpc(channel, "TokenService/IssueToken", token_pb2.IssueTokenRequest(
                client={"client_id": "svc", "secret": found["secret"]}, tokens=tokens), token_pb2.IssueTokenResponse)
            found[f"issued{number}"] = said.grant.access_token
            for key in (found["api_key"], found["api_key2"]):
                said = over_grpc(channel, "TokenService/IssueToken", token_pb2.IssueTokenRequest(
                    client={"client_id": "svc", "api_key": key}, tokens=tokens), token_pb2.IssueTokenResponse)
                assert said.grant.access_token
            for wrong in (found["wrong"], found["secret"] + b"x"):
                assert over_grpc(channel, "TokenService/IssueToken", token_pb2.IssueTokenRequest(client={
                    "client_id": "svc", "secret": wrong}, tokens=tokens), token_pb2.IssueTokenResponse) == "UNAUTHENTICATED"
    assert all(found.values()), [name for name, secret in found.items() if not secret]
    with open(FILE, "w") as file:
        json.dump({name: secret.decode() for name, secret in found.items()}, file)
    ok(f"{len(found)} secrets were used")


def secrets():
    with open(FILE) as file:
        return {name: secret.encode() for name, secret in json.load(file).items()}


# What a login's origin says of its place is shown on purpose, and so is what sshd says of the proof.
SHOWN = {"rhost", "tty", "auth_info"}


def choices(message):
    """How many members the largest oneof has, in the message or below; 1 where there is none."""
    return max([1, *(len(oneof.fields) for oneof in message.oneofs),
                *(choices(field.message_type) for field in message.fields if field.message_type)])


def standing(message, pick):
    """The fields, of a oneof only the one that is picked: two of them would be refused before anything looks at them."""
    for field in message.fields:
        oneof = field.containing_oneof
        if oneof is None or field is oneof.fields[pick % len(oneof.fields)]:
            yield field


def with_secret(message, secret, pick=0, left_out=None):
    """The message with the secret in every field of bytes, and a good value in the others; perhaps without one of them,
    so that other rules are the first to be broken."""
    parts = []
    for field in standing(message, pick):
        if field is left_out:
            continue
        if field.message_type:
            value = with_secret(field.message_type, secret, pick)
        elif field.type == field.TYPE_BYTES and field.name not in SHOWN:
            value = secret
        else:
            value = good(field)
        parts.append(piece(field.number, wire_type(field), value))
    return b"".join(parts)


def everywhere():
    found, count = secrets(), 0
    for name, request in every_rpc():
        bodies = [with_secret(request, secret, pick) for secret in found.values() for pick in range(choices(request))]
        bodies += [with_secret(request, secret, i, field) for i, secret in enumerate(found.values()) for field in request.fields]
        for connect in DOORS.values():
            if "/Watch" in name:
                beginnings(connect, name, bodies)
            else:
                c, peer = connect()
                with c:
                    answers(c, name, bodies, peer)
            count += len(bodies)
    for channel in channels():
        with channel:
            for name, request in every_rpc():
                call = channel.unary_unary("/" + name)
                if "/Watch" in name:
                    stream = channel.unary_stream("/" + name)
                    call = lambda body, timeout: next(stream(body, timeout=timeout))  # noqa: E731
                for number, secret in enumerate(found.values()):
                    try:
                        call(with_secret(request, secret, number), timeout=10)
                    except grpc.RpcError as error:
                        assert error.code().name not in ("INTERNAL", "UNKNOWN", "DEADLINE_EXCEEDED"), (name, error.code())
                    count += 1
    ok(f"{count} requests held secrets")


def forms(secret):
    """As it is, and as somebody may have written it."""
    secret = secret.rsplit(b".", 1)[-1] if secret.startswith(b"eyJ") else secret  # of a JWT its signature
    secret = secret.split(b"$")[-1]                                            # of a hash its digest
    raw = [secret]
    if secret[:5] == b"sak1_":  # without the id, which is shown
        raw = [secret[28:71], base64.urlsafe_b64decode(secret[28:71] + b"=")]
    if secret[:5] in (b"sac1_", b"sar1_"):
        raw += [secret[5:], base64.urlsafe_b64decode(secret[5:] + b"=" * (-len(secret[5:]) % 4))]
    for form in list(raw):
        raw += [form.hex().encode(), form.hex().upper().encode(), base64.b64encode(form).rstrip(b"=")[:-1]]
    return raw


def look(*paths):
    found = [(name, form) for name, secret in secrets().items() for form in forms(secret)]
    files, control = 0, False
    for path in paths:
        for folder, _, names in os.walk(path) if os.path.isdir(path) else [("", [], [path])]:
            for file in (os.path.join(folder, name) for name in names):
                try:
                    with open(file, "rb") as opened:
                        data = opened.read()
                except OSError:
                    continue
                files += 1
                control = control or b"alice" in data
                for name, form in found:
                    assert form not in data, f"{file} holds {name}: {form[:40]}"
    assert control, "nothing was read: not even alice is there"
    ok(f"{files} files hold none of them")


def look_at_processes():
    found = [(name, form) for name, secret in secrets().items() for form in forms(secret)]
    looked = 0
    for pid in filter(str.isdigit, os.listdir("/proc")):
        for what in ("cmdline", "environ"):
            try:
                with open(f"/proc/{pid}/{what}", "rb") as file:
                    data = file.read()
            except OSError:
                continue
            looked += b"secauth" in data
            for name, form in found:
                assert form not in data, f"/proc/{pid}/{what} holds {name}"
    assert looked >= 3, "the daemon and the gateways were not among them"


if __name__ == "__main__":
    globals()[sys.argv[2]](*sys.argv[3:])

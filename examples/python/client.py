#!/usr/bin/python3
"""A client of secauth-grpc in Python, with nothing but Debian's python3-grpcio, python3-jwt and stubs from proto/.

    client.py [--target localhost:7443 --ca ca.pem | --target unix:PATH] COMMAND ...

    token CLIENT AUDIENCE [SCOPE]    client credentials; verifies the token as a service would; prints its claims
    verify AUDIENCE                  the claims of the access token on stdin
    introspect CLIENT                what the daemon says of a token now
    login CLIENT USER AUDIENCE       a person's password through a public client; prints the grant
    refresh CLIENT                   the refresh grant of a public client; prints the grant
    attested SESSION AUDIENCE        a token for the caller's own login session (a Unix socket only)
    as-client CLIENT AUDIENCE        a token for a client that the caller is by its uid, without a secret (the same)
    notes CLIENT AUDIENCE SCOPE ADDRESS   a token, and with it Notes/Read of the example's server at ADDRESS
    call ADDRESS Read|Write          a method of Notes with the access token on stdin
    keys                             the key set that the service publishes

Secrets come from stdin, one a line, in the order in which the command needs them: the client's secret or the person's
password, then the token. What is printed is JSON. A refusal is printed on stderr as CODE: words; the exit status is 1.
"""
import argparse
import importlib
import json
import pathlib
import subprocess
import sys
import tempfile

import grpc
import jwt

EXAMPLES = pathlib.Path(__file__).resolve().parents[1]
PROTO = EXAMPLES.parent / "proto"
TIMEOUT_SECONDS = 20


def stubs():
    """Stubs made now from the contract; a program of yours would make them once, with the same command."""
    names = {"common": "secauth/v1/common", "token": "secauth/v1/token", "key": "secauth/v1/key",
             "authn": "secauth/v1/authn", "notes": "notes"}
    with tempfile.TemporaryDirectory() as out:
        subprocess.run(["protoc", f"-I{PROTO}", f"-I{EXAMPLES}", f"--python_out={out}", f"--grpc_python_out={out}",
                        "--plugin=protoc-gen-grpc_python=/usr/bin/grpc_python_plugin",
                        *(f"{name}.proto" for name in names.values())], check=True, cwd=PROTO)
        sys.path.insert(0, out)
        modules = {}
        for name, path in names.items():
            modules[name] = importlib.import_module(path.replace("/", ".") + "_pb2")
            modules[name + "_grpc"] = importlib.import_module(path.replace("/", ".") + "_pb2_grpc")
        return argparse.Namespace(**modules)


def connect(target, ca):
    if target.startswith("unix:"):
        return grpc.insecure_channel(target)
    return grpc.secure_channel(target, grpc.ssl_channel_credentials(pathlib.Path(ca).read_bytes()))


class Client:
    def __init__(self, target, ca):
        channel = connect(target, ca)
        self.pb = stubs()
        self.tokens = self.pb.token_grpc.TokenServiceStub(channel)
        self.keys = self.pb.key_grpc.KeyServiceStub(channel)
        self.authn = self.pb.authn_grpc.AuthnServiceStub(channel)

    def _auth(self, client_id, secret=b""):
        return self.pb.common.ClientAuth(client_id=client_id, **({"secret": secret} if secret else {}))

    def _request(self, audience, scope=""):
        return self.pb.common.TokenRequest(audiences=[audience], scope=scope)

    def issue(self, client_id, secret, audience, scope):
        request = self.pb.token.IssueTokenRequest(client=self._auth(client_id, secret),
                                                  tokens=self._request(audience, scope))
        return self.tokens.IssueToken(request, timeout=TIMEOUT_SECONDS).grant

    def login(self, client_id, user, password, audience):
        request = self.pb.authn.BeginAuthenticationRequest(user=user.encode(), password=password,
                                                           client=self._auth(client_id),
                                                           tokens=self._request(audience))
        response = self.authn.BeginAuthentication(request, timeout=TIMEOUT_SECONDS)
        assert response.outcome == self.pb.authn.AUTHENTICATION_OUTCOME_GRANTED
        return response.grant

    def refresh(self, client_id, refresh_token):
        request = self.pb.token.RefreshTokenRequest(client=self._auth(client_id), refresh_token=refresh_token)
        return self.tokens.RefreshToken(request, timeout=TIMEOUT_SECONDS).grant

    def attested(self, session_id, audience):
        request = self.pb.token.IssueAttestedTokenRequest(session_id=session_id, tokens=self._request(audience))
        return self.tokens.IssueAttestedToken(request, timeout=TIMEOUT_SECONDS).grant

    def attested_client(self, client_id, audience):
        request = self.pb.token.IssueAttestedTokenRequest(client_id=client_id, tokens=self._request(audience))
        return self.tokens.IssueAttestedToken(request, timeout=TIMEOUT_SECONDS).grant

    def notes(self, address, method, access_token):
        """What a client does with its token: it stands in the metadata of each call."""
        with grpc.insecure_channel(address) as channel:
            service = self.pb.notes_grpc.NotesStub(channel)
            request = self.pb.notes.ReadRequest() if method == "Read" else self.pb.notes.WriteRequest(text="bread")
            return getattr(service, method)(request, timeout=TIMEOUT_SECONDS,
                                            metadata=[("authorization", "Bearer " + access_token.decode())])

    def introspect(self, client_id, secret, token):
        request = self.pb.token.IntrospectTokenRequest(client=self._auth(client_id, secret), token=token)
        return self.tokens.IntrospectToken(request, timeout=TIMEOUT_SECONDS)

    def key_set(self):
        return json.loads(self.keys.GetKeySet(self.pb.key.GetKeySetRequest(), timeout=TIMEOUT_SECONDS).jwks)

    def verify(self, token, audience):
        """What a service does with a token that it is handed: the key by `kid`, one algorithm, issuer's rules."""
        header = jwt.get_unverified_header(token)
        if header["typ"] != "at+jwt":
            raise jwt.InvalidTokenError("not an access token")
        keys = jwt.PyJWKSet.from_dict(self.key_set())
        key = next(k for k in keys.keys if k.key_id == header["kid"])
        return jwt.decode(token, key.key, algorithms=["ES256"], audience=audience,
                          options={"require": ["iss", "sub", "aud", "exp", "iat", "jti"]})


def grant_as_dict(grant):
    return {"access_token": grant.access_token.decode(), "expires_in": grant.expires_in_seconds, "scope": grant.scope,
            "refresh_token": grant.refresh_token.decode(), "session_id": grant.session_id, "replayed": grant.replayed}


def introspection_as_dict(answer):
    if not answer.active:
        return {"active": False}
    return {"active": True, "sub": answer.sub, "username": answer.username, "client_id": answer.client_id,
            "scope": answer.scope, "aud": list(answer.aud), "sid": answer.sid}


def secret_line():
    return sys.stdin.readline().rstrip("\n").encode()


def run(client, command, words):
    if command == "token":
        client_id, audience, *scope = words
        grant = client.issue(client_id, secret_line(), audience, " ".join(scope))
        return client.verify(grant.access_token, audience)
    if command == "verify":
        return client.verify(secret_line(), words[0])
    if command == "introspect":
        return introspection_as_dict(client.introspect(words[0], secret_line(), secret_line()))
    if command == "login":
        client_id, user, audience = words
        return grant_as_dict(client.login(client_id, user, secret_line(), audience))
    if command == "refresh":
        return grant_as_dict(client.refresh(words[0], secret_line()))
    if command == "attested":
        return grant_as_dict(client.attested(*words))
    if command == "as-client":
        return grant_as_dict(client.attested_client(*words))
    if command == "notes":
        client_id, audience, scope, address = words
        return {"text": client.notes(address, "Read",
                                     client.issue(client_id, secret_line(), audience, scope).access_token).text}
    if command == "call":
        return {"answer": str(client.notes(*words, secret_line())).strip()}
    if command == "keys":
        return client.key_set()
    raise SystemExit(__doc__)


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--target", default="localhost:7443")
    parser.add_argument("--ca", default="/run/t/ca.pem")
    parser.add_argument("command")
    parser.add_argument("words", nargs="*")
    options = parser.parse_args()
    try:
        print(json.dumps(run(Client(options.target, options.ca), options.command, options.words)))
    except grpc.RpcError as error:
        print(f"{error.code().name}: {error.details()}", file=sys.stderr)
        raise SystemExit(1) from error


if __name__ == "__main__":
    main()

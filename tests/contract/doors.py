#!/usr/bin/python3
"""doors.py DOOR: call every method in the descriptors with an empty request through one door, as the calling uid.

DOOR is root (root.sock); user, admin or stranger (user.sock as a uid with a record, of the administrators' group, with
neither); local or tls (the gateways). Prints what differs from the table below and exits 1.
tests/contract/grpc_doors.test runs it at each.
"""
import os
import re
import socket
import struct
import subprocess
import sys
import tempfile
import time

import grpc
from google.protobuf import descriptor_pb2

HEADER = struct.Struct(">IBBHIIIHHQ")
SOCKETS = {"root": "/run/secauth/root/root.sock", "user": "/run/secauth/user.sock",
           "admin": "/run/secauth/user.sock", "stranger": "/run/secauth/user.sock"}
AT_ONCE_SECONDS = 1.0
PACKAGE = "secauth.v1."

# method: who may call it where, and what it says there to an empty request. Everybody else: PERMISSION_DENIED.
ANYWHERE, HOST, ADMIN, GATEWAYS = "root user admin local tls", "root user admin", "root admin", "local tls"
TABLE = {
    "AuthnService/BeginAuthentication": {ANYWHERE: "INVALID_REQUEST"},
    "AuthnService/ContinueAuthentication": {ANYWHERE: "INVALID_REQUEST"},
    "AuthnService/CheckAccount": {HOST: "INVALID_REQUEST"},
    "AuthnService/ChangePassword": {HOST: "INVALID_REQUEST"},
    "TokenService/IssueToken": {ANYWHERE: "INVALID_REQUEST"},
    "TokenService/IssueAttestedToken": {"user admin local": "SESSION_INVALID"},
    "TokenService/RefreshToken": {ANYWHERE: "INVALID_GRANT"},
    "TokenService/ExchangeToken": {ANYWHERE: "INVALID_REQUEST"},
    "TokenService/IntrospectToken": {ADMIN: "OK", "user stranger": "INVALID_REQUEST", GATEWAYS: "INVALID_REQUEST"},
    "TokenService/RevokeToken": {ANYWHERE: "INVALID_REQUEST"},
    "KeyService/GetKeySet": {ANYWHERE + " stranger": "OK"},
    "KeyService/WatchKeySet": {ANYWHERE + " stranger": "OK"},
    "KeyService/WatchRevocations": {ADMIN: "OK", "user stranger": "INVALID_REQUEST", GATEWAYS: "INVALID_REQUEST"},
    "SessionService/OpenSession": {"root": "INVALID_REQUEST"},
    "SessionService/CloseSession": {HOST: "INVALID_REQUEST"},
    "SessionService/ListSessions": {HOST: "OK"},
    "SessionService/GetSession": {HOST: "INVALID_REQUEST"},
    "SessionService/RevokeSession": {HOST: "INVALID_REQUEST"},
    "SessionService/RevokeUserSessions": {"root": "INVALID_REQUEST", "user": "OK", "admin": "NOT_MANAGED"},
    "HostService/GetStatus": {HOST: "OK"},
    "UserService/CreateUser": {ADMIN: "INVALID_REQUEST"},
    "UserService/ImportUser": {ADMIN: "INVALID_REQUEST"},
    "UserService/GetUser": {ADMIN: "INVALID_REQUEST"},
    "UserService/ListUsers": {ADMIN: "OK"},
    "UserService/ExportUser": {"root": "INVALID_REQUEST"},
    "UserService/UpdateUser": {ADMIN: "INVALID_REQUEST"},
    "HostService/Explain": {"root": "INVALID_REQUEST"},
    "HostService/ListGateways": {ADMIN: "OK"},
    "HostService/RevokeGateway": {ADMIN: "INVALID_REQUEST"},
    "HostService/RotateMasterKey": {ADMIN: "OK"},
    "MfaService/EnrollTotp": {ADMIN: "NOT_MANAGED", "user": "INVALID_CREDENTIALS"},
    "MfaService/ConfirmTotp": {ADMIN: "NOT_MANAGED", "user": "INVALID_CREDENTIALS"},
    "MfaService/CreateRecoveryCodes": {ADMIN: "NOT_MANAGED", "user": "INVALID_CREDENTIALS"},
    "MfaService/GetMfa": {ADMIN: "NOT_MANAGED", "user": "OK"},
    "MfaService/RemoveMfa": {ADMIN: "INVALID_REQUEST"},
    "LockoutService/ListLockouts": {ADMIN: "OK"},
    "LockoutService/GetLockout": {ADMIN: "NOT_FOUND"},
    "LockoutService/ClearLockout": {ADMIN: "INVALID_REQUEST"},
    "UserService/SetUserPassword": {ADMIN: "INVALID_REQUEST"},
    "UserService/SetUserActive": {ADMIN: "INVALID_REQUEST"},
    "UserService/DeleteUser": {ADMIN: "INVALID_REQUEST"},
    "ClientService/CreateClient": {ADMIN: "INVALID_REQUEST"},
    "ClientService/ListClients": {ADMIN: "OK"},
    "ClientService/GetClient": {ADMIN: "INVALID_REQUEST"},
    "ClientService/UpdateClient": {ADMIN: "INVALID_REQUEST"},
    "ClientService/RotateClientSecret": {ADMIN: "INVALID_REQUEST"},
    "ClientService/EndClientSecretOverlap": {ADMIN: "INVALID_REQUEST"},
    "ClientService/SetClientActive": {ADMIN: "INVALID_REQUEST"},
    "ClientService/DeleteClient": {ADMIN: "INVALID_REQUEST"},
    "ClientService/SetClientAudience": {ADMIN: "INVALID_REQUEST"},
    "ClientService/RemoveClientAudience": {ADMIN: "INVALID_REQUEST"},
    "ApiKeyService/CreateApiKey": {ADMIN: "INVALID_REQUEST"},
    "ApiKeyService/ListApiKeys": {ADMIN: "OK"},
    "ApiKeyService/RotateApiKey": {ADMIN: "INVALID_REQUEST"},
    "ApiKeyService/EndApiKeyOverlap": {ADMIN: "INVALID_REQUEST"},
    "ApiKeyService/RevokeApiKey": {ADMIN: "INVALID_REQUEST"},
    "SigningKeyService/ListSigningKeys": {ADMIN: "OK"},
    "SigningKeyService/RotateSigningKey": {ADMIN: "OK"},
    "SigningKeyService/RevokeSigningKey": {ADMIN: "INVALID_REQUEST"},
    "AuditService/ListAuditRecords": {ADMIN: "OK"},
}
STREAMS = {"KeyService/WatchKeySet", "KeyService/WatchRevocations"}  # said is what comes first
MISSING = ["secauth.v1.TokenService/Nothing", "secauth.v1.TokenService/issueToken", "secauth.v1.Nothing/IssueToken",
           "secauth.v2.TokenService/IssueToken", "TokenService/IssueToken", "a/b"]


def methods():
    """Full names of all methods of package secauth.v1, from the .proto files."""
    protos = [f"secauth/v1/{name}" for name in sorted(os.listdir("proto/secauth/v1")) if name.endswith(".proto")]
    with tempfile.NamedTemporaryFile() as out:
        subprocess.run(["protoc", "-Iproto", f"--descriptor_set_out={out.name}", *protos], check=True)
        files = descriptor_pb2.FileDescriptorSet.FromString(out.read())
    return [f"{file.package}.{service.name}/{method.name}" for file in files.file for service in file.service
            for method in service.method]


def reason(wire):
    """The reason of a status on the wire; OK for OK."""
    for line in open("proto/status.def"):
        if line.startswith("STATUS("):
            name, number, *_, words_before_last, _ = [part.strip() for part in line[7:].split(",")]
            if int(number) == wire:
                return "OK" if name == "OK" else words_before_last.strip('"')
    return f"status {wire}"


def call_socket(path):
    def connected():
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(10)
        connection.connect(path)
        return connection
    kept = connected()

    def call(name):
        connection = connected() if name.removeprefix(PACKAGE) in STREAMS else kept
        text = name.encode()
        connection.sendall(HEADER.pack(28 + len(text), 1, 1, 0, 1, 5000, 0, len(text), 0, 0) + text)
        header = connection.recv(HEADER.size, socket.MSG_WAITALL)
        if len(header) < HEADER.size:
            return "CLOSED"
        length, _, _, status, _, _, _, _, _, _ = HEADER.unpack(header)
        connection.recv(length - 28, socket.MSG_WAITALL)
        return reason(status)
    return call


def call_channel(channel):
    def call(name):
        try:
            if name.removeprefix(PACKAGE) in STREAMS:
                stream = channel.unary_stream("/" + name)(b"", timeout=5)
                next(stream)
                stream.cancel()
            else:
                channel.unary_unary("/" + name)(b"", timeout=5)
            return "OK"
        except grpc.RpcError as error:
            details = dict(error.trailing_metadata()).get("grpc-status-details-bin", b"")
            found = re.search(rb"([A-Z_]+)\x12\x07secauth", details)  # ErrorInfo: reason, domain
            return found[1].decode() if found else f"{error.code().name} without a reason"
    return call


def opened(door):
    if door == "local":
        return call_channel(grpc.insecure_channel("unix:/run/secauth-grpc/local.sock"))
    if door == "tls":
        with open(os.environ["TLS_CA"], "rb") as trust:
            return call_channel(grpc.secure_channel("127.0.0.1:7443", grpc.ssl_channel_credentials(trust.read())))
    return call_socket(SOCKETS[door])


def expected(method, door):
    for doors, said in TABLE[method].items():
        if door in doors.split():
            return said
    return "PERMISSION_DENIED"


def main(door):
    call, wrong = opened(door), []
    names = [name.removeprefix("secauth.v1.") for name in methods()]
    if sorted(names) != sorted(TABLE):
        wrong.append(f"not in the table, or not in the descriptors: {set(names) ^ set(TABLE)}")
    wanted = {f"secauth.v1.{name}": expected(name, door) for name in TABLE if name in names}
    wanted.update({name: "UNIMPLEMENTED" for name in MISSING})
    for name, said in wanted.items():
        began = time.monotonic()
        answer = call(name)
        took = time.monotonic() - began
        if answer != said or took > AT_ONCE_SECONDS:
            wrong.append(f"{door}: {name}: {answer} after {took:.2f} s, not {said}")
    print(*wrong, f"{len(wanted)} calls, {len(wrong)} wrong", sep="\n")
    return 1 if wrong or len(wanted) < 30 else 0


sys.exit(main(sys.argv[1]))

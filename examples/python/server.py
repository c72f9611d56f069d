#!/usr/bin/python3
"""A gRPC service that takes secauth's access tokens: an interceptor verifies each offline and checks its scope.

    server.py ADDRESS ISSUER AUDIENCE CLIENT [--target localhost:7443 --ca ca.pem | --target unix:PATH] < SECRET

ADDRESS is where it listens (127.0.0.1:PORT, in plain text, for the example's sake; behind TLS in earnest). CLIENT, with its
secret on stdin, owns AUDIENCE, so that it hears what was revoked. The service is Notes of examples/notes.proto.
"""
import argparse
import concurrent.futures
import contextvars
import logging
import sys
import time

import grpc

from client import connect, stubs
from verifier import Refused, Verifier

# What each method needs. A method that does not stand here is refused.
SCOPES = {"/secauth.example.Notes/Read": "read", "/secauth.example.Notes/Write": "write"}
CLAIMS = contextvars.ContextVar("claims")
LOG = logging.getLogger("notes")


class Guard(grpc.ServerInterceptor):
    def __init__(self, verifier):
        self.verifier = verifier

    def intercept_service(self, continuation, details):
        code, words, claims = self._judge(details)
        if code is not None:
            return grpc.unary_unary_rpc_method_handler(lambda request, context: context.abort(code, words))
        handler = continuation(details)
        if handler is None or handler.unary_unary is None:
            return handler

        def behave(request, context):
            CLAIMS.set(claims)
            return handler.unary_unary(request, context)

        return grpc.unary_unary_rpc_method_handler(behave, handler.request_deserializer, handler.response_serializer)

    def _judge(self, details):
        if not self.verifier.is_current():  # rather no answer than one to somebody whose token was revoked
            return grpc.StatusCode.UNAVAILABLE, "what was revoked is not known now", None
        scope = SCOPES.get(details.method)
        given = [value for name, value in details.invocation_metadata if name == "authorization"]
        if scope is None or len(given) != 1 or not given[0].startswith("Bearer "):
            return grpc.StatusCode.UNAUTHENTICATED, "a bearer token is needed", None
        try:
            return None, None, self.verifier.verify(given[0][len("Bearer "):], scope)
        except Refused as refused:
            LOG.warning("%s refused: %s", details.method, refused)
            if str(refused) == "scope":
                return grpc.StatusCode.PERMISSION_DENIED, f"needs the scope {scope}", None
            return grpc.StatusCode.UNAUTHENTICATED, "the token is not good", None


def notes(pb):
    class Notes(pb.notes_grpc.NotesServicer):
        text = "milk"

        def Read(self, request, context):
            return pb.notes.ReadResponse(text=f"{CLAIMS.get()['sub']}: {self.text}")

        def Write(self, request, context):
            self.text = request.text
            return pb.notes.WriteResponse()

    return Notes()


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("words", nargs=4)
    parser.add_argument("--target", default="localhost:7443")
    parser.add_argument("--ca", default="/run/t/ca.pem")
    options = parser.parse_args()
    address, issuer, audience, client_id = options.words
    logging.basicConfig(format="%(name)s: %(message)s")
    pb = stubs()
    verifier = Verifier(pb, connect(options.target, options.ca), issuer, audience, client_id,
                        sys.stdin.readline().strip().encode())
    verifier.start()
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(8), interceptors=[Guard(verifier)])
    pb.notes_grpc.add_NotesServicer_to_server(notes(pb), server)
    if server.add_insecure_port(address) == 0:
        raise SystemExit(f"{address}: cannot listen there")
    while not verifier.is_current():
        time.sleep(0.05)
    server.start()
    print("serving", flush=True)
    server.wait_for_termination()


if __name__ == "__main__":
    main()

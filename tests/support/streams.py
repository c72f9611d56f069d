"""For Python tests in a private host: streams of the daemon, alike on a socket and over gRPC.

    stream = OnSocket("Key/WatchKeySet")            # root's; OnSocket(rpc, path, uid, ...)
    stream = OnGrpc("Key/WatchKeySet", "tls")       # "local" or "tls", as callers.py has them
    for message in stream: ...                      # ends where the stream does: then stream.status says how
    first(stream)                                   # the first message, or the status where there is none
    stream.cancel()
"""
import grpc

from callers import answer_of, channel_of
from wire import HEADER, MESSAGES, ROOT_SOCKET, Daemon

CANCEL = 5


def cancel_frame(call):
    return HEADER.pack(28, 1, CANCEL, 0, call, 0, 0, 0, 0, 0)


class OnSocket:
    """A follower of its own connection; iterates over messages, and `status` is how it ended."""

    def __init__(self, rpc, path=ROOT_SOCKET, uid=0, peer=None, **fields):
        self.connection, self.status = Daemon(path, uid), None
        if peer:
            self.connection.tell(1, **peer)
        self.kind = self.connection.send(rpc, **fields)

    def __iter__(self):
        return self

    def __next__(self):
        self.status, message = self.connection.next(self.kind)
        if message is None:
            raise StopIteration
        return message

    def cancel(self):
        self.connection.socket.sendall(cancel_frame(self.connection.last))


class OnGrpc:
    """The same through a gateway, by grpcio."""

    def __init__(self, rpc, door, channel=None, timeout=None, **fields):
        service, method = rpc.split("/")
        self.channel, self.status = channel or channel_of(door), None
        self.call = self.channel.unary_stream(f"/secauth.v1.{service}Service/{method}", lambda m: m.SerializeToString(),
                                              MESSAGES[method + "Response"].FromString)(
                                                  MESSAGES[method + "Request"](**fields), timeout=timeout)

    def __iter__(self):
        return self

    def __next__(self):
        try:
            return next(self.call)
        except grpc.RpcError as error:
            self.answer = answer_of(error)
            self.status = self.answer.reason
            raise StopIteration from None

    def cancel(self):
        self.call.cancel()


def first(stream):
    """The first message, or the status where there is none."""
    return next(stream, None) or stream.status

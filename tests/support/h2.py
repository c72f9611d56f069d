"""HTTP/2 frames by hand (RFC 9113), for tests that break its rules: a client library would not.

    peer = H2(gateway)                       # TlsGateway or LocalGateway of grpc_host.py; the preface is sent
    peer.send(headers(1, path) + message(1, b"body"))
    kind, flags, stream, payload = peer.frame()    # EOFError at the end of the connection
"""
import ssl
import struct

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM, END_HEADERS, ACK = 1, 4, 1
REFUSED_STREAM, ENHANCE_YOUR_CALM = 7, 11
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
MAX_CONCURRENT_STREAMS, INITIAL_WINDOW_SIZE = 3, 4


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">IBI", len(payload) << 8 | kind, flags, stream) + payload


def number(value, prefix):
    """An integer of HPACK (RFC 7541 section 5.1) whose first bits are 0."""
    if value < (1 << prefix) - 1:
        return bytes([value])
    value -= (1 << prefix) - 1
    out = bytearray([(1 << prefix) - 1])
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes(out + bytes([value]))


def field(name, value):
    """A header, literal and not indexed."""
    return b"\0" + number(len(name), 7) + name + number(len(value), 7) + value


def block(path, *more):
    fields = [(b":method", b"POST"), (b":scheme", b"https"), (b":path", path.encode()), (b":authority", b"localhost"),
              (b"content-type", b"application/grpc"), (b"te", b"trailers"), *more]
    return b"".join(field(*f) for f in fields)


def headers(stream, path, *more, flags=END_HEADERS):
    return frame(HEADERS, flags, stream, block(path, *more))


def message(stream, body, flags=END_STREAM):
    whole = b"\0" + struct.pack(">I", len(body)) + body
    pieces = [whole[i:i + 16384] for i in range(0, len(whole), 16384)]
    return b"".join(frame(DATA, flags if i == len(pieces) - 1 else 0, stream, p) for i, p in enumerate(pieces))


def settings(**values):
    numbers = {"initial_window": INITIAL_WINDOW_SIZE, "max_streams": MAX_CONCURRENT_STREAMS}
    return frame(SETTINGS, 0, 0, b"".join(struct.pack(">HI", numbers[k], v) for k, v in values.items()))


def over_tls(connection, trust):
    context = ssl.create_default_context(cafile=str(trust))
    context.set_alpn_protocols(["h2"])
    return context.wrap_socket(connection, server_hostname="localhost")


class H2:
    def __init__(self, connection, seconds=5, **values):
        self.connection, self.rest = connection, b""
        connection.settimeout(seconds)
        self.send(PREFACE + settings(**values))

    def send(self, data):
        self.connection.sendall(data)

    def take(self, length):
        while len(self.rest) < length:
            more = self.connection.recv(65536)
            if not more:
                raise EOFError
            self.rest += more
        taken, self.rest = self.rest[:length], self.rest[length:]
        return taken

    def frame(self):
        length, flags, stream = struct.unpack(">IBI", self.take(9))
        return length & 255, flags, stream, self.take(length >> 8)

    def until(self, wanted):
        """The first frame for which wanted(kind, flags, stream, payload); None where the connection ends before."""
        try:
            while True:
                found = self.frame()
                if wanted(*found):
                    return found
        except (EOFError, ConnectionError, ssl.SSLError):
            return None

    def drain(self):
        """Read what is there. False at the end of the connection."""
        seconds = self.connection.gettimeout()
        self.connection.setblocking(False)
        try:
            while more := self.connection.recv(65536):
                self.rest += more
            return False
        except (BlockingIOError, ssl.SSLWantReadError):
            return True
        except (ConnectionError, ssl.SSLError):
            return False
        finally:
            self.connection.settimeout(seconds)

    def is_cut(self):
        """Whether the other side ends the connection within the time."""
        try:
            return self.until(lambda *_: False) is None
        except TimeoutError:
            return False

    def close(self):
        self.connection.close()

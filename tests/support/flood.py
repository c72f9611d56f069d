"""flood.py FILE: strangers from a hundred addresses try passwords until this is killed, a thousand a second; FILE is
made as soon as the daemon has turned one away for want of room. Run as root in a private host."""
import itertools
import pathlib
import selectors
import sys
import time

from wire import *  # noqa: F403

CONNECTIONS, EVERY_S = 16, 0.001

marker = pathlib.Path(sys.argv[1])
selector = selectors.DefaultSelector()
daemons = [Daemon() for _ in range(CONNECTIONS)]  # noqa: F405
for daemon in daemons:
    selector.register(daemon.socket, selectors.EVENT_READ, daemon)
open_calls = dict.fromkeys(daemons, 0)
buffers = dict.fromkeys(daemons, b"")
due = time.monotonic()
for turn in itertools.count():
    daemon = daemons[turn % CONNECTIONS]
    if open_calls[daemon] < 60:
        open_calls[daemon] += 1
        daemon.send("Authn/BeginAuthentication", user=b"stranger%d" % turn, password=b"guess%d" % turn,
                    origin={"service": "sshd", "rhost": b"198.51.100.%d" % (turn % 100)})
    due = max(due + EVERY_S, time.monotonic() - 0.1)
    while True:
        for key, _ in selector.select(max(0, due - time.monotonic())):
            daemon = key.data
            data = buffers[daemon] + daemon.socket.recv(65536)
            while len(data) >= 32 and len(data) >= (length := HEADER.unpack(data[:32])[0] + 4):  # noqa: F405
                open_calls[daemon] -= 1
                if STATUS[HEADER.unpack(data[:32])[3]] == "OVERLOADED":  # noqa: F405
                    marker.touch()
                data = data[length:]
            buffers[daemon] = data
        if time.monotonic() >= due:
            break

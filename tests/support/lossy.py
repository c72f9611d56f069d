"""A proxy that loses replies: `Lossy(path_or_port, target)` between a caller and a door.

    proxy = Lossy("/run/t/root.sock", "/run/secauth/root/root.sock")    # or Lossy(7500, 7443)
    proxy.lose()    # from now on nothing that the door says comes through
    proxy.cut()     # every connection breaks; new ones are whole again
"""
import os
import socket
import threading


def _listen(at):
    if isinstance(at, int):
        return socket.create_server(("127.0.0.1", at))
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(at)
    os.chmod(at, 0o666)
    listener.listen(16)
    return listener


def _connect(target):
    if isinstance(target, int):
        return socket.create_connection(("127.0.0.1", target))
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(target)
    return connection


class Lossy:
    def __init__(self, at, target):
        self.listener, self.target = _listen(at), target
        self.losing, self.ends = False, []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            near, _ = self.listener.accept()
            far = _connect(self.target)
            self.ends += [near, far]
            threading.Thread(target=self._pump, args=(near, far, False), daemon=True).start()
            threading.Thread(target=self._pump, args=(far, near, True), daemon=True).start()

    def _pump(self, source, sink, is_answer):
        try:
            while data := source.recv(65536):
                if not (is_answer and self.losing):
                    sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def lose(self):
        self.losing = True

    def cut(self):
        for end in self.ends:
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        self.ends, self.losing = [], False

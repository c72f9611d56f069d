#!/usr/bin/python3
"""unit_manager.py UNIT SOCKET LOG: plays systemd for one unit of Type=notify, by what the unit file itself says.

It honours ExecStartPre= (with its `-`), ExecStart=, Restart=, RestartSec=, TimeoutStopSec=, RuntimeDirectory= (made at a
start, gone after a stop) and UMask=. It reads the file anew at every start, as after a daemon-reload. On SOCKET it takes
`start`, `stop`, `restart`, `is-active` and `daemon-reload`, a word a connection, and answers with an exit status.
A program that ends by itself is started again only if Restart= says so.
"""
import os
import pathlib
import select
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time

UNIT, SOCKET, LOG = sys.argv[1:]
READY_SECONDS = 90


def seconds(text):
    return float(text.removesuffix("s"))


def service():
    found = {"ExecStartPre": []}
    section = ""
    for line in pathlib.Path(UNIT).read_text().splitlines():
        if line.startswith("["):
            section = line
        elif section == "[Service]" and "=" in line and not line.startswith("#"):
            name, value = line.split("=", 1)
            if name == "ExecStartPre":
                found[name].append(value)
            else:
                found[name] = value
    return found


class Manager:
    def __init__(self):
        self.process = None
        self.log = open(LOG, "ab", 0)
        self.restart_at = None
        self.unit = {}

    def say(self, words):
        self.log.write(f"manager: {words}\n".encode())

    def start(self):
        if self.process:
            return True
        self.restart_at = None
        if not os.path.exists(UNIT):
            return False
        self.unit = unit = service()
        os.makedirs("/run/" + unit["RuntimeDirectory"], int(unit["RuntimeDirectoryMode"], 8), exist_ok=True)
        umask = int(unit["UMask"], 8)
        for command in unit["ExecStartPre"]:
            code = subprocess.run(shlex.split(command.removeprefix("-")), umask=umask, stderr=self.log).returncode
            if code != 0 and not command.startswith("-"):
                return False
        path = f"/run/notify.{os.getpid()}"
        self.notify = notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        pathlib.Path(path).unlink(missing_ok=True)
        notify.bind(path)
        os.chmod(path, 0o666)
        self.process = subprocess.Popen(shlex.split(unit["ExecStart"]), umask=umask, stdin=subprocess.DEVNULL,
                                        stdout=self.log, stderr=self.log, env=dict(os.environ, NOTIFY_SOCKET=path))
        notify.settimeout(0.05)
        end = time.monotonic() + READY_SECONDS
        while time.monotonic() < end and self.process.poll() is None:
            try:
                if b"READY=1" in notify.recv(4096):
                    self.say(f"started {self.process.pid}")
                    return True
            except TimeoutError:
                pass
        self.say("did not become ready")
        return False

    def clean(self):
        self.process = None
        shutil.rmtree("/run/" + self.unit["RuntimeDirectory"], ignore_errors=True)

    def stop(self):
        self.restart_at = None
        if self.process:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(seconds(self.unit["TimeoutStopSec"]))
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
            self.say("stopped")
            self.clean()
        return True

    def look(self):
        """Nobody asked for this end: Restart= decides."""
        if self.process and self.process.poll() is not None:
            code = self.process.returncode
            policy = self.unit.get("Restart", "no")
            again = policy == "always" or (policy == "on-failure" and code != 0)
            self.say(f"ended by itself, code {code}, Restart={policy}")
            self.clean()
            if again:
                self.restart_at = time.monotonic() + seconds(self.unit.get("RestartSec", "0.1s"))
        if self.restart_at and time.monotonic() >= self.restart_at:
            self.start()

    def obey(self, word):
        if word == "is-active":
            return self.process is not None and self.process.poll() is None
        if word == "restart":
            return self.stop() and self.start()
        return {"start": self.start, "stop": self.stop, "daemon-reload": lambda: True}[word]()


manager = Manager()
listener = socket.socket(socket.AF_UNIX)
listener.bind(SOCKET)
listener.listen(8)
while True:
    if select.select([listener], [], [], 0.05)[0]:
        caller, _ = listener.accept()
        with caller:
            caller.sendall(b"0" if manager.obey(caller.recv(64).decode().strip()) else b"1")
    manager.look()

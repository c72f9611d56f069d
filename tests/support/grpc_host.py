"""For Python tests of secauth-grpc: a private host, a fake daemon, gateways, stock clients, counted checks.

    from grpc_host import *
    enter()                                 # goes into the private host; once, at the top
    fake = FakeDaemon("local")              # tests/support/fake_daemon.py on the socket of gateway `local`
    local = LocalGateway()                  # secauth-grpc on a Unix socket, as user secauth-grpc
    with local.channel() as channel: ...    # grpc.Channel
    check("a sentence", condition)
    sys.exit(report())
"""
import os
import pathlib
import pwd
import signal
import socket
import subprocess
import sys
import time
import traceback

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("BUILD", ROOT / "build/test")).resolve()
WORK = pathlib.Path("/run/t")
USER = "secauth-grpc"
GRPC_PROTO = "/usr/share/grpc-proto/grpc"
passed, failed, running = 0, 0, []


def enter():
    """Run again inside a private host."""
    if os.environ.get("IN_HOST") != "yes":
        os.environ["BUILD"] = str(BUILD)
        script = os.path.realpath(sys.argv[0])
        os.execv(ROOT / "tests/support/private-host", ["private-host", script, *sys.argv[1:]])
    os.chdir(ROOT)
    subprocess.run(["useradd", "--system", "--user-group", "--no-create-home", USER], check=False,
                   stderr=subprocess.DEVNULL)
    WORK.mkdir(mode=0o755, exist_ok=True)
    sys.excepthook = failed_by
    make_stubs()
    sys.path.insert(0, str(WORK / "stubs"))
    keep_library()


def keep_library():
    """With its last channel the library ends, and may hang when it begins anew in the same moment."""
    global keeper
    import grpc
    keeper = grpc.insecure_channel("unix:/nowhere")


def make_stubs():
    """Stubs by Debian's protoc; those of gRPC's own services outside of a package `grpc`, which is the library's."""
    out = WORK / "stubs"
    out.mkdir(exist_ok=True)
    common = ["protoc", f"--python_out={out}", f"--grpc_python_out={out}",
              "--plugin=protoc-gen-grpc_python=/usr/bin/grpc_python_plugin"]
    subprocess.run([*common, f"-I{GRPC_PROTO}", "health/v1/health.proto", "reflection/v1/reflection.proto",
                    "reflection/v1alpha/reflection.proto"], check=True)
    protos = [str(p.relative_to(ROOT / "proto")) for p in (ROOT / "proto").rglob("*.proto")]
    subprocess.run([*common, f"-I{ROOT}/proto", *protos], check=True)


def check(sentence, condition, more=""):
    global passed, failed
    passed, failed = passed + bool(condition), failed + (not condition)
    print(("  ok: " if condition else "  FAILED: ") + sentence, "" if condition else more, flush=True)


def report():
    for process in running:
        process.end()
    if failed:
        for log in sorted(WORK.glob("*.log")):
            print(f"--- {log.name}\n" + "\n".join(log.read_text(errors="replace").splitlines()[-20:]))
    print(f"{passed} checks passed, {failed} failed")
    return 1 if failed or not passed else 0


def failed_by(*exception):
    """An exception is a failed check; what runs is ended, and the logs are shown."""
    check("the test runs to its end", False, "\n" + "".join(traceback.format_exception(*exception)))
    os._exit(report())


def until(condition, seconds=5.0):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


class Process:
    """A program with a log in WORK."""

    def __init__(self, name, command, user=None):
        self.log = WORK / f"{name}.log"
        entry = pwd.getpwnam(user) if user else None
        with open(self.log, "a") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, user=entry and entry.pw_uid,
                                            group=entry and entry.pw_gid, extra_groups=[] if entry else None)
        running.append(self)

    def stop(self, number=signal.SIGTERM, seconds=15):
        """Its exit status; None where it had to be killed."""
        if self in running:
            running.remove(self)
        self.process.send_signal(number)
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            return None

    def end(self):
        self.process.kill()
        self.process.wait()

    def alive(self):
        return self.process.poll() is None

    def said(self, words):
        return words in self.log.read_text(errors="replace")


class FakeDaemon(Process):
    def __init__(self, gateway, user=None):
        self.path = f"/run/secauth/gateway/{gateway}.sock"
        pathlib.Path(self.path).parent.mkdir(parents=True, exist_ok=True)
        pathlib.Path(self.path).unlink(missing_ok=True)
        if user:
            os.chown(os.path.dirname(self.path), pwd.getpwnam(user).pw_uid, -1)
        super().__init__(f"fake-{gateway}", ["/usr/bin/python3", ROOT / "tests/support/fake_daemon.py", self.path], user)
        until(lambda: os.path.exists(self.path))


class Gateway(Process):
    def __init__(self, name, *arguments):
        program = os.environ.get("SA_GATEWAY", str(BUILD / "service/gateway/secauth-grpc"))
        super().__init__(f"gateway-{name}", [program, "--upstream", name, *arguments], USER)


class LocalGateway(Gateway):
    def __init__(self, *arguments, name="local"):
        folder = WORK / "socket"
        folder.mkdir(exist_ok=True)
        os.chown(folder, pwd.getpwnam(USER).pw_uid, -1)
        self.path = f"{folder}/{name}.sock"
        super().__init__(name, "--local", self.path, *arguments)
        until(lambda: os.path.exists(self.path) or not self.alive())

    def channel(self, *options):
        import grpc
        return grpc.insecure_channel(f"unix:{self.path}", [("grpc.use_local_subchannel_pool", 1), *options])

    def connect(self):
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(self.path)
        return connection


class TlsGateway(Gateway):
    def __init__(self, *arguments, name="tls", port=7443):
        make_certificate("server")
        self.port = port
        super().__init__(name, "--listen", f"127.0.0.1:{port}", "--cert", f"{WORK}/server.pem", "--key",
                         f"{WORK}/server.key", *arguments)
        until(lambda: self.open() or not self.alive())

    def open(self):
        try:
            self.connect().close()
            return True
        except OSError:
            return False

    def channel(self, *options):
        import grpc
        trust = grpc.ssl_channel_credentials((WORK / "ca.pem").read_bytes())
        return grpc.secure_channel(f"127.0.0.1:{self.port}", trust,
                                   [("grpc.use_local_subchannel_pool", 1), *options])

    def connect(self):
        return socket.create_connection(("127.0.0.1", self.port))


def openssl(*arguments):
    subprocess.run(["openssl", *arguments], check=True, stderr=subprocess.DEVNULL, cwd=WORK)


def make_certificate(name, subject="localhost"):
    """WORK/name.pem and name.key, signed by WORK/ca.pem; made once."""
    if not (WORK / "ca.pem").exists():
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1", "-subj",
                "/CN=private CA", "-keyout", "ca.key", "-out", "ca.pem")
    if (WORK / f"{name}.pem").exists():
        return
    (WORK / "names").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
    openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={subject}", "-keyout",
            f"{name}.key", "-out", "request.pem")
    openssl("x509", "-req", "-in", "request.pem", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "1",
            "-extfile", "names", "-out", f"{name}.pem")
    os.chown(WORK / f"{name}.key", pwd.getpwnam(USER).pw_uid, -1)
    os.chmod(WORK / f"{name}.key", 0o400)


def method(channel, path):
    """Any unary method, bytes in, bytes out."""
    return channel.unary_unary(path)


def outcome(call, *arguments, timeout=5, **more):
    """(status name, words, trailing metadata) of a call; ("OK", reply, metadata)."""
    import grpc
    try:
        reply, done = call.with_call(*arguments, timeout=timeout, **more)
        return "OK", reply, dict(done.trailing_metadata())
    except grpc.RpcError as error:
        return error.code().name, error.details(), dict(error.trailing_metadata() or ())

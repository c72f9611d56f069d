"""What T06_algorithm_confusion.test does, in a private host, once for each algorithm."""
import os
import signal
import subprocess
import sys
import time

from cryptography.hazmat.primitives.asymmetric import rsa

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../support"))
from tokens import *  # noqa: E402,F403


def clients(root):
    secrets = {}
    for row in ({"client_id": "svc", "kind": 1, "grants": [1], "audiences": [{"audience": "demo", "scopes": ["read"]}]},
                {"client_id": "demo", "kind": 1, "grants": [1], "audiences_owned": ["demo"]}):
        secrets[row["client_id"]] = must(root.call("Client/CreateClient", client=row)).secret
    return {name: {"client_id": name, "secret": secret} for name, secret in secrets.items()}


def public_texts(jwk):
    """The public key in every form that somebody may have taken for a secret."""
    from jwcrypto.jwk import JWK
    key = JWK(**jwk)
    pem = key.export_to_pem()
    der = base64.b64decode(b"".join(pem.split(b"\n")[1:-2]))
    return {"PEM": pem, "PEM without its last line feed": pem.rstrip(b"\n"), "DER": der,
            "JWK text": json.dumps(jwk, separators=(",", ":")).encode(), "JWK text with spaces": json.dumps(jwk).encode(),
            "nothing": b""}


def attempts(jwk, claims):
    """(what, token, reason)."""
    kid, alg = jwk["kid"], jwk["alg"]
    attacker, attacker_rsa = ec.generate_private_key(ec.SECP256R1()), rsa.generate_private_key(65537, 2048)
    mine = attacker if alg == "ES256" else attacker_rsa
    head = {"alg": alg, "typ": "at+jwt", "kid": kid}
    none = lambda signed: b""  # noqa: E731
    zeros = lambda signed: bytes(64 if alg == "ES256" else 256)  # noqa: E731
    for word in ("none", "None", "nOnE", "NONE", ""):
        yield f"alg {word!r} with no signature", jws(head | {"alg": word}, claims, none), "alg"
        yield f"alg {word!r} with a signature", jws(head | {"alg": word}, claims, signer(mine)), "alg"
    yield "no alg", jws({"typ": "at+jwt", "kid": kid}, claims, none), "alg"
    for what, secret in public_texts(jwk).items():
        for word in ("HS256", "hs256"):
            yield f"{word} keyed with the {what}", jws(head | {"alg": word}, claims, hs256(secret)), "alg"
    yield "RS256 under an EC kid, or the other way round", \
        jws(head | {"alg": "RS256"}, claims, rs256(attacker_rsa)) if alg == "ES256" else \
        jws(head | {"alg": "ES256"}, claims, es256(attacker)), "alg"
    for word in ("ES384", "PS256", "EdDSA", "RS512", "ES256K"):
        yield f"{word}", jws(head | {"alg": word}, claims, signer(mine)), "alg"
    from jwcrypto.jwk import JWK
    own = json.loads(JWK.from_pyca(mine.public_key()).export_public())
    yield "an embedded jwk that verifies", jws(head | {"jwk": own}, claims, signer(mine)), "jwk"
    yield "an embedded jwk without kid", jws({"alg": alg, "typ": "at+jwt", "jwk": own}, claims, signer(mine)), "jwk"
    yield "a jku", jws(head | {"jku": "http://127.0.0.1:9/keys"}, claims, signer(mine)), "jku"
    yield "a jku of a file", jws(head | {"jku": "file:///run/t/attacker.json"}, claims, signer(mine)), "jku"
    yield "an x5u", jws(head | {"x5u": "https://attacker.example/cert"}, claims, signer(mine)), "x5u"
    yield "no kid", jws({"alg": alg, "typ": "at+jwt"}, claims, signer(mine)), "kid"
    for name in ("attacker", kid[:-1], kid + "x", kid.swapcase(), "../../etc/passwd", "/run/t/attacker.pem", "| id",
                 f"{kid}' OR '1'='1", "x' UNION SELECT 1--", "%00", kid + "\\u0000"):
        yield f"kid {name}", jws(text(head).replace(kid, name), claims, signer(mine)), "json" if "u0000" in name else "kid"
    yield "an all-zero signature", jws(head, claims, zeros), "signature"
    yield "another's signature", jws(head, claims, signer(mine)), "signature"
    yield "an empty signature", jws(head, claims, none), "signature"


def watched(pid, path):
    """strace, once it is attached."""
    tracer = subprocess.Popen(["strace", "-f", "-qq", "-e", "trace=%file,socket,connect,bind", "-o", path, "-p", str(pid)],
                              stderr=subprocess.PIPE, text=True)
    end = time.monotonic() + 10
    while f"TracerPid:\t{tracer.pid}" not in must_read(f"/proc/{pid}/status"):
        assert time.monotonic() < end and tracer.poll() is None, tracer.stderr.read() if tracer.poll() is not None else "slow"
        time.sleep(0.05)
    return tracer


def touched(tracer, path, allowed):
    tracer.send_signal(signal.SIGINT)
    tracer.wait()
    return [line for line in must_read(path).splitlines() if "(" in line and not any(word in line for word in allowed)]


def main():
    alg, daemon = sys.argv[1], int(sys.argv[2])
    with Daemon() as root:
        client = clients(root)
        good = must(root.call("Token/IssueToken", client=client["svc"], tokens={"audiences": ["demo"]})).grant
        good = good.access_token.decode()
        keys = save_keys(root)
        assert [key["alg"] for key in keys[:1]] == [alg], keys
        claims = json.loads(unb64(good.split(".")[1]))
        offline = Offline("demo")
        assert offline.reason(good) == "ok", "a good token is good"
        tries = [(f"{what}, claims {kind}", token, reason)
                 for kind, said in (("as they shall be", claims), ("that are none", "{"))
                 for what, token, reason in attempts(keys[0], said)]
        tracers = [(watched(pid, f"/run/t/trace.{name}"), f"/run/t/trace.{name}")
                   for name, pid in (("daemon", daemon), ("offline", offline.process.pid))]
        with Log() as log:
            for what, token, reason in tries:
                found = offline.reason(token)
                assert found == reason, f"All refused before any claim is used: {what}: libsecauth says {found}, not {reason}"
                answer = must(root.call("Token/IntrospectToken", client=client["demo"], token=token.encode()))
                assert answer.SerializeToString() == b"", f"introspection says inactive and nothing else: {what}: {answer}"
            reasons = log.reasons("IntrospectToken", len(tries))
        for (what, _, reason), logged in zip(tries, reasons):
            assert logged == reason, f"the reason is in the log only: {what}: the log says {logged}, not {reason}"
        for tracer, path in tracers:
            # The C library's malloc counts the processors when a thread gets an arena of its own.
            files = touched(tracer, path, ["/var/lib/secauth/store/", "/sys/devices/system/cpu/online"])
            assert not files, f"no network fetch and no file access beyond the store: {files[:5]}"
        assert must(root.call("Token/IntrospectToken", client=client["demo"], token=good.encode())).active
        assert offline.reason(good) == "ok"
        offline.close()
        print(f"{alg}: {len(tries)} tokens refused by both, each for one reason")


main()

"""What T08_es256_form.test does, in a private host."""
import os
import subprocess
import sys

import jwt

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../support"))
from tokens import *  # noqa: E402,F403

COUNT, AT_ONCE = 5000, 100


def issue(root, client):
    tokens = []
    while len(tokens) < COUNT:
        kinds = [root.send("Token/IssueToken", client=client, tokens={"audiences": ["demo"]}) for _ in range(AT_ONCE)]
        tokens += [must(root.receive(kind)).grant.access_token.decode() for kind in kinds]
    return tokens


def python_refuses(tokens):
    keys = {key["kid"]: jwt.PyJWK(key).key for key in json.loads(must_read(KEYS))["keys"]}
    for token in tokens:
        try:
            jwt.decode(token, keys[jwt.get_unverified_header(token)["kid"]], algorithms=["ES256"], audience="demo", issuer=ISSUER)
        except jwt.PyJWTError as error:
            return f"{token}: {error!r}"
    return None


NODE = """
import {createLocalJWKSet, jwtVerify} from 'jose';
import {readFileSync} from 'node:fs';
const [keys, tokens, issuer] = process.argv.slice(2);
const set = createLocalJWKSet(JSON.parse(readFileSync(keys)));
let count = 0;
for (const token of readFileSync(tokens, 'utf8').trim().split('\\n')) {
  await jwtVerify(token, set, {issuer, audience: 'demo', typ: 'at+jwt', algorithms: ['ES256']});
  count++;
}
console.log(count);
"""


def node_verifies(tokens):
    with open("/run/t/tokens", "w", encoding="ascii") as file:
        file.write("\n".join(tokens) + "\n")
    place = os.path.dirname(os.environ["NODE_MODULES"])
    with open(f"{place}/t08.mjs", "w", encoding="ascii") as file:
        file.write(NODE)
    run = subprocess.run(["node", f"{place}/t08.mjs", KEYS, "/run/t/tokens", ISSUER], capture_output=True, text=True, check=False)
    return run.stdout.strip() or run.stderr


def der(raw):
    return utils.encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))


def other_forms(raw):
    yield "the DER form", der(raw)
    yield "63 bytes, without the first", raw[1:]
    yield "63 bytes, without the last", raw[:-1]
    yield "65 bytes, a zero before it", b"\0" + raw
    yield "65 bytes, a zero behind it", raw + b"\0"
    yield "65 bytes, a zero before s", raw[:32] + b"\0" + raw[32:]
    if raw[32] == 0:
        yield "63 bytes, s without its zero", raw[:32] + raw[33:]


def main():
    with Daemon() as root:
        row = {"client_id": "svc", "kind": 1, "grants": [1], "audiences": [{"audience": "demo", "scopes": ["read"]}]}
        client = {"client_id": "svc", "secret": must(root.call("Client/CreateClient", client=row)).secret}
        tokens = issue(root, client)
        assert save_keys(root)[0]["alg"] == "ES256", "ES256 as shipped"
    short = []
    for token in tokens:
        signature = token.split(".")[2]
        raw = unb64(signature)
        assert len(raw) == 64 and len(signature) == 86 and "=" not in token, \
            f"Every signature is 64 bytes, 86 characters with no padding: {token}"
        if raw[0] == 0 or raw[32] == 0:
            short.append((token, raw))
    assert len(set(tokens)) == COUNT and 10 < len(short) < 100, f"about 40 are to be expected: {len(short)}"
    refused = python_refuses(tokens)
    assert refused is None, f"all 5,000 verify everywhere: Python: {refused}"
    verified = node_verifies(tokens)
    assert verified == str(COUNT), f"all 5,000 verify everywhere: Node: {verified}"
    offline = Offline("demo")
    for token in tokens:
        found = offline.reason(token)
        assert found == "ok", f"all 5,000 verify everywhere: C: {token}: {found}"
    count = 0
    for token, raw in [*short, *((token, unb64(token.split(".")[2])) for token in tokens[:20])]:
        for what, form in other_forms(raw):
            found = offline.reason(token.rsplit(".", 1)[0] + "." + b64(form))
            assert found == "signature", f"libsecauth refuses the DER form and 63 or 65 bytes: {what}: {found}"
            count += 1
    offline.close()
    with open(os.environ["KEEP"] + "/shown", "w", encoding="ascii") as file:
        file.write(f"{COUNT} tokens verified in three languages, {len(short)} of them with a leading zero; {count} other forms "
                   "refused\n")


main()

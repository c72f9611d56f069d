// Access tokens of secauth, verified offline: the key set and what was revoked are followed, no call is made for a token.
//
//     const verifier = new Verifier(keyService, {issuer, audience, clientId, secret});
//     verifier.start();
//     const claims = await verifier.verify(token, 'read');      // or throws Refused
//
// Needs npm's jose; the service is made of secauth/v1/key.proto by @grpc/grpc-js.
import {importJWK, jwtVerify} from 'jose';

const LEEWAY_SECONDS = 30;    // how far clocks may be apart
const CURRENT_MILLIS = 20000; // the daemon speaks every 5 seconds on each stream
const DENIED_MAX = 65536;     // what is kept of revocations; past that the verifier is not current
const TOKEN_MAX = 4096;
const OUT_OF_RANGE = 11;

// Why a token is refused, in one word for the log; `scope` stands for a good token that may not do this.
export class Refused extends Error {}

export class Verifier {
  constructor(service, {issuer, audience, clientId, secret}) {
    Object.assign(this, {service, issuer, audience});
    this.auth = {clientId, secret: Buffer.from(secret)};
    this.keys = new Map();   // kid: {key, alg}; replaced whole
    this.denied = new Map(); // 'kind key': {since, before, until}
    this.heard = {keys: -Infinity, revocations: -Infinity};
    this.incarnation = '';
    this.sequence = '0';
  }

  start() {
    this.#followKeys();
    this.#followRevocations();
  }

  // Whether all that was revoked until a few seconds ago is known.
  isCurrent() {
    const since = performance.now() - CURRENT_MILLIS;
    return this.heard.keys >= since && this.heard.revocations >= since;
  }

  async verify(token, scope = '') {
    if (token.length > TOKEN_MAX) throw new Refused('form');
    let claims;
    try {
      claims = (await jwtVerify(token, (header) => this.#keyOf(header), {
        typ: 'at+jwt', issuer: this.issuer, audience: this.audience, clockTolerance: LEEWAY_SECONDS,
        requiredClaims: ['sub', 'exp', 'iat', 'jti', 'client_id'],
      })).payload;
    } catch (error) {
      throw error instanceof Refused ? error : new Refused(error.claim ?? error.code ?? 'form');
    }
    if (this.#isRevoked(claims)) throw new Refused('revoked');
    if ('cnf' in claims) throw new Refused('bound'); // of use only with a proof, which this service does not ask for
    const granted = new Set((claims.scope ?? '').split(' '));
    if (!scope.split(' ').every((word) => word === '' || granted.has(word))) throw new Refused('scope');
    return claims;
  }

  // The algorithm is the key's; the token may only agree.
  #keyOf(header) {
    const found = this.keys.get(header.kid);
    if (!found || Object.keys(header).length !== 3) throw new Refused('kid');
    if (found.alg !== header.alg) throw new Refused('alg');
    return found.key;
  }

  // Following: a stream that ends is begun again.

  #follow(stream, begin, take) {
    let chain = Promise.resolve();
    stream.on('data', (message) => {
      chain = chain.then(() => take(message)).catch(() => stream.cancel());
    });
    stream.on('error', (error) => {
      if (error.code === OUT_OF_RANGE) [this.incarnation, this.sequence] = ['', '0']; // the store is another one
      setTimeout(begin, 200);
    });
    stream.on('end', () => {}); // an error with the status follows, or has come
  }

  #followKeys() {
    this.#follow(this.service.watchKeySet({}), () => this.#followKeys(), async (message) => {
      const {keys} = JSON.parse(message.jwks);
      this.keys = new Map(await Promise.all(keys.map(async (jwk) =>
        [jwk.kid, {key: await importJWK(jwk), alg: jwk.alg}])));
      this.heard.keys = performance.now();
    });
  }

  #followRevocations() {
    const {incarnation, sequence} = this;
    this.#follow(this.service.watchRevocations({client: this.auth, incarnation, sequence}),
      () => this.#followRevocations(), (message) => {
        for (const revocation of message.revocations) this.#deny(revocation);
        [this.incarnation, this.sequence] = [message.incarnation, message.sequence];
        if (message.caughtUp) this.heard.revocations = performance.now();
      });
  }

  #deny({what, rule, untilMs, ...rest}) {
    if (this.denied.size >= DENIED_MAX) {
      for (const [name, {until}] of this.denied) if (until <= Date.now()) this.denied.delete(name);
      if (this.denied.size >= DENIED_MAX) {
        this.heard.revocations = -Infinity;
        throw new Error('too many revocations');
      }
    }
    const until = Number(untilMs);
    if (what === 'rule')
      this.denied.set(`${rule.whose} ${rule[rule.whose]}`,
        {since: Number(rule.sinceMs), before: Number(rule.notBeforeMs), until});
    else
      this.denied.set(`${what} ${rest[what]}`, {since: 0, before: Infinity, until});
  }

  #isRevoked(claims) {
    const jti = Buffer.from(claims.jti, 'base64url'); // 26 bytes: when it was minted, where, and for which client
    const minted = jti.readUIntBE(0, 6);
    return [`sid ${claims.sid}`, `jti ${claims.jti}`, `subject ${claims.sub}`, `instance ${jti.readUInt16BE(6)}`,
      `client ${jti.readUInt32BE(8)}`].some((name) => {
      const entry = this.denied.get(name);
      return entry !== undefined && entry.since <= minted && minted < entry.before;
    });
  }
}

// A gRPC service that takes secauth's access tokens: an interceptor verifies each offline and checks its scope.
//
//     node server.js ADDRESS ISSUER AUDIENCE CLIENT [TARGET [CA]] < SECRET
//
// ADDRESS is where it listens (127.0.0.1:PORT, in plain text, for the example's sake; behind TLS in earnest). CLIENT,
// with its secret on stdin, owns AUDIENCE, so that it hears what was revoked. The service is Notes of ../notes.proto.
import {readFileSync} from 'node:fs';
import {setTimeout as sleep} from 'node:timers/promises';
import grpc from '@grpc/grpc-js';
import {connect, KeyService, Notes} from './proto.js';
import {Refused, Verifier} from './verifier.js';

// What each method needs. A method that does not stand here is refused.
const SCOPES = new Map([['/secauth.example.Notes/Read', 'read'], ['/secauth.example.Notes/Write', 'write']]);
const CLAIMS = new WeakMap(); // of a call, by its metadata

const [address, issuer, audience, clientId, target = 'localhost:7443', ca = '/run/t/ca.pem'] = process.argv.slice(2);
const secret = readFileSync(0, 'utf8').trim();
const verifier = new Verifier(connect(KeyService, target, ca), {issuer, audience, clientId, secret});

// The claims, or a status.
async function judge(path, metadata) {
  if (!verifier.isCurrent()) // rather no answer than one to somebody whose token was revoked
    return {code: grpc.status.UNAVAILABLE, details: 'what was revoked is not known now'};
  const scope = SCOPES.get(path);
  const given = metadata.get('authorization');
  if (scope === undefined || given.length !== 1 || !given[0].startsWith('Bearer '))
    return {code: grpc.status.UNAUTHENTICATED, details: 'a bearer token is needed'};
  try {
    return {claims: await verifier.verify(given[0].slice('Bearer '.length), scope)};
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    console.error(`notes: ${path} refused: ${error.message}`);
    return error.message === 'scope' ? {code: grpc.status.PERMISSION_DENIED, details: `needs the scope ${scope}`}
      : {code: grpc.status.UNAUTHENTICATED, details: 'the token is not good'};
  }
}

function guard(method, call) {
  return new grpc.ServerInterceptingCall(call, {
    start: (next) => next({
      onReceiveMetadata: async (metadata, proceed) => {
        const {claims, ...status} = await judge(method.path, metadata);
        if (claims === undefined) return call.sendStatus(status);
        CLAIMS.set(metadata, claims);
        return proceed(metadata);
      },
    }),
  });
}

let text = 'milk';
const server = new grpc.Server({interceptors: [guard]});
server.addService(Notes.service, {
  read: (call, reply) => reply(null, {text: `${CLAIMS.get(call.metadata).sub}: ${text}`}),
  write: (call, reply) => {
    text = call.request.text;
    reply(null, {});
  },
});

verifier.start();
server.bindAsync(address, grpc.ServerCredentials.createInsecure(), async (error) => {
  if (error) throw error;
  while (!verifier.isCurrent()) await sleep(50);
  console.log('serving');
});

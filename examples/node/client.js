// A client: it gets a token by its secret, or without one by its uid, and calls a service with it.
//
//     node client.js CLIENT AUDIENCE SCOPE ADDRESS [TARGET [CA]] < SECRET
//
// With nothing on stdin it asks as an attested client, which only a Unix socket serves: TARGET is unix:PATH then.
import {readFileSync} from 'node:fs';
import {promisify} from 'node:util';
import grpc from '@grpc/grpc-js';
import {connect, Notes, TokenService} from './proto.js';

const [clientId, audience, scope, address, target = 'localhost:7443', ca = '/run/t/ca.pem'] = process.argv.slice(2);
const secret = readFileSync(0, 'utf8').trim();
const tokens = {audiences: [audience], scope};
const deadline = {deadline: Date.now() + 20000};

function call(service, method, request, metadata = new grpc.Metadata()) {
  return promisify(service[method].bind(service))(request, metadata, deadline);
}

try {
  const service = connect(TokenService, target, ca);
  const {grant} = secret === '' ? await call(service, 'issueAttestedToken', {clientId, tokens})
    : await call(service, 'issueToken', {client: {clientId, secret: Buffer.from(secret)}, tokens});
  const metadata = new grpc.Metadata();
  metadata.set('authorization', `Bearer ${grant.accessToken.toString()}`);
  const notes = new Notes(address, grpc.credentials.createInsecure());
  const {text} = await call(notes, 'read', {}, metadata);
  console.log(JSON.stringify({text}));
  service.close();
  notes.close();
} catch (error) {
  console.error(`${grpc.status[error.code]}: ${error.details}`);
  process.exitCode = 1;
}

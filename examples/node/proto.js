// The contract, read when the program starts, and channels to secauth-grpc.
import {readFileSync} from 'node:fs';
import {fileURLToPath} from 'node:url';
import grpc from '@grpc/grpc-js';
import loader from '@grpc/proto-loader';

const examples = fileURLToPath(new URL('..', import.meta.url));

function load(file) {
  const definition = loader.loadSync(file, {longs: String, oneofs: true, defaults: true,
    includeDirs: [examples, `${examples}/../proto`]});
  return grpc.loadPackageDefinition(definition).secauth;
}

export const {KeyService} = load('secauth/v1/key.proto').v1;
export const {TokenService} = load('secauth/v1/token.proto').v1;
export const {Notes} = load('notes.proto').example;

// TARGET is localhost:7443, with the CA's file, or unix:PATH.
export function connect(Service, target, ca) {
  return new Service(target,
    target.startsWith('unix:') ? grpc.credentials.createInsecure() : grpc.credentials.createSsl(readFileSync(ca)));
}

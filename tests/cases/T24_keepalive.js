// T24_keepalive.js CA SECONDS: a client that pings every ten seconds, idle and watching. Exits 0 where it stayed.
'use strict';
const fs = require('fs');
const grpc = require('@grpc/grpc-js');

const [ca, seconds] = process.argv.slice(2);
const options = {
  'grpc.keepalive_time_ms': 10000, 'grpc.keepalive_permit_without_calls': 1, 'grpc.use_local_subchannel_pool': 1,
};
const trust = grpc.credentials.createSsl(fs.readFileSync(ca));
const clients = [0, 1].map(() => new grpc.Client('localhost:7443', trust, options));
const plain = (value) => value;
let failed = false;

function follow(client) {
  const stream = client.makeServerStreamRequest('/grpc.health.v1.Health/Watch', plain, plain, Buffer.alloc(0));
  stream.on('data', () => {});
  stream.on('error', (error) => { failed = failed || `the stream: ${error.message}`; });
  return stream;
}

const stream = follow(clients[0]);
clients[1].waitForReady(Date.now() + 5000, (error) => { failed = failed || error; });
setTimeout(() => {
  for (const [i, client] of clients.entries()) {
    const state = client.getChannel().getConnectivityState(false);
    console.log(['watching', 'idle'][i], grpc.connectivityState[state]);
    failed = failed || (state !== grpc.connectivityState.READY && 'a connection was lost');
  }
  if (failed) console.log(String(failed));
  stream.removeAllListeners('error');
  stream.on('error', () => {});
  process.exit(failed ? 1 : 0);
}, 1000 * Number(seconds));

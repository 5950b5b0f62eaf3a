// Verifies webhooks as their receivers would: one JSON line {headers, body, secret?, publicKey?} each on standard input.
// `v1` with the libraries of Standard Webhooks and of Svix, `v1a` with the Ed25519 of Node, since neither library has it.

import { createPublicKey, verify } from 'node:crypto';
import { createInterface } from 'node:readline';
import { CloudEvent, HTTP } from 'cloudevents';
import { Webhook as StandardWebhook } from 'standardwebhooks';
import { Webhook as SvixWebhook } from 'svix';

// What stands before the 32 bytes of a public key of Ed25519 in its usual form (RFC 8410).
const ED25519_PREFIX = Buffer.from('302a300506032b6570032100', 'hex');

function asymmetric(publicKey, headers, body) {
  if (!publicKey.startsWith('whpk_')) throw new Error(`a public key that does not begin with whpk_: ${publicKey}`);
  const bytes = Buffer.from(publicKey.slice('whpk_'.length), 'base64');
  const key = createPublicKey({ key: Buffer.concat([ED25519_PREFIX, bytes]), format: 'der', type: 'spki' });
  const content = Buffer.from(`${headers['webhook-id']}.${headers['webhook-timestamp']}.${body}`);
  const listed = headers['webhook-signature'].split(' ').filter((one) => one.startsWith('v1a,'));
  const matches = (one) => verify(null, content, key, Buffer.from(one.slice('v1a,'.length), 'base64'));
  if (!listed.some(matches)) throw new Error(`none of ${listed.length} signatures v1a matches`);
}

function check({ headers, body, secret, publicKey }) {
  if (!secret && !publicKey) throw new Error('neither a secret nor a public key to verify with');
  if (secret) {
    new StandardWebhook(secret).verify(body, headers);
    new SvixWebhook(secret).verify(body, headers);
  }
  if (publicKey) asymmetric(publicKey, headers, body);
  const event = HTTP.toEvent({ headers, body });
  if (!(event instanceof CloudEvent)) throw new Error('not one event');
  event.validate();
  return event.id;
}

let lines = 0;
for await (const line of createInterface({ input: process.stdin })) {
  lines += 1;
  try {
    console.log(check(JSON.parse(line)));
  } catch (error) {
    console.error(`line ${lines}: ${error}`);
    process.exit(1);
  }
}
if (lines === 0) {
  console.error('nothing to verify on standard input');
  process.exit(1);
}

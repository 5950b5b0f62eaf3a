// CloudEvents as an independent SDK sends them, in every mode, to a server that somebody configured.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { CloudEvent, HTTP } from 'cloudevents';

const program = process.env.DEVHOSE ?? fileURLToPath(new URL('../../target/debug/devhose', import.meta.url));
const token = 'a token that only the test knows';
let directory;
let child;
let url;

before(async () => {
  directory = mkdtempSync(join(tmpdir(), 'devhose-sdk-'));
  const config = join(directory, 'devhose.toml');
  writeFileSync(config, `listen = "127.0.0.1:0"\ndata = "data"\n\n[[source]]\nname = "cloudevents/sdk"\nsecret = "${token}"\n`);
  child = spawn(program, ['serve', '--config', config], { stdio: ['ignore', 'inherit', 'pipe'] });
  url = await new Promise((resolve, reject) => {
    createInterface({ input: child.stderr }).on('line', (line) => {
      const found = line.match(/listens at (http:\S+)/);
      if (found) resolve(found[1]);
    });
    child.once('exit', (code) => reject(new Error(`the server ended with ${code}`)));
  });
});

after(async () => {
  child?.removeAllListeners('exit');
  await new Promise((resolve) => {
    child.once('exit', resolve);
    child.kill('SIGTERM');
  });
  rmSync(directory, { recursive: true });
});

const event = (id, extra = {}) =>
  new CloudEvent({ id, source: '/sdk/test', type: 'com.example.sdk.sent', subject: 'größe "100 %"', data: { id }, ...extra });

async function post(message, path = '/hooks/cloudevents/sdk') {
  const headers = { ...message.headers, authorization: `Bearer ${token}` };
  const answer = await fetch(url + path, { method: 'POST', headers, body: message.body });
  return { status: answer.status, receipt: await answer.json() };
}

/** The event once it is interpreted: the stream says so, nobody waits for a time. */
async function arrived(id) {
  const query = encodeURIComponent('type:com.example.sdk.sent');
  const stream = await fetch(`${url}/api/v1/events/stream?from=earliest&q=${query}`, { signal: AbortSignal.timeout(20_000) });
  let text = '';
  for await (const chunk of stream.body) {
    text += Buffer.from(chunk).toString();
    for (const block of text.split('\n\n').slice(0, -1)) {
      const data = block.split('\n').find((line) => line.startsWith('data:'));
      if (!data) continue;
      const found = JSON.parse(data.slice(5));
      if (JSON.stringify(found.data ?? {}).includes(`"${id}"`)) return found;
    }
  }
  throw new Error(`${id} did not arrive`);
}

test('binary mode', async () => {
  const { status, receipt } = await post(HTTP.binary(event('binary-1', { subject: 'plain' })));
  assert.equal(status, 200);
  assert.equal(receipt.duplicate, false);
  assert.equal((await arrived('binary-1')).subject, 'plain');
});

test('structured mode, and the same once more is a duplicate', async () => {
  const message = HTTP.structured(event('structured-1'));
  assert.equal((await post(message)).status, 200);
  assert.equal((await arrived('structured-1')).subject, 'größe "100 %"');
  const again = await post(message);
  assert.equal(again.status, 200);
  assert.equal(again.receipt.duplicate, true);
});

test('a batch, in which an event that came alone already is not another one', async () => {
  const batch = [event('batch-1'), event('structured-1')];
  const body = JSON.stringify(batch.map((one) => one.toJSON()));
  const message = { headers: { 'content-type': 'application/cloudevents-batch+json' }, body };
  assert.equal((await post(message)).status, 200);
  await arrived('batch-1');
  const listed = await (await fetch(`${url}/api/v1/events?limit=100&q=type:com.example.sdk.sent`)).json();
  const ids = listed.events.map((one) => JSON.stringify(one.data));
  assert.equal(ids.filter((data) => data.includes('"structured-1"')).length, 1);
});

test('the token may stand in the address, and a wrong one is refused', async () => {
  const message = HTTP.structured(event('token-1'));
  const headers = message.headers;
  const query = await fetch(`${url}/hooks/cloudevents/sdk?access_token=${encodeURIComponent(token)}`, { method: 'POST', headers, body: message.body });
  assert.equal(query.status, 200);
  const wrong = await fetch(`${url}/hooks/cloudevents/sdk?access_token=wrong`, { method: 'POST', headers, body: message.body });
  assert.equal(wrong.status, 401);
});

test('the handshake against abuse', async () => {
  const answer = await fetch(`${url}/hooks/cloudevents/sdk`, {
    method: 'OPTIONS',
    headers: { 'WebHook-Request-Origin': 'sender.example.com', 'WebHook-Request-Rate': '120' },
  });
  assert.equal(answer.status, 200);
  assert.equal(answer.headers.get('webhook-allowed-origin'), 'sender.example.com');
  assert.match(answer.headers.get('allow'), /POST/);
});

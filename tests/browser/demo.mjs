// Starts the demo on a free port with a pinned clock, so that the pages are the same every time.
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));

export const NOW = '2026-11-18T15:20:00Z';

// Somebody who has subscribed, for the pages of subscriptions: one asks for its events, the other has them sent to a name
// that nobody has.
async function subscribe(url) {
  const sent = { kind: 'webhook', url: 'https://status.example.invalid/devhose' };
  await subscribeOne(url, { name: 'deploys', filter: [{ kinds: ['service.*'] }], transport: { kind: 'pull' } });
  await subscribeOne(url, { name: 'status-page', filter: [{ kinds: ['incident.*'] }], transport: sent, start: 'earliest' });
  await until('an attempt is recorded', async () => {
    const { attempts } = await (await fetch(`${url}/api/v1/subscriptions/status-page/attempts`)).json();
    return attempts.length > 0;
  });
}

async function subscribeOne(url, subscription) {
  const headers = { 'content-type': 'application/json' };
  const made = await fetch(`${url}/api/v1/subscriptions`, { method: 'POST', headers, body: JSON.stringify(subscription) });
  if (!made.ok) throw new Error(`no subscription can be made: ${await made.text()}`);
}

// Bots begin when the first page is there: their pages are whole once every kill is decided about and each has a run.
async function botsIdle(url) {
  await until('the bots of the demo are done', async () => {
    const { bots } = await (await fetch(`${url}/api/v1/bots`)).json();
    const idle = (bot) => bot.manifest.name !== 'killed-pods' || (bot.lag.events === 0 && !bot.lag.at_least && bot.open_actions === 0);
    return bots.every((bot) => idle(bot) && bot.last_runs.length > 0);
  });
}

async function until(what, so) {
  const patience = Date.now() + 120_000;
  while (!(await so())) {
    if (Date.now() > patience) throw new Error(`not within two minutes: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

export async function startDemo() {
  const program = process.env.DEVHOSE ?? `${root}target/debug/devhose`;
  const child = spawn(program, ['demo', '--port', '0', '--no-open', '--scale', '0.5', '--quiet'], {
    env: { ...process.env, DEVHOSE_NOW: NOW },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const url = await new Promise((resolve, reject) => {
    createInterface({ input: child.stdout }).once('line', resolve);
    child.once('error', reject);
    child.once('exit', (code) => reject(new Error(`the demo ended with ${code} before it was ready`)));
  });
  const stop = () =>
    new Promise((resolve) => {
      child.removeAllListeners('exit');
      child.once('exit', resolve);
      child.kill('SIGTERM');
    });
  try {
    await botsIdle(url);
    await subscribe(url);
  } catch (error) {
    // A demo that goes on would keep the tests from ending.
    await stop();
    throw error;
  }
  return { url, stop };
}

// Starts the demo on a free port with a pinned clock, so that the pages are the same every time.
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));

export const NOW = '2026-11-18T15:20:00Z';

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
  return { url, stop };
}

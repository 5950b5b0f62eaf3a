// Opens every page in Chromium: both widths, both schemes, with and without JavaScript.
import assert from 'node:assert/strict';
import { copyFileSync, readFileSync, mkdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { startDemo } from './demo.mjs';
import { PAGES, SCHEMES, WIDTHS } from './pages.mjs';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const shots = fileURLToPath(new URL('./out/', import.meta.url));

let demo;
let browser;

before(async () => {
  mkdirSync(shots, { recursive: true });
  demo = await startDemo();
  browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-quic', '--disable-background-networking', '--disable-component-update', '--disable-sync', '--disable-gpu', '--no-first-run'],
  });
});

after(async () => {
  // The pictures of the README are among these.
  const pictures = process.env.UPDATE_DOCS ? { 'north-star-1280-light.png': 'north-star.png', 'killed-pod.png': 'killed-pod.png' } : {};
  for (const [shot, picture] of Object.entries(pictures)) {
    copyFileSync(shots + shot, fileURLToPath(new URL(`../../docs/${picture}`, import.meta.url)));
  }
  await browser?.close();
  await demo?.stop();
});

// `follow` names a link: the page behind it is the one that is meant, whatever its number is.
async function open(path, { width = 1280, scheme = 'light', javaScriptEnabled = true, height = 900, follow } = {}) {
  const context = await browser.newContext({
    viewport: { width, height },
    colorScheme: scheme,
    javaScriptEnabled,
    locale: 'en-GB',
    timezoneId: 'UTC',
    reducedMotion: 'reduce',
    bypassCSP: javaScriptEnabled,
  });
  const page = await context.newPage();
  const problems = [];
  page.on('console', (message) => message.type() === 'error' && problems.push(message.text()));
  page.on('pageerror', (error) => problems.push(String(error)));
  page.on('response', (response) => {
    if (response.status() >= 400) problems.push(`${response.status()} ${response.url()}`);
  });
  let response = await page.goto(demo.url + path, { waitUntil: 'load' });
  if (follow) {
    const href = await page.locator(follow).first().getAttribute('href');
    response = await page.goto(demo.url + href, { waitUntil: 'load' });
  }
  return { context, page, response, problems };
}

test('the run of a kill shows what its team reads: what died, why, since when, what changed, what to do', async () => {
  const { context, page, problems } = await open('/bots/killed-pods');
  const line = page.locator('#runs li').filter({ hasText: 'posted a message' }).filter({ hasText: 'out of memory' });
  const href = await line.locator('a[href*="/runs/"]').first().getAttribute('href');
  await page.goto(demo.url + href, { waitUntil: 'load' });
  const message = page.locator('.message').first();
  const read = await message.innerText();
  const parts = ['out of memory', 'was killed by the kernel', 'Since', 'What changed', 'What to do'];
  const places = parts.map((part) => read.indexOf(part));
  assert.ok(places.every((place, index) => place >= 0 && (index === 0 || place > places[index - 1])), `${places}: ${read}`);
  await message.screenshot({ path: `${shots}killed-pod.png` });
  assert.deepEqual(problems, []);
  await context.close();
});

for (const { name, path, text, follow, charts = 0 } of PAGES) {
  describe(name, () => {
    for (const width of WIDTHS) {
      for (const scheme of SCHEMES) {
        test(`is readable and accessible at ${width} px in ${scheme}`, async () => {
          const { context, page, response, problems } = await open(path, { width, scheme, follow });
          assert.equal(response.status(), 200);
          const body = await page.textContent('body');
          assert.ok(body.toLowerCase().includes(text.toLowerCase()), `${path} lacks ${text}`);
          assert.ok((await page.locator('figure svg').count()) >= charts, `${path} lacks charts`);
          const overflow = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
          assert.ok(overflow <= 0, `${path} is ${overflow} px too wide`);
          await page.evaluate(axe);
          const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ['violations'] }));
          const found = violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.html.slice(0, 160)).slice(0, 3).join(' | ')}`);
          assert.deepEqual(found, []);
          assert.deepEqual(problems, []);
          await page.screenshot({ path: `${shots}${name}-${width}-${scheme}.png`, fullPage: true });
          await context.close();
        });
      }
    }

    test('is whole without JavaScript', async () => {
      const { context, page, response } = await open(path, { javaScriptEnabled: false, follow });
      assert.equal(response.status(), 200);
      const body = await page.locator('body').innerText();
      assert.ok(body.toLowerCase().includes(text.toLowerCase()));
      await context.close();
    });

    test('does not scroll sideways at any usual width or zoom', async () => {
      const { context, page } = await open(path, { follow });
      for (const width of [320, 390, 640, 768, 1280]) {
        await page.setViewportSize({ width, height: 800 });
        const overflow = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
        assert.ok(overflow <= 0, `${path} is ${overflow} px too wide at ${width} px`);
      }
      await context.close();
    });
  });
}

describe('charts', () => {
  test('every chart has a name, a description, and a table below it', async () => {
    for (const { path, charts = 0 } of PAGES.filter((page) => page.charts)) {
      const { context, page } = await open(path);
      const figures = await page.$$eval('figure:has(svg)', (all) =>
        all.map((figure) => ({
          role: figure.querySelector('svg')?.getAttribute('role'),
          named: !!figure.querySelector('svg')?.getAttribute('aria-labelledby') || !!figure.querySelector('svg')?.getAttribute('aria-label'),
          caption: figure.querySelector('figcaption')?.textContent.trim() ?? '',
          rows: figure.querySelectorAll('table tbody tr').length,
        })),
      );
      assert.ok(figures.length >= charts);
      for (const figure of figures) {
        assert.ok(figure.role, `${path}: a chart without a role`);
        assert.ok(figure.named, `${path}: a chart without a name`);
        assert.ok(figure.caption, `${path}: a chart without a caption`);
        assert.ok(figure.rows > 0, `${path}: "${figure.caption.slice(0, 40)}" has no table`);
      }
      await context.close();
    }
  });

  test('a chart is one stop of the Tab key, and the arrows move inside', async () => {
    const { context, page } = await open('/');
    const stops = await page.$$eval('figure svg', (all) => all.map((svg) => svg.querySelectorAll('a:not([tabindex="-1"])').length));
    assert.ok(stops.every((count) => count <= 1), `Tab stops per chart: ${stops}`);
    const visible = page.locator('figure svg:visible a:not([tabindex="-1"])').first();
    await visible.focus();
    const label = () => page.evaluate(() => document.activeElement.getAttribute('aria-label'));
    const first = await label();
    await page.keyboard.press('ArrowLeft');
    const second = await label();
    assert.notEqual(first, second);
    await page.keyboard.press('Home');
    assert.notEqual(await label(), first);
    await page.keyboard.press('End');
    assert.ok(await label());
    await context.close();
  });

  test('a bar opens exactly the events it counts', async () => {
    const { context, page } = await open('/');
    const marks = await page.$$eval('figure svg a[aria-label]', (all) =>
      all.map((mark) => ({ label: mark.getAttribute('aria-label'), href: mark.getAttribute('href') })),
    );
    const counted = marks.filter((mark) => mark.href.includes('metric=successful-deployments') && mark.href.includes('bucket='));
    assert.ok(counted.length > 20);
    const mark = counted[counted.length - 3];
    const report = await (await fetch(`${demo.url}/api/v1/metrics/successful-deployments`)).json();
    const bucket = new URL(mark.href, demo.url).searchParams.get('bucket');
    const point = report.points.find((one) => one.label === bucket);
    await page.goto(demo.url + mark.href);
    const rows = await page.locator('main table tbody tr[data-counted]').count();
    assert.equal(rows, point.n, `${mark.label}: ${rows} rows`);
    await context.close();
  });
});

describe('numbers', () => {
  test('page, CSV, JSON and API tell the same', async () => {
    for (const metric of ['successful-deployments', 'lead-time', 'change-failure-rate']) {
      for (const scope of ['', '&team=storefront', '&service=checkout']) {
        const query = `?range=26w${scope}`;
        const csv = await (await fetch(`${demo.url}/metrics/${metric}.csv${query}`)).text();
        const json = await (await fetch(`${demo.url}/metrics/${metric}.json${query}`)).json();
        const api = await (await fetch(`${demo.url}/api/v1/metrics/${metric}${query}`)).json();
        const labels = api.points.map((point) => point.label);
        assert.ok(labels.length >= 26);
        for (const label of labels) {
          assert.ok(csv.includes(label), `${label} is missing in ${metric}.csv${query}`);
          assert.ok(JSON.stringify(json).includes(label), `${label} is missing in ${metric}.json${query}`);
        }
      }
    }
  });

  test('a week without a complete end is never drawn like the others', async () => {
    const report = await (await fetch(`${demo.url}/api/v1/metrics/successful-deployments?range=12w`)).json();
    assert.equal(report.points.filter((point) => !point.complete).length, 1);
    assert.equal(report.points.at(-1).complete, false);
    const past = await (await fetch(`${demo.url}/api/v1/metrics/successful-deployments?from=2026-01-05&to=2026-03-02`)).json();
    assert.ok(past.points.every((point) => point.complete));
  });
});

// The names that the demo puts its people together from, read where they stand.
function peopleOfTheDemo() {
  const source = readFileSync(fileURLToPath(new URL('../../ingest/src/demo/organisation.rs', import.meta.url)), 'utf8');
  const list = (name) => [...source.match(new RegExp(`${name}: &\\[&str\\] = &\\[([^\\]]*)`))[1].matchAll(/"([a-z]+)"/g)].map((m) => m[1]);
  const [first, last] = [list('FIRST_NAMES'), list('LAST_NAMES')];
  assert.ok(first.length > 20 && last.length > 20);
  return new RegExp(`(${first.join('|')})-(${last.join('|')})`);
}

describe('people', () => {
  test('no page, export or answer names anybody', async () => {
    const anybody = peopleOfTheDemo();
    const api = ['/api/v1/metrics/review-rounds', '/api/v1/events?limit=500', '/api/v1/sources', '/api/v1/bots', '/api/v1/bots/reviewer-assignment/runs?limit=100', '/api/v1/teams', '/api/v1/services'];
    const exports = ['/metrics/lead-time.csv', '/metrics/lead-time.json', '/teams/storefront/code.csv', '/teams/storefront/code.json'];
    const paths = [...PAGES.map((page) => page.path), ...exports, ...api];
    const listed = await (await fetch(`${demo.url}/api/v1/events?limit=60&q=type:change.*`)).json();
    paths.push(...listed.events.slice(0, 20).map((event) => `/events/${event.id}`));
    for (const path of paths) {
      const text = await (await fetch(demo.url + path)).text();
      assert.ok(!anybody.test(text), `${path} names ${text.match(anybody)?.[0]}`);
    }
  });
});

describe('explorer', () => {
  test('an event shows what was received, what it means, and what counted it', async () => {
    const listed = await (await fetch(`${demo.url}/api/v1/events?limit=1&q=type:service.deployed%20env:production`)).json();
    const { context, page } = await open(`/events/${listed.events[0].id}`);
    const body = await page.textContent('body');
    for (const heading of ['As received', 'Normalized', 'Counted in']) assert.ok(body.includes(heading), heading);
    assert.ok(body.includes('successful-deployments') || body.includes('Successful deployments'));
    await context.close();
  });

  test('a mistake in a query is shown where it is', async () => {
    const { context, page, response } = await open('/events?q=typ%3Aservice.deployed');
    assert.equal(response.status(), 400);
    assert.match(await page.textContent('body'), /typ.*type/s);
    await context.close();
  });
});

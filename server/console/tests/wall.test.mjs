// The monitoring centre: as a page, as a screen without a person, in each of its states, and under ten thousand events.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { api, close, facts, looksGood, open, picture } from './harness.mjs';

const live = '[data-wall=live]';
const problem = (status, title) => ({
  status, contentType: 'application/problem+json',
  body: JSON.stringify({ type: 'about:blank', title, status, code: status === 403 ? 'forbidden' : 'internal', request_id: 'req-for-the-test' }),
});

/** A wall as the server sends it, with so many faults. */
function wall(faults = 6, more = {}) {
  const now = Date.now();
  const at = (seconds) => new Date(now + seconds * 1000).toISOString();
  const severities = ['critical', 'major', 'minor'];
  const row = (i) => ({
    fault: `F-JW-${i + 1}`, severity: severities[i % 3], status: 'in_progress', title: `板卡${i} 温度越限 <img src=x onerror=alert(1)>`, customer: 'JW', equipment: `ne-${i}.jw.ne`,
    owner: 'engineer-a', clock: i % 4 === 3 ? 'K6' : 'K4', target_s: 1800, elapsed_s: i * 200,
    ...(i % 4 === 0 ? { state: 'breached', elapsed_s: 2000, deadline_at: at(-200) }
      : i % 4 === 3 ? { state: 'paused', paused_by: 'consent', paused_since: at(-130) } : { state: 'running', deadline_at: at(1800 - i * 200) }),
  });
  const site = (i, open) => ({ id: `sit_${String(i).padStart(32, '0')}`, customer: 'JW', name: `站点${i}`, latitude_deg: 22 + i * 4, longitude_deg: 88 + i * 6, open, ...(open ? { worst: severities[i % 3] } : {}) });
  return {
    now: at(0), seq: 1000, faults: { critical: Math.ceil(faults / 3), major: Math.ceil((faults - 1) / 3), minor: Math.floor(faults / 3), warning: 0, indeterminate: 0 },
    clocks: { running: 3, paused: 1, breached: 0 }, promise: { running: 2, paused: 0, breached: faults > 0 ? 1 : 0 },
    countdown: Array.from({ length: faults }, (_, i) => row(i)), countdown_total: faults,
    sessions: [{ id: 'ses_01a2011227a477abb05d87ce9be94edd', fault: 'F-JW-2', device: 'ne-1.jw.ne', engineer: 'engineer-b', started_at: at(-680), watchers: 2, recorded: true }],
    today: { from: at(-30_000), new: 41, closed: 38 }, agents: { online: 1284, total: 1302 },
    health: [{ product: 'OLT', ok: 96, warn: 3, bad: 1, unknown: 0 }, { product: 'SDH', ok: 40, warn: 0, bad: 2, unknown: 5 }],
    duty: [{ office: 'hotline-east', on_duty: [{ person: 'engineer-a', rank: 'primary' }] }],
    sites: Array.from({ length: 5 }, (_, i) => site(i, faults === 0 ? 0 : i)), sites_without_coordinates: 3, open_off_the_map: 1,
    customers: faults === 0 ? [] : [{ customer: 'JW', open: faults, worst: 'critical' }],
    events: Array.from({ length: 30 }, (_, i) => ({ seq: 1000 - i, kind: 'fault.accepted', fault: `F-JW-${i + 1}`, actor: 'engineer-a', occurred_at: at(-i), recorded_at: at(-i), text: '', data: null })),
    ...more,
  };
}

const fake = (answer) => (page) => page.route('**/api/v1/wall?*', (route) => route.fulfill(typeof answer === 'function' ? answer() : { json: answer }));

test('what is reported shows on the wall by itself, and its row leads to the fault', async () => {
  const page = await open('/wall', { person: 'engineer-a', width: 1600, height: 900 });
  await page.locator(live).waitFor();
  const fault = await api(page, 'noc-jw', 'POST', '/faults', { equipment: 'ne-1.jw.ne', title: 'a wall shows this', impact: 'full' });
  const row = page.locator('[data-countdown] li', { hasText: fault.number });
  await row.waitFor();
  assert.match(await row.textContent(), /K1/);
  await page.locator('[data-ticker] li', { hasText: fault.number }).first().waitFor();
  await page.locator('[data-map=drawn]').waitFor();
  await picture(page, 'wall-real');
  await row.locator('a').focus();
  await page.keyboard.press('Enter');
  await page.waitForURL(`**/faults/${fault.number}`);
  await api(page, 'engineer-a', 'POST', `/faults/${fault.number}/cancellation`, { reason: 'the test is over' });
  await close(page);
});

test('a screen needs nobody, leads nowhere, and goes dark with its token', async () => {
  const helper = await open('/wall', { person: 'admin-z' });
  const made = await api(helper, 'admin-z', 'POST', '/wall-tokens', { name: `screen ${Date.now()}` });
  const page = await open(`/wall/${made.token}`, { width: 1920, height: 1080 });
  await page.locator(live).waitFor();
  assert.equal(await page.locator('a').count(), 0);
  assert.equal(await page.locator('nav').count(), 0);
  await picture(page, 'wall-screen');
  await api(helper, 'admin-z', 'DELETE', `/wall-tokens/${made.wall.id}`);
  await page.locator('[data-revoked]').waitFor();
  await picture(page, 'wall-revoked');
  await close(page);
  await close(helper);
});

test('a wall that waits has its shapes, at their final size', async () => {
  let answer;
  const page = await open('/wall', { person: 'engineer-a', before: (page) => page.route('**/api/v1/wall?*', (route) => { answer = () => route.fulfill({ json: wall() }); }) });
  const place = page.locator('.countdown');
  await page.locator('[data-skeleton]').waitFor();
  const before = await place.boundingBox();
  answer();
  await page.locator(live).waitFor();
  const after = await place.boundingBox();
  assert.ok(Math.abs(before.x - after.x) < 2 && Math.abs(before.width - after.width) < 2, `${JSON.stringify(before)} ${JSON.stringify(after)}`);
  await close(page);
});

test('an empty wall is calm, and says since when', async () => {
  const page = await open('/wall', { person: 'engineer-a', before: fake(wall(0, { calm_since: new Date(Date.now() - 3_600_000).toISOString() })) });
  await page.locator('[data-calm]').waitFor();
  await picture(page, 'wall-calm');
  await looksGood(page, '[data-calm]');
  await close(page);
});

test('an error is told with its request, and trying again helps', async () => {
  let broken = true;
  const page = await open('/wall', { person: 'engineer-a', before: fake(() => (broken ? problem(500, 'the server failed') : { json: wall() })) });
  await page.getByText('req-for-the-test').waitFor();
  broken = false;
  await page.getByRole('button', { name: '重试' }).click();
  await page.locator(live).waitFor();
  await close(page);
});

test('who may not see it is told who can permit it', async () => {
  const page = await open('/wall', { person: 'engineer-a', before: fake(() => problem(403, 'engineer-a may not see the wall')) });
  await page.locator('[data-failure=forbidden]').waitFor();
  await close(page);
});

test('a wall without news for 15 s looks stale, and counts the seconds', async () => {
  const page = await open('/wall', {
    person: 'engineer-a',
    before: async (page) => {
      await fake(wall())(page);
      await page.addInitScript(() => {
        const real = performance.now.bind(performance);
        performance.now = () => real() * (globalThis.fast ? 40 : 1);
      });
    },
  });
  await page.locator(live).waitFor();
  await page.route('**/api/v1/events', (route) => route.abort());
  await page.evaluate(() => { globalThis.fast = true; });
  await page.locator('[data-wall=old]').waitFor();
  await page.getByText(/数据已停止 \d+ 秒/).first().waitFor();
  await picture(page, 'wall-stale');
  await close(page);
});

test('the keys of the wall', async () => {
  const page = await open('/wall', { person: 'engineer-a', before: fake(wall()), width: 1600, height: 900 });
  await page.locator(live).waitFor();
  assert.equal(await page.locator('[data-countdown] li').count(), 6);
  await page.keyboard.press('1');
  await page.locator('[data-countdown] li').nth(2).waitFor({ state: 'detached' });
  assert.equal(await page.locator('[data-countdown] li').count(), 2);
  await page.keyboard.press('1');
  await page.locator('[data-countdown] li').nth(5).waitFor();
  await page.locator('[data-map=drawn]').waitFor();
  const scale = () => page.locator('[data-map] g').first().getAttribute('transform');
  const whole = await scale();
  await page.keyboard.press('+');
  await page.waitForFunction((whole) => document.querySelector('[data-map] g')?.getAttribute('transform') !== whole, whole);
  await page.keyboard.press('0');
  await page.waitForFunction((whole) => document.querySelector('[data-map] g')?.getAttribute('transform') === whole, whole);
  await page.keyboard.press('m');
  await page.locator('[data-tiles=customers]').waitFor();
  await page.keyboard.press('m');
  await page.locator('[data-site-list]').waitFor();
  await page.keyboard.press('m');
  await page.locator('[data-map]').waitFor();
  await page.keyboard.press('s');
  await page.locator('[data-sound=off]').waitFor();
  await page.keyboard.press('s');
  await page.keyboard.press('f');
  await page.waitForFunction(() => document.fullscreenElement !== null);
  await page.keyboard.press('f');
  await page.waitForFunction(() => document.fullscreenElement === null);
  // Each look of a clock is there, by more than colour.
  for (const [look, mark] of [['over', '✖'], ['held', '‖']]) {
    assert.match(await page.locator(`[data-look=${look}]`).first().textContent(), new RegExp(mark));
  }
  assert.equal(await page.locator('img').count(), 0, 'a title is text');
  await looksGood(page, live);
  await close(page);
});

for (const [width, height] of [[360, 740], [1280, 800], [2560, 1440], [7680, 4320], [7680, 2160]]) {
  test(`the wall fits ${width} x ${height}, and its letters are large enough`, async () => {
    const page = await open('/wall/lwt_any', {
      width, height,
      before: async (page) => {
        await fake(wall(12))(page);
        await page.route('**/api/v1/events', (route) => route.fulfill({ contentType: 'text/event-stream', body: `id: 1000\nevent: beat\ndata: {"now":"${new Date().toISOString()}"}\n\n` }));
      },
    });
    await page.locator('[data-countdown] li').first().waitFor();
    await page.locator('[data-map=drawn]').waitFor();
    const { over, font } = await page.evaluate(() => ({
      over: document.documentElement.scrollWidth - innerWidth,
      font: parseFloat(getComputedStyle(document.querySelector('[data-countdown] .fault')).fontSize),
    }));
    assert.ok(over <= 1, `${over} px too wide`);
    // At 16:9, 1.2 % of the width.
    if (width >= 2560) assert.ok(font >= 0.0118 * Math.min(width, (height * 16) / 9), `${font} px at ${width} x ${height}`);
    await picture(page, `wall-${width}x${height}`);
    await close(page);
  });
}

test('ten thousand events leave the page as large as it was', async () => {
  const page = await open('/wall', {
    person: 'engineer-a', width: 1920, height: 1080,
    before: (page) => page.addInitScript((first) => {
      // The server, as far as a wall sees it: a picture that changes with each look, and a stream that the test feeds.
      const real = globalThis.fetch;
      const encoder = new TextEncoder();
      const looks = { n: 0 };
      globalThis.looks = looks;
      globalThis.fetch = (input, init) => {
        const url = new URL(typeof input === 'string' ? input : input.url, location.href);
        if (url.pathname === '/api/v1/wall') {
          looks.n += 1;
          const now = Date.now();
          const countdown = first.countdown.map((row, i) => ({ ...row, elapsed_s: (looks.n * 7 + i) % 1800, title: `${row.title} ${looks.n}` }));
          const body = { ...first, now: new Date(now).toISOString(), seq: globalThis.seq ?? 1000, countdown, events: [], faults: { ...first.faults, critical: 2 + (looks.n % 2) } };
          return Promise.resolve(new Response(JSON.stringify(body), { headers: { 'content-type': 'application/json' } }));
        }
        if (url.pathname !== '/api/v1/events') return real(input, init);
        const body = new ReadableStream({
          start(to) {
            to.enqueue(encoder.encode(`id: 1000\nevent: beat\ndata: {"now":"${new Date().toISOString()}"}\n\n`));
            globalThis.feed = (from, count) => {
              let text = '';
              for (let seq = from; seq < from + count; seq += 1) {
                const at = new Date().toISOString();
                const event = { seq, kind: 'fault.accepted', fault: `F-JW-${seq}`, actor: 'engineer-a', occurred_at: at, recorded_at: at, text: 'x'.repeat(200), data: { a: 'y'.repeat(500) } };
                text += `id: ${seq}\nevent: fault.accepted\ndata: ${JSON.stringify(event)}\n\n`;
              }
              globalThis.seq = from + count - 1;
              to.enqueue(encoder.encode(text));
            };
          },
        });
        return Promise.resolve(new Response(body, { headers: { 'content-type': 'text/event-stream' } }));
      };
    }, wall(12)),
  });
  await page.locator(live).waitFor();
  await page.locator('[data-map=drawn]').waitFor();
  const devtools = await page.context().newCDPSession(page);
  await devtools.send('Performance.enable');
  const size = async () => {
    for (let i = 0; i < 3; i += 1) await devtools.send('HeapProfiler.collectGarbage');
    const { metrics } = await devtools.send('Performance.getMetrics');
    const heap = metrics.find((one) => one.name === 'JSHeapUsedSize').value;
    return { heap, nodes: await page.evaluate(() => document.querySelectorAll('*').length) };
  };
  const feed = async (from, count) => {
    await page.evaluate(([from, count]) => globalThis.feed(from, count), [from, count]);
    await page.locator('[data-ticker] li', { hasText: `F-JW-${from + count - 1}` }).first().waitFor();
  };
  let seq = 2000;
  for (let i = 0; i < 10; i += 1, seq += 100) await feed(seq, 100);
  const before = await size();
  for (let i = 0; i < 50; i += 1, seq += 200) await feed(seq, 200);
  const after = await size();
  assert.equal(after.nodes, before.nodes, 'the page has as many elements as before');
  assert.ok(after.heap < before.heap * 1.2, `the heap grew from ${before.heap} to ${after.heap} bytes`);
  console.log(`10,000 events: heap ${(before.heap / 1e6).toFixed(2)} -> ${(after.heap / 1e6).toFixed(2)} MB, ${after.nodes} elements, ${await page.evaluate(() => globalThis.looks.n)} pictures`);
  await close(page);
});

test('a wall with a new build loads itself again', async () => {
  let etag = '"one"';
  const page = await open('/wall', {
    person: 'engineer-a',
    before: async (page) => {
      await fake(wall())(page);
      await page.route(`${facts.server}/`, (route) => (route.request().method() === 'HEAD' ? route.fulfill({ status: 200, headers: { etag } }) : route.continue()));
      // The five minutes between two looks pass at once.
      await page.addInitScript(() => {
        const real = globalThis.setInterval;
        globalThis.setInterval = (run, ms, ...rest) => real(run, ms === 300_000 ? 200 : ms, ...rest);
      });
    },
  });
  await page.locator(live).waitFor();
  await page.waitForResponse((answer) => answer.request().method() === 'HEAD');
  const loaded = page.waitForEvent('load');
  etag = '"two"';
  await loaded;
  await page.locator(live).waitFor();
  await close(page);
});

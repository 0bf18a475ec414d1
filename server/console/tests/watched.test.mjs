// What goes on by itself while somebody looks: a terminal whose connection breaks, a replay, a wall that sounds.
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { api, close, open, picture } from './harness.mjs';
import { inside, shown, typed } from './inside.mjs';

const problem = (status, code) => ({ status, contentType: 'application/problem+json', body: JSON.stringify({ status, code, title: 'made to fail', request_id: 'req-1' }) });
let there;

before(async () => {
  const page = await open('/sessions', { person: 'engineer-a' });
  there = await inside(page);
  await close(page);
});

async function terminal() {
  const page = await open(`/sessions/open?device=${there.device}&consent=${there.consent}`, {
    person: 'engineer-a',
    before: (page) => page.addInitScript(() => {
      const Real = WebSocket;
      globalThis.sockets = [];
      globalThis.WebSocket = class extends Real { constructor(...args) { super(...args); globalThis.sockets.push(this); } };
    }),
  });
  await page.waitForURL('**/sessions/trm_*');
  await page.locator('[data-terminal=open]').waitFor();
  return page;
}

test('R takes a terminal back that another window has', async () => {
  const page = await terminal();
  const other = await open(page.url(), { person: 'engineer-a' });
  // Nothing tries again by itself here: it is R that does it.
  await other.getByText('此终端正在另一个窗口中使用').waitFor();
  await other.keyboard.press('r');
  await other.locator('[data-terminal=open]').waitFor();
  await page.locator('[data-terminal=taken]').waitFor();
  await page.keyboard.press('r');
  await page.locator('[data-terminal=open]').waitFor();
  await close(other);
  await close(page);
});

test('after a broken connection one goes on where one was typing; a connection that takes its time says so', async () => {
  const page = await terminal();
  const line = page.getByLabel('行输入');
  await line.fill('echo half-a-');
  let go;
  const held = new Promise((resolve) => { go = resolve; });
  await page.route('**/tickets', async (route) => { await held; await route.continue(); });
  await page.evaluate(() => globalThis.sockets.at(-1).close());
  await page.getByRole('alertdialog').getByText('已断开').waitFor();
  await page.keyboard.press('r');
  await page.locator('[data-terminal=connecting]').waitFor();
  await page.getByRole('status').getByText('正在连接').waitFor();
  await picture(page, 'watched-connecting');
  go();
  await page.locator('[data-terminal=open]').waitFor();
  await page.waitForFunction(() => document.activeElement?.id === 'line-input');
  await page.keyboard.type('line');
  await page.keyboard.press('Enter');
  await shown(page, 'half-a-line');
  await close(page);
});

test('a replay is fetched once, whatever happens to its session, and Space presses the button that has the focus', async () => {
  const page = await terminal();
  await typed(page, 'echo mark-1');
  await shown(page, 'mark-1');
  await page.locator('.chips [title^=ses_]').waitFor();
  const session = await page.locator('.chips [title^=ses_]').getAttribute('title');
  await typed(page, 'exit');
  await page.getByText('终端已结束').waitFor();
  await page.goto(`/sessions/${session}`);
  for (let i = 0; i < 40; i += 1) {
    await page.locator('.replay, .live').first().waitFor();
    if (await page.locator('.replay').count()) {
      await page.locator('[data-chain]').waitFor();
      if (await page.locator('[data-chain=whole]').count()) break;
    }
    await page.reload();
  }
  await page.locator('[data-player=ready]').waitFor();
  const read = [];
  page.on('request', (request) => { if (/\/(transcript|recording)/.test(request.url())) read.push(request.url()); });
  // Somebody else looks at it: that is told to this page.
  const again = page.waitForResponse((answer) => new URL(answer.url()).pathname === `/api/v1/sessions/${session}`);
  const other = await open(`/sessions/${session}`, { person: 'engineer-b' });
  await other.locator('[data-player=ready]').waitFor();
  await again;
  await page.locator('[data-player=ready]').waitFor();
  assert.deepEqual(read, []);
  await page.getByRole('button', { name: /浅色|深色|跟随系统|切换明暗/ }).first().focus();
  const theme = await page.evaluate(() => localStorage.getItem('lineman.theme'));
  await page.keyboard.press('Space');
  await page.waitForFunction((theme) => localStorage.getItem('lineman.theme') !== theme, theme);
  assert.equal(await page.getByRole('button', { name: /播放/ }).getAttribute('aria-pressed'), 'false');
  await close(other);
  await close(page);
});

/** A wall with these faults on it. */
function wall(faults, more = {}) {
  const at = (seconds) => new Date(Date.now() + seconds * 1000).toISOString();
  const count = (severity) => faults.filter((fault) => fault.severity === severity).length;
  const row = ({ fault, severity }) => ({ fault, severity, status: 'in_progress', title: '板卡温度越限', customer: 'JW', equipment: 'ne-1.jw.ne', clock: 'K4', target_s: 1800, elapsed_s: 20, state: 'running', deadline_at: at(1780) });
  return {
    now: at(0), seq: 1, faults: { critical: count('critical'), major: count('major'), minor: count('minor'), warning: 0, indeterminate: 0 }, clocks: { running: 1, paused: 0, breached: 0 },
    promise: { running: 1, paused: 0, breached: 0 }, countdown: faults.map(row), countdown_total: faults.length, sessions: [], today: { from: at(-30_000), new: 1, closed: 0 }, agents: { online: 3, total: 3 },
    health: [], duty: [], customers: [], events: [], sites_without_coordinates: 0, open_off_the_map: 0,
    sites: [{ id: `sit_${'1'.padStart(32, '0')}`, customer: 'JW', name: '成都', latitude_deg: 30.6, longitude_deg: 104, open: 1, worst: 'critical' }], ...more,
  };
}
const moves = (page) => api(page, 'noc-jw', 'POST', '/faults', { customer: 'JW', title: 'moves the wall', impact: 'none' });

test('a wall sounds for a critical fault that comes while another goes, and shows that it may not', async () => {
  let faults = [{ fault: 'F-JW-1', severity: 'critical' }];
  const page = await open('/wall', {
    person: 'engineer-a', width: 1600, height: 900,
    before: async (page) => {
      await page.addInitScript(() => {
        globalThis.tones = 0;
        const nothing = () => ({ connect: (next) => next, start() {}, stop() {}, frequency: {}, gain: { setValueAtTime() {}, linearRampToValueAtTime() {} } });
        globalThis.mayPlay = true;
        globalThis.AudioContext = class {
          currentTime = 0;
          get state() { return globalThis.mayPlay ? 'running' : 'suspended'; }
          resume() { return Promise.resolve(); }
          createOscillator() { globalThis.tones += 1; return nothing(); }
          createGain() { return nothing(); }
        };
      });
      await page.route('**/api/v1/wall?*', (route) => route.fulfill({ json: wall(faults) }));
    },
  });
  await page.locator('[data-countdown]').getByText('F-JW-1').waitFor();
  await page.locator('header .live').waitFor();
  assert.equal(await page.evaluate(() => globalThis.tones), 0);
  faults = [{ fault: 'F-JW-2', severity: 'critical' }];
  await moves(page);
  await page.locator('[data-countdown]').getByText('F-JW-2').waitFor();
  await page.waitForFunction(() => globalThis.tones > 0);
  // After its daily reload nobody has touched the screen: it says so where it can be seen.
  await page.keyboard.press('f');
  await page.waitForFunction(() => document.fullscreenElement !== null);
  assert.equal(await page.locator('[data-silent]').count(), 0);
  await page.evaluate(() => { globalThis.mayPlay = false; });
  faults = [{ fault: 'F-JW-3', severity: 'critical' }];
  await moves(page);
  await page.locator('[data-silent]').waitFor();
  await picture(page, 'watched-wall-silent');
  await page.evaluate(() => { globalThis.mayPlay = true; });
  await page.keyboard.press('s');
  await page.locator('[data-silent]').getByText('已静音').waitFor();
  await close(page);
});

test('a site on a zoomed map is clicked, and leads to its faults without loading the console again', async () => {
  const page = await open('/wall', { person: 'engineer-a', width: 1600, height: 900, before: (page) => page.route('**/api/v1/wall?*', (route) => route.fulfill({ json: wall([{ fault: 'F-JW-1', severity: 'critical' }]) })) });
  await page.locator('[data-map=drawn]').waitFor();
  await page.keyboard.press('+');
  await page.keyboard.press('+');
  await page.evaluate(() => { globalThis.isTheSame = true; });
  const point = await page.locator('[data-map] a .point').first().boundingBox();
  await page.mouse.click(point.x + point.width / 2, point.y + point.height / 2);
  await page.waitForURL('**/faults?q=*');
  assert.ok(await page.evaluate(() => globalThis.isTheSame));
  await close(page);
});

test('a filter that finds none among the most urgent does not say that no clock runs', async () => {
  const page = await open('/wall', { person: 'engineer-a', width: 1600, height: 900, before: (page) => page.route('**/api/v1/wall?*', (route) => route.fulfill({ json: wall([{ fault: 'F-JW-1', severity: 'critical' }], { countdown_total: 80, faults: { critical: 70, major: 10, minor: 0, warning: 0, indeterminate: 0 } }) })) });
  await page.locator('[data-countdown]').waitFor();
  await page.keyboard.press('2');
  await page.getByText('最急的 1 条中没有“重要”级别').waitFor();
  await close(page);
});

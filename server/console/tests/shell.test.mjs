// The frame around every page: sign-in, keys, palette, what is live and what is stale.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { api, close, facts, looksGood, open } from './harness.mjs';

const password = (name) => facts.people.find((one) => one.name === name).password;

test('a person signs in with the keyboard, and a wrong password is said in words', async () => {
  const page = await open('/faults');
  await page.getByLabel('账号').fill('engineer-a');
  await page.getByLabel('口令').fill('wrong');
  await page.keyboard.press('Enter');
  await page.getByRole('alert').waitFor();
  await page.getByLabel('口令').fill(password('engineer-a'));
  await page.keyboard.press('Enter');
  await page.getByRole('navigation').waitFor();
  assert.equal(new URL(page.url()).pathname, '/faults', 'the address is kept');
  await close(page);
});

test('keys go where the sheet says, and are off while typing', async () => {
  const page = await open('/faults', { person: 'engineer-a' });
  await page.getByRole('navigation').waitFor();
  await page.keyboard.press('Shift+?');
  const sheet = page.getByRole('dialog');
  await sheet.getByText('前往').waitFor();
  await page.keyboard.press('Escape');
  await sheet.waitFor({ state: 'detached' });
  await page.keyboard.press('Control+k');
  await page.getByRole('dialog').getByRole('combobox').fill('F-JW-1');
  await page.getByRole('option', { name: 'F-JW-1' }).first().waitFor();
  await page.keyboard.press('Enter');
  await page.waitForURL('**/faults/F-JW-1');
  await page.goto('/faults');
  await page.getByRole('searchbox').waitFor();
  // `n` files a fault: not while somebody writes, and not while an input method has the key.
  await page.keyboard.press('/');
  await page.keyboard.type('n?');
  assert.equal(await page.getByRole('searchbox').inputValue(), 'n?');
  assert.equal(await page.getByRole('dialog').count(), 0);
  await page.keyboard.press('Escape');
  await page.evaluate(() => {
    document.body.dispatchEvent(new KeyboardEvent('keydown', { key: 'n', code: 'KeyN', bubbles: true, isComposing: true }));
    document.body.dispatchEvent(Object.defineProperty(new KeyboardEvent('keydown', { key: 'n', code: 'KeyN', bubbles: true }), 'keyCode', { value: 229 }));
  });
  assert.equal(new URL(page.url()).pathname, '/faults');
  await page.keyboard.press('n');
  await page.waitForURL('**/new');
  await close(page);
});

test('what is typed while a page is on its way waits for it', async () => {
  const page = await open('/reports', { person: 'engineer-a' });
  await page.getByRole('heading', { level: 1 }).waitFor();
  let arrive;
  const there = new Promise((resolve) => { arrive = resolve; });
  const asked = page.waitForRequest('**/*.js');
  await page.route('**/*.js', async (route) => {
    await there;
    await route.continue();
  });
  await page.keyboard.press('g');
  await page.keyboard.press('f');
  await page.waitForURL('**/faults');
  await asked;
  // Neither lost nor taken for the keys of the page before: `n` would file a fault.
  await page.keyboard.press('/');
  await page.keyboard.type('n?');
  await page.keyboard.press('Enter');
  arrive();
  await page.waitForURL((url) => url.searchParams.get('q') === 'n?');
  assert.equal(await page.getByRole('searchbox').inputValue(), 'n?');
  assert.equal(new URL(page.url()).pathname, '/faults');
  await close(page);
});

for (const skew of [-600_000, 600_000]) {
  test(`a browser whose clock is ${skew / 1000} s off shows the server's time`, async () => {
    const page = await open('/faults', {
      person: 'engineer-a',
      before: (page) => page.addInitScript((skew) => {
        const RealDate = Date;
        // Wrong from the start, for everything that asks.
        globalThis.Date = class extends RealDate {
          constructor(...args) { super(...(args.length === 0 ? [RealDate.now() + skew] : args)); }
          static now() { return RealDate.now() + skew; }
        };
        Object.defineProperty(performance, 'timeOrigin', { value: performance.timeOrigin + skew });
      }, skew),
    });
    const fault = await api(page, 'noc-jw', 'POST', '/faults', { customer: 'JW', title: `skewed ${skew}`, impact: 'full' });
    const shown = page.locator('header time');
    await page.waitForFunction((skew) => {
      const there = document.querySelector('header time')?.getAttribute('datetime');
      return there && Math.abs(Date.parse(there) - (Date.now() - skew)) < 30_000;
    }, skew);
    assert.ok(await shown.isVisible());
    // And so does what is counted down: as much is left as the server says.
    const clocks = (await api(page, 'engineer-a', 'GET', `/faults/${fault.number}/clocks`)).items.filter((clock) => clock.state === 'running' && clock.deadline_at != null);
    await page.goto(`/faults/${fault.number}`);
    assert.ok(clocks.length > 0, 'a clock runs');
    for (const { name, deadline_at: deadline } of clocks) {
      await page.locator(`[data-clock=${name}] .main`).waitFor();
      const said = (await page.locator(`[data-clock=${name}] .main`).textContent()).trim().split(' ')[0].split(':').reduce((sum, part) => sum * 60 + Number(part), 0);
      const left = (Date.parse(deadline) - Date.now()) / 1000;
      assert.ok(Math.abs(left - said) < 60, `${name}: ${said} s are shown, ${left} s are left`);
    }
    await api(page, 'noc-jw', 'POST', `/faults/${fault.number}/cancellation`, { reason: 'a test' });
    await close(page);
  });
}

test('a stream that is cut makes the page look stale, and its return makes it live', async () => {
  const page = await open('/faults', {
    person: 'engineer-a',
    before: (page) => page.addInitScript(() => {
      // Time in the page runs forty times as fast: staleness is told after 15 s.
      const real = performance.now.bind(performance);
      performance.now = () => real() * (globalThis.fast ? 40 : 1);
    }),
  });
  await page.locator('header .live').waitFor();
  const fault = await api(page, 'noc-jw', 'POST', '/faults', { customer: 'JW', title: 'in figures', impact: 'full' });
  await page.locator('main').getByText(fault.number, { exact: true }).waitFor();
  await page.route('**/api/v1/events', (route) => route.abort());
  await page.evaluate(() => { globalThis.fast = true; });
  await page.locator('header .stale').waitFor();
  const colours = () => page.evaluate(() => ['.numbers', '.faint'].map((name) => getComputedStyle(document.querySelector(`[role=table] ${name}, main ${name}`)).color));
  await page.locator('main .numbers').first().waitFor();
  assert.equal(...await colours(), 'figures that may be old are grey');
  await page.evaluate(() => { globalThis.fast = false; });
  await page.unroute('**/api/v1/events');
  await page.locator('header .live').waitFor();
  assert.notEqual(...await colours());
  await api(page, 'noc-jw', 'POST', `/faults/${fault.number}/cancellation`, { reason: 'a test' });
  await close(page);
});

test('whoever comes without a sign-in is asked to sign in', async () => {
  const page = await open('/faults', { person: 'engineer-a' });
  await page.getByRole('navigation').waitFor();
  await page.context().clearCookies();
  await page.reload();
  await page.getByLabel('口令').waitFor();
  await close(page);
});

test('what is not there is said', async () => {
  const page = await open('/nowhere', { person: 'engineer-a' });
  await page.getByText('没有这个页面').waitFor();
  await looksGood(page, '[data-empty]');
  await close(page);
});

test('headers hold a browser to this server', async () => {
  const page = await open('/faults');
  const answer = await page.request.get('/', { headers: { accept: 'text/html' } });
  const headers = answer.headers();
  assert.match(headers['content-security-policy'], /default-src 'none'; script-src 'self'; style-src 'self' 'nonce-/);
  assert.match(headers['content-security-policy'], /frame-ancestors 'none'/);
  assert.equal(headers['x-content-type-options'], 'nosniff');
  assert.equal(headers['x-frame-options'], 'DENY');
  assert.equal(headers['referrer-policy'], 'no-referrer');
  assert.match(headers['strict-transport-security'], /^max-age=\d{8}/);
  const again = await page.request.get('/', { headers: { accept: 'text/html' } });
  assert.notEqual(again.headers()['content-security-policy'], headers['content-security-policy'], 'a nonce is used once');
  await close(page);
});

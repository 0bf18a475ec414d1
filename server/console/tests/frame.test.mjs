// What the frame holds for every page: keys, dialogs, messages, an ended sign-in, saved views in a narrow window.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { api, close, facts, open, picture } from './harness.mjs';

const problem = (status, code, title = 'made to fail') => ({ status, contentType: 'application/problem+json', body: JSON.stringify({ status, code, title, request_id: 'req-1' }) });
const password = (name) => facts.people.find((one) => one.name === name).password;
/** Something that every list of faults reads itself again for. */
const something = (page) => api(page, 'noc-jw', 'POST', '/faults', { customer: 'JW', title: `frame ${Date.now()}`, impact: 'none' });

test('in a narrow window views are saved and managed', async () => {
  const page = await open('/faults?q=severity%3Acritical', { person: 'engineer-a', width: 360, height: 740 });
  const name = `窄 ${Date.now() % 100_000}`;
  await page.getByRole('button', { name: /^保存视图/ }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('名称').fill(name);
  await picture(page, 'frame-narrow-save');
  await page.keyboard.press('Enter');
  await dialog.waitFor({ state: 'detached' });
  await page.getByRole('button', { name: '导航' }).click();
  await page.getByRole('button', { name: '管理视图' }).click();
  await dialog.getByRole('button', { name: `删除 ${name}` }).click();
  await dialog.getByText(name, { exact: true }).waitFor({ state: 'detached' });
  await page.keyboard.press('Escape');
  await dialog.waitFor({ state: 'detached' });
  // The page behind it can be used.
  await page.getByRole('button', { name: '导航' }).click();
  await close(page);
});

test('Enter presses what has the focus, and opens the row under the cursor otherwise', async () => {
  const page = await open('/admin/people', { person: 'admin-z' });
  await page.locator('[data-people] a').first().waitFor();
  await page.keyboard.press('j');
  await page.getByRole('button', { name: /深色|浅色|跟随系统|切换明暗/ }).first().focus();
  const theme = () => page.evaluate(() => localStorage.getItem('lineman.theme'));
  const before = await theme();
  await page.keyboard.press('Enter');
  await page.waitForFunction((before) => localStorage.getItem('lineman.theme') !== before, before);
  assert.equal(new URL(page.url()).pathname, '/admin/people');
  await page.locator('main').focus();
  await page.keyboard.press('Enter');
  await page.waitForURL('**/admin/people/*');
  await close(page);
});

test('an ended sign-in is asked for in front of an open dialog, keeps the focus, and the page goes on after it', async () => {
  const page = await open('/faults', { person: 'engineer-a' });
  await page.locator('header .live').waitFor();
  await page.keyboard.press('Shift+?');
  const sheet = page.getByRole('dialog', { name: '按键一览' });
  await sheet.waitFor();
  await page.context().clearCookies();
  await something(page);
  const veil = page.getByRole('dialog', { name: '登录已失效' });
  await veil.waitFor();
  for (let i = 0; i < 6; i += 1) {
    await page.keyboard.press('Tab');
    assert.ok(await page.evaluate(() => document.activeElement === document.body || document.activeElement.closest('[aria-labelledby=expired-title]') !== null), 'the focus stays inside');
  }
  await page.keyboard.press('Escape');
  await page.keyboard.press('Escape');
  await page.locator('[data-failure=signed_out]').first().waitFor();
  await picture(page, 'frame-expired');
  await veil.getByLabel('口令').fill(password('engineer-a'));
  await page.keyboard.press('Enter');
  await veil.waitFor({ state: 'detached' });
  await sheet.waitFor();
  await page.locator('[data-failure=signed_out]').first().waitFor({ state: 'detached' });
  await close(page);
});

test('a refusal that comes late, from before somebody signed in again, changes nothing', async () => {
  const page = await open('/faults', { person: 'engineer-a' });
  await page.locator('header .live').waitFor();
  let late;
  await page.route('**/api/v1/views', (route) => {
    if (late) return route.fallback();
    late = route;
  });
  // One question is on its way when the sign-in ends; another one finds that out.
  const asked = page.waitForRequest('**/api/v1/views');
  await something(page);
  await asked;
  await page.context().clearCookies();
  await something(page);
  const veil = page.getByRole('dialog', { name: '登录已失效' });
  await veil.waitFor();
  await veil.getByLabel('口令').fill(password('engineer-a'));
  await page.keyboard.press('Enter');
  await veil.waitFor({ state: 'detached' });
  const heard = late.request().response();
  await late.fulfill(problem(401, 'unauthenticated'));
  assert.equal((await heard).status(), 401);
  await page.getByRole('button', { name: /深色|浅色|跟随系统|切换明暗/ }).first().click();
  assert.equal(await veil.count(), 0);
  await close(page);
});

test('a message waits while a dialog is open, and an undo that fails says so', async () => {
  const page = await open('/faults?q=severity%3Acritical', {
    person: 'engineer-a',
    before: (page) => page.addInitScript(() => {
      const real = globalThis.setTimeout;
      globalThis.waited = 0;
      // The time of messages is over when the test says so; it is counted how often they went on waiting.
      const soon = (run) => real(() => (globalThis.isOver ? run() : soon(run)), 20);
      globalThis.setTimeout = (run, ms, ...rest) => {
        if (ms === 2000) globalThis.waited += 1;
        return ms === 5000 || ms === 2000 ? soon(run) : real(run, ms, ...rest);
      };
    }),
  });
  await page.locator('header .live').waitFor();
  const name = `留 ${Date.now() % 100_000}`;
  await page.keyboard.press('v');
  await page.getByRole('dialog').waitFor();
  await page.keyboard.type(name);
  const saved = page.waitForResponse((answer) => answer.request().method() === 'POST' && answer.url().endsWith('/views'));
  await page.keyboard.press('Enter');
  const { id } = await (await saved).json();
  const said = page.locator('.toasts').getByText(`已保存视图“${name}”`);
  await said.waitFor();
  await page.keyboard.press('Control+k');
  await page.getByRole('dialog').waitFor();
  await page.evaluate(() => { globalThis.isOver = true; });
  await page.waitForFunction(() => globalThis.waited > 2);
  assert.ok(await said.isVisible());
  await page.evaluate(() => { globalThis.isOver = false; });
  await page.route(`**/api/v1/views/${id}`, (route) => route.fulfill(problem(500, 'internal', 'it can’t be taken back')));
  await page.keyboard.press('Escape');
  await page.locator('.toasts').getByRole('button', { name: '撤销' }).click();
  await page.locator('.toasts').getByText('it can’t be taken back').waitFor();
  await page.unroute(`**/api/v1/views/${id}`);
  await api(page, 'engineer-a', 'DELETE', `/views/${id}`);
  await close(page);
});

test('a sign-out that fails says so', async () => {
  const page = await open('/faults', { person: 'engineer-a', before: (page) => page.route('**/api/v1/sign-out', (route) => route.fulfill(problem(500, 'internal', 'still signed in'))) });
  await page.getByRole('button', { name: '退出登录' }).click();
  await page.locator('.toasts').getByText('still signed in').waitFor();
  await close(page);
});

test('whoever signs in forgets the drafts of others on this computer, not their unsent reports', async () => {
  const page = await open('/faults', {
    person: 'engineer-a',
    before: (page) => page.addInitScript(() => {
      if (sessionStorage.getItem('test.drafts')) return;
      sessionStorage.setItem('test.drafts', 'made');
      for (const name of ['engineer-b.fault.F-JW-1', 'engineer-b.unsent', 'engineer-a.fault.F-JW-1']) localStorage.setItem(`lineman.draft.${name}`, '[]');
    }),
  });
  await page.getByRole('navigation').waitFor();
  const kept = await page.evaluate(() => Object.keys(localStorage).filter((key) => key.startsWith('lineman.draft.')).sort());
  assert.deepEqual(kept, ['lineman.draft.engineer-a.fault.F-JW-1', 'lineman.draft.engineer-b.unsent']);
  await close(page);
});

test('a question that fails takes no page away: recovery codes stay to be written down', async () => {
  const page = await open('/account', { person: 'engineer-a' });
  await page.route('**/api/v1/second-factor', (route) => route.fulfill({ json: { secret: 'ABCD', uri: 'otpauth://totp/lineman:a?secret=ABCD' } }));
  await page.route('**/api/v1/second-factor/confirmation', (route) => route.fulfill({ json: { codes: ['once-only-1', 'once-only-2'] } }));
  await page.getByRole('button', { name: '开启第二因素' }).click();
  await page.route('**/api/v1/whoami', (route) => route.fulfill(problem(503, 'unavailable')));
  const asked = page.waitForResponse('**/api/v1/whoami');
  await page.locator('section', { has: page.locator('[data-secret]') }).locator('input').fill('123456');
  await page.keyboard.press('Enter');
  await asked;
  await page.locator('[data-codes]').getByText('once-only-2').waitFor();
  await page.getByRole('navigation').waitFor();
  await close(page);
});

test('Escape on a page of the administration that was opened by its address goes where there is a page', async () => {
  const page = await open('/admin/audit', { person: 'admin-z' });
  await page.getByRole('heading', { level: 1 }).waitFor();
  await page.keyboard.press('Escape');
  await page.waitForURL('**/wall');
  await close(page);
});

test('the palette shows the command that is chosen, and begins at the first one again', async () => {
  const page = await open('/faults', { person: 'admin-z', height: 400 });
  await page.getByRole('navigation').waitFor();
  await page.keyboard.press('Control+k');
  const list = page.getByRole('listbox');
  await list.getByRole('option').nth(10).waitFor();
  await page.keyboard.press('ArrowUp');
  const isInSight = () => page.evaluate(() => {
    const [list, chosen] = [document.querySelector('[role=listbox]'), document.querySelector('[role=option][aria-selected=true]')].map((one) => one.getBoundingClientRect());
    return chosen.top >= list.top - 1 && chosen.bottom <= list.bottom + 1;
  });
  assert.equal(await list.getByRole('option').last().getAttribute('aria-selected'), 'true');
  assert.ok(await isInSight());
  await page.keyboard.press('Escape');
  await page.keyboard.press('Control+k');
  assert.equal(await list.getByRole('option').first().getAttribute('aria-selected'), 'true');
  await close(page);
});

test('a search keeps its text at Escape and waits for an input method', async () => {
  const asked = [];
  const page = await open('/faults', {
    person: 'engineer-a',
    before: async (page) => {
      page.on('request', (request) => { if (request.url().includes('/api/v1/faults?')) asked.push(new URL(request.url()).searchParams.get('q')); });
      await page.addInitScript(() => {
        const real = globalThis.setTimeout;
        globalThis.delays = [];
        globalThis.setTimeout = (run, ms, ...rest) => { globalThis.delays.push(ms); return real(run, ms, ...rest); };
      });
    },
  });
  await page.locator('header .live').waitFor();
  await page.keyboard.press('/');
  await page.evaluate(() => { globalThis.delays = []; });
  const field = page.getByRole('searchbox');
  await field.evaluate((field) => {
    field.dispatchEvent(new CompositionEvent('compositionstart', { bubbles: true }));
    field.value = 'banka';
    field.dispatchEvent(new InputEvent('input', { bubbles: true, isComposing: true, data: 'banka' }));
  });
  assert.ok(!(await page.evaluate(() => globalThis.delays)).includes(250), 'nothing is asked while letters are not yet words');
  await field.evaluate((field) => {
    field.value = '板卡';
    field.dispatchEvent(new InputEvent('input', { bubbles: true, isComposing: true, data: '板卡' }));
    field.dispatchEvent(new CompositionEvent('compositionend', { bubbles: true, data: '板卡' }));
  });
  await page.waitForURL((url) => url.searchParams.get('q') === '板卡');
  assert.ok(!asked.includes('banka'));
  await page.keyboard.press('Escape');
  assert.equal(await field.inputValue(), '板卡');
  await close(page);
});

test('all recordings are searched when Enter asks, for each search is logged', async () => {
  const asked = [];
  const page = await open('/sessions?grep=%20', {
    person: 'engineer-a',
    before: async (page) => {
      await page.addInitScript(() => {
        const real = globalThis.setTimeout;
        globalThis.delays = [];
        globalThis.setTimeout = (run, ms, ...rest) => { globalThis.delays.push(ms); return real(run, ms, ...rest); };
      });
      await page.route('**/api/v1/sessions/grep?*', (route) => { asked.push(new URL(route.request().url()).searchParams.get('q')); return route.fulfill({ json: { items: [] } }); });
    },
  });
  const field = page.getByRole('searchbox');
  await field.waitFor();
  await page.evaluate(() => { globalThis.delays = []; });
  await field.fill('show');
  await field.press('End');
  await page.keyboard.type(' alarm');
  assert.ok(!(await page.evaluate(() => globalThis.delays)).includes(250), 'a pause asks nothing');
  await page.keyboard.press('Enter');
  await page.getByText('没有录像中出现过这段文字').waitFor();
  assert.deepEqual(asked, ['show alarm']);
  await close(page);
});

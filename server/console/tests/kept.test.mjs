// What people write and choose is kept, and done as they meant it: the fault page, the list's actions, reports that wait, the books.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { api, close, facts, open, picture, saved } from './harness.mjs';
import { PEOPLE, row, serve } from './faults-fakes.mjs';

const device = facts.devices.find((one) => one.name.endsWith('.jw.ne')).name;
const problem = (status, code, title = 'made to fail') => ({ status, contentType: 'application/problem+json', body: JSON.stringify({ status, code, title, request_id: 'req-1' }) });

/** A fault over the API, on its page. */
async function working({ steps = [], options = {} } = {}) {
  const page = await open('/sign-in', { person: 'engineer-a', ...options });
  const fault = (await api(page, 'noc-jw', 'POST', '/faults', { equipment: device, title: '板卡温度越限', impact: 'partial' })).number;
  await api(page, 'engineer-a', 'POST', `/faults/${fault}/accept`);
  for (const [path, body] of steps) await api(page, 'engineer-a', 'POST', `/faults/${fault}/${path}`, body);
  await page.goto(`/faults/${fault}`);
  await page.locator('[data-status]').waitFor();
  return { page, fault };
}

test('a case whose mask was refused is not sent to review', async () => {
  const { page } = await working({ steps: [
    ['diagnosis', { cause: '风扇盘故障', plan: '1. 更换风扇盘' }], ['restoration', {}], ['resolution', { channel: 'remote', cause: '风扇盘故障', note: '已更换 10.1.2.3' }],
  ] });
  await page.locator('[data-status=resolved]').waitFor();
  await page.keyboard.press('r');
  await page.getByLabel('起草案例').check();
  await page.keyboard.press('Control+Enter');
  const review = page.locator('[data-review]');
  await review.locator('.text').first().waitFor();
  const sent = [];
  page.on('request', (request) => { if (request.url().endsWith('/submission')) sent.push(request.url()); });
  await page.route('**/draft', (route) => (route.request().method() === 'POST' ? route.fulfill(problem(422, 'invalid', 'this can’t be masked')) : route.fallback()));
  await review.getByLabel('要再遮盖的文字').fill('双流');
  await review.getByRole('button', { name: '送评审' }).click();
  await review.getByText('this can’t be masked').waitFor();
  await review.getByRole('button', { name: '送评审' }).isEnabled();
  assert.deepEqual(sent, []);
  assert.equal(await review.getByLabel('要再遮盖的文字').inputValue(), '双流');
  await close(page);
});

test('who types is told once, and is not gone between the keys', async () => {
  const told = [];
  const { page, fault } = await working();
  page.on('request', (request) => { if (request.method() === 'PUT' && request.url().endsWith(`/${fault}/presence`)) told.push(request.postDataJSON().doing); });
  await page.locator('#compose-text').focus();
  const typing = page.waitForRequest((request) => request.method() === 'PUT' && request.url().endsWith('/presence') && request.postDataJSON().doing === 'typing');
  await page.keyboard.type('twelve keys.');
  await typing;
  assert.ok(!told.includes('gone'), told.join(' '));
  assert.equal(told.filter((doing) => doing === 'typing').length, 1, told.join(' '));
  await close(page);
});

test('an attachment is asked about again after a "no", and three files that are chosen are three', async () => {
  const { page } = await working();
  await page.locator('input[type=file]').setInputFiles(['a', 'b', 'c'].map((name) => ({ name: `${name}.txt`, mimeType: 'text/plain', buffer: Buffer.from(name) })));
  for (const name of ['a.txt', 'b.txt', 'c.txt']) await page.getByRole('link', { name }).first().waitFor();
  for (const _ of [1, 2]) {
    await page.getByRole('button', { name: '删除 b.txt' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.waitFor();
    await dialog.getByRole('button', { name: /取消/ }).click();
    await dialog.waitFor({ state: 'detached' });
  }
  await close(page);
});

test('what is written while a note is on its way stays, and a plan that is sent for confirmation leaves the reply that was begun', async () => {
  const { page } = await working();
  await page.locator('#compose-text').fill('第一条备注');
  let go;
  const held = new Promise((resolve) => { go = resolve; });
  await page.route('**/notes', async (route) => { await held; await route.continue(); });
  const asked = page.waitForRequest('**/notes');
  await page.keyboard.press('Control+Enter');
  await asked;
  await page.locator('#compose-reply').click();
  await page.locator('#compose-text').fill('尊敬的客户');
  go();
  await page.locator('.toasts').getByText('已发送').waitFor();
  assert.equal(await page.locator('#compose-text').inputValue(), '尊敬的客户');
  await page.locator('#compose-note').click();
  await page.waitForFunction(() => document.querySelector('#compose-text')?.value === '');
  await page.locator('#compose-plan').click();
  await page.locator('#compose-panel input').first().fill('风扇盘故障');
  await page.locator('#compose-panel textarea').fill('更换风扇盘');
  await page.getByRole('button', { name: '发给客户确认' }).click();
  const reply = await page.locator('#compose-text').inputValue();
  assert.match(reply, /^尊敬的客户\n\n.*风扇盘故障/s);
  await close(page);
});

test('a plan that is loaded to change it comes back in its parts, and is recorded once', async () => {
  const { page, fault } = await working();
  await page.locator('#compose-plan').click();
  await page.locator('#compose-panel select').nth(1).selectOption('onsite');
  await page.locator('#compose-panel input').first().fill('风扇盘故障');
  await page.locator('#compose-panel textarea').fill('断电\n更换风扇盘');
  await page.locator('#compose-panel input').nth(1).fill('FAN-2');
  await page.keyboard.press('Control+Enter');
  await page.getByRole('button', { name: '载入修改' }).click();
  assert.equal(await page.locator('#compose-panel textarea').inputValue(), '1. 断电\n2. 更换风扇盘');
  assert.equal(await page.locator('#compose-panel input').nth(1).inputValue(), 'FAN-2');
  assert.equal(await page.locator('#compose-panel select').nth(1).inputValue(), 'onsite');
  await page.locator('#compose-panel input').first().focus();
  await page.keyboard.press('Control+Enter');
  await page.waitForFunction(() => document.querySelector('#compose-panel textarea')?.value === '');
  const { plan } = await api(page, 'engineer-a', 'GET', `/faults/${fault}`);
  assert.equal(plan, '1. 断电\n2. 更换风扇盘\n备件: FAN-2\n方式: 现场');
  await close(page);
});

test('an action is for the faults that it was begun for, and a note that failed is sent again alone', async () => {
  const rows = [row(4), row(8)].map((one) => ({ ...one, status: 'reported' }));
  const done = [];
  let fails = 1;
  const page = await open('/faults', {
    person: 'engineer-a',
    before: async (page) => {
      await serve(page, rows);
      await page.route('**/api/v1/people', (route) => route.fulfill({ json: PEOPLE }));
      await page.route(/faults\/F-JW-\d\/(accept|notes)$/, (route) => {
        const [, number, what] = /(F-JW-\d)\/(accept|notes)$/.exec(route.request().url());
        if (what === 'notes' && fails-- > 0) return route.fulfill(problem(503, 'unavailable', 'not now'));
        done.push(`${number} ${what}`);
        return route.fulfill({ json: row(4) });
      });
    },
  });
  await page.locator('[role=table] a').first().waitFor();
  await page.locator('header .live').waitFor();
  await page.keyboard.press('j');
  await page.keyboard.press('a');
  const dialog = page.getByRole('dialog');
  await dialog.getByText('F-JW-4').waitFor();
  // Somebody else takes it meanwhile: it is on the list no more.
  rows.splice(0, 2, row(12));
  await api(page, 'noc-jw', 'POST', '/faults', { customer: 'JW', title: 'moves the list', impact: 'none' });
  await page.locator('[role=table]').getByText('F-JW-12', { exact: true }).waitFor();
  await dialog.locator('textarea').fill('我来处理');
  await page.keyboard.press('Control+Enter');
  await dialog.getByText('not now').waitFor();
  await page.keyboard.press('Control+Enter');
  await dialog.waitFor({ state: 'detached' });
  assert.deepEqual(done, ['F-JW-4 accept', 'F-JW-4 notes']);
  await page.context().close();
});

test('split view shows the fault that the cursor is on', async () => {
  const page = await open('/sign-in', { person: 'engineer-a', width: 1600 });
  const title = `beside ${Date.now()}`;
  const made = [];
  for (const n of [1, 2]) made.push((await api(page, 'noc-jw', 'POST', '/faults', { customer: 'JW', title: `${title} ${n}`, impact: 'full' })).number);
  await page.goto(`/faults?q=${encodeURIComponent(`number:${made.join(',')}`)}`);
  for (const number of made) await page.locator('[role=table]').getByText(number, { exact: true }).waitFor();
  await page.keyboard.press('\\');
  const beside = page.locator('section.beside');
  const order = await page.locator('[role=table] [role=row] a.numbers').allTextContents();
  await beside.getByRole('heading', { level: 1 }).getByText(order[0]).waitFor();
  await page.keyboard.press('j');
  await beside.getByRole('heading', { level: 1 }).getByText(order[1]).waitFor();
  assert.equal(await beside.getByRole('heading', { level: 1 }).getByText(order[0]).count(), 0);
  await close(page);
});

test('an unsent report is edited with its start, and gives back what it took the place of', async () => {
  const at = '2026-01-02T03:04:00.000Z';
  const page = await open('/new', {
    person: 'noc-jw',
    before: (page) => page.addInitScript((at) => {
      if (sessionStorage.getItem('test.unsent')) return;
      sessionStorage.setItem('test.unsent', 'made');
      localStorage.setItem('lineman.draft.noc-jw.unsent', JSON.stringify([{ key: 'a-key', at: Date.now(), refused: 'no such equipment', body: { title: '未发送的', impact: 'none', started_at: at } }]));
    }, at),
  });
  const symptom = page.locator('[data-field=title] textarea, [data-field=title] input').first();
  await symptom.fill('正在写的');
  await page.locator('[data-draft]').waitFor();
  await page.getByRole('button', { name: '改一改' }).click();
  await page.waitForFunction(() => [...document.querySelectorAll('[data-field=title] textarea, [data-field=title] input')].some((one) => one.value === '未发送的'));
  assert.equal(await page.locator('[data-field=started] input').inputValue(), '2026-01-02T11:04');
  await picture(page, 'kept-unsent');
  await page.locator('.toasts').getByRole('button', { name: '撤销' }).click();
  await page.waitForFunction(() => [...document.querySelectorAll('[data-field=title] textarea, [data-field=title] input')].some((one) => one.value === '正在写的'));
  await page.locator('[data-waiting]').getByText('未发送的').waitFor();
  await close(page);
});

test('the first customer is added while there is none', async () => {
  const page = await open('/admin/customers', { person: 'admin-z', before: (page) => page.route('**/api/v1/customers', (route) => (route.request().method() === 'GET' ? route.fulfill({ json: { items: [] } }) : route.fulfill({ status: 201, json: {} }))) });
  await page.locator('[data-empty]').waitFor();
  await page.keyboard.press('c');
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel(/^代号/).fill('NEW');
  await dialog.getByLabel(/^名称/).fill('新客户');
  const sent = page.waitForRequest((request) => request.method() === 'POST' && request.url().endsWith('/customers'));
  await page.keyboard.press('Enter');
  assert.deepEqual({ ...(await sent).postDataJSON(), tier: '' }, { code: 'NEW', name: '新客户', tier: '' });
  await dialog.waitFor({ state: 'detached' });
  await close(page);
});

test('the log tells a time that is none, asks for two fields at once, and reads on once for two clicks', async () => {
  const page = await open('/admin/audit?since=abc', { person: 'admin-z' });
  await page.locator('[data-failure]').first().waitFor();
  await page.goto('/admin/audit');
  await page.locator('[data-audit] tbody tr').first().waitFor();
  await page.evaluate(() => {
    for (const [name, value] of [['kind', 'fault'], ['actor', 'noc-jw']]) {
      const field = document.querySelector(`[data-filter=${name}]`);
      field.value = value;
      field.dispatchEvent(new InputEvent('input', { bubbles: true }));
    }
  });
  await page.waitForURL((url) => url.searchParams.get('kind') === 'fault' && url.searchParams.get('actor') === 'noc-jw');
  const event = (seq) => ({ seq, kind: 'fault.note', actor: 'engineer-a', occurred_at: '2026-01-01T00:00:00Z', recorded_at: '2026-01-01T00:00:00Z', text: `event ${seq}`, data: null, internal: false });
  await page.route('**/api/v1/audit?*', (route) => {
    const after = new URL(route.request().url()).searchParams.get('after');
    return route.fulfill({ json: after === null ? { items: [event(3)], next: 'two' } : { items: [event(2)] } });
  });
  await page.goto('/admin/audit');
  const more = page.getByRole('button', { name: /更多|更早/ });
  await more.waitFor();
  await more.evaluate((button) => { button.click(); button.click(); });
  await page.getByText('event 2').waitFor();
  assert.equal(await page.locator('[data-audit] tbody tr').count(), 2);
  await close(page);
});

test('the missed ones of a figure are listed and exported alone, however many pages they stand on', async () => {
  const item = (n, counted) => ({ id: `flt_${String(n).padStart(32, '0')}`, fault: `F-JW-${n}`, customer: 'JW', reported_at: '2026-01-01T00:00:00Z', counted });
  const page = await open('/reports/response?part=missed', {
    person: 'engineer-a',
    before: (page) => page.route('**/api/v1/reports/figures/response/faults?*', (route) => {
      const after = new URL(route.request().url()).searchParams.get('after');
      return route.fulfill({ json: after === null ? { items: [item(1, true), item(2, false)], next: 'two' } : { items: [item(3, true), item(4, false)] } });
    }),
  });
  const rows = page.locator('[data-counted] tbody tr');
  await rows.filter({ hasText: 'F-JW-4' }).waitFor();
  assert.equal(await rows.count(), 2);
  const [download] = await Promise.all([page.waitForEvent('download'), page.keyboard.press('e')]);
  const table = (await saved(download)).trim().split('\r\n');
  assert.deepEqual(table.map((line) => line.split(',')[0].replace('\uFEFF', '')), ['fault', 'F-JW-2', 'F-JW-4']);
  await close(page);
});

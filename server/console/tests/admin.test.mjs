// Setting the centre up: customers, promises, calendars, offices, devices, where notices go.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { api, close, facts, looksGood, open, picture } from './harness.mjs';

const admin = facts.people.find((one) => one.role === 'admin').name;
const problem = (status, code, title) => ({ status, contentType: 'application/problem+json', body: JSON.stringify({ status, code, title, request_id: 'req-1' }) });
const last = (dialog) => dialog.locator('.dialog-actions button').last();

for (const [path, ready, route] of [
  ['/admin/customers', 'main h2', '**/api/v1/customers'], ['/admin/tiers', 'main tbody tr', '**/api/v1/tiers'], ['/admin/calendars', 'main ol li', '**/api/v1/calendars'],
  ['/admin/offices', 'main nav a', '**/api/v1/offices'], ['/admin/enrolment', 'main tbody tr', /\/api\/v1\/equipment\?/], ['/admin/integrations', 'main h2', /\/api\/v1\/notices\/targets/],
]) {
  test(`${path} stands in both languages and themes, and says what fails`, async () => {
    const page = await open(path, { person: admin });
    await page.locator(ready).first().waitFor();
    await picture(page, path.replaceAll('/', '-').slice(1));
    await looksGood(page, ready);
    await page.route(route, (one) => one.fulfill(problem(500, 'internal', 'something broke')));
    await page.reload();
    await page.getByText('req-1').first().waitFor();
    await close(page);
  });
}

test('a stop says what it ends, and wants the customer’s code and a reason', async () => {
  const page = await open('/admin/customers?customer=JW', { person: admin });
  await page.getByRole('button', { name: '一键停止' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByText(/将立即断开.*会话/).waitFor();
  assert.equal(await last(dialog).isDisabled(), true);
  await dialog.getByRole('textbox').first().fill('演练');
  await dialog.getByRole('textbox').last().fill('JW');
  assert.equal(await last(dialog).isDisabled(), false);
  const sent = page.waitForRequest((one) => one.url().endsWith('/customers/JW/stop'));
  await page.route('**/customers/JW/stop', (one) => one.fulfill(problem(409, 'conflict', 'not in a test')));
  await last(dialog).click();
  assert.deepEqual((await sent).postDataJSON(), { reason: '演练' });
  await dialog.getByText('not in a test').waitFor();
  await close(page);
});

test('a calendar is made, its end of a target shown, and taken away by typing', async () => {
  const page = await open('/admin/calendars', { person: admin });
  await page.locator('main li').first().waitFor();
  await page.keyboard.press('c');
  const dialog = page.getByRole('dialog');
  await dialog.getByRole('textbox').first().fill('zq-test');
  await dialog.locator('textarea').nth(1).fill('2026-12-31 年终');
  await last(dialog).click();
  await dialog.waitFor({ state: 'detached' });
  assert.equal((await api(page, admin, 'GET', '/calendars/zq-test')).holidays[0].name, '年终');
  await page.goto('/admin/calendars?calendar=zq-test&hours=8');
  await page.locator('ol li').first().waitFor();
  await page.locator('li', { hasText: 'zq-test' }).getByRole('button', { name: '删除' }).click();
  await dialog.getByRole('textbox').fill('zq-test');
  await last(dialog).click();
  await page.locator('main li a', { hasText: 'zq-test' }).waitFor({ state: 'detached' });
  await close(page);
});

test('a device is entered and its token is shown once, with the command', async () => {
  const page = await open('/admin/enrolment', { person: admin });
  await page.locator('tbody tr').first().waitFor();
  await page.keyboard.press('c');
  const dialog = page.getByRole('dialog');
  for (const [label, value] of [['简称', 'zq-9'], ['产品', 'OLT'], ['型号', 'D-OLT 8'], ['序列号', 'ZQ0001']]) await dialog.getByLabel(label, { exact: false }).first().fill(value);
  await last(dialog).click();
  await page.locator('[data-token]').waitFor();
  const token = await page.locator('[data-token] code').textContent();
  assert.match(token, /^lmt1\//);
  assert.ok((await page.locator('pre').textContent()).includes(`lineman-agent enrol --token-file token`));
  await page.keyboard.press('Escape');
  await page.locator('[data-token]').waitFor({ state: 'detached' });
  assert.equal((await page.content()).includes(token), false, 'it is gone');
  await close(page);
});

test('a webhook’s secret is shown once, its test and attempts are told, and it goes by typing its address', async () => {
  const page = await open('/admin/integrations', { person: admin });
  await page.getByRole('button', { name: /添加接收方/ }).waitFor();
  await page.keyboard.press('c');
  const dialog = page.getByRole('dialog');
  const address = 'https://127.0.0.1:9/zq';
  await dialog.getByRole('textbox').first().fill(address);
  await last(dialog).click();
  await page.locator('[data-secret]').waitFor();
  await page.keyboard.press('Escape');
  const row = page.locator('.targets li', { hasText: address });
  await row.getByRole('button', { name: '测试' }).click();
  await page.locator('section tbody tr', { hasText: address }).first().waitFor();
  await row.getByRole('button', { name: '删除' }).click();
  await dialog.getByRole('textbox').fill(address);
  await last(dialog).click();
  await row.waitFor({ state: 'detached' });
  await close(page);
});

test('who may not set things up is told so', async () => {
  const page = await open('/admin/enrolment', { person: 'engineer-a' });
  await page.locator('[data-empty]').waitFor();
  await close(page);
});

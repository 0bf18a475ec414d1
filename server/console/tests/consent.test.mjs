// Consent in the console: a request as it is signed, how to answer it, and its state as it changes elsewhere.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { before, test } from 'node:test';
import { api, close, facts, lineman, looksGood, open, picture } from './harness.mjs';

const device = facts.devices.find((one) => one.name.endsWith('.jw.ne')).name;
let fault;

async function ask(page, ...more) {
  await lineman('engineer-a', 'consent', 'request', fault, '--doors', 'shell,exec,sftp-read', '--for', '2h', '--reason', 'fan-2 <b>stopped</b>', '--key', facts.engineer_key, ...more);
  return (await api(page, 'engineer-a', 'GET', `/consents?fault=${fault}`)).items[0].id;
}
before(async () => {
  const page = await open('/faults', { person: 'noc-jw' });
  fault = (await api(page, 'noc-jw', 'POST', '/faults', { equipment: device, title: '同意测试', impact: 'none' })).number;
  await close(page);
});

test('a request is shown in plain words and as its bytes, and follows what the carrier’s own machine signs', async () => {
  const page = await open('/consents', { person: 'approver-jw' });
  await page.locator('h1').waitFor();
  const id = await ask(page);
  // It comes by itself.
  await page.locator(`[data-consent=${id}]`).waitFor();
  await page.keyboard.press('Enter');
  await page.waitForURL(`**/consents/${id}`);
  const shown = page.locator('[data-signed-text]').first();
  await shown.waitFor();
  const known = await api(page, 'approver-jw', 'GET', `/consents/${id}`);
  assert.equal(await shown.textContent(), known.request.text, 'every byte of it');
  const sha256 = createHash('sha256').update(known.request.text).digest('hex');
  await page.getByText(sha256).first().waitFor();
  await page.getByText('交互终端：能做该账号能做的一切').waitFor();
  await page.locator('.reason').getByText('fan-2 <b>stopped</b>').waitFor();
  await page.getByText(`lineman consent approve ${id} --key FILE`).waitFor();
  await page.getByText('lineman approver --page --key FILE').waitFor();
  // The device's owner takes no keys of pages, so none is offered here, and it says why.
  await page.getByText('机主没有允许在厂商提供的页面中签署').waitFor();
  await page.keyboard.press('p');
  assert.equal(await page.locator('[data-page-key]').count(), 0);
  assert.equal(await page.getByRole('button', { name: /批准/ }).count(), 0, 'nothing in this page can sign');
  await picture(page, 'consent-request');
  await lineman('approver-jw', 'consent', 'approve', id, '--key', facts.consent_key, '--for', '30m', '--doors', 'exec', '--yes');
  await page.locator('[data-consent-state=live]').waitFor();
  // What was signed: narrower, and over the hash that was shown.
  await page.getByText('批准时已收窄').waitFor();
  const consent = page.locator('[data-signed-text]').nth(1);
  assert.match(await consent.textContent(), new RegExp(`request-sha256: ${sha256}`));
  await page.keyboard.press('u');
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('原因').fill('不再需要');
  await dialog.getByLabel(`请输入 ${device} 以确认`).fill(device);
  await page.keyboard.press('Enter');
  await page.locator('[data-consent-state=ended]').waitFor();
  await close(page);
});

test('a phone reads a request and refuses it', async () => {
  const page = await open('/consents', { person: 'noc-jw', width: 360, height: 740 });
  await page.locator('h1').waitFor();
  const id = await ask(page);
  await page.locator(`[data-consent=${id}] a`).first().click();
  await page.locator('[data-consent-state=requested]').waitFor();
  await looksGood(page, '[data-signed-text]');
  await picture(page, 'consent-phone');
  await page.getByRole('button', { name: /Refuse|拒绝/ }).click();
  const dialog = page.getByRole('dialog');
  const refuse = dialog.getByRole('button', { name: /Refuse|拒绝/ });
  assert.ok(await refuse.isDisabled(), 'only with a reason');
  await dialog.getByLabel(/Reason|原因/).fill('等维护窗口');
  await refuse.click();
  await page.locator('[data-consent-state=refused]').getByText('等维护窗口').waitFor();
  await close(page);
});

test('every state says what it is, and what comes next', async () => {
  const page = await open('/faults', { person: 'engineer-a' });
  const id = (await api(page, 'engineer-a', 'GET', `/consents?fault=${fault}`)).items[0].id;
  const real = await api(page, 'engineer-a', 'GET', `/consents/${id}`);
  await close(page);
  const soon = new Date(Date.now() + 540_000).toISOString();
  const states = {
    requested: [{ lapses_at: soon }, '等待答复'],
    approved: [{}, '已批准，等待设备确认'],
    live: [{ live_until: soon }, '同意有效'],
    refused: [{ refusal: '不行' }, '不行'],
    refused_by_device: [{ device_says: 'clock is wrong' }, 'clock is wrong'],
    lapsed: [{}, '无人答复'],
    ended: [{ ended_at: soon, end_reason: 'time_up' }, '时间到'],
  };
  const view = await open('/consents', { person: 'approver-jw' });
  for (const [state, [more, text]] of Object.entries(states)) {
    await view.unroute('**/api/v1/consents/*').catch(() => {});
    const { live_until, refusal, device_says, ended_at, end_reason, ...rest } = real;
    await view.route('**/api/v1/consents/*', (route) => route.fulfill({ json: { ...rest, ...more, state } }));
    await view.goto(`/consents/${id}`, { waitUntil: 'commit' });
    await view.locator(`[data-consent-state=${state}]`).getByText(text).first().waitFor();
  }
  await close(view);
});

test('a list without requests is calm; a list that fails says so; who may not see it is told', async () => {
  const empty = { items: [], searched: [], as_of: new Date().toISOString() };
  const page = await open('/consents', { person: 'approver-jw', before: (page) => page.route('**/api/v1/consents?*', (route) => route.fulfill({ json: empty })) });
  await page.locator('[data-empty]').getByText('没有待答复的申请').waitFor();
  await looksGood(page, '[data-empty]');
  for (const [status, kind] of [[500, 'server'], [403, 'forbidden']]) {
    await page.unroute('**/api/v1/consents?*');
    await page.route('**/api/v1/consents?*', (route) => route.fulfill({ status, contentType: 'application/problem+json', body: JSON.stringify({ status, code: 'x', title: 'no', request_id: 'req-2' }) }));
    await page.reload({ waitUntil: 'commit' });
    await page.locator(`[data-failure=${kind}]`).waitFor();
  }
  await close(page);
});

test('the list looks good', async () => {
  const page = await open('/consents?show=all', { person: 'approver-jw' });
  await looksGood(page, '[data-consent]');
  await close(page);
});

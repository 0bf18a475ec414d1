// The page of a fault: its story with the keyboard, its states, two people on it at once.
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { api, close, facts, lineman, looksGood, open, picture } from './harness.mjs';

const device = facts.devices.find((one) => one.name.endsWith('.jw.ne')).name;

/** Files a fault over the API; `page` only lends its connection. */
async function file(page, title, equipment = device) {
  return (await api(page, 'noc-jw', 'POST', '/faults', { equipment, title, impact: 'partial' })).number;
}
const problem = (status, code, title) => ({ status, contentType: 'application/problem+json', body: JSON.stringify({ status, code, title, request_id: 'req-1' }) });

let number;
before(async () => {
  const page = await open('/faults', { person: 'noc-jw' });
  number = await file(page, '板卡3 温度 92°C 越限 <img src=x onerror=alert(1)>');
  await close(page);
});

test('a fault is taken on, written on, planned, restored, resolved and closed with the keyboard alone', async () => {
  const page = await open(`/faults/${number}`, { person: 'engineer-a' });
  const status = page.locator('[data-status]');
  await page.locator('[data-status=reported]').waitFor();
  await page.keyboard.press('a');
  await page.locator('[data-status=accepted]').waitFor();
  // Notes and replies.
  await page.keyboard.press('c');
  await page.getByLabel('内部备注', { exact: true }).last().waitFor();
  await page.keyboard.type('风扇2 转速 0 <script>');
  await page.keyboard.press('Control+Enter');
  const note = page.locator('[data-timeline] li.internal').filter({ hasText: '风扇2 转速 0 <script>' });
  await note.getByText('内部', { exact: true }).waitFor();
  // The plan: the tabs are reached with arrows.
  await page.locator('#compose-note').focus();
  await page.keyboard.press('ArrowRight');
  await page.keyboard.press('ArrowRight');
  await page.getByLabel('原因', { exact: false }).first().waitFor();
  await page.locator('#compose-panel select').first().selectOption('fan_failure');
  await page.locator('#compose-panel input').first().fill('风扇盘故障');
  await page.locator('#compose-panel textarea').fill('复位风扇\n观察温度');
  await page.keyboard.press('Control+Enter');
  await page.locator('.plan').getByText('风扇盘故障 [X.733 fan_failure]').waitFor();
  await page.locator('.plan').getByText('1. 复位风扇').waitFor();
  await page.locator('[data-status=in_progress]').waitFor();
  // On hold and back, from the menu. What was typed survives a reload, and is forgotten once it was sent.
  const hold = async () => {
    await page.locator('main').focus();
    await page.keyboard.press('.');
    await page.getByRole('dialog').getByRole('button', { name: '挂起' }).press('Enter');
    return page.getByLabel('在等什么');
  };
  await (await hold()).fill('等备件');
  await page.reload();
  await page.locator('[data-status=in_progress]').waitFor();
  assert.equal(await (await hold()).inputValue(), '等备件');
  await page.keyboard.press('Control+Enter');
  await page.locator('[data-status=pending]').waitFor();
  assert.deepEqual(await page.evaluate(() => Object.keys(localStorage).filter((key) => key.endsWith('.hold'))), []);
  await page.keyboard.press('.');
  await page.getByRole('dialog').getByRole('button', { name: '恢复处理' }).press('Enter');
  await page.locator('[data-status=in_progress]').waitFor();
  // Onward, three times.
  await page.keyboard.press('r');
  await page.getByRole('dialog').getByRole('button', { name: '业务已恢复' }).press('Enter');
  await page.locator('[data-status=restored]').waitFor();
  await page.keyboard.press('r');
  await page.getByRole('dialog').getByLabel('结果').fill('复位风扇后温度正常');
  await page.keyboard.press('Control+Enter');
  await page.locator('[data-status=resolved]').waitFor();
  await page.keyboard.press('r');
  // Without a case only with a reason.
  await page.getByLabel('不写案例，原因：').check();
  await page.keyboard.press('Control+Enter');
  await page.getByRole('dialog').getByRole('alert').waitFor();
  await page.getByLabel('起草案例').check();
  await page.keyboard.press('Control+Enter');
  // What is masked is shown beside what stands for it, and goes to review.
  const review = page.locator('[data-review]');
  await review.locator('.text').first().waitFor();
  await picture(page, 'fault-case-draft');
  await review.getByRole('button', { name: '送评审' }).click();
  await review.waitFor({ state: 'detached' });
  await page.locator('[data-status=closed]').waitFor();
  assert.equal(await status.count(), 1);
  await close(page);
});

test('two who change one field see both texts, and nobody is locked out', async () => {
  const page = await open('/faults', { person: 'engineer-a' });
  const fault = await file(page, '标题甲');
  await page.goto(`/faults/${fault}`);
  await page.locator('[data-status]').waitFor();
  await page.keyboard.press('e');
  await page.getByRole('dialog').getByLabel('标题').fill('标题乙');
  const known = await page.request.get(`/api/v1/faults/${fault}`);
  const other = await page.request.patch(`/api/v1/faults/${fault}`, { data: { title: '标题丙' }, headers: { 'if-match': known.headers().etag, origin: facts.server } });
  assert.equal(other.status(), 200, await other.text());
  await page.keyboard.press('Control+Enter');
  const row = page.locator('[data-field=title]');
  await row.getByText('标题丙').waitFor();
  assert.equal(await row.locator('input').inputValue(), '标题乙', 'what was typed stays');
  await picture(page, 'fault-conflict');
  await page.getByRole('button', { name: '保存左边的内容' }).click();
  await page.getByRole('heading', { name: '标题乙' }).waitFor();
  await close(page);
});

test('two people on one fault see each other, and what each of them writes', async () => {
  const page = await open('/faults', { person: 'engineer-a' });
  const fault = await file(page, '两人同看');
  await page.goto(`/faults/${fault}`);
  await page.locator('[data-status]').waitFor();
  const other = await open(`/faults/${fault}`, { person: 'noc-jw', language: 'en' });
  await other.locator('.present').getByText('the support centre').waitFor();
  await other.getByLabel('Reply to the customer').last().fill('the fan is loud');
  await other.keyboard.press('Control+Enter');
  await page.locator('[data-timeline]').getByText('the fan is loud').waitFor();
  assert.equal(await other.locator('[data-timeline] li.internal').count(), 0, 'internal notes are not the carrier’s');
  await close(other);
  await close(page);
});

test('without a connection nothing that was typed is lost, and it says so', async () => {
  const page = await open(`/faults/${number}`, { person: 'engineer-b' });
  await page.locator('#compose-text').fill('写到一半');
  await page.route('**/notes', (route) => route.abort());
  await page.keyboard.press('Control+Enter');
  await page.getByText('未发送').waitFor();
  await page.reload();
  await page.waitForFunction(() => document.querySelector('#compose-text')?.value === '写到一半');
  await close(page);
});

test('loading, failing, refused and gone are four different things', async () => {
  const states = [
    [problem(500, 'internal', 'the server failed'), 'server'],
    [problem(403, 'forbidden', 'not permitted'), 'forbidden'],
    [problem(404, 'not_found', 'no such fault'), 'not_found'],
  ];
  for (const [answer, kind] of states) {
    const page = await open(`/faults/${number}`, { person: 'engineer-a', before: (page) => page.route(`**/api/v1/faults/${number}`, (route) => route.fulfill(answer)) });
    await page.locator(`[data-failure=${kind}]`).first().waitFor();
    assert.equal(await page.getByRole('button', { name: '重试' }).first().isVisible(), kind !== 'forbidden');
    if (kind === 'server') {
      await page.getByText('req-1').waitFor();
      await page.unroute(`**/api/v1/faults/${number}`);
      await page.getByRole('button', { name: '重试' }).first().click();
      await page.locator('[data-status]').waitFor();
    }
    await close(page);
  }
  let go;
  const held = new Promise((resolve) => (go = resolve));
  const page = await open(`/faults/${number}`, { person: 'engineer-a', before: (page) => page.route(`**/api/v1/faults/${number}`, async (route) => { await held; await route.continue(); }) });
  await page.locator('[data-skeleton]').first().waitFor();
  go();
  await page.locator('[data-status]').waitFor();
  await close(page);
});

test('a case that is like it is cited with a number, and taken back', async () => {
  const page = await open('/faults', { person: 'engineer-a' });
  const fault = await file(page, '风扇 fan 停转 告警');
  await page.goto(`/faults/${fault}`);
  const first = page.locator('section[aria-labelledby=similar-title] ol li').first();
  await first.waitFor();
  const signal = page.waitForRequest((request) => request.url().endsWith('/cases/signals') && request.method() === 'POST');
  await page.keyboard.press('1');
  const offer = (await signal).postDataJSON().offers[0];
  assert.equal(offer.cited.length, 1);
  assert.ok(offer.shown.length > 0 && offer.query.includes('风扇'), 'with the question and every place');
  await first.getByText('已引用').waitFor();
  await page.getByRole('button', { name: '撤销', exact: true }).click();
  await first.getByRole('button', { name: /引用/ }).and(page.locator(':enabled')).waitFor();
  const none = page.waitForRequest((request) => request.url().endsWith('/cases/signals') && request.method() === 'POST');
  await page.getByRole('button', { name: '都不符合' }).click();
  assert.equal((await none).postDataJSON().offers[0].none_fits, true);
  await close(page);
});

test('the page looks good in both languages and themes, on a phone too', async () => {
  const page = await open(`/faults/${number}`, { person: 'engineer-a' });
  await looksGood(page, '[data-timeline] li');
  await close(page);
  const phone = await open(`/faults/${number}`, { person: 'noc-jw', width: 360, height: 740 });
  await looksGood(phone, '[data-timeline] li');
  await close(phone);
});

test('the way in says what is missing, until a consent is there', async () => {
  const page = await open('/faults', { person: 'engineer-a' });
  const fault = await file(page, '需要远程登录');
  await page.goto(`/faults/${fault}`);
  await page.locator('[data-consent-state=none]').waitFor();
  await page.locator('[data-why-not]').getByText('还没有同意').waitFor();
  assert.ok(await page.getByRole('button', { name: '打开会话' }).isDisabled());
  await page.getByText(`lineman consent request ${fault}`).waitFor();
  await lineman('engineer-a', 'consent', 'request', fault, '--doors', 'shell,exec', '--for', '30m', '--key', facts.engineer_key);
  await page.locator('[data-consent-state=requested]').waitFor();
  await page.locator('[data-why-not]').getByText('等待客户答复').waitFor();
  const [{ id }] = (await api(page, 'engineer-a', 'GET', `/consents?fault=${fault}`)).items;
  await lineman('approver-jw', 'consent', 'approve', id, '--key', facts.consent_key, '--yes');
  await page.locator('[data-consent-state=live]').waitFor();
  await page.locator('main').focus();
  await page.keyboard.press('s');
  await page.getByRole('dialog').getByText(`lineman ssh ${device}`).waitFor();
  await page.keyboard.press('Escape');
  // It is taken back with the device's name, and a reason.
  await page.locator('[data-panel=consent]').getByRole('button', { name: '撤销' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('原因').fill('做完了');
  assert.ok(await dialog.getByRole('button', { name: '撤销' }).isDisabled());
  await dialog.getByLabel(`请输入 ${device} 以确认`).fill(device);
  await dialog.getByRole('button', { name: '撤销' }).click();
  await page.locator('[data-consent-state=ended]').waitFor();
  // The timeline tells it in the reader's language, from the particulars; the log's own line is English.
  const told = async (kind) => page.locator(`[data-kind="${kind}"] .text`).first().innerText();
  assert.match(await told('consent.requested'), new RegExp(`^engineer-a → ${device} · 交互终端, .+ · 30 分钟`));
  assert.match(await told('consent.approved'), /^交互终端, .+ · 30 分钟$/);
  assert.match(await told('consent.live'), /^有效至 /);
  assert.equal(await told('consent.revoked'), '做完了');
  await page.getByRole('button', { name: 'English' }).click();
  await page.locator('[data-kind="consent.requested"]').getByText('30 min').waitFor();
  await close(page);
});

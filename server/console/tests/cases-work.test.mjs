// Writing cases and looking after the library: editor, review, masking, gaps, health, synonyms.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { api, close, looksGood, open, picture } from './harness.mjs';

const json = (body, status = 200, headers = {}) => ({ status, headers: { 'content-type': status < 400 ? 'application/json' : 'application/problem+json', ...headers }, body: JSON.stringify(body) });

test('a case is written with the keyboard, survives a reload, goes to review and is published by somebody else', async () => {
  const page = await open('/cases/new?title=轨道衰减', { person: 'engineer-a' });
  await page.getByLabel('标题').first().waitFor();
  assert.equal(await page.getByLabel('标题').first().inputValue(), '轨道衰减');
  await page.getByLabel('现象').first().fill('光模块 zqdecay 收光低');
  await page.getByLabel('处理步骤').first().fill('1. 查看：`ne show optics`\n2. 更换光模块');
  await page.getByText('草稿已保存在本浏览器').waitFor();
  await page.reload();
  await page.waitForFunction(() => [...document.querySelectorAll('textarea')].some((one) => one.value.includes('zqdecay')));
  await looksGood(page, 'form');
  await page.waitForFunction(() => [...document.querySelectorAll('textarea')].some((one) => one.value.includes('zqdecay')));
  await page.locator('textarea').first().focus();
  await page.keyboard.press('Control+Shift+Enter');
  await page.waitForURL(/\/cases\/C-\d+$/);
  const number = new URL(page.url()).pathname.split('/').at(-1);
  await page.locator('.not_validated').first().waitFor();
  await close(page);

  const other = await open(`/cases/review?case=${number}`, { person: 'engineer-b' });
  await other.locator('li.chosen', { hasText: number }).waitFor();
  await other.getByText(/从未发布过|Never published/).waitFor();
  await looksGood(other, 'li.chosen');
  await picture(other, 'cases-review');
  await other.keyboard.press('c');
  await other.locator('li.chosen strong').waitFor();
  await other.keyboard.press('p');
  const dialog = other.getByRole('dialog');
  const act = dialog.locator('.dialog-actions button').last();
  await dialog.locator('input').waitFor();
  assert.equal(await act.isDisabled(), true, 'the number has to be typed');
  await dialog.locator('input').fill(number);
  await other.keyboard.press('Enter');
  await dialog.waitFor({ state: 'detached' });
  assert.equal((await api(other, 'engineer-b', 'GET', `/cases/${number}`)).state, 'validated');
  await other.locator('li', { hasText: number }).waitFor({ state: 'detached' });

  // Edited again: the review shows what is new, and sends it back with a reason.
  const now = await api(other, 'engineer-b', 'GET', `/cases/${number}`);
  const body = { zh: { ...now.zh, cause: '光纤弯折' }, equipment: now.equipment, codes: now.codes, audience: now.audience };
  const put = await other.request.fetch(`/api/v1/cases/${number}`, { method: 'PUT', data: body, headers: { 'if-match': `"${now.version}"`, origin: new URL(other.url()).origin } });
  assert.equal(put.status(), 200, await put.text());
  await close(other);
  const back = await open(`/cases/review?case=${number}`, { person: 'engineer-a' });
  await back.locator('ins', { hasText: '光纤弯折' }).waitFor();
  await back.keyboard.press('b');
  await back.getByRole('dialog').getByRole('textbox').fill('请补充版本');
  await back.getByRole('dialog').locator('.dialog-actions button').last().click();
  await back.getByRole('dialog').waitFor({ state: 'detached' });
  await back.goto(`/cases/${number}`);
  await back.getByText('请补充版本').waitFor();
  await close(back);
});

test('a conflict shows both texts, and either can be kept', async () => {
  const page = await open('/cases/C-0003/edit', { person: 'engineer-a' });
  const cause = page.getByLabel('原因').first();
  await cause.waitFor();
  const before = await api(page, 'engineer-b', 'GET', '/cases/C-0003');
  const body = Object.fromEntries(['zh', 'en', 'equipment', 'codes', 'probable_cause', 'audience'].flatMap((key) => (before[key] == null ? [] : [[key, before[key]]])));
  const put = await page.request.fetch('/api/v1/cases/C-0003', {
    method: 'PUT', data: { ...body, zh: { ...before.zh, cause: '对方写的原因' } }, headers: { 'if-match': `"${before.version}"`, origin: new URL(page.url()).origin },
  });
  assert.equal(put.status(), 200, await put.text());
  await cause.fill('我写的原因');
  await page.keyboard.press('Control+Enter');
  const conflict = page.locator('[data-conflict]');
  await conflict.waitFor();
  await conflict.getByText('对方写的原因').waitFor();
  await conflict.getByText('我写的原因').waitFor();
  await picture(page, 'case-conflict');
  await conflict.getByRole('button', { name: '按我的内容继续' }).click();
  await page.keyboard.press('Control+Enter');
  await page.waitForURL('**/cases/C-0003');
  assert.equal((await api(page, 'engineer-a', 'GET', '/cases/C-0003')).zh.cause, '我写的原因');
  await close(page);
});

test('masked pieces of a draft are shown, put back, and more is taken out', async () => {
  const draft = {
    case: 'C-0001', fault: 'F-JW-1', version: 1, decisions: [],
    fields: [{ field: 'symptom', language: 'zh', edited: false, pieces: [{ was: '登录 ' }, { was: '10.1.2.3', shown: '<ip>', rule: 'ip', span: 0 }, { was: ' 失败' }] }],
  };
  const page = await open('/cases/C-0001', {
    person: 'engineer-a',
    before: async (page) => {
      await page.route('**/api/v1/cases/C-0001', async (route) => {
        const answer = await route.fetch();
        await route.fulfill({ response: answer, json: { ...(await answer.json()), state: 'not_validated', source_fault: 'F-JW-1' } });
      });
      await page.route('**/api/v1/cases/C-0001/draft', (route) => (route.request().method() === 'GET' ? route.fulfill(json(draft)) : route.fulfill(json({ ...draft, fields: [{ ...draft.fields[0], pieces: [{ was: '登录 10.1.2.3 失败' }] }] }))));
    },
  });
  const masking = page.locator('[data-masking]');
  await masking.getByText('10.1.2.3').waitFor();
  await looksGood(page, '[data-masking] del');
  const sent = page.waitForRequest((request) => request.method() === 'POST' && request.url().endsWith('/draft'));
  await masking.getByRole('button', { name: /10\.1\.2\.3/ }).click();
  assert.deepEqual((await sent).postDataJSON(), { put_back: [{ field: 'symptom', language: 'zh', span: 0 }] });
  await masking.locator('del').waitFor({ state: 'detached' });
  await masking.getByRole('button', { name: /再抹去|Take out/ }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel(/要抹去的文字|Text to take out/).fill('失败');
  const taken = page.waitForRequest((request) => request.method() === 'POST' && request.url().endsWith('/draft'));
  await page.keyboard.press('Enter');
  assert.deepEqual((await taken).postDataJSON(), { take_out: [{ text: '失败' }] });
  await dialog.waitFor({ state: 'detached' });
  await close(page);
});

test('a question without an answer becomes a gap, and is dealt with', async () => {
  const page = await open('/cases', { person: 'engineer-a' });
  const question = 'zqxyunansweredquestion';
  await page.getByRole('searchbox').fill(question);
  const asked = page.waitForResponse((answer) => answer.url().includes(question) && answer.url().includes('typing=false'));
  await page.keyboard.press('Enter');
  await asked;
  await page.getByText('没有找到案例').waitFor();
  await page.goto('/cases/gaps');
  const gap = page.locator('li', { hasText: question });
  await gap.waitFor();
  await looksGood(page, 'ol li');
  await picture(page, 'cases-gaps');
  await page.locator('li', { hasText: question }).getByRole('button').last().click();
  await page.getByRole('dialog').locator('.dialog-actions button').last().click();
  await gap.waitFor({ state: 'detached' });
  await page.goto('/cases/gaps?state=not_worth');
  await gap.waitFor();
  await close(page);
});

test('the library tells how it does, and what is behind each figure', async () => {
  const page = await open('/cases/health', { person: 'engineer-a' });
  await page.locator('.tile').first().waitFor();
  await page.locator('.tile', { hasText: /从未|积压|复用|引用/ }).first().click();
  await page.locator('[data-behind] h2').waitFor();
  await looksGood(page, '.tile');
  await picture(page, 'cases-health');
  await page.route(/\/api\/v1\/cases\/health/, (route) => route.fulfill(json({ definitions: [], rows: [], from: '2026-01-01T00:00:00Z', until: '2026-02-01T00:00:00Z' })));
  await page.goto('/cases/health');
  await page.locator('[data-empty]').waitFor();
  await close(page);
});

test('synonyms are added, switched off, planned from a table, removed by typing', async () => {
  const page = await open('/cases/synonyms', { person: 'engineer-a' });
  await page.getByRole('table').waitFor();
  await looksGood(page, 'table tbody tr');
  await page.keyboard.press('c');
  const dialog = page.getByRole('dialog');
  await dialog.locator('input').first().fill('轨道模块');
  await dialog.locator('input').nth(1).fill('zqorbit module');
  await page.keyboard.press('Enter');
  await dialog.waitFor({ state: 'detached' });
  await page.goto('/cases/synonyms?q=zqorbit');
  const row = page.locator('tbody tr', { hasText: 'zqorbit module' });
  await row.waitFor();
  const box = row.getByRole('checkbox');
  await box.click();
  await page.getByRole('button', { name: /撤销|Undo/ }).click();
  await page.locator('tbody tr:not(.off)', { hasText: 'zqorbit module' }).waitFor();
  await page.getByRole('button', { name: /^(导入|Import)$/ }).click();
  await dialog.locator('textarea').fill('轨道模块\tzqorbit module\n坏的一行');
  await dialog.getByRole('button', { name: /试运行|Dry run/ }).click();
  await dialog.locator('[data-plan] tbody tr').nth(1).waitFor();
  await picture(page, 'cases-synonyms-import');
  await page.keyboard.press('Escape');
  await dialog.waitFor({ state: 'detached' });
  await row.getByRole('button', { name: /移除|Remove/ }).click();
  await dialog.locator('input').fill('轨道模块');
  await page.keyboard.press('Enter');
  await row.waitFor({ state: 'detached' });
  await close(page);
});

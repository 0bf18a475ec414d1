// The case library: finding and reading; and what its pages look like when there is nothing, too little or an error.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { close, looksGood, open, picture } from './harness.mjs';

const json = (body, status = 200, headers = {}) => ({ status, headers: { 'content-type': status < 400 ? 'application/json' : 'application/problem+json', ...headers }, body: JSON.stringify(body) });
const problem = (status, code, title, details) => json({ status, code, title, request_id: 'req-1', ...(details && { details }) }, status);
const fake = (pattern, answer) => (page) => page.route(pattern, (route) => route.fulfill(typeof answer === 'function' ? answer(route.request()) : answer));
const SEARCH = /\/api\/v1\/cases\?/;
const nothing = { items: [], total: 0, facets: [], notes: [] };

test('cases are found while one types, narrowed by facets, opened by the keyboard, and the opening is told', async () => {
  const page = await open('/cases', { person: 'engineer-a' });
  await page.getByText('最新发布').waitFor();
  await picture(page, 'cases-start');
  const signals = [];
  await page.route('**/api/v1/cases/signals', (route) => { signals.push(route.request().postDataJSON()); return route.continue(); });
  await page.keyboard.press('/');
  await page.keyboard.type('风扇');
  await page.locator('#hits li').first().waitFor();
  await page.locator('#hits mark', { hasText: '风扇' }).first().waitFor();
  await page.waitForURL(/q=%E9%A3%8E%E6%89%87/);
  await picture(page, 'cases-search');
  const count = async () => Number((await page.locator('main .count').textContent()).replace(/\D/g, ''));
  const all = await count();
  const facet = page.locator('.facets label', { hasText: 'Demo OLT' }).first();
  await facet.click();
  await page.getByRole('button', { name: /去掉筛选：产品 Demo OLT/ }).waitFor();
  await page.waitForFunction((all) => Number(document.querySelector('main .count').textContent.replace(/\D/g, '')) < all, all);
  await page.getByRole('button', { name: /去掉筛选：产品 Demo OLT/ }).click();
  await page.waitForFunction((all) => Number(document.querySelector('main .count').textContent.replace(/\D/g, '')) === all, all);
  await page.keyboard.press('/');
  await page.keyboard.press('Enter');
  await page.keyboard.press('j');
  const second = await page.locator('#hits li[aria-current] a').getAttribute('href');
  const told = page.waitForRequest((request) => request.url().endsWith('/cases/signals') && (request.postDataJSON().offers[0].opened ?? []).length === 1);
  await page.keyboard.press('Enter');
  await page.waitForURL(`**${second}`);
  const [offer] = (await told).postDataJSON().offers;
  assert.equal(offer.place, 'search');
  assert.equal(offer.query, '风扇');
  assert.equal(`/cases/${offer.opened[0]}`, second);
  assert.equal(offer.shown[1].case, offer.opened[0], 'the place that it stood in');
  await close(page);
});

test('an older answer is given up for a newer question, and never replaces it', async () => {
  let slow;
  const page = await open('/cases', {
    person: 'engineer-a',
    before: (page) => page.route(SEARCH, async (route) => {
      const q = new URL(route.request().url()).searchParams.get('q');
      const hit = (title) => ({ ...nothing, total: 1, items: [{ number: 'C-0001', title, language: 'zh', state: 'validated', score: 1, solved: 0, why: [] }] });
      if (q === 'a') await new Promise((go) => { slow = go; });
      await route.fulfill(json(hit(`for ${q}`))).catch(() => {});
    }),
  });
  await page.getByRole('searchbox').fill('a');
  await page.waitForURL('**?q=a');
  await page.getByRole('searchbox').fill('ab');
  await page.getByText('for ab').waitFor();
  slow();
  await page.getByRole('searchbox').fill('abc');
  await page.getByText('for abc').waitFor();
  assert.equal(await page.getByText('for a', { exact: true }).count(), 0);
  await close(page);
});

test('nothing found says what was made of the question, and the next steps', async () => {
  const notes = [
    { kind: 'corrected', text: 'no case has `opticl`: cases with `optical` are shown', words: ['opticl'] },
    { kind: 'dropped', text: 'left out', words: ['告警'] }, { kind: 'no_confident_match', text: 'no case matches' },
  ];
  const page = await open('/cases?q=opticl+product:OLT', { person: 'engineer-a', before: fake(SEARCH, json({ ...nothing, notes })) });
  await page.getByText('没有找到案例').waitFor();
  await page.getByText('已按 “optical” 搜索').waitFor();
  await page.getByText('太常见的词没有参与搜索：“告警”').waitFor();
  assert.equal(await page.getByRole('link', { name: '用这些词报障' }).getAttribute('href'), '/new?text=opticl');
  await picture(page, 'cases-nothing');
  await looksGood(page, '[data-empty]');
  await page.getByRole('button', { name: /去掉筛选条件再搜|Search without/ }).click();
  await page.waitForURL('**/cases?q=opticl');
  await close(page);
});

test('a search that fails keeps what was found; it can be tried again', async () => {
  let broken = false;
  const page = await open('/cases?q=风扇', {
    person: 'engineer-a',
    before: (page) => page.route(SEARCH, (route) => (broken ? route.fulfill(problem(500, 'internal', 'something broke')) : route.continue())),
  });
  await page.locator('#hits li').first().waitFor();
  const found = await page.locator('#hits li').count();
  broken = true;
  await page.getByRole('searchbox').fill('风扇 温度');
  await page.getByText('something broke').waitFor();
  await page.getByText('req-1').waitFor();
  assert.equal(await page.locator('#hits li').count(), found);
  broken = false;
  await page.getByRole('button', { name: '重试' }).click();
  await page.getByText('something broke').waitFor({ state: 'detached' });
  await close(page);
});

test('what matched is marked by characters, also behind ones of two units', async () => {
  const hit = {
    number: 'C-0001', title: '𠀀风扇停转', language: 'zh', state: 'validated', score: 1, solved: 3, why: ['风扇'],
    highlights: [{ field: 'title', language: 'zh', text: '𠀀风扇停转', spans: [[1, 2], [2, 3]] }, { field: 'cause', language: 'zh', text: '风扇控制器', start: 40, spans: [[0, 2]] }],
  };
  const page = await open('/cases?q=风扇', { person: 'engineer-a', before: fake(SEARCH, json({ ...nothing, total: 1, items: [hit] })) });
  await page.locator('#hits mark').first().waitFor();
  assert.deepEqual(await page.locator('#hits mark').allTextContents(), ['风扇', '风扇']);
  assert.match(await page.locator('#hits .head').textContent(), /𠀀风扇停转/);
  await looksGood(page, '#hits');
  await close(page);
});

test('a case is read in both languages, ticked off, copied, judged', async () => {
  const page = await open('/cases/C-0001', { person: 'engineer-a', permissions: ['clipboard-read', 'clipboard-write'] });
  await page.getByRole('heading', { name: '处理步骤' }).waitFor();
  assert.equal(await page.locator('main .both').count(), 0);
  await page.keyboard.press('z');
  await page.keyboard.press('z');
  await page.locator('main .both [lang=en] p.text').first().waitFor();
  await picture(page, 'case-both');
  await page.locator('main ol li input[type=checkbox]').first().check();
  await page.getByText(/已完成 1 \/ \d+ 步/).first().waitFor();
  await page.reload();
  await page.getByText(/已完成 1 \/ \d+ 步/).first().waitFor();
  const command = page.locator('.command').first();
  const text = await command.locator('code').textContent();
  await command.getByRole('button').click();
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), text);
  await page.locator('main ol li input[type=checkbox]').first().uncheck();
  await page.keyboard.press('Shift++');
  await page.getByText('反馈已记录').waitFor();
  await page.getByText('1 条反馈中 1 条认为有帮助').waitFor();
  await looksGood(page, 'article dl');
  await picture(page, 'case');
  await close(page);
});

test('a case is printed without what belongs to the screen', async () => {
  const page = await open('/cases/C-0001', { person: 'engineer-a' });
  await page.locator('article dl').waitFor();
  await page.emulateMedia({ media: 'print' });
  assert.equal(await page.getByRole('navigation').count(), 0);
  assert.equal(await page.locator('.doing').isVisible(), false);
  assert.equal(await page.locator('h1').isVisible(), true);
  await picture(page, 'case-print');
  await close(page);
});

test('a case that is not there, and one that is not for the reader, are said', async () => {
  const page = await open('/cases/C-9999', { person: 'engineer-a' });
  await page.locator('[data-failure=not_found]').waitFor();
  await page.route('**/api/v1/cases/C-0002', (route) => route.fulfill(problem(403, 'forbidden', 'no')));
  await page.goto('/cases/C-0002');
  await page.locator('[data-failure=forbidden]').waitFor();
  await looksGood(page, '[data-failure]');
  await close(page);
});

test('what the server has not answered yet is a skeleton', async () => {
  let go;
  const page = await open('/cases/C-0001', {
    person: 'engineer-a',
    before: (page) => page.route('**/api/v1/cases/C-0001', async (route) => { await new Promise((done) => { go = done; }); await route.continue().catch(() => {}); }),
  });
  await page.locator('[data-skeleton]').first().waitFor();
  go();
  await page.locator('article').waitFor();
  assert.equal(await page.locator('article > header [data-skeleton]').count(), 0);
  await close(page);
});

test('a carrier sees what is published for it, and none of the library’s back rooms', async () => {
  const page = await open('/cases?q=风扇', { person: 'noc-jw' });
  await page.locator('#hits li').first().waitFor();
  assert.equal(await page.getByRole('link', { name: '待审核' }).count(), 0);
  await page.locator('#hits a').first().click();
  await page.locator('article dl').waitFor();
  assert.equal(await page.getByRole('link', { name: /编辑/ }).count(), 0);
  await page.goto('/cases/review');
  await page.locator('[data-empty]').waitFor();
  await close(page);
});

test('the library fits a telephone and a very wide screen', async () => {
  for (const width of [360, 2560]) {
    const page = await open('/cases?q=风扇', { person: 'engineer-a', width });
    await page.locator('#hits li').first().waitFor();
    await picture(page, `cases-search-${width}`);
    await page.goto('/cases/C-0001');
    await page.locator('article dl').waitFor();
    await picture(page, `case-${width}`);
    const over = await page.evaluate(() => document.querySelector('main').scrollWidth - document.querySelector('main').clientWidth);
    assert.ok(over <= 1, `${over} px too wide at ${width}`);
    await close(page);
  }
});

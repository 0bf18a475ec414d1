// The description of the API, as this server gives it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { close, looksGood, open, picture } from './harness.mjs';

test('routes are searched, opened and copied, without anything from elsewhere', async () => {
  const page = await open('/api-docs', { person: 'engineer-a', permissions: ['clipboard-read', 'clipboard-write'] });
  await page.locator('.operation').first().waitFor();
  const all = await page.locator('.operation').count();
  assert.ok(all > 200, `${all} routes`);
  await page.keyboard.press('/');
  await page.keyboard.type('cases diff');
  await page.waitForURL('**q=cases+diff');
  await page.waitForFunction((all) => document.querySelectorAll('.operation').length < all, all);
  const route = page.locator('.operation', { hasText: '/cases/{case}/diff' });
  await route.getByRole('button').first().click();
  await page.waitForURL(/op=get/);
  await route.getByText('CaseDiff').first().waitFor();
  await route.locator('.curl').getByRole('button').click();
  const curl = await page.evaluate(() => navigator.clipboard.readText());
  assert.match(curl, /^curl -s --cacert ca\.pem/);
  assert.match(curl, /\/api\/v1\/cases\/\{case\}\/diff'$/);
  await picture(page, 'api-docs');
  await page.keyboard.press('Escape');
  await looksGood(page, '.operation .more');
  await close(page);
});

test('a body is shown level by level, also one that holds itself', async () => {
  const doc = {
    openapi: '3.1.0', info: { title: 'x', version: '1' },
    paths: { '/api/v1/trees': { post: {
      tags: ['trees'], summary: 'Plants one.',
      requestBody: { content: { 'application/json': { schema: { $ref: '#/components/schemas/Tree' } } } },
      responses: { 200: { content: { 'application/json': { schema: { $ref: '#/components/schemas/Tree' } } } } },
    } } },
    components: { schemas: {
      Tree: { type: 'object', required: ['name', 'kind'], properties: {
        name: { type: 'string', description: "it's <b>bold</b>" }, kind: { type: 'string', enum: ['oak', 'fir'] },
        parent: { oneOf: [{ $ref: '#/components/schemas/Tree' }, { type: 'null' }] }, branches: { type: 'array', items: { $ref: '#/components/schemas/Tree' } },
      } },
      ErrorCode: { type: 'string', enum: ['invalid', 'not_known_here'] },
    } },
  };
  const page = await open('/api-docs?op=post+/api/v1/trees', {
    person: 'engineer-a', before: (page) => page.route('**/openapi.json', (route) => route.fulfill({ json: doc })),
  });
  await page.getByText('Tree | null').first().waitFor();
  await page.getByText('（同上层）').first().waitFor();
  await page.getByText("it's <b>bold</b>").first().waitFor();
  assert.match(await page.locator('.curl pre').textContent(), /-d '\{"name":"…","kind":"oak"\}'/);
  await page.getByText('not_known_here').waitFor();
  await close(page);
});

test('nothing found, and a server that fails, are said', async () => {
  const page = await open('/api-docs?q=zqnothing', { person: 'engineer-a' });
  await page.getByText('没有匹配的接口').waitFor();
  await page.getByRole('button', { name: '清除筛选' }).last().click();
  await page.locator('.operation').first().waitFor();
  await page.route('**/openapi.json', (route) => route.fulfill({ status: 500, contentType: 'application/problem+json', body: JSON.stringify({ status: 500, code: 'internal', title: 'broken', request_id: 'req-9' }) }));
  await page.goto('/api-docs');
  await page.getByText('req-9').waitFor();
  await looksGood(page, '[data-failure]');
  await close(page);
});

test('it fits a telephone', async () => {
  const page = await open('/api-docs?q=faults+accept', { person: 'noc-jw', width: 360 });
  await page.locator('.operation').first().waitFor();
  await page.locator('.operation button').first().click();
  await page.locator('.curl').waitFor();
  await picture(page, 'api-docs-360');
  const over = await page.evaluate(() => document.querySelector('main').scrollWidth - document.querySelector('main').clientWidth);
  assert.ok(over <= 1, `${over} px too wide`);
  await close(page);
});

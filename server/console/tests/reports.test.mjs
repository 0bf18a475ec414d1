// Reports, what figures mean, and the faults behind each of them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { api, close, looksGood, open, picture, saved } from './harness.mjs';

const problem = (status, title) => ({
  status, contentType: 'application/problem+json',
  body: JSON.stringify({ type: 'about:blank', title, status, code: status === 403 ? 'forbidden' : 'internal', request_id: 'req-for-the-test' }),
});
const isReport = (url) => url.pathname === '/api/v1/reports' && !url.search.includes('figure=faults');

test('a number opens the faults behind it, with the keyboard alone', async () => {
  const page = await open('/reports', { person: 'engineer-a' });
  const fault = await api(page, 'noc-jw', 'POST', '/faults', { equipment: 'ne-1.jw.ne', title: 'to be counted', impact: 'none' });
  await page.reload();
  const tile = page.locator('[data-figure=faults]');
  await tile.waitFor();
  const said = Number((await tile.locator('.value').textContent()).replaceAll(',', ''));
  await picture(page, 'reports');
  await tile.focus();
  await page.keyboard.press('Enter');
  await page.waitForURL('**/reports/faults?*');
  await page.locator('[data-counted] tbody tr').first().waitFor();
  assert.equal(await page.locator('[data-counted] tbody tr').count(), said, 'exactly as many as the number says');
  await page.getByRole('link', { name: fault.number, exact: true }).waitFor();
  await picture(page, 'reports-counted');
  await looksGood(page, '[data-counted]');
  await page.keyboard.press('Escape');
  await page.waitForURL((url) => url.pathname === '/reports');
  await page.locator('[data-tiles]').waitFor();
  await page.keyboard.press('d');
  await page.waitForURL('**/reports/definitions');
  await page.locator('[data-definition=sigma]').waitFor();
  await api(page, 'engineer-a', 'POST', `/faults/${fault.number}/cancellation`, { reason: 'the test is over' });
  await close(page);
});

test('conditions stand in the address, and the export follows them', async () => {
  const page = await open('/reports?days=90&by=severity&customer=JW', { person: 'engineer-a' });
  await page.locator('[data-tiles], [data-empty]').first().waitFor();
  await page.locator('[data-pick=customer] option[value=JW]').waitFor({ state: 'attached' });
  assert.equal(await page.locator('[data-pick=period]').inputValue(), '90');
  assert.equal(await page.locator('[data-pick=customer]').inputValue(), 'JW');
  const [asked, download] = await Promise.all([
    page.waitForRequest((request) => new URL(request.url()).searchParams.get('format') === 'csv'),
    page.waitForEvent('download'),
    page.keyboard.press('e'),
  ]);
  assert.equal(new URL(asked.url()).searchParams.get('customer'), 'JW');
  assert.equal(new URL(asked.url()).searchParams.get('by'), 'severity');
  assert.equal(download.suggestedFilename(), 'report.csv');
  const file = await saved(download);
  assert.ok(file.startsWith('\uFEFFseverity,from,until,figure,value,'), 'a spreadsheet reads it as UTF-8');
  assert.ok(file.trim().split('\n').length > 1, 'and something is in it');
  await page.locator('[data-pick=period]').selectOption('7');
  await page.waitForURL('**days=7**');
  await page.goBack();
  await page.waitForFunction(() => document.querySelector('[data-pick=period]')?.value === '90');
  await close(page);
});

test('few are said to be few, and are not judged', async () => {
  const page = await open('/reports', {
    person: 'engineer-a',
    before: (page) => page.route(isReport, async (route) => {
      const answer = await (await route.fetch()).json();
      for (const row of answer.rows) for (const figure of row.figures) if (figure.figure === 'remote_resolution') Object.assign(figure, { value: 0.5, numerator: 2, denominator: 4, small: true });
      await route.fulfill({ json: answer });
    }),
  });
  const tile = page.locator('[data-figure=remote_resolution]');
  await tile.getByText('n=4，不作评级').waitFor();
  assert.equal(await tile.locator('.below, .meets, .above').count(), 0);
  await looksGood(page, '[data-tiles]');
  for (const width of [360, 2560]) {
    await page.setViewportSize({ width, height: 900 });
    assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth + 1), `${width} px`);
    await picture(page, `reports-${width}`);
  }
  await page.emulateMedia({ media: 'print' });
  assert.equal(await page.locator('[data-pick=period]').isVisible(), false, 'paper has no controls');
  await close(page);
});

test('nothing to count says what will be counted, and when', async () => {
  const page = await open('/reports', {
    person: 'engineer-a',
    before: (page) => page.route(isReport, async (route) => {
      const answer = await (await route.fetch()).json();
      for (const row of answer.rows) for (const figure of row.figures) Object.assign(figure, { value: null, numerator: 0, denominator: 0, undecided: 0 });
      await route.fulfill({ json: answer });
    }),
  });
  await page.locator('[data-empty]').waitFor();
  await picture(page, 'reports-empty');
  await looksGood(page, '[data-empty]');
  await page.getByRole('button', { name: '最近 12 个月' }).or(page.getByRole('button', { name: 'Take the last 12 months' })).click();
  await page.waitForURL('**days=365**');
  await close(page);
});

test('waiting, failing and being refused are told apart', async () => {
  let answer = 'wait';
  let go;
  const page = await open('/reports', {
    person: 'engineer-a',
    before: (page) => page.route('**/api/v1/reports/figures', async (route) => {
      if (answer === 'wait') await new Promise((resolve) => (go = resolve));
      if (answer === 500) return route.fulfill(problem(500, 'the server failed'));
      if (answer === 403) return route.fulfill(problem(403, 'engineer-a may not see reports'));
      return route.continue();
    }),
  });
  await page.locator('[data-skeleton]').waitFor();
  answer = 500;
  go();
  await page.getByText('req-for-the-test').waitFor();
  answer = 'good';
  await page.getByRole('button', { name: '重试' }).click();
  await page.locator('[data-tiles], [data-empty]').first().waitFor();
  // Time goes on, and nothing is read again for that.
  let reads = 0;
  page.on('request', (request) => { if (request.url().includes('/api/v1/reports')) reads += 1; });
  const second = await page.locator('header time').textContent();
  await page.waitForFunction((second) => document.querySelector('header time').textContent !== second, second);
  const next = await page.locator('header time').textContent();
  await page.waitForFunction((next) => document.querySelector('header time').textContent !== next, next);
  assert.equal(reads, 0);
  answer = 403;
  await page.goto('/reports/definitions', { waitUntil: 'commit' });
  await page.locator('[data-failure=forbidden]').waitFor();
  await close(page);
});

test('every figure is defined, in both languages', async () => {
  const page = await open('/reports/definitions', { person: 'noc-jw' });
  await page.locator('[data-definition]').first().waitFor();
  assert.equal(await page.locator('[data-definition]').count(), 20);
  await looksGood(page, '[data-definition]');
  await picture(page, 'reports-definitions');
  await close(page);
});

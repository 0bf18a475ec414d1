// Wall tokens, the audit list and the system page.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { close, looksGood, open, picture } from './harness.mjs';

const problem = (status, title) => ({
  status, contentType: 'application/problem+json',
  body: JSON.stringify({ type: 'about:blank', title, status, code: status === 403 ? 'forbidden' : 'internal', request_id: 'req-for-the-test' }),
});

/** Each of the pages: where it is, what it reads, what shows when it stands. */
const PAGES = [
  ['/admin/walls', '**/api/v1/wall-tokens', '[data-walls], [data-empty]'],
  ['/admin/audit', '**/api/v1/audit?*', '[data-audit]'],
  ['/admin/system', '**/api/v1/system', '[data-system]'],
];

for (const [path, read, ready] of PAGES) {
  test(`${path}: waiting, failing, refused, and good`, async () => {
    let answer = 'wait';
    let go;
    const page = await open(path, {
      person: 'admin-z',
      before: (page) => page.route(read, async (route) => {
        if (answer === 'wait') await new Promise((resolve) => (go = resolve));
        if (answer === 500) return route.fulfill(problem(500, 'the server failed'));
        if (answer === 403) return route.fulfill(problem(403, 'admin-z may not'));
        return route.continue();
      }),
    });
    await page.locator('[data-skeleton]').waitFor();
    answer = 500;
    go();
    await page.getByText('req-for-the-test').waitFor();
    answer = 'good';
    await page.getByRole('button', { name: '重试' }).click();
    await page.locator(ready).first().waitFor();
    await picture(page, `admin${path.replaceAll('/', '-')}`);
    await looksGood(page, ready.split(',')[0].includes('walls') ? 'h1' : ready);
    answer = 403;
    await page.reload({ waitUntil: 'commit' });
    await page.locator('[data-failure=forbidden]').waitFor();
    await close(page);
  });
}

test('others than admins find no wall tokens', async () => {
  const page = await open('/admin/walls', { person: 'engineer-a' });
  await page.locator('main [data-empty]').waitFor();
  await close(page);
});

test('a wall token is made, shown once, and revoked, with the keyboard alone', async () => {
  const page = await open('/admin/walls', { person: 'admin-z' });
  await page.locator('[data-walls], [data-empty]').first().waitFor();
  const name = `值班室 ${Date.now()} <b>`;
  await page.keyboard.press('a');
  await page.waitForFunction(() => document.activeElement instanceof HTMLInputElement);
  await page.keyboard.press('Enter');
  await page.locator('[aria-invalid=true]').waitFor();
  await page.keyboard.type(name);
  await page.keyboard.press('Enter');
  await page.locator('[data-made]').waitFor();
  const address = await page.locator('[data-address]').textContent();
  assert.match(address, /\/wall\/lwt_[0-9a-f]{64}$/);
  const row = page.locator('[data-walls] tr', { hasText: name });
  await row.waitFor();
  await picture(page, 'admin-walls-made');
  await page.reload();
  await row.waitFor();
  assert.equal(await page.getByText(address).count(), 0, 'it is shown once');
  await row.getByRole('button').focus();
  await page.keyboard.press('Enter');
  await page.getByRole('dialog').waitFor();
  await page.getByRole('dialog').getByRole('textbox').focus();
  await page.keyboard.type(name);
  await page.keyboard.press('Enter');
  await row.getByText('已吊销').waitFor();
  await close(page);
});

test('the log is read, narrowed, followed back and checked', async () => {
  const page = await open('/admin/audit', { person: 'admin-z' });
  const rows = page.locator('[data-audit] tbody tr');
  await rows.first().waitFor();
  const all = await rows.count();
  if (await page.getByRole('button', { name: '更早的记录' }).count()) {
    await page.getByRole('button', { name: '更早的记录' }).click();
    await rows.nth(all).waitFor();
  }
  await page.keyboard.press('/');
  await page.keyboard.type('person.signed_in');
  await page.waitForURL('**kind=person.signed_in**');
  await page.waitForFunction(() => [...document.querySelectorAll('[data-audit] tbody tr code')].every((one) => one.textContent === 'person.signed_in'));
  await page.locator('[data-filter=kind]').blur();
  await page.keyboard.press('c');
  await page.locator('[data-chains=whole]').waitFor();
  const file = page.waitForEvent('download');
  await page.keyboard.press('e');
  assert.equal((await file).suggestedFilename(), 'audit.csv');
  await page.locator('[data-filter=kind]').fill('fault.rejected');
  await page.locator('[data-empty], [data-audit]').first().waitFor();
  await picture(page, 'admin-audit-checked');
  await close(page);
});

test('a chain that is broken is said so', async () => {
  const page = await open('/admin/audit', {
    person: 'admin-z',
    before: (page) => page.route('**/api/v1/audit/chain', (route) => route.fulfill({ json: { items: [{ customer: 'JW', events: 7, head: 'a'.repeat(64), broken_at: 3 }] } })),
  });
  await page.locator('[data-audit]').waitFor();
  await page.keyboard.press('c');
  await page.locator('[data-chains=broken]').waitFor();
  await page.getByText('从 3 起不符').waitFor();
  await close(page);
});

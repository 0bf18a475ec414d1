// Sessions: the list, a terminal on a real device in the page, watching, killing.
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { api, close, facts, looksGood, open, picture } from './harness.mjs';
import { inside, shown, typed } from './inside.mjs';

const problem = (status, code) => ({ status, contentType: 'application/problem+json', body: JSON.stringify({ status, code, title: 'made to fail', request_id: 'req-1' }) });
let there;

before(async () => {
  const page = await open('/sessions', { person: 'engineer-a' });
  there = await inside(page);
  await close(page);
});

async function terminal(options = {}) {
  const page = await open(`/sessions/open?device=${there.device}&consent=${there.consent}`, { person: 'engineer-a', ...options });
  await page.waitForURL('**/sessions/trm_*');
  await page.locator('[data-terminal=open]').waitFor();
  return page;
}

test('a terminal on a device: typing, wide characters, line input with an input method, no rule of the policy broken', async () => {
  const page = await terminal();
  const violations = [];
  await page.exposeFunction('violated', (what) => violations.push(what));
  await page.evaluate(() => document.addEventListener('securitypolicyviolation', (event) => globalThis.violated(`${event.violatedDirective} ${event.blockedURI}`)));
  await page.locator('.xterm').click();
  await page.keyboard.type('echo $((40+2))-typed');
  await page.keyboard.press('Enter');
  await shown(page, '42-typed');
  // A line that an input method composes is not sent before it is whole.
  const input = page.getByLabel('行输入');
  await input.fill("printf '风扇|\\nabcd|\\n\\033[38;2;255;120;0mcolour\\033[0m\\n'");
  await input.dispatchEvent('keydown', { key: 'Enter', keyCode: 229, isComposing: true });
  assert.notEqual(await input.inputValue(), '', 'Enter that ends a composition sends nothing');
  await input.press('Enter');
  // As a row of its own: what was typed has the word too, and is echoed before.
  await page.waitForFunction(() => [...document.querySelectorAll('.xterm-rows > div')].some((row) => row.textContent.trim() === 'colour'));
  // Two columns each: both bars are in the same column.
  const columns = await page.evaluate(() => {
    const rows = [...document.querySelectorAll('.xterm-rows > div')];
    const bar = (text) => {
      const row = rows.find((one) => one.textContent.replaceAll('\u00a0', ' ').trimEnd() === text);
      const walker = document.createTreeWalker(row, NodeFilter.SHOW_TEXT);
      for (let node = walker.nextNode(); node; node = walker.nextNode()) {
        const at = node.data.indexOf('|');
        if (at < 0) continue;
        const range = document.createRange();
        range.setStart(node, at);
        range.setEnd(node, at + 1);
        return range.getBoundingClientRect().left;
      }
      return -1;
    };
    return [bar('风扇|'), bar('abcd|')];
  });
  assert.ok(Math.abs(columns[0] - columns[1]) < 2, `columns ${columns}`);
  assert.deepEqual(violations, []);
  const nonces = await page.evaluate(() => [document.querySelector('meta[name=csp-nonce]').content, ...[...document.querySelectorAll('style')].map((style) => style.nonce)]);
  assert.ok(nonces.length > 1 && nonces[0] !== '' && nonces.every((nonce) => nonce === nonces[0]), `every style sheet of the page has the nonce: ${nonces}`);
  await picture(page, 'session-live');
  await close(page);
});

test('the leader keys find, mark and ask before they kill', async () => {
  const page = await terminal();
  await typed(page, 'echo needle-in-hay');
  await shown(page, 'needle-in-hay');
  await page.getByText('账号').first().waitFor();
  await page.locator('.xterm').click();
  await page.keyboard.press('Control+Shift+F');
  await page.getByRole('search').getByRole('searchbox').fill('needle');
  await page.keyboard.press('Escape');
  await page.keyboard.press('Control+Shift+L');
  await page.waitForFunction(() => document.activeElement?.id === 'line-input');
  await page.keyboard.press('Control+Shift+M');
  await page.getByLabel('说明').fill('从这里开始');
  await page.keyboard.press('Enter');
  await page.getByText('已标记').waitFor();
  await page.keyboard.press('Control+Shift+K');
  await page.getByRole('dialog').getByText(/将立即断开 engineer-a/).waitFor();
  await page.keyboard.press('Escape');
  await close(page);
});

test('a cut connection says so and goes on by R with the same terminal; another window takes it over, and it is taken back', async () => {
  const page = await terminal({ before: async (page) => {
    await page.addInitScript(() => {
      const Real = WebSocket;
      globalThis.sockets = [];
      globalThis.WebSocket = class extends Real { constructor(...args) { super(...args); globalThis.sockets.push(this); } };
    });
  } });
  await typed(page, 'kept=value-before');
  // No new ticket for now: it stays disconnected until a person asks.
  await page.route('**/tickets', (route) => route.fulfill(problem(503, 'unavailable')));
  await page.evaluate(() => globalThis.sockets.at(-1).close());
  await page.getByRole('alertdialog').getByText('已断开').waitFor();
  await page.unroute('**/tickets');
  await page.keyboard.press('r');
  await page.locator('[data-terminal=open]').waitFor();
  await typed(page, 'echo again-$kept');
  await shown(page, 'again-value-before');
  const other = await open(page.url(), { person: 'engineer-a' });
  await other.getByText('此终端正在另一个窗口中使用').waitFor();
  await other.getByRole('button', { name: /在这里接管/ }).click();
  await other.locator('[data-terminal=open]').waitFor();
  await shown(other, 'again-value-before');
  await page.getByText('此终端已在另一个窗口中打开').waitFor();
  await page.getByRole('button', { name: /接管到这里/ }).click();
  await page.locator('[data-terminal=open]').waitFor();
  await other.getByText('此终端已在另一个窗口中打开').waitFor();
  await close(other);
  await close(page);
});

test('much output is acknowledged as it is shown, and arrives whole', async () => {
  const page = await terminal();
  await typed(page, 'seq 1 60000; echo done-$((1+1))');
  await shown(page, 'done-2');
  await close(page);
});

test('the customer watches, read-only, and ends it with one click', async () => {
  const page = await terminal();
  await typed(page, 'echo shown-to-all');
  await shown(page, 'shown-to-all');
  const link = page.locator('.chips [title^=ses_]');
  await link.waitFor();
  const session = await link.getAttribute('title');
  const customer = await open(`/sessions/${session}`, { person: 'noc-jw' });
  await shown(customer, 'shown-to-all');
  await typed(page, 'echo live-風扇');
  await shown(customer, 'live-風扇');
  await customer.getByText('只读旁观').waitFor();
  await picture(customer, 'session-watch');
  await customer.setViewportSize({ width: 360, height: 740 });
  await picture(customer, 'session-watch-360');
  await customer.getByRole('button', { name: /强制终止/ }).click();
  const dialog = customer.getByRole('dialog');
  await dialog.getByLabel('原因').fill('够了');
  await dialog.getByRole('button', { name: '强制终止' }).click();
  await customer.getByText('会话已结束').waitFor();
  await page.getByText('终端已结束').waitFor();
  await customer.getByRole('link', { name: '看回放' }).click();
  await customer.locator('.replay').waitFor();
  await close(customer);
  await close(page);
});

test('before the consent ends it is said, at five minutes and at one', async () => {
  const page = await terminal({ before: async (page) => {
    await page.route('**/api/v1/consents/*', async (route) => {
      const answer = await route.fetch();
      await route.fulfill({ response: answer, json: { ...(await answer.json()), live_until: new Date(Date.now() + (globalThis.leftMs ?? 280_000)).toISOString() } });
    });
  } });
  await page.getByText(/同意还剩 5:00/).waitFor();
  globalThis.leftMs = 50_000;
  await page.reload();
  await page.getByText('此终端正在另一个窗口中使用').or(page.locator('[data-terminal=open]')).first().waitFor();
  await page.getByText(/同意还剩 1:00/).waitFor();
  await close(page);
});

test('no terminal without consent: the reason is the server’s', async () => {
  const page = await open('/sessions/open?device=ne-3.yw.ne', { person: 'engineer-a' });
  await page.getByRole('alert').waitFor();
  await looksGood(page, '[role=alert]');
  await close(page);
});

test('the list: live ones first, kill by typing, search across all transcripts', async () => {
  const live = await terminal();
  await typed(live, 'echo unusual-word-x7');
  await shown(live, 'unusual-word-x7');
  const page = await open('/sessions', { person: 'engineer-a' });
  await page.locator('.cards li').first().waitFor();
  await looksGood(page, '.cards li');
  await picture(page, 'sessions');
  await page.reload();
  await page.locator('.cards li').first().waitFor();
  await page.getByRole('button', { name: /强制终止|Kill/ }).first().click();
  const act = page.getByRole('dialog').getByRole('button', { name: /强制终止|Kill/ });
  assert.ok(await act.isDisabled(), 'nothing happens before it is typed');
  await page.keyboard.press('Escape');
  await page.evaluate(() => { sessionStorage.clear(); });
  await page.goto('/sessions?grep=unusual-word-x7');
  // The centre reads recordings a moment after they arrive.
  for (let i = 0; i < 40 && (await page.locator('.hits li').count()) === 0; i += 1) {
    await page.reload();
    await page.locator('.hits li, [data-empty]').first().waitFor();
  }
  await page.locator('.hits a').first().click();
  await page.waitForURL('**/sessions/ses_*');
  await close(page);
  await close(live);
});

test('the list says what it lacks: nothing, an error, no permission', async () => {
  const none = { items: [], searched: [], as_of: new Date().toISOString(), total: 0 };
  const page = await open('/sessions', { person: 'noc-yw', before: (page) => page.route('**/api/v1/sessions?*', (route) => route.fulfill({ json: none })) });
  await page.locator('[data-empty]').waitFor();
  await page.locator('[data-none]').waitFor();
  await page.unroute('**/api/v1/sessions?*');
  await page.route('**/api/v1/sessions?*', (route) => route.fulfill(problem(500, 'internal')));
  await page.reload();
  await page.getByText('req-1').first().waitFor();
  await page.unroute('**/api/v1/sessions?*');
  await page.route('**/api/v1/sessions?*', (route) => route.fulfill(problem(403, 'forbidden')));
  await page.reload();
  await page.locator('[data-failure=forbidden]').first().waitFor();
  await page.unroute('**/api/v1/sessions?*');
  await page.route('**/api/v1/sessions?*', () => {});
  await page.reload();
  await page.locator('[data-skeleton]').first().waitFor();
  await close(page);
});

test('keyboard only: open a terminal, do something, find it, leave', async () => {
  const page = await terminal();
  // The terminal has the keyboard at once.
  await page.waitForFunction(() => document.activeElement?.classList.contains('xterm-helper-textarea'));
  await page.keyboard.type('echo by-keyboard\n');
  await shown(page, 'by-keyboard');
  await page.keyboard.press('Control+Shift+L');
  await page.waitForFunction(() => document.activeElement?.id === 'line-input');
  await page.keyboard.type('exit');
  await page.keyboard.press('Enter');
  await page.getByText('终端已结束').waitFor();
  await close(page);
  assert.ok(facts.server);
});

test('the live page looks good', async () => {
  const page = await terminal();
  await page.locator('.chips [title^=ses_]').waitFor();
  const session = await page.locator('.chips [title^=ses_]').getAttribute('title');
  const auditor = await open(`/sessions/${session}`, { person: 'manager-d' });
  await auditor.locator('.xterm-rows').waitFor();
  await looksGood(auditor, '.xterm-rows');
  await close(auditor);
  await api(page, 'engineer-a', 'POST', `/sessions/${session}/kill`, { reason: 'the test is over' });
  await page.getByText('终端已结束').waitFor();
  await close(page);
});

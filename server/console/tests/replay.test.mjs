// A recording: played, read, searched, linked to, downloaded; whole, broken and missing.
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { close, looksGood, open, picture, saved } from './harness.mjs';
import { inside, shown, typed } from './inside.mjs';

const problem = (status, code) => ({ status, contentType: 'application/problem+json', body: JSON.stringify({ status, code, title: 'made to fail', request_id: 'req-2' }) });
let session;

before(async () => {
  const first = await open('/sessions', { person: 'engineer-a' });
  const there = await inside(first);
  await close(first);
  const page = await open(`/sessions/open?device=${there.device}&consent=${there.consent}`, {
    person: 'engineer-a',
  });
  await page.waitForURL('**/sessions/trm_*');
  await page.locator('[data-terminal=open]').waitFor();
  await typed(page, 'for i in 1 2 3; do echo mark-$i; sleep 0.4; done');
  await shown(page, 'mark-3');
  await typed(page, "printf '风扇 fan-2 失效 \\033[31mred\\033[0m\\n'");
  await shown(page, 'fan-2 失效 red');
  await page.locator('.chips [title^=ses_]').waitFor();
  session = await page.locator('.chips [title^=ses_]').getAttribute('title');
  await typed(page, 'exit');
  await page.getByText('终端已结束').waitFor();
  await close(page);
});

/** The recording and its text are at the centre a moment after the session. */
async function replay(options = {}, query = '') {
  const page = await open(`/sessions/${session}${query}`, { person: 'engineer-a', ...options });
  for (let i = 0; i < 40; i += 1) {
    await page.locator('.replay, .live').first().waitFor();
    if (options.bare) return page;
    if (await page.locator('.replay').count()) {
      await page.locator('[data-chain]').waitFor();
      if ((await page.locator('[data-chain=whole]').count()) && (await page.locator('.line', { hasText: 'mark-3' }).count())) break;
    }
    await page.reload();
  }
  await page.locator('[data-player=ready]').waitFor();
  return page;
}

const screen = (page, text, is = true) => page.waitForFunction(([text, is]) => (document.querySelector('.xterm-rows')?.textContent ?? '').replaceAll('\u00a0', ' ').includes(text) === is, [text, is]);

test('a line of the text leads to its moment exactly, and what is paused stays paused', async () => {
  const page = await replay();
  await page.locator('.line', { hasText: /^\S+\s*mark-2/ }).click();
  await screen(page, 'mark-2');
  await screen(page, 'mark-3', false);
  assert.equal(await page.getByRole('button', { name: /播放/ }).getAttribute('aria-pressed'), 'false');
  const t = Number(new URL(page.url()).searchParams.get('t'));
  assert.ok(t > 0, 'the address has the moment');
  await picture(page, 'session-replay');
  await close(page);
});

test('the address leads to a moment and a text; hits are gone through with keys; play by Space', async () => {
  const page = await replay({}, '?find=mark');
  await page.getByText(/^1 \/ \d+$/).waitFor();
  await page.keyboard.press('n');
  await page.getByText(/^2 \/ \d+$/).waitFor();
  await page.keyboard.press('Shift+N');
  await page.getByText(/^1 \/ \d+$/).waitFor();
  assert.ok((await page.locator('mark').count()) > 0);
  await page.keyboard.press('9');
  await page.waitForFunction(() => Number(new URL(location.href).searchParams.get('t')) > 0);
  await page.keyboard.press('0');
  await page.waitForFunction(() => new URL(location.href).searchParams.get('t') === '0');
  await page.keyboard.press('ArrowRight');
  await page.waitForFunction(() => Number(new URL(location.href).searchParams.get('t')) > 0);
  await page.keyboard.press('Space');
  await screen(page, 'fan-2');
  await close(page);
});

test('it says that the chain is whole, how to verify it, and who has seen it', async () => {
  const page = await replay({ person: 'noc-jw' });
  await page.locator('[data-chain=whole]').waitFor();
  await page.getByText(`lineman session verify ${session}`).waitFor();
  await page.locator('.facts li', { hasText: 'noc-jw' }).first().waitFor();
  await looksGood(page, '[data-player=ready]');
  await close(page);
});

test('the downloads are an asciicast and a text', async () => {
  const page = await replay();
  const fetched = async (name) => {
    const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name }).click()]);
    return { name: download.suggestedFilename(), text: await saved(download) };
  };
  const cast = await fetched(/\.cast/);
  assert.ok(cast.name.endsWith('.cast'));
  const [header, ...events] = cast.text.trim().split('\n').map((line) => JSON.parse(line));
  assert.equal(header.version, 2);
  assert.ok(events.some(([, code, data]) => code === 'o' && data.includes('mark-2')));
  assert.ok(events.every(([at], i) => i === 0 || at >= events[i - 1][0]), 'times go forward');
  const text = await fetched(/\.txt/);
  assert.match(text.text, /\d\d:\d\d {2}.*风扇 fan-2 失效 red/);
  await close(page);
});

test('a recording with a chunk that was changed shows what is before it, and says where it breaks', async () => {
  const page = await open(`/sessions/${session}`, {
    person: 'engineer-a',
    before: (page) => page.route('**/recording?*', async (route) => {
      const answer = await route.fetch();
      const body = await answer.json();
      const lines = body.recording.trimEnd().split('\n');
      // The header of the second chunk names the first: a changed first does not fit any more.
      const first = JSON.parse(lines[0]);
      first.text += '[9.9,0,"note","slipped in"]\n';
      lines[0] = JSON.stringify(first);
      await route.fulfill({ response: answer, json: { ...body, recording: `${lines.join('\n')}\n` } });
    }),
  });
  await page.locator('[data-chain=broken]').waitFor();
  await page.getByText(/链在第 1 块断开/).waitFor();
  await close(page);
});

test('nothing recorded, an error, no permission, not there', async () => {
  const page = await open(`/sessions/${session}`, {
    person: 'engineer-a',
    before: async (page) => {
      await page.route('**/recording?*', async (route) => { const answer = await route.fetch(); await route.fulfill({ response: answer, json: { ...(await answer.json()), recording: '', next: null } }); });
    },
  });
  await page.locator('[data-empty]').waitFor();
  await looksGood(page, '[data-empty]');
  await page.unroute('**/recording?*');
  await page.route('**/recording?*', (route) => route.fulfill(problem(500, 'internal')));
  await page.route('**/transcript?*', (route) => route.fulfill(problem(500, 'internal')));
  await page.reload();
  await page.getByText('req-2').first().waitFor();
  await page.unrouteAll();
  await page.route('**/api/v1/sessions/ses_*', (route) => route.fulfill(problem(403, 'forbidden')));
  await page.reload();
  await page.locator('[data-failure=forbidden]').waitFor();
  await page.unrouteAll();
  await page.goto(`/sessions/ses_${'0'.repeat(32)}`);
  await page.locator('[data-failure=not_found]').waitFor();
  await close(page);
});

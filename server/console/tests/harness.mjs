// What the browser tests share: a signed-in page, the checks that hold for every page, the command line beside it.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after } from 'node:test';
import { promisify } from 'node:util';
import { AxeBuilder } from '@axe-core/playwright';
import { chromium } from 'playwright-core';
import { pace } from './pace.mjs';

/** What `lineman demo up --json` said: server, people with passwords, devices. */
export const facts = JSON.parse(readFileSync(process.env.DEMO_FACTS, 'utf8'));
const run = promisify(execFile);

let browser;
after(async () => browser?.close());

/**
 * A page of its own context. Options: `person` (signed in as; nobody when absent), `language`, `theme`, `width`, `height`, `before(page)`
 * to fake answers with `page.route` before anything is loaded.
 */
export async function open(path, { person, language = 'zh', theme = 'light', width = 1280, height = 800, before, ...context } = {}) {
  browser ??= await chromium.connect(process.env.BROWSER);
  const own = await browser.newContext({
    baseURL: facts.server, ignoreHTTPSErrors: true, viewport: { width, height }, reducedMotion: 'reduce', timezoneId: 'Asia/Shanghai', ...context,
  });
  const page = await own.newPage();
  await pace(page);
  page.wrong = [];
  page.on('console', (message) => {
    const text = message.text();
    // A refused request is part of many tests; what the page makes of it is what they look at.
    if (message.type() === 'error' && !text.startsWith('Failed to load resource')) page.wrong.push(text);
  });
  page.on('pageerror', (error) => page.wrong.push(String(error)));
  page.on('request', (request) => {
    const url = new URL(request.url());
    if (!['data:', 'blob:'].includes(url.protocol) && url.host !== new URL(facts.server).host) page.wrong.push(`a request to ${url.host}`);
  });
  await own.addInitScript(([language, theme]) => {
    localStorage.setItem('lineman.language', sessionStorage.getItem('test.language') ?? language);
    localStorage.setItem('lineman.theme', sessionStorage.getItem('test.theme') ?? theme);
  }, [language, theme]);
  if (person) await signIn(page, person);
  await before?.(page);
  // Not from the commit on: what a test then puts between the page and the server (`page.route`) may come too late for a page that is just beginning.
  await page.goto(path, { waitUntil: 'domcontentloaded' });
  return page;
}

export async function signIn(page, name) {
  const person = facts.people.find((one) => one.name === name);
  assert.ok(person, `the demo has no ${name}`);
  const answer = await page.request.post('/api/v1/sign-in', { data: { name, password: person.password }, headers: { origin: facts.server } });
  assert.equal(answer.status(), 200, await answer.text());
}

/** Ends a page: nothing went wrong in it, nothing left this server, no rule of the content security policy was broken. */
export async function close(page) {
  assert.deepEqual(page.wrong, []);
  // A page may still ask while it goes; what a test put in between is not waited for then.
  await page.unrouteAll({ behavior: 'ignoreErrors' });
  await page.context().close();
}

/** Both languages and both themes; each with each in the long run (`SOAK=1`). */
const LOOKS = process.env.SOAK ? ['zh light', 'zh dark', 'en light', 'en dark'] : ['zh light', 'en dark'];

/** No serious or critical finding of axe, in both languages and themes. `ready` is a selector that shows when the page stands. */
export async function looksGood(page, ready = 'main') {
  for (const look of LOOKS) {
    const [language, theme] = look.split(' ');
    await page.evaluate(([language, theme]) => {
      sessionStorage.setItem('test.language', language);
      sessionStorage.setItem('test.theme', theme);
    }, [language, theme]);
    await page.reload({ waitUntil: 'commit' });
    await page.waitForSelector(ready);
    const { violations } = await new AxeBuilder({ page }).options({ resultTypes: ['violations'] }).analyze();
    const bad = violations.filter((one) => one.impact === 'serious' || one.impact === 'critical');
    const told = bad.map((one) => `${one.id}: ${one.nodes.map((node) => `${node.target} ${node.failureSummary}`).slice(0, 3).join(' | ')}`);
    assert.deepEqual(told, [], `${page.url()} in ${language}, ${theme}`);
    // Nothing sticks out of the window, and no text key shows through.
    const overflow = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    assert.ok(overflow <= 1, `${page.url()} in ${language}: ${overflow} px too wide`);
  }
}

/** A picture, where `SCREENS` says to take some. */
export async function picture(page, name) {
  if (!process.env.SCREENS) return;
  mkdirSync(process.env.SCREENS, { recursive: true });
  await page.screenshot({ path: join(process.env.SCREENS, `${name}.png`) });
}

/** What a download holds. */
export async function saved(download) {
  const parts = [];
  for await (const part of await download.createReadStream()) parts.push(part);
  return Buffer.concat(parts).toString('utf8');
}

/** The real command line, as a person of the demo; answers its standard output. */
export async function lineman(person, ...args) {
  const one = facts.people.find((some) => some.name === person);
  const env = { ...process.env, LINEMAN_SERVER: facts.server, LINEMAN_CA: facts.ca, LINEMAN_TOKEN: one.token, HOME: facts.dir, LINEMAN_TRUST: one.trust };
  const { stdout } = await run(join(process.env.LINEMAN_BIN, 'lineman'), args, { env, encoding: 'utf8', timeout: 120_000 });
  return stdout;
}

/** The demo's own commands: `demo('break', 'ne-1', 'fan')`. */
export async function demo(...args) {
  const [first, ...rest] = args;
  await run(join(process.env.LINEMAN_BIN, 'lineman'), ['demo', first, '--dir', facts.dir, ...rest], { timeout: 120_000 });
}

/** The API, as a person of the demo, past the browser. */
export async function api(page, person, method, path, data) {
  const one = facts.people.find((some) => some.name === person);
  const answer = await page.request.fetch(`${facts.server}/api/v1${path}`, { method, data, headers: { authorization: `Bearer ${one.token}` } });
  assert.ok(answer.ok(), `${method} ${path}: ${await answer.text()}`);
  return answer.status() === 204 ? undefined : answer.json();
}

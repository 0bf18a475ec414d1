// Pictures of the real pages. Those of the README: SCREENS=../../docs/screens npm test -- tests/pictures.test.mjs
// Every page, in both languages, on a phone, a desk and a wall, to be looked at: the same with EVERY=. (a pattern of names).
import { test } from 'node:test';
import { api, close, demo, facts, lineman, open, picture } from './harness.mjs';
import { inside, shown, typed } from './inside.mjs';

const device = facts.devices[0];
const skip = process.env.SCREENS === undefined;
const WIDTHS = [[360, 780], [1280, 800], [2560, 1440]];

async function take(name, path, { ready = 'main h1', ...more }) {
  const page = await open(path, { person: 'engineer-a', ...more });
  await page.locator(ready).first().waitFor();
  // Fonts, maps and plots come a moment later; a picture is for people, nothing is decided by it.
  await page.waitForTimeout(1500);
  await picture(page, name);
  await close(page);
}

/** A fan has stopped; an engineer has the fault, and asked to be let in. */
async function story() {
  await demo('break', device.handle, 'fan');
  const first = await open('/faults', { person: 'engineer-a' });
  await first.getByText(device.name).first().waitFor({ timeout: 60_000 });
  const { items } = await api(first, 'engineer-a', 'GET', '/faults');
  const { number } = items[0];
  await api(first, 'engineer-a', 'POST', `/faults/${number}/accept`);
  const { id } = JSON.parse(await lineman('engineer-a', 'consent', 'request', number, '--equipment', device.name, '--doors', 'shell,sftp-read', '--for', '1h', '--reason', 'read the fan', '--key', facts.engineer_key, '-o', 'json'));
  const { items: cases } = await api(first, 'engineer-a', 'GET', '/cases?q=fan');
  await close(first);
  return { number, consent: id, found: cases[0]?.number };
}

/** A session that is over, and the way into another. */
async function sessions() {
  const page = await open('/sessions', { person: 'engineer-a' });
  const { device, consent } = await inside(page);
  const terminal = `/sessions/open?device=${device}&consent=${consent}`;
  await page.goto(terminal);
  await page.locator('[data-terminal=open]').waitFor();
  await typed(page, "printf '风扇 fan-2 停转 \\033[31mred\\033[0m\\n'; uptime");
  await shown(page, 'load average');
  await page.locator('.chips [title^=ses_]').waitFor();
  const session = await page.locator('.chips [title^=ses_]').getAttribute('title');
  await typed(page, 'exit');
  await page.getByText('终端已结束').waitFor();
  await close(page);
  return { terminal, replay: `/sessions/${session}` };
}

test('the main pages, as they are when a fan has stopped', { skip }, async () => {
  const { number, consent, found } = await story();
  const main = [
    ['wall', '/wall', { ready: '[data-wall=live]', theme: 'dark' }],
    ['faults', '/faults', { ready: '[role=row] a' }],
    ['fault', `/faults/${number}`, { ready: '[data-timeline] li' }],
    ['cases', '/cases?q=%E9%A3%8E%E6%89%87%20fan', { ready: 'mark' }],
    ['equipment', `/equipment/${device.name}`, {}],
    ['reports', '/reports', { ready: '[data-tiles]' }],
  ];
  if (process.env.EVERY === undefined) {
    for (const [name, path, how] of main) for (const language of ['zh', 'en']) await take(`${name}-${language}`, path, { ...how, language });
    return;
  }
  const { terminal, replay } = await sessions();
  const admin = { person: 'admin-z' };
  const every = [
    ...main,
    ['sign-in', '/sign-in', { person: undefined, ready: 'input[name=name]' }],
    ['new', '/new', { person: 'noc-jw' }],
    ['case', `/cases/${found}`, {}],
    ['case-new', '/cases/new', {}],
    ...['review', 'health', 'gaps', 'synonyms'].map((name) => [`cases-${name}`, `/cases/${name}`, {}]),
    ['equipment-list', '/equipment', { ready: '[role=row] a' }],
    ['consents', '/consents', {}],
    ['consent', `/consents/${consent}`, { person: 'approver-jw' }],
    ['sessions', '/sessions', {}],
    ['session-live', terminal, { ready: '[data-terminal=open]' }],
    ['session-replay', replay, { ready: '[data-player=ready]' }],
    ['definitions', '/reports/definitions', {}],
    ['counted', '/reports/faults', {}],
    ['account', '/account', {}],
    ['api-docs', '/api-docs', {}],
    ...['customers', 'tiers', 'calendars', 'offices', 'people', 'enrolment', 'integrations', 'walls', 'audit', 'system'].map((name) => [`admin-${name}`, `/admin/${name}`, admin]),
    ['nowhere', '/nowhere', { ready: '[data-empty]' }],
  ];
  const wanted = new RegExp(process.env.EVERY);
  for (const [name, path, how] of every.filter(([name]) => wanted.test(name))) {
    for (const language of ['zh', 'en']) {
      for (const [width, height] of WIDTHS) await take(`${name}-${language}-${width}`, path, { ...how, language, width, height });
    }
  }
});

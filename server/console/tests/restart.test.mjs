// A server that is killed and comes back, under an open wall and two people on one fault.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Server, api, close, closeBrowser, freePort, page } from './own.mjs';

const server = new Server();
const PASSWORD = 'a password for the test';

before(async () => {
  await server.init(await freePort());
  await server.start();
});
after(async () => {
  await closeBrowser();
  await server.end();
});

async function signedIn(name, path, more) {
  const one = await page(server.address, more);
  const answer = await one.request.post('/api/v1/sign-in', { data: { name, password: PASSWORD }, headers: { origin: server.address } });
  assert.equal(answer.status(), 200, await answer.text());
  await one.goto(path, { waitUntil: 'commit' });
  return one;
}

test('nobody has to reload, nothing typed is lost, and nothing is there twice', async () => {
  const helper = await page(server.address);
  const admin = (method, path, data) => api(helper, server, method, path, data);
  const hour = 3600;
  await admin('PUT', '/tiers/standard', { name: 'standard', accept_s: hour, respond_s: hour, restore_s: [hour, hour, hour], resolve_s: [hour, hour, hour] });
  await admin('POST', '/customers', { code: 'JW', name: 'JW', tier: 'standard' });
  await admin('POST', '/people', { name: 'engineer-a', role: 'engineer', password: PASSWORD });
  await admin('POST', '/people', { name: 'noc-jw', role: 'noc', customer: 'JW', password: PASSWORD });
  const { number } = await admin('POST', '/faults', { customer: 'JW', title: 'before the cut', impact: 'full' });
  const { token } = await admin('POST', '/wall-tokens', { name: 'screen' });

  const wall = await page(server.address, { viewport: { width: 1920, height: 1080 } });
  await wall.goto(`/wall/${token}`, { waitUntil: 'commit' });
  const engineer = await signedIn('engineer-a', `/faults/${number}`);
  const noc = await signedIn('noc-jw', `/faults/${number}`, { language: 'en' });
  const all = [wall, engineer, noc];
  await wall.locator('[data-wall=live]').waitFor();
  await wall.locator('[data-countdown] li', { hasText: number }).waitFor();
  for (const one of [engineer, noc]) await one.locator('header .live').waitFor();
  for (const one of all) await one.evaluate(() => { globalThis.sameAsBefore = true; });

  await noc.locator('#compose-text').fill('half a reply');
  await engineer.locator('#compose-text').fill('written while it was dead');
  await server.kill();
  await engineer.keyboard.press('Control+Enter');
  await engineer.getByText('未发送').waitFor();
  await wall.locator('[data-wall=old]').waitFor({ timeout: 60_000 });
  for (const one of [engineer, noc]) await one.locator('header .stale').waitFor({ timeout: 60_000 });
  assert.ok(await wall.locator('[data-countdown] li', { hasText: number }).isVisible(), 'what was known stays to be read');

  await server.start();
  await wall.locator('[data-wall=live]').waitFor({ timeout: 60_000 });
  for (const one of [engineer, noc]) await one.locator('header .live').waitFor({ timeout: 60_000 });
  await engineer.locator('#compose-text').press('Control+Enter');
  await engineer.locator('[data-timeline]').getByText('written while it was dead').waitFor();
  assert.equal(await noc.locator('#compose-text').inputValue(), 'half a reply');
  await noc.locator('#compose-text').press('Control+Enter');
  await engineer.locator('[data-timeline]').getByText('half a reply').waitFor();
  const { number: next } = await admin('POST', '/faults', { customer: 'JW', title: 'after the cut', impact: 'full' });
  await wall.locator('[data-countdown] li', { hasText: next }).waitFor();

  const said = (await admin('GET', `/faults/${number}/timeline`)).items.map((event) => event.text).join('\n');
  for (const text of ['written while it was dead', 'half a reply']) assert.equal(said.split(text).length - 1, 1, `${text}: once`);
  for (const one of all) assert.equal(await one.evaluate(() => globalThis.sameAsBefore), true, 'the page is the one that was open before');
  for (const one of [...all, helper]) await close(one);
});

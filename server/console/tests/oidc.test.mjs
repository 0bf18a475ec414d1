// Signing in with the organisation's accounts, against a real identity provider; and the first set-up of a new server.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Idp, Server, api, close, closeBrowser, freePort, page } from './own.mjs';

const SECRET = 'a secret that both know: s3cret/+&=';
const server = new Server();
const idp = new Idp();

before(async () => {
  await server.init(await freePort());
  await server.start();
});
after(async () => {
  await closeBrowser();
  await idp.stop();
  await server.end();
});

test('a new server is set up with the code that it printed', async () => {
  const code = server.setupCode;
  assert.ok(code, server.log);
  const one = await page(server.address);
  await one.goto('/', { waitUntil: 'commit' });
  // There is nobody to sign in, so the set-up comes first.
  await one.waitForURL('**/setup');
  await one.getByLabel('一次性设置码').fill('aaaa-bbbb-cccc');
  await one.getByLabel(/^口令/).fill('short');
  await one.keyboard.press('Enter');
  await one.getByText('口令至少 12 个字符').waitFor();
  await one.getByText('两次输入的口令不一致').waitFor();
  assert.equal(await one.evaluate(() => document.activeElement?.getAttribute('type')), 'password', 'the first field that is wrong');
  await one.getByLabel(/^口令/).fill('the admin’s own password');
  await one.getByLabel('再输入一次口令').fill('the admin’s own password');
  await one.keyboard.press('Enter');
  await one.getByText('设置码不正确').waitFor();
  await one.getByLabel('一次性设置码').fill(code.toUpperCase());
  await one.keyboard.press('Enter');
  await one.getByRole('navigation').waitFor();
  await one.getByText('admin').first().waitFor();

  // Done for good, and said so; the code is dead.
  const other = await page(server.address, { language: 'en' });
  await other.goto('/setup', { waitUntil: 'commit' });
  await other.getByText('This server is set up').waitFor();
  const again = await other.request.post('/api/v1/setup', { data: { code, name: 'admin-2', password: 'another password' } });
  assert.equal(again.status(), 409);
  await close(one);
  await close(other);
});

const begin = async (path = '/', more = {}) => {
  const one = await page(server.address, more);
  await one.goto(path, { waitUntil: 'commit' });
  return one;
};

/** Through the provider's own pages: the name is the account. */
async function atProvider(one, name) {
  await one.waitForURL(`${idp.issuer}/**`);
  await one.locator('input[name=login]').fill(name);
  await one.locator('input[name=password]').fill('anything');
  await one.locator('button[type=submit]').click();
  await one.locator('form button[type=submit]').click();
}

test('a server with a provider offers it', async () => {
  await idp.start([`${server.address}/api/v1/sign-in/oidc/callback`], SECRET);
  await server.stop();
  writeFileSync(join(server.folder, 'oidc.secret'), `${SECRET}\n`, { mode: 0o600 });
  const mapping = [['admins', 'admin'], ['engineers', 'engineer'], ['jw-noc', 'noc', 'JW']];
  const groups = mapping.map(([group, role, customer]) => `[[oidc.groups]]\ngroup = "${group}"\nrole = "${role}"\n${customer ? `customer = "${customer}"\n` : ''}`);
  server.configure(`
[oidc]
name = "测试 SSO"
issuer = "${idp.issuer}"
client_id = "lineman"
client_secret_file = "oidc.secret"
scopes = ["openid", "profile", "email", "groups"]
${groups.join('')}`);
  await server.start();
  assert.equal(server.setupCode, undefined, 'an admin has a password');
  const one = await begin();
  await one.getByRole('link', { name: '用 测试 SSO 登录' }).waitFor();
  await one.locator('[data-server]', { hasText: '正常' }).waitFor();
  await close(one);
});

test('a group gives a role, and where one was going is kept', async () => {
  await idp.tell({ accounts: { 'engineer.x': ['staff', 'engineers'] } });
  const one = await begin('/account?q=sev%3Acritical');
  await one.getByRole('link', { name: '用 测试 SSO 登录' }).click();
  await atProvider(one, 'engineer.x');
  await one.getByRole('navigation').waitFor();
  const url = new URL(one.url());
  assert.deepEqual([url.pathname, url.searchParams.get('q')], ['/account', 'sev:critical']);
  const me = await (await one.request.get('/api/v1/whoami')).json();
  assert.deepEqual([me.name, me.role, me.oidc, me.password, me.mail], ['engineer-x', 'engineer', true, false, 'engineer.x@support.example']);
  const cookies = await one.context().cookies(server.address);
  const own = cookies.filter((cookie) => cookie.name.startsWith('__Host-lineman'));
  assert.deepEqual(own.map(({ name, httpOnly, secure, sameSite }) => ({ name, httpOnly, secure, sameSite })), [
    { name: '__Host-lineman', httpOnly: true, secure: true, sameSite: 'Strict' },
  ]);
  // The log says how.
  const events = await api(one, server, 'GET', '/audit?limit=50').catch(() => undefined);
  if (events) assert.ok(JSON.stringify(events).includes('测试 SSO'));
  // Ended elsewhere: whoever has no password here is led to the provider, and back to this page.
  assert.equal((await one.request.post('/api/v1/sign-out', { headers: { origin: server.address } })).status(), 204);
  await one.keyboard.press('t');
  await one.locator('input:focus').waitFor();
  await one.keyboard.type('a token');
  await one.keyboard.press('Enter');
  const veil = one.getByRole('dialog', { name: '登录已失效' });
  await veil.waitFor();
  assert.equal(await veil.getByLabel('口令').count(), 0);
  // It may come while somebody types: the next Enter leads nowhere.
  assert.ok(await veil.evaluate((dialog) => document.activeElement === dialog));
  await one.evaluate(() => { globalThis.before = true; });
  await veil.getByRole('link', { name: '用企业账号登录' }).click();
  // The provider still knows who this is, and asks nothing.
  await one.waitForFunction(() => globalThis.before === undefined);
  await one.getByRole('navigation').waitFor();
  assert.equal((await one.request.get('/api/v1/whoami')).status(), 200);
  assert.equal(new URL(one.url()).pathname, '/account');
  await close(one);
});

test('the way back counts once, and only for the browser that began', async () => {
  const one = await begin('/sign-in?next=%2Faccount');
  let back;
  one.on('request', (request) => { if (request.url().includes('/sign-in/oidc/callback?')) back = request.url(); });
  await one.getByRole('link', { name: '用 测试 SSO 登录' }).click();
  await one.waitForURL(`${idp.issuer}/**`);
  // It comes back without what it was given: as if somebody had sent it there.
  const begun = await one.context().cookies(server.address);
  await one.context().clearCookies({ name: '__Host-lineman-oidc' });
  await atProvider(one, 'engineer.x');
  await one.locator('[data-failed]', { hasText: '这次登录已失效' }).waitFor();
  assert.equal((await one.request.get('/api/v1/whoami')).status(), 401);

  const thief = await page(server.address);
  await thief.goto(back, { waitUntil: 'commit' });
  await thief.locator('[data-failed]', { hasText: '这次登录已失效' }).waitFor();
  assert.equal((await thief.request.get('/api/v1/whoami')).status(), 401);
  await close(thief);

  await one.context().addCookies(begun.filter((cookie) => cookie.name === '__Host-lineman-oidc'));
  await one.goto(back, { waitUntil: 'commit' });
  await one.getByRole('navigation').waitFor();
  await one.context().addCookies(begun.filter((cookie) => cookie.name === '__Host-lineman-oidc'));
  const replayed = await one.request.get(back, { maxRedirects: 0 });
  assert.match(replayed.headers().location, /^\/sign-in\?failed=stale&ref=[0-9a-f]{10}$/);
  await close(one);
});

test('nothing leads to another site', async () => {
  const one = await page(server.address);
  for (const next of ['https://evil.example/', '//evil.example/', '/\\evil.example', '/api/v1/sign-in/oidc']) {
    await one.goto(`/api/v1/sign-in/oidc?next=${encodeURIComponent(next)}`, { waitUntil: 'commit' });
    await atProvider(one, 'engineer.x');
    await one.getByRole('navigation').waitFor();
    assert.equal(new URL(one.url()).origin, server.address, next);
    await one.context().clearCookies();
  }
  for (const next of ['https://evil.example/', '//evil.example/', 'javascript:alert(1)']) {
    await one.goto(`/sign-in?next=${encodeURIComponent(next)}`, { waitUntil: 'commit' });
    await one.getByLabel('账号').fill('admin');
    await one.getByLabel('口令').fill('the admin’s own password');
    await one.keyboard.press('Enter');
    await one.getByRole('navigation').waitFor();
    assert.equal(new URL(one.url()).origin, server.address, next);
    await one.context().clearCookies();
  }
  await close(one);
});

test('the groups decide each time, and no group is said in words', async () => {
  const one = await begin('/sign-in?next=%2Faccount', { language: 'en' });
  await one.getByRole('link', { name: /Sign in with/ }).click();
  await atProvider(one, 'stranger');
  const failed = one.locator('[data-failed]');
  // What the provider is called, the page learns a moment later.
  await failed.getByText('测试 SSO').waitFor();
  assert.match(await failed.innerText(), /None of your groups at 测试 SSO gives you a role here[\s\S]*Reference [0-9a-f]{10}/);
  const reference = /Reference ([0-9a-f]{10})/.exec(await failed.innerText())[1];
  const line = server.log.split('\n').find((one) => one.includes(reference));
  assert.match(line ?? '', /stranger/, 'the log says who, and why');
  await close(one);

  // Who was an engineer before is out of the group: out of here too, with what was signed in.
  const in1 = await begin('/sign-in?next=%2Faccount');
  await in1.getByRole('link', { name: '用 测试 SSO 登录' }).click();
  await atProvider(in1, 'engineer.x');
  await in1.getByRole('navigation').waitFor();
  await idp.tell({ accounts: { 'engineer.x': ['staff'] } });
  const in2 = await begin('/sign-in?next=%2Faccount');
  await in2.getByRole('link', { name: '用 测试 SSO 登录' }).click();
  await atProvider(in2, 'engineer.x');
  await in2.locator('[data-failed]').waitFor();
  assert.equal((await in1.request.get('/api/v1/whoami')).status(), 401);
  const person = await api(in1, server, 'GET', '/people/engineer-x');
  assert.equal(person.name, 'engineer-x', 'never deleted');
  await close(in1);
  await close(in2);
});

test('a local name is not taken over', async () => {
  await idp.tell({ accounts: { admin: ['admins'] } });
  const one = await begin('/sign-in?next=%2Faccount');
  await one.getByRole('link', { name: '用 测试 SSO 登录' }).click();
  await atProvider(one, 'admin');
  await one.locator('[data-failed]', { hasText: '已有同名账号' }).waitFor();
  await close(one);
});

test('the provider exchanges its keys', async () => {
  await idp.tell({ accounts: { 'engineer.x': ['engineers'] }, rotate: true });
  const one = await begin('/sign-in?next=%2Faccount');
  await one.getByRole('link', { name: '用 测试 SSO 登录' }).click();
  await atProvider(one, 'engineer.x');
  await one.getByRole('navigation').waitFor();
  await close(one);
});

test('a wrong clock is said with the difference', async () => {
  await idp.tell({ aheadMs: 10 * 60_000 });
  const one = await begin('/sign-in?next=%2Faccount');
  await one.getByRole('link', { name: '用 测试 SSO 登录' }).click();
  await atProvider(one, 'engineer.x');
  await one.locator('[data-failed]', { hasText: /快 10 分钟/ }).waitFor();
  await idp.tell({ aheadMs: 0 });
  await close(one);
});

test('a provider that is away leaves the local way open', async () => {
  await server.stop();
  await server.start();
  await idp.stop();
  const one = await begin('/sign-in?next=%2Faccount');
  await one.getByRole('link', { name: '用 测试 SSO 登录' }).click();
  await one.locator('[data-failed]', { hasText: '连不上 测试 SSO' }).waitFor();
  assert.equal(new URL(one.url()).searchParams.get('next'), '/account', 'where one was going is kept');
  await one.getByLabel('账号').fill('admin');
  await one.getByLabel('口令').fill('the admin’s own password');
  await one.keyboard.press('Enter');
  await one.waitForURL('**/account');
  await close(one);
});

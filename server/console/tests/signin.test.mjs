// The door, one's own account, and people as an administrator sees them.
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { test } from 'node:test';
import { api, close, facts, looksGood, open, picture } from './harness.mjs';

const password = (name) => facts.people.find((one) => one.name === name).password;
const link = (name) => facts.people.find((one) => one.name === name).sign_in;

/** As an authenticator makes them (RFC 6238). */
function totp(secret, at = Date.now()) {
  const bits = [...secret].map((c) => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(c).toString(2).padStart(5, '0')).join('');
  const key = Buffer.from(bits.match(/.{8}/g).map((byte) => Number.parseInt(byte, 2)));
  const step = Buffer.alloc(8);
  step.writeBigUInt64BE(BigInt(Math.floor(at / 30_000)));
  const mac = createHmac('sha1', key).update(step).digest();
  return String((mac.readUInt32BE(mac[19] & 15) & 0x7fffffff) % 1_000_000).padStart(6, '0');
}

/** Somebody of this test's own; answers their password. */
async function person(page, name, role = 'engineer') {
  const secret = 'a password for the test';
  await api(page, 'admin-z', 'POST', '/people', { name, role, password: secret });
  return secret;
}

test('the sign-in page says what is wrong, in words', async () => {
  const page = await open('/account?q=sev%3Acritical');
  await page.locator('[data-server]', { hasText: '正常' }).waitFor();
  await looksGood(page, 'input[name=name]');
  await page.evaluate(() => sessionStorage.clear());
  await page.reload({ waitUntil: 'commit' });
  await picture(page, 'sign-in');
  await page.getByLabel('账号').fill('nobody-here');
  await page.getByLabel('口令').fill('wrong');
  for (let tries = 0; tries < 6; tries += 1) {
    const answered = page.waitForResponse('**/api/v1/sign-in');
    await page.getByRole('button', { name: '登录' }).click();
    await answered;
  }
  assert.match(await page.getByRole('alert').innerText(), /请在 \d\d:\d\d:\d\d 之后再试/);
  await page.route('**/api/v1/sign-in', (route) => route.abort());
  await page.getByRole('button', { name: '登录' }).click();
  await page.getByRole('alert').filter({ hasText: '连不上服务器' }).waitFor();
  await page.unroute('**/api/v1/sign-in');
  await page.getByLabel('账号').fill('manager-d');
  await page.getByLabel('口令').fill(password('manager-d'));
  await page.getByRole('button', { name: '显示输入' }).click();
  assert.equal(await page.locator('input[name=password]').getAttribute('type'), 'text');
  await page.locator('input[name=password]').press('Enter');
  await page.getByRole('navigation').waitFor();
  assert.equal(new URL(page.url()).searchParams.get('q'), 'sev:critical', 'where one was going, with its filter');
  await close(page);
});

test('a server that is away is said, and the page goes on when it is back', async () => {
  const page = await open('/sign-in', { before: (page) => page.route('**/api/v1/sign-in/ways', (route) => route.abort()) });
  await page.locator('[data-server]', { hasText: '连不上' }).waitFor();
  await page.unroute('**/api/v1/sign-in/ways');
  await page.locator('[data-server]', { hasText: '正常' }).waitFor();
  await close(page);
});

for (const failed of ['provider_unreachable', 'clock&seconds=-420', 'no_role', 'stale', '<img src=x onerror=alert(1)>']) {
  test(`what the identity provider's way says: ${failed}`, async () => {
    const page = await open(`/sign-in?failed=${failed}&ref=0123456789`, { width: 360 });
    await page.locator('[data-failed]').waitFor();
    const text = await page.locator('[data-failed]').innerText();
    assert.ok(text.includes('0123456789') && !text.includes('onerror'), text);
    if (failed.startsWith('clock')) assert.match(text, /慢 7 分钟/);
    await looksGood(page, '[data-failed]');
    await close(page);
  });
}

test('a link signs in, and in a demo again', async () => {
  for (let times = 0; times < 2; times += 1) {
    const page = await open(`${link('noc-jw').replace(facts.server, '')}&next=%2Faccount`);
    await page.getByRole('navigation').waitFor();
    assert.ok(!page.url().includes('code='), 'the code is gone from the address');
    assert.equal((await (await page.request.get('/api/v1/whoami')).json()).name, 'noc-jw');
    // Another person's link asks first.
    await page.goto(`${link('engineer-a').replace(facts.server, '')}&next=%2Faccount`, { waitUntil: 'commit' });
    await page.getByText('您现在是 noc-jw').waitFor();
    await page.getByRole('button', { name: '继续登录' }).click();
    await page.getByRole('navigation').waitFor();
    assert.equal((await (await page.request.get('/api/v1/whoami')).json()).name, 'engineer-a');
    await close(page);
  }
  const page = await open('/sign-in?code=nonsense');
  await page.getByText('登录链接已用过或已过期').waitFor();
  await close(page);
});

test('an account: password, second factor, tokens', async () => {
  const page = await open('/account', { before: async (page) => {
    const secret = await person(page, 'account-a');
    const answer = await page.request.post('/api/v1/sign-in', { data: { name: 'account-a', password: secret }, headers: { origin: facts.server } });
    assert.equal(answer.status(), 200);
  } });
  await page.getByRole('heading', { name: '我的账号' }).waitFor();
  await looksGood(page, '[data-tokens]');
  await page.evaluate(() => sessionStorage.clear());
  await page.reload({ waitUntil: 'commit' });

  // By keys alone: a new password.
  await page.locator('[data-tokens]').waitFor();
  await page.keyboard.press('p');
  await page.keyboard.type('not the old one');
  await page.keyboard.press('Tab');
  await page.keyboard.type('a new password');
  await page.keyboard.press('Tab');
  await page.keyboard.type('a new password');
  await page.keyboard.press('Enter');
  await page.getByText('原口令不正确').waitFor();
  await page.keyboard.press('Control+a');
  await page.keyboard.type('a password for the test');
  await page.keyboard.press('Enter');
  await page.getByText('口令已修改').first().waitFor();

  await page.getByRole('button', { name: '开启第二因素' }).click();
  await page.getByRole('img', { name: '第二因素的二维码' }).waitFor();
  await picture(page, 'second-factor');
  const secret = await page.locator('[data-secret]').innerText();
  await page.getByLabel('现在显示的六位数字').fill('12345x');
  await page.keyboard.press('Enter');
  await page.getByText('验证码不正确').waitFor();
  await page.getByLabel('现在显示的六位数字').fill(totp(secret));
  await page.keyboard.press('Enter');
  await page.locator('[data-codes] code').nth(9).waitFor();
  const codes = await page.locator('[data-codes] code').allInnerTexts();
  await page.getByRole('button', { name: '我已保存' }).click();

  // A token, shown once; then ended.
  await page.keyboard.press('t');
  await page.locator('input:focus').waitFor();
  await page.keyboard.type('a laptop');
  await page.keyboard.press('Enter');
  await page.locator('[data-made] code').waitFor();
  const token = await page.locator('[data-made] code').innerText();
  const asToken = () => page.request.get('/api/v1/people', { headers: { authorization: `Bearer ${token}`, cookie: '' } });
  assert.equal((await asToken()).status(), 200);
  await page.getByRole('button', { name: '我已记下' }).click();
  await page.getByRole('button', { name: '结束 a laptop' }).click();
  await page.getByRole('dialog').getByRole('button', { name: '结束' }).click();
  await page.getByText('已结束：a laptop').waitFor();
  assert.equal((await asToken()).status(), 401);

  // Out everywhere, and in again with both.
  await page.getByRole('button', { name: '在所有地方退出' }).click();
  await page.getByRole('dialog').getByLabel('请输入 account-a 以确认').fill('account-a');
  await page.keyboard.press('Enter');
  await page.getByLabel('账号').fill('account-a');
  await page.getByLabel('口令').fill('a new password');
  await page.keyboard.press('Enter');
  await page.getByLabel('一次性验证码').fill('000000x');
  await page.keyboard.press('Enter');
  await page.getByText('验证码不正确').waitFor();
  await page.getByLabel('一次性验证码').fill(codes[0]);
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: '我的账号' }).waitFor();
  await close(page);
});

test('an ended sign-in keeps what was being typed', async () => {
  const page = await open('/account', { before: async (page) => {
    const secret = await person(page, 'expired-a');
    await page.request.post('/api/v1/sign-in', { data: { name: 'expired-a', password: secret }, headers: { origin: facts.server } });
  } });
  await page.locator('[data-tokens]').waitFor();
  await page.keyboard.press('t');
  await page.locator('input:focus').waitFor();
  await page.keyboard.type('half a word');
  await api(page, 'admin-z', 'POST', '/people/expired-a/sign-out', {});
  await page.keyboard.press('Enter');
  const veil = page.getByRole('dialog');
  await veil.getByLabel('口令').fill('a password for the test');
  await page.keyboard.press('Enter');
  await veil.waitFor({ state: 'detached' });
  assert.equal(await page.getByLabel('用途').inputValue(), 'half a word');
  await close(page);
});

test('people: each state of the list', async () => {
  const states = {
    error: (route) => route.fulfill({ status: 500, contentType: 'application/problem+json', body: '{"status":500,"code":"internal","title":"the server failed","request_id":"r-1"}' }),
    forbidden: (route) => route.fulfill({ status: 403, contentType: 'application/problem+json', body: '{"status":403,"code":"forbidden","title":"not yours"}' }),
    empty: (route) => route.fulfill({ json: { items: [] } }),
  };
  for (const [state, answer] of Object.entries(states)) {
    const page = await open('/admin/people', { person: 'admin-z', before: (page) => page.route(/\/api\/v1\/people$/, answer) });
    await page.locator(state === 'empty' ? '[data-empty]' : `[data-failure=${state === 'error' ? 'server' : 'forbidden'}]`).waitFor();
    if (state === 'error') {
      await page.unroute(/\/api\/v1\/people$/);
      await page.getByRole('button', { name: '重试' }).click();
      await page.locator('[data-people]').waitFor();
    }
    await close(page);
  }
  let go;
  const slow = await open('/admin/people', { person: 'admin-z', before: (page) => page.route(/\/api\/v1\/people$/, async (route) => { await new Promise((resolve) => { go = resolve; }); await route.continue(); }) });
  await slow.locator('[data-skeleton]').first().waitFor();
  go();
  await slow.locator('[data-people]').waitFor();
  await close(slow);
  const engineer = await open('/admin/people', { person: 'engineer-a' });
  await engineer.getByText('您的角色不能打开此页面').waitFor();
  await close(engineer);
});

test('people: a person is added, signs in by a link, gets another role, is disabled; by keys where one can', async () => {
  const page = await open('/admin/people', { person: 'admin-z' });
  await page.locator('[data-people]').waitFor();
  await looksGood(page, '[data-people]');
  await page.evaluate(() => sessionStorage.clear());
  await page.reload({ waitUntil: 'commit' });
  await page.locator('[data-people]').waitFor();
  await picture(page, 'people');
  await page.keyboard.press('a');
  await page.keyboard.type('Not A Name');
  await page.keyboard.press('Enter');
  await page.getByText('请选择角色').last().waitFor();
  await page.keyboard.press('Control+a');
  await page.keyboard.type('new-a');
  await page.getByLabel('角色*', { exact: true }).selectOption('engineer');
  await page.getByRole('button', { name: '创建' }).click();
  await page.waitForURL('**/admin/people/new-a');
  await page.getByRole('heading', { name: 'new-a' }).waitFor();
  await looksGood(page, 'dl');
  await page.evaluate(() => sessionStorage.clear());
  await page.reload({ waitUntil: 'commit' });
  await page.locator('dl').waitFor();

  await page.keyboard.press('l');
  await page.getByRole('button', { name: '生成链接' }).click();
  const address = await page.locator('[data-link]').innerText();
  const own = await open(`${address.replace(facts.server, '')}&next=%2Faccount`);
  await own.getByRole('navigation').waitFor();
  assert.equal((await (await own.request.get('/api/v1/whoami')).json()).name, 'new-a');
  const again = await open(address.replace(facts.server, ''));
  await again.getByText('登录链接已用过或已过期').waitFor();
  await close(again);
  await page.getByRole('button', { name: '完成' }).click();

  await page.keyboard.press('r');
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('角色').selectOption('duty_manager');
  assert.equal(await dialog.getByLabel('角色').locator('option[value=noc]').count(), 0, 'no role of the other side');
  await dialog.getByLabel('原因').fill('leads the shift');
  await page.keyboard.press('Enter');
  await page.getByText('角色已改为值班经理').waitFor();

  await page.getByRole('button', { name: '停用' }).click();
  await dialog.getByLabel('原因').fill('left');
  await dialog.getByLabel('请输入 new-a 以确认').fill('new-a');
  await page.keyboard.press('Enter');
  await page.getByText('由 admin-z 停用：left').waitFor();
  assert.equal((await own.request.get('/api/v1/whoami')).status(), 401);
  await close(own);
  await page.getByRole('button', { name: '启用' }).click();
  await dialog.getByLabel('原因').fill('is back');
  await dialog.getByRole('button', { name: '启用' }).click();
  await page.getByText('● 可用').waitFor();

  await page.goto('/admin/people?q=jw', { waitUntil: 'commit' });
  await page.locator('[data-people]').waitFor();
  assert.equal(await page.locator('[data-people] tbody tr').count(), 3);
  await page.getByText('角色权限').click();
  await page.locator('[data-matrix]').waitFor();
  await close(page);
});

for (const width of [360, 2560]) {
  for (const path of ['/sign-in', '/setup', '/account', '/admin/people', '/admin/people/engineer-a']) {
    test(`${path} at ${width} px`, async () => {
      const signed = ['/sign-in', '/setup'].includes(path) ? {} : { person: 'admin-z' };
      const page = await open(path, { ...signed, width, language: 'en', theme: 'dark' });
      await page.locator('h1').waitFor();
      const overflow = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      assert.ok(overflow <= 1, `${overflow} px too wide`);
      await picture(page, `${path.replaceAll('/', '_')}-${width}`);
      await close(page);
    });
  }
}

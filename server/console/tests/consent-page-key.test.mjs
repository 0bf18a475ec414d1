// A key in this browser for consents: made here, listed by the carrier's own command line, and named as what it is wherever it signed.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { api, close, facts, lineman, looksGood, open, picture } from './harness.mjs';

const SAID = { zh: '在厂商提供的页面中批准', en: 'approved in a page served by the vendor' };
const device = facts.devices.find((one) => one.browser_keys && one.name.endsWith('.jw.ne')).name;
const officer = facts.people.find((one) => one.name === 'officer-jw');
const scratch = mkdtempSync(join(tmpdir(), 'lineman-page-key-'));
let fault;
after(() => rmSync(scratch, { recursive: true, force: true }));

const asked = async (page) => JSON.parse(await lineman('engineer-a', 'consent', 'request', fault, '--doors', 'shell,exec,sftp-read', '--for', '2h', '--reason', '风扇停转', '--key', facts.engineer_key, '-o', 'json')).id;

before(async () => {
  const page = await open('/faults', { person: 'noc-jw' });
  fault = (await api(page, 'noc-jw', 'POST', '/faults', { equipment: device, title: '页面密钥测试', impact: 'none' })).number;
  await close(page);
});

/** The carrier's officer puts a line into the signer list, by hand and with the officer's own key. */
async function listed(line) {
  const file = join(scratch, 'signers-next');
  writeFileSync(file, (await lineman(officer.name, 'signers', 'new', '--customer', 'JW')) + line + '\n');
  await lineman(officer.name, 'signers', 'sign', file, '--key', officer.key, '--yes');
  await lineman(officer.name, 'signers', 'publish', file);
  copyFileSync(file, join(officer.trust, 'signers'));
}

test('a key is made in the page, listed by the carrier, signs what was shown, and real ssh gets in', async () => {
  const page = await open('/consents', { person: 'noc-jw' });
  const id = await asked(page);
  await page.goto(`/consents/${id}`, { waitUntil: 'commit' });
  await page.getByRole('button', { name: '在本页面签署' }).waitFor();
  await page.keyboard.press('p');
  // What it means is said before anything else, and there is nothing to sign with yet.
  await page.locator('[data-page-key]').getByText('支持中心可以让您看到的与您签署的不同').waitFor();
  assert.equal(await page.getByRole('button', { name: /显示要签署的内容/ }).count(), 0);
  await picture(page, 'consent-page-key-none');
  await page.getByRole('button', { name: '生成密钥' }).click();
  const line = await page.locator('[data-signer-line]').textContent();
  assert.match(line, /^noc-jw namespaces="consent-browser@lineman" ssh-ed25519 [A-Za-z0-9+/=]+$/);
  const print = execFileSync('ssh-keygen', ['-l', '-f', '-'], { input: line.split(' ').slice(2).join(' '), encoding: 'utf8' }).split(' ')[1];
  assert.equal(await page.locator('[data-fingerprint]').textContent(), print);
  await page.getByText('没有这把密钥。如果设备上的清单也没有').waitFor();
  // It is the same after a reload, it belongs to this person alone, and nothing takes it out of the browser.
  await page.reload({ waitUntil: 'commit' });
  assert.equal(await page.locator('[data-signer-line]').textContent(), line);
  const stored = await page.evaluate(() => new Promise((resolve) => {
    const opening = indexedDB.open('lineman', 1);
    opening.onsuccess = () => {
      const keys = opening.result.transaction('keys').objectStore('keys');
      keys.getAllKeys().onsuccess = (names) => keys.get('noc-jw').onsuccess = async (found) => {
        const { privateKey } = found.target.result;
        const taken = await crypto.subtle.exportKey('pkcs8', privateKey).then(() => 'taken', (error) => error.name);
        opening.result.close();
        resolve({ names: names.target.result, extractable: privateKey.extractable, taken });
      };
    };
  }));
  assert.deepEqual(stored, { names: ['noc-jw'], extractable: false, taken: 'InvalidAccessError' });

  await listed(line);
  await page.reload({ waitUntil: 'commit' });
  await page.locator('[data-fingerprint]').waitFor();
  await looksGood(page, '[data-fingerprint]');
  await page.evaluate(() => sessionStorage.clear());
  await page.goto(`/consents/${id}?sign=here`, { waitUntil: 'commit' });
  await page.getByRole('checkbox', { name: '读取文件' }).uncheck();
  await page.getByLabel('时长（分钟）').fill('30');
  assert.equal(await page.getByText('没有这把密钥').count(), 0, 'the published list names it');
  await page.getByRole('button', { name: '显示要签署的内容' }).click();
  const draft = page.locator('[data-draft]');
  await draft.waitFor();
  const text = await draft.textContent();
  assert.match(text, /approver: noc-jw\ndoors: shell,exec\nduration-s: 1800\nroster: \d+\nissued: [0-9T:-]{19}Z\n$/);
  await picture(page, 'consent-page-key');
  // What is changed afterwards has to be looked at again.
  await page.getByLabel('时长（分钟）').fill('20');
  assert.equal(await draft.count(), 0);
  await page.getByLabel('时长（分钟）').fill('30');
  await page.keyboard.press('Enter');
  await draft.waitFor();
  const shown = await draft.textContent();
  await page.getByRole('button', { name: '在本页面签署…' }).click();
  const dialog = page.getByRole('dialog');
  const sign = dialog.getByRole('button', { name: '在本页面签署' });
  assert.ok(await sign.isDisabled(), 'only with the device typed');
  await dialog.getByLabel(`请输入 ${device} 以确认`).fill(device);
  await sign.click();
  await page.locator('[data-consent-state=live]').waitFor();
  // What came of it stands at the top of the page.
  await page.waitForURL((url) => url.search === '');
  await page.waitForFunction(() => scrollY === 0);
  const known = await api(page, 'noc-jw', 'GET', `/consents/${id}`);
  assert.equal(known.consents[0].text, shown, 'what was shown is what was signed');
  assert.deepEqual(known.approvals, [{ approver: 'noc-jw', key: 'page' }]);
  await page.locator('[data-consent-state=live] [data-in-page]').getByText(`${SAID.zh}: noc-jw`).waitFor();
  await picture(page, 'consent-page-key-live');

  // The carrier's own tools say the same, stock ones too.
  const papers = join(scratch, 'papers');
  const verified = JSON.parse(await lineman('officer-jw', 'consent', 'verify', id, '--save', papers, '-o', 'json'));
  assert.ok(verified.checks.every((check) => check.good), JSON.stringify(verified.checks));
  assert.ok(verified.checks.some((check) => check.text.includes(SAID.en)));
  const stock = verified.commands.filter((command) => command.includes('consent-browser@lineman'));
  assert.equal(stock.length, 1);
  execFileSync('sh', ['-c', stock[0]], { cwd: papers, stdio: 'pipe' });
  assert.match(await lineman('officer-jw', 'consent', 'list', '--fault', fault), new RegExp(SAID.en));

  // And it opens the door.
  const printed = await lineman('engineer-a', 'ssh', fault, '--key', facts.engineer_key, '--', 'echo in-by-$((40 + 2))');
  assert.match(printed, /in-by-42/);
  const over = page.locator('.sessions li', { hasText: '工程师离开' }).locator('a').first();
  await over.waitFor();
  const session = await over.getAttribute('href');

  // Every page that shows the approval says where it was given.
  for (const [path, ready] of [
    [`/consents/${id}`, '[data-consent-state] [data-in-page]'],
    ['/consents?show=inForce', `[data-consent=${id}] [data-in-page]`],
    [`/faults/${fault}`, '[data-panel=consent] [data-in-page]'],
    [`/faults/${fault}`, '[data-kind="consent.approved"] [data-in-page]'],
    [session, '[data-in-page]'],
  ]) {
    await page.goto(path, { waitUntil: 'commit' });
    await page.locator(ready).first().getByText(SAID.zh).waitFor();
  }
  const { timeline } = await api(page, 'noc-jw', 'GET', `/faults/${fault}`);
  assert.ok(timeline.some((event) => event.kind === 'consent.approved' && event.text.includes(SAID.en)));
  await close(page);
});

test('a key is taken away again, and whoever can not have one is told', async () => {
  const page = await open('/consents', { person: 'noc-jw' });
  const id = await asked(page);
  await page.goto(`/consents/${id}?sign=here`, { waitUntil: 'commit' });
  await page.getByRole('button', { name: '生成密钥' }).click();
  const first = await page.locator('[data-fingerprint]').textContent();
  await page.getByRole('button', { name: '删除密钥' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('请输入 noc-jw 以确认').fill('noc-jw');
  await dialog.getByRole('button', { name: '删除密钥' }).click();
  await page.getByRole('button', { name: '生成密钥' }).click();
  assert.notEqual(await page.locator('[data-fingerprint]').textContent(), first, 'another key, not the old one again');
  await close(page);

  const old = await open(`/consents/${id}?sign=here`, {
    person: 'noc-jw', language: 'en', width: 360, height: 740,
    before: (page) => page.addInitScript(() => { crypto.subtle.generateKey = () => Promise.reject(new DOMException('no', 'NotSupportedError')); }),
  });
  await old.getByRole('alert').getByText('a WebCrypto that knows Ed25519').waitFor();
  await looksGood(old, '[role=alert]');
  await close(old);
  // The engineer is offered nothing of this.
  const engineer = await open(`/consents/${id}?sign=here`, { person: 'engineer-a' });
  await engineer.getByText('支持中心不能代为批准').waitFor();
  assert.equal(await engineer.locator('[data-page-key]').count(), 0);
  await close(engineer);
});

test('a request reads as it did for an approver with a phone', async () => {
  const page = await open('/consents', { person: 'noc-jw', width: 360, height: 740, language: 'en' });
  const id = await asked(page);
  await page.goto(`/consents/${id}?sign=here`, { waitUntil: 'commit' });
  await page.getByRole('button', { name: 'Make a key' }).click();
  await page.getByRole('button', { name: 'Show what would be signed' }).click();
  await page.locator('[data-draft]').waitFor();
  await picture(page, 'consent-page-key-phone');
  const overflow = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  assert.ok(overflow <= 1, `${overflow} px too wide`);
  await close(page);
});

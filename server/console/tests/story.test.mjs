// The main job, through the browser and with keys alone: filed by the carrier, accepted, asked for, approved on the other side, worked on
// in a shell on the page, resolved, written down, reviewed, found. Two browsers look at the same fault.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { api, close, demo, facts, lineman, open, picture } from './harness.mjs';
import { shown } from './inside.mjs';

const device = facts.devices.find((one) => one.handle === 'ne-2');
const word = `zq${Date.now().toString(36)}`;

test('from a stopped fan to a case that the next engineer finds', async () => {
  await demo('break', device.handle, 'fan');

  // The carrier's NOC files it.
  const noc = await open('/faults', { person: 'noc-jw' });
  await noc.locator('header .live').waitFor();
  await noc.keyboard.press('n');
  await noc.getByRole('heading', { name: '报障' }).waitFor();
  await noc.getByRole('combobox', { name: /设备/ }).focus();
  await noc.keyboard.type(device.name);
  await noc.getByRole('option', { name: new RegExp(device.name.replaceAll('.', '\\.')) }).first().waitFor();
  await noc.keyboard.press('Enter');
  await noc.getByRole('group', { name: '设备' }).getByText(device.name).waitFor();
  await noc.getByLabel(/现象/).focus();
  await noc.keyboard.type(`风扇停转 ${word}`);
  await noc.keyboard.press('Tab');
  await noc.keyboard.press('Space');
  await picture(noc, 'story-1-file');
  await noc.keyboard.press('Control+Enter');
  const filed = noc.locator('[data-filed]');
  await filed.waitFor();
  const number = await filed.getAttribute('data-filed');
  await noc.goto(`/faults/${number}`);
  await noc.locator('[data-status=reported]').waitFor();

  // The support centre's engineer finds it by its number, and takes it. The NOC's page follows.
  const page = await open('/faults', { person: 'engineer-a' });
  await page.getByRole('navigation').waitFor();
  await page.keyboard.press('Control+k');
  await page.getByRole('dialog').getByRole('combobox').fill(number);
  await page.getByRole('option', { name: number }).first().waitFor();
  await page.keyboard.press('Enter');
  await page.locator('[data-status=reported]').waitFor();
  await page.keyboard.press('a');
  await page.locator('[data-status=accepted]').waitFor();
  await noc.locator('[data-status=accepted]').waitFor();

  // The request is signed with the engineer's key, the consent with the carrier's: neither is in a browser.
  const engineer = facts.people.find((one) => one.name === 'engineer-a');
  await lineman('engineer-a', 'consent', 'request', number, '--grade', 'gateway', '--doors', 'shell,exec', '--for', '1h', '--key', engineer.key);
  await page.locator('[data-consent-state=requested]').waitFor();
  await noc.locator('[data-consent-state=requested]').waitFor();
  await picture(noc, 'story-2-request');
  const [{ id }] = (await api(page, 'engineer-a', 'GET', `/consents?fault=${number}`)).items;
  await lineman('approver-jw', 'consent', 'approve', id, '--key', facts.people.find((one) => one.name === 'approver-jw').key, '--yes');
  await page.locator('[data-consent-state=live]').waitFor();

  // A shell in the page, recorded on the device; what is wrong there is put right.
  await page.locator('main').focus();
  await page.keyboard.press('s');
  await page.waitForURL('**/sessions/trm_*');
  await page.locator('[data-terminal=open]').waitFor().catch(async (e) => { console.log(page.wrong, page.url()); throw e; });
  await page.locator('.xterm').click();
  await page.keyboard.type('ne show alarm');
  await page.keyboard.press('Enter');
  await shown(page, 'fan');
  await picture(page, 'story-3-shell');
  await page.keyboard.type('ne reset fan-2; echo repaired-$((1+1))');
  await page.keyboard.press('Enter');
  await shown(page, 'repaired-2');
  await page.keyboard.type('exit');
  await page.keyboard.press('Enter');
  await page.locator('[data-terminal=open]').waitFor({ state: 'detached' });

  // Onward, with one key.
  await page.goto(`/faults/${number}`);
  await page.locator('[data-status]').waitFor();
  await page.locator('#compose-plan').focus();
  await page.keyboard.press('Enter');
  await page.locator('#compose-panel select').first().selectOption('fan_failure');
  await page.locator('#compose-panel input').first().fill(`风扇控制器挂死 ${word}`);
  await page.locator('#compose-panel textarea').fill('ne reset fan-2');
  await page.keyboard.press('Control+Enter');
  await page.locator('.plan').getByText('ne reset fan-2').waitFor();
  await page.locator('main').focus();
  await page.keyboard.press('r');
  const restore = page.getByRole('dialog').getByRole('button', { name: '业务已恢复' });
  await restore.waitFor();
  // While an alarm is still raised it asks why service is back all the same.
  const waiver = page.getByRole('dialog').getByLabel('说明');
  if (await waiver.isVisible()) await waiver.fill('风扇已转');
  await restore.press('Enter');
  await page.locator('[data-status=restored]').waitFor();
  await noc.locator('[data-status=restored]').waitFor();
  await page.keyboard.press('r');
  await page.getByRole('dialog').getByLabel('结果').fill('复位风扇后转速正常');
  await page.keyboard.press('Control+Enter');
  await page.locator('[data-status=resolved]').waitFor();
  await page.keyboard.press('r');
  await page.getByLabel('起草案例').check();
  await page.keyboard.press('Control+Enter');
  const review = page.locator('[data-review]');
  await review.locator('.text').first().waitFor();
  await review.getByRole('button', { name: '送评审' }).press('Enter');
  await review.waitFor({ state: 'detached' });
  await page.locator('[data-status=closed]').waitFor();
  await picture(page, 'story-4-closed');

  // A second pair of eyes publishes it; whoever types the words finds it.
  const other = await open('/cases/review', { person: 'engineer-b' });
  const waiting = other.locator('li', { hasText: word });
  await waiting.first().waitFor();
  const draft = /C-\d+/.exec(await waiting.first().textContent())[0];
  await other.goto(`/cases/review?case=${draft}`);
  await other.locator('li.chosen', { hasText: draft }).waitFor();
  await other.keyboard.press('p');
  const dialog = other.getByRole('dialog');
  await dialog.locator('input').fill(draft);
  await other.keyboard.press('Enter');
  await dialog.waitFor({ state: 'detached' });
  await other.keyboard.press('g');
  await other.keyboard.press('c');
  await other.waitForURL('**/cases');
  await other.keyboard.press('/');
  await other.keyboard.type(word);
  await other.getByRole('link', { name: new RegExp(draft) }).first().waitFor();
  await picture(other, 'story-5-found');
  assert.equal((await api(other, 'engineer-b', 'GET', `/cases/${draft}`)).state, 'validated');
  await close(other);
  await close(noc);
  await close(page);
});

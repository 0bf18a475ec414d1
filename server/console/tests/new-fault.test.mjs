// Filing a fault: with keys alone, with what is known already, without a network, from a phone.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { api, close, facts, looksGood, open, picture } from './harness.mjs';

const device = () => facts.devices.find((one) => one.customer === 'JW').name;
const problem = (status, code, title) => ({ status, contentType: 'application/problem+json', json: { status, code, title, request_id: 'req_7' } });
const hit = (n, more = {}) => ({ number: `C-000${n}`, title: `风扇盘故障致板卡过热 ${n}`, language: 'zh', state: 'validated', score: 9 - n, why: ['M6000', 'T-1045', '风扇'], solved: 12,
  highlights: [{ language: 'zh', field: 'title', text: `风扇盘故障致板卡过热 ${n}`, spans: [[0, 2], [6, 8]], start: 0 }, { language: 'zh', field: 'symptom', text: '😀板卡温度 <b>高</b>', spans: [[1, 3]], start: 4 }], ...more });
const found = { offer: `ofr_${'0'.repeat(32)}`, items: [hit(1), hit(2)], duplicates: [{ number: 'F-JW-13', title: '同站温度告警', status: 'in_progress', equipment: 'ne-1.jw.ne', reported_at: new Date().toISOString(), score: 0.9, why: ['ne-1.jw.ne', '温度'] }] };

/** Answers for what is known already; collects what was told. */
async function known(page, told = []) {
  const tell = (name, json) => async (route) => { told.push({ name, body: route.request().postDataJSON() }); await route.fulfill({ json }); };
  await page.route(/\/cases\/suggest$/, tell('suggest', found));
  await page.route(/\/cases\/signals$/, tell('signals', { offers: 1 }));
  await page.route(/\/deflections$/, tell('deflection', { id: `dfl_${'0'.repeat(32)}`, case: 'C-0001', by: 'noc-jw', at: new Date().toISOString(), question: 'x' }));
  await page.route(/\/undo$/, tell('undo', { id: 'x' }));
  await page.route(/\/faults\/F-JW-13\/notes$/, tell('note', {}));
  return told;
}

async function choose(page, name = device()) {
  await page.getByRole('combobox', { name: /设备/ }).fill(name);
  await page.getByRole('option', { name: new RegExp(name.replaceAll('.', '\\.')) }).first().waitFor();
  await page.keyboard.press('Enter');
  await page.getByRole('group', { name: '设备' }).getByText(name).waitFor();
}

test('a link brings the equipment and the words that found nothing', async () => {
  const page = await open(`/new?equipment=${device()}&text=${encodeURIComponent('光模块 接收 <b>')}`, { person: 'noc-jw' });
  await page.getByRole('group', { name: '设备' }).getByText(device()).waitFor();
  await page.waitForFunction(() => [...document.querySelectorAll('input, textarea')].some((field) => field.value === '光模块 接收 <b>'));
  await close(page);
});

test('with keys alone: n, three fields, Ctrl+Enter; then number, clocks, link', async () => {
  const page = await open('/faults', { person: 'noc-jw' });
  await page.getByRole('navigation').waitFor();
  await page.locator('header .live').waitFor();
  await page.keyboard.press('n');
  await page.waitForURL('**/new');
  await page.getByRole('heading', { name: '报障' }).waitFor();
  await page.keyboard.press('Control+Enter');
  await page.getByText('有 3 处需要更正').waitFor();
  await page.getByText('请选择对业务的影响').waitFor();
  assert.equal(await page.evaluate(() => document.activeElement.getAttribute('role')), 'combobox', 'the first that is wrong has the focus');
  await page.keyboard.type(device());
  await page.getByRole('option', { name: new RegExp(device().replaceAll('.', '\\.')) }).first().waitFor();
  await page.keyboard.press('Enter');
  await page.getByRole('group', { name: '设备' }).waitFor();
  await page.locator('[data-promise] strong').waitFor();
  // On from the device: its "change" button, then the symptom.
  await page.getByRole('button', { name: '换一台' }).focus();
  await page.keyboard.press('Tab');
  const title = `风扇不转 ${Date.now()}`;
  await page.keyboard.type(title);
  await page.keyboard.press('Tab');
  await page.keyboard.press('Space');
  await page.keyboard.press('ArrowDown');
  await page.getByText('级别 重要').waitFor();
  await page.keyboard.press('Control+Enter');
  const filed = page.locator('[data-filed]');
  await filed.waitFor();
  const number = await filed.getAttribute('data-filed');
  await filed.getByText('受理', { exact: true }).waitFor();
  await filed.getByRole('link', { name: `打开 ${number}` }).waitFor();
  const fault = await api(page, 'noc-jw', 'GET', `/faults/${number}`);
  assert.equal(fault.fault?.title ?? fault.title, title);
  await picture(page, 'new-filed');
  await api(page, 'noc-jw', 'POST', `/faults/${number}/cancellation`, { reason: 'a test' });
  await close(page);
});

test('the form is clean in both languages and themes, on a wide screen and on a phone', async () => {
  for (const [width, height] of [[1280, 900], [360, 740]]) {
    const page = await open('/new', { person: 'noc-jw', width, height, before: (page) => known(page) });
    await choose(page);
    await page.getByLabel(/现象/).fill('板卡温度告警');
    await page.getByText('C-0001').waitFor();
    await page.getByLabel(/我同意/).check();
    await picture(page, `new-${width}`);
    await looksGood(page, 'aside ol li');
    await close(page);
  }
});

test('cases and open faults come while typing, with why and where; what matched is marked by characters', async () => {
  const told = [];
  const page = await open('/new', { person: 'noc-jw', before: (page) => known(page, told) });
  await page.getByLabel(/现象/).pressSequentially('板卡温度', { delay: 20 });
  const first = page.locator('aside li').filter({ hasText: 'C-0001' });
  await first.waitFor();
  assert.deepEqual(await first.locator('mark').allInnerTexts(), ['风扇', '板卡', '板卡']);
  assert.match(await first.innerText(), /<b>高<\/b>/, 'text of others stays text');
  assert.match(await first.innerText(), /匹配：M6000 T-1045 风扇/);
  const asked = told.filter((one) => one.name === 'suggest');
  assert.ok(asked.length <= 2, `${asked.length} questions for four characters`);
  assert.equal(asked.at(-1).body.text, '板卡温度');
  await close(page);
});

test('one key cites, "solved" files nothing and can be taken back, +1 joins the open fault', async () => {
  const told = [];
  const page = await open('/new', { person: 'noc-jw', before: (page) => known(page, told) });
  await page.getByLabel(/现象/).fill('板卡温度告警');
  await page.locator('aside').getByText('C-0002').waitFor();
  await page.keyboard.press('1');
  assert.equal(await page.getByLabel(/现象/).inputValue(), '板卡温度告警1', 'keys are off while typing');
  await page.keyboard.press('Backspace');
  await page.keyboard.press('Escape');
  await page.locator('aside').getByText('C-0002').waitFor();
  await page.keyboard.press('2');
  await page.locator('aside li').filter({ hasText: 'C-0002' }).getByRole('button', { name: '已引用' }).waitFor();
  await page.keyboard.press('s');
  await page.keyboard.press('1');
  await page.locator('[data-deflected=C-0001]').waitFor();
  assert.deepEqual(told.find((one) => one.name === 'deflection').body, { question: '板卡温度告警', customer: 'JW', offer: found.offer });
  await page.getByRole('button', { name: '没解决，继续报障' }).click();
  await page.getByLabel(/现象/).waitFor();
  assert.equal(await page.getByLabel(/现象/).inputValue(), '板卡温度告警', 'nothing is lost');
  assert.ok(told.some((one) => one.name === 'undo'));
  await page.locator('aside').getByText('F-JW-13').waitFor();
  await page.getByRole('button', { name: '是同一个，+1' }).click();
  await page.locator('[data-joined=F-JW-13]').waitFor();
  assert.match(told.find((one) => one.name === 'note').body.text, /板卡温度告警/);
  await close(page);
});

test('a library that fails keeps nobody from filing', async () => {
  const page = await open('/new', { person: 'noc-jw', before: (page) => page.route(/\/cases\/suggest$/, (route) => route.fulfill(problem(503, 'unavailable', 'busy'))) });
  await page.getByLabel(/现象/).fill('板卡温度告警');
  await page.getByText('暂时查不到相似案例，不影响报障').waitFor();
  assert.ok(await page.getByRole('button', { name: /提交/ }).isEnabled());
  await close(page);
});

test('what the server refuses is said, with nothing lost; forbidden too', async () => {
  const page = await open('/new', { person: 'noc-jw', before: (page) => known(page) });
  await choose(page);
  await page.getByLabel(/现象/).fill('x');
  await page.getByRole('radio', { name: '部分中断' }).check();
  await page.route(/\/api\/v1\/faults$/, (route) => route.fulfill(problem(422, 'invalid', 'the title says nothing')));
  await page.keyboard.press('Control+Enter');
  await page.locator('[data-failure=invalid]').getByText('req_7').waitFor();
  assert.equal(await page.getByLabel(/现象/).inputValue(), 'x');
  await page.unroute(/\/api\/v1\/faults$/);
  await page.route(/\/api\/v1\/faults$/, (route) => route.fulfill(problem(403, 'forbidden', 'auditors file nothing')));
  await page.keyboard.press('Control+Enter');
  await page.locator('[data-failure=forbidden]').waitFor();
  await close(page);
});

test('a draft survives a reload', async () => {
  const page = await open('/new', { person: 'noc-jw', before: (page) => known(page) });
  await choose(page);
  await page.getByLabel(/现象/).fill('写了一半');
  await page.locator('[data-draft]').waitFor();
  await page.reload();
  await page.getByRole('group', { name: '设备' }).getByText(device()).waitFor();
  assert.equal(await page.getByLabel(/现象/).inputValue(), '写了一半');
  await page.getByRole('button', { name: '清空' }).click();
  assert.equal(await page.getByLabel(/现象/).inputValue(), '');
  await page.getByRole('button', { name: '撤销' }).click();
  await page.waitForFunction(() => document.querySelector('[data-field=title] input').value === '写了一半');
  await close(page);
});

test('without a network it is kept, and sent once when the network is back', async () => {
  const keys = [];
  const page = await open('/new', { person: 'noc-jw', before: (page) => known(page) });
  await choose(page);
  const title = `断网时报的 ${Date.now()}`;
  await page.getByLabel(/现象/).fill(title);
  await page.getByRole('radio', { name: '无业务影响' }).check();
  let answer = 'lost';
  await page.route(/\/api\/v1\/faults$/, async (route) => {
    keys.push(route.request().headers()['idempotency-key']);
    // The first one arrives, and its answer gets lost: the worst case.
    if (answer === 'lost') await route.fetch();
    if (answer === 'back') return route.continue();
    return route.abort();
  });
  await page.keyboard.press('Control+Enter');
  await page.locator('[data-waiting]').getByText(title).waitFor();
  await page.locator('[data-unsent]').waitFor();
  await looksGood(page, '[data-waiting]');
  answer = 'back';
  await page.evaluate(() => dispatchEvent(new Event('online')));
  await page.locator('[data-waiting]').waitFor({ state: 'detached' });
  assert.equal(new Set(keys).size, 1, 'one key for all attempts');
  const filed = (await api(page, 'noc-jw', 'GET', `/faults?q=${encodeURIComponent(`"${title}"`)}`)).items;
  assert.equal(filed.length, 1, 'filed once');
  await api(page, 'noc-jw', 'POST', `/faults/${filed[0].number}/cancellation`, { reason: 'a test' });
  await close(page);
});

test('files go along by drop and paste, consent is offered as a command, unknown equipment by its text', async () => {
  const page = await open('/new', { person: 'noc-jw', before: (page) => known(page) });
  await choose(page);
  await page.getByLabel(/现象/).fill(`附件 ${Date.now()}`);
  await page.getByRole('radio', { name: '无业务影响' }).check();
  await page.getByLabel(/我同意/).check();
  await page.getByText('勾选本身不放行任何人').waitFor();
  await page.evaluate(() => {
    const file = (name) => { const data = new DataTransfer(); data.items.add(new File(['x'.repeat(5000)], name)); return data; };
    window.dispatchEvent(new DragEvent('drop', { dataTransfer: file('alarm.log'), bubbles: true, cancelable: true }));
    window.dispatchEvent(new ClipboardEvent('paste', { clipboardData: file('screen.png'), bubbles: true, cancelable: true }));
  });
  await page.getByText('screen.png').waitFor();
  await page.keyboard.press('Control+Enter');
  const filed = page.locator('[data-filed]');
  await filed.waitFor();
  const number = await filed.getAttribute('data-filed');
  await page.waitForFunction(() => [...document.querySelectorAll('[data-filed] li')].filter((one) => one.innerText.includes('已上传')).length === 2);
  assert.deepEqual((await api(page, 'noc-jw', 'GET', `/faults/${number}/attachments`)).items.map((one) => one.name).toSorted(), ['alarm.log', 'screen.png']);
  const sign = page.locator('[data-sign]');
  assert.equal(await sign.locator('pre').innerText(), `lineman standing grant --devices ${device()} --fault ${number} --level 2 --doors shell,exec --for 2h --until 1d --key ~/.ssh/consent`);
  await sign.getByText('等待签名').waitFor();
  await page.keyboard.press('Control+Enter');
  await page.getByRole('button', { name: '再报一个' }).click();
  await page.getByRole('combobox', { name: /设备/ }).fill('库房里的旧机器');
  await page.getByRole('option', { name: /按文字报障/ }).click();
  await page.getByText('未登记的设备').waitFor();
  await page.getByLabel(/现象/).fill('不加电');
  await page.getByRole('radio', { name: '无业务影响' }).check();
  await page.keyboard.press('Control+Enter');
  await page.waitForFunction((before) => document.querySelector('[data-filed]') && document.querySelector('[data-filed]').dataset.filed !== before, number);
  const second = await filed.getAttribute('data-filed');
  const kept = await api(page, 'noc-jw', 'GET', `/faults/${second}`);
  assert.match((kept.fault ?? kept).description, /库房里的旧机器/);
  for (const one of [number, second]) await api(page, 'noc-jw', 'POST', `/faults/${one}/cancellation`, { reason: 'a test' });
  await close(page);
});

test('the support centre files for a customer, and asks for consent later', async () => {
  const page = await open('/new', { person: 'engineer-a', before: (page) => known(page) });
  await page.getByText('同意由客户给出').waitFor();
  await page.getByRole('combobox', { name: /设备/ }).fill('没有登记');
  await page.getByRole('option', { name: /按文字报障/ }).click();
  await page.getByLabel(/现象/).fill('不加电');
  await page.getByRole('radio', { name: '无业务影响' }).check();
  await page.keyboard.press('Control+Enter');
  await page.getByText('请选择客户').waitFor();
  await page.getByRole('combobox', { name: /^客户/ }).selectOption('JW');
  await page.keyboard.press('Control+Enter');
  const filed = page.locator('[data-filed]');
  await filed.waitFor();
  await filed.getByText(/值班/).waitFor();
  await api(page, 'engineer-a', 'POST', `/faults/${await filed.getAttribute('data-filed')}/cancellation`, { reason: 'a test' });
  await close(page);
});

// The list of faults: its states, filters, keys, what is done to several, files of it, 5,000 rows.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PEOPLE, listing, row, serve } from './faults-fakes.mjs';
import { api, close, looksGood, open, picture, saved } from './harness.mjs';

const many = (n) => Array.from({ length: n }, (_, i) => row(i + 1));
const list = (page) => page.getByRole('table', { name: /^(故障|Faults)$/ });
const problem = (status, code, title) => ({ status, contentType: 'application/problem+json', json: { status, code, title, request_id: 'req_42', hint: undefined } });

test('the list shows what the design draws, and is clean in both languages and themes', async () => {
  const page = await open('/faults', { person: 'engineer-a', before: (page) => serve(page, many(37)) });
  await list(page).getByText('F-JW-3', { exact: true }).waitFor();
  const first = list(page).getByRole('row').filter({ hasText: '板卡 3 ' });
  assert.match(await first.innerText(), /92 °C/, 'the value that set it off');
  assert.match(await list(page).getByRole('row').filter({ hasText: '板卡 5 ' }).innerText(), /‖ 同意/);
  await page.waitForFunction(() => document.title.startsWith('(9!) 37 故障'));
  assert.equal(await page.locator('link[rel=icon]').getAttribute('href'), '/critical.svg');
  await page.getByText('搜索列：编号、标题、设备').waitFor();
  await looksGood(page, '[role=table] a');
  await picture(page, 'faults-list');
  await close(page);
});

test('nothing yet, nothing that fits, nothing open: each says why and what next', async () => {
  let go;
  const held = new Promise((resolve) => (go = resolve));
  const page = await open('/faults', { person: 'engineer-a', before: (page) => page.route(/\/api\/v1\/faults\?/, async (route) => { await held; await route.fulfill({ json: listing([]) }); }) });
  await page.locator('[data-skeleton]').waitFor();
  go();
  await page.locator('[data-empty]').getByText('当前没有未关闭的故障').waitFor();
  await looksGood(page, '[data-empty]');
  await page.goto('/faults?q=%E6%B2%A1%E6%9C%89%E7%9A%84%E8%AF%8D');
  await page.locator('[data-empty]').getByText(/没有符合条件的故障|No fault matches/).waitFor();
  await page.locator('[data-empty]').getByRole('button', { name: /查看已关闭|Show closed/ }).click();
  await page.waitForURL(/status%3Aclosed/);
  await page.locator('[data-empty]').getByRole('button', { name: /清除筛选|Clear the filter/ }).click();
  await page.waitForURL((url) => !url.search.includes('q='));
  await close(page);
});

test('an error keeps the rows, greyed, with the request to name; forbidden says who helps', async () => {
  let broken = false;
  const rows = many(5);
  const page = await open('/faults', { person: 'engineer-a' , before: async (page) => {
    await serve(page, rows);
    await page.route(/\/api\/v1\/faults\?/, (route) => (broken ? route.fulfill(problem(500, 'internal', 'the disk is full')) : route.fallback()));
  } });
  await list(page).getByText('F-JW-1', { exact: true }).waitFor();
  broken = true;
  await page.getByRole('combobox', { name: '排序' }).selectOption('newest');
  await page.locator('[data-failure=server]').getByText('req_42').waitFor();
  assert.ok(await list(page).getByText('F-JW-1', { exact: true }).isVisible(), 'the rows stay');
  broken = false;
  await page.getByRole('button', { name: '重试' }).click();
  await page.locator('[data-failure]').waitFor({ state: 'detached' });
  await page.unroute(/\/api\/v1\/faults\?/);
  await page.route(/\/api\/v1\/faults\?/, (route) => route.fulfill(problem(403, 'forbidden', 'not yours')));
  await page.reload();
  await page.locator('[data-failure=forbidden]').waitFor();
  await looksGood(page, '[data-failure]');
  await close(page);
});

test('the filter is the address: typed, as chips that go away, and by choice', async () => {
  const asked = [];
  const page = await open('/faults?q=severity%3Acritical%20-site%3A%22%E5%8F%8C%20%E6%B5%81%22', { person: 'engineer-a', before: (page) => serve(page, many(37), asked) });
  await list(page).getByRole('row').nth(1).waitFor();
  assert.equal(asked.at(-1).q, 'severity:critical -site:"双 流"');
  assert.equal(asked.at(-1).sort, 'left');
  await page.getByRole('button', { name: '去掉条件 -site:"双 流"' }).click();
  await page.waitForURL((url) => url.searchParams.get('q') === 'severity:critical');
  await page.getByRole('button', { name: '+ 筛选' }).click();
  await page.getByRole('button', { name: /我负责的/ }).click();
  await page.waitForURL((url) => url.searchParams.get('q') === 'severity:critical owner:me');
  await page.keyboard.press('/');
  await page.getByRole('searchbox').fill('温度');
  await page.waitForURL((url) => url.searchParams.get('q') === '温度');
  await page.goBack();
  await page.goBack();
  await page.waitForURL((url) => url.searchParams.get('q')?.startsWith('severity:critical -site'));
  await close(page);
});

test('with keys alone: walk, choose a stretch, accept with one note; what did not work stays with its reason', async () => {
  const said = [];
  const page = await open('/faults', { person: 'engineer-a', before: async (page) => {
    await serve(page, many(20));
    await page.route(/\/faults\/F-JW-\d+\/(accept|notes)$/, async (route) => {
      const [, fault, what] = /faults\/(F-JW-\d+)\/(\w+)$/.exec(route.request().url());
      said.push(`${fault} ${what}`);
      if (fault === 'F-JW-2') return route.fulfill(problem(409, 'conflict', 'F-JW-2 is accepted by engineer-b already'));
      return route.fulfill({ json: row(1) });
    });
  } });
  await list(page).getByText('F-JW-1', { exact: true }).waitFor();
  await page.keyboard.press('j');
  await page.keyboard.press('Shift+J');
  await page.keyboard.press('Shift+J');
  await page.getByRole('status').getByText('已选 3').waitFor();
  await page.keyboard.press('a');
  const dialog = page.getByRole('dialog');
  await dialog.getByText('认领 3 个故障').waitFor();
  await dialog.getByLabel('备注（写入每个故障）').fill('值班认领');
  await picture(page, 'faults-accept');
  await page.keyboard.press('Control+Enter');
  await dialog.getByText('F-JW-2 is accepted by engineer-b already').waitFor();
  assert.deepEqual(said.toSorted(), ['F-JW-1 accept', 'F-JW-1 notes', 'F-JW-2 accept', 'F-JW-3 accept', 'F-JW-3 notes']);
  await page.getByText('已认领 2 个故障').waitFor();
  await page.keyboard.press('Escape');
  await dialog.waitFor({ state: 'detached' });
  await page.keyboard.press('Escape');
  await page.getByText('已选 3').waitFor({ state: 'detached' });
  await close(page);
});

test('hold with a reason and assign can be taken back; merge wants two of one customer', async () => {
  const said = [];
  const page = await open('/faults', { person: 'engineer-a', before: async (page) => {
    await serve(page, [row(1), row(2), row(3, { number: 'F-YW-3', customer: 'YW', customer_name: '乙网' })]);
    await page.route(/\/api\/v1\/people$/, (route) => route.fulfill({ json: PEOPLE }));
    await page.route(/\/faults\/F-\w+-\d+\/(pending|resume|assign|merge|unmerge)$/, async (route) => {
      const [, fault, what] = /faults\/(F-\w+-\d+)\/(\w+)$/.exec(route.request().url());
      said.push(`${fault} ${what} ${route.request().postData() ?? ''}`.trim());
      return route.fulfill({ json: row(1) });
    });
  } });
  await list(page).getByText('F-JW-1', { exact: true }).waitFor();
  await page.keyboard.press('j');
  await page.keyboard.press('h');
  await page.getByLabel('等待什么').selectOption('parts');
  await page.keyboard.press('Control+Enter');
  await page.getByRole('button', { name: '撤销' }).click();
  await page.getByText('已撤销').waitFor();
  assert.deepEqual(said.splice(0), ['F-JW-1 pending {"reason":"parts","note":""}', 'F-JW-1 resume']);
  await page.keyboard.press('t');
  await page.keyboard.press('Control+Enter');
  await page.getByText('请选择接手的人').waitFor();
  assert.deepEqual(await page.getByLabel('指派给').locator('option').allInnerTexts(), ['请选择', 'engineer-a · 支持工程师 L2', 'engineer-b · 支持工程师 L3'], 'only who works on faults');
  await page.getByLabel('指派给').selectOption('engineer-b');
  await page.keyboard.press('Control+Enter');
  await page.getByText('已指派 1 个故障').waitFor();
  assert.deepEqual(said.splice(0), ['F-JW-1 assign {"to":"engineer-b","why":"","open":""}']);
  for (const number of ['F-JW-1', 'F-YW-3']) await page.getByLabel(`选择 ${number}`).check();
  await page.keyboard.press('m');
  await page.getByText('只能合并同一客户的故障').waitFor();
  await page.keyboard.press('Escape');
  await page.getByLabel('选择 F-YW-3').uncheck();
  await page.getByLabel('选择 F-JW-2', { exact: true }).check();
  await page.keyboard.press('m');
  await page.getByRole('radio', { name: /F-JW-2/ }).check();
  await page.getByRole('button', { name: /执行/ }).click();
  await page.getByText('已合并到 F-JW-2').waitFor();
  assert.deepEqual(said, ['F-JW-2 merge {"faults":["F-JW-1"],"reason":""}']);
  await close(page);
});

test('a carrier sees no action of the support centre', async () => {
  const page = await open('/faults', { person: 'noc-jw', before: (page) => serve(page, many(3)) });
  await page.getByLabel('选择 F-JW-1').check();
  await page.getByText('已选 1').waitFor();
  for (const name of ['认领', '指派', '合并', '挂起']) assert.equal(await page.getByRole('button', { name }).count(), 0, name);
  await page.keyboard.press('a');
  assert.equal(await page.getByRole('dialog').count(), 0);
  await close(page);
});

test('a file holds exactly the rows and columns shown, and no formula of a device', async () => {
  const rows = [...many(450), row(999, { title: '=HYPERLINK("x"),"quoted"' })];
  const page = await open('/faults', { person: 'engineer-a', before: (page) => serve(page, rows) });
  await list(page).getByText('F-JW-1', { exact: true }).waitFor();
  await page.getByRole('button', { name: '列', exact: true }).click();
  for (const column of ['负责人', '最后动态', '设备']) await page.getByLabel(column, { exact: true }).uncheck();
  await page.keyboard.press('Escape');
  await page.getByRole('button', { name: '导出', exact: true }).click();
  const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: 'CSV（Excel）' }).click()]);
  const csv = await saved(download);
  assert.ok(csv.startsWith('\uFEFF编号,级,剩余,标题,客户/级,状态,次数\r\n'), csv.slice(0, 80));
  assert.equal(csv.trim().split('\r\n').length, 452);
  assert.match(csv, /"'=HYPERLINK\(""x""\),""quoted""/);
  await page.getByLabel('选择 F-JW-2', { exact: true }).check();
  await page.getByRole('button', { name: '导出', exact: true }).click();
  const [second] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: 'JSON' }).click()]);
  const json = JSON.parse(await saved(second));
  assert.deepEqual(json.map((one) => one.number), ['F-JW-2']);
  assert.deepEqual(Object.keys(json[0]), ['number', 'severity', 'left', 'title', 'customer', 'status', 'repeats']);
  await close(page);
});

test('5,000 faults: pages come as one scrolls, and the page holds some dozen rows', async () => {
  const asked = [];
  const page = await open('/faults', { person: 'engineer-a', before: (page) => serve(page, many(5000), asked) });
  await list(page).getByText('F-JW-1', { exact: true }).waitFor();
  await page.getByText('5000 条').waitFor();
  for (let turn = 0; turn < 60 && (await list(page).getAttribute('aria-rowcount')) !== '5001'; turn++) {
    const before = await list(page).getAttribute('aria-rowcount');
    await page.locator('.scroll').evaluate((box) => { box.scrollTop = box.scrollHeight; });
    await page.waitForFunction((before) => document.querySelector('[role=table]').getAttribute('aria-rowcount') !== before, before);
  }
  await page.locator('.scroll').evaluate((box) => { box.scrollTop = box.scrollHeight; });
  await list(page).getByText('F-JW-5000', { exact: true }).waitFor();
  assert.equal(new Set(asked.map((one) => one.after)).size, asked.length, 'each page is read once');
  assert.ok(await list(page).getByRole('row').count() < 80);
  // A stretch of the list flies by: how long each frame took is what somebody sees as a stutter.
  const frames = await page.locator('.scroll').evaluate(async (box) => {
    const took = [];
    let last = performance.now();
    for (let top = box.scrollHeight; top > 0; top -= 400) {
      box.scrollTop = top;
      await new Promise(requestAnimationFrame);
      took.push(performance.now() - last);
      last = performance.now();
    }
    return took.sort((a, b) => a - b);
  });
  console.log(`frames: ${frames.length}, median ${frames[frames.length >> 1].toFixed(1)} ms, 95 % ${frames[Math.floor(frames.length * 0.95)].toFixed(1)} ms, worst ${frames.at(-1).toFixed(1)} ms`);
  await close(page);
});

test('while it is held, new ones are counted and shown on demand', async () => {
  const page = await open('/faults', { person: 'engineer-a' });
  await page.locator('header .live').waitFor();
  await page.locator('header .dot').click();
  const device = (await api(page, 'engineer-a', 'GET', '/equipment?limit=1')).items[0].name;
  const title = `held ${Date.now()}`;
  const fault = await api(page, 'noc-jw', 'POST', '/faults', { equipment: device.includes('.jw.') ? device : undefined, customer: device.includes('.jw.') ? undefined : 'JW', title, impact: 'none' });
  const pill = page.getByRole('button', { name: /条更新，点此显示/ });
  await pill.waitFor();
  assert.equal(await page.getByText(title).count(), 0);
  await pill.click();
  await page.getByText(title).first().waitFor();
  await api(page, 'noc-jw', 'POST', `/faults/${fault.number}/cancellation`, { reason: 'a test' });
  await close(page);
});

test('the real list follows what happens, and the command line finds the same', async () => {
  const page = await open('/faults', { person: 'engineer-a' });
  await page.locator('header .live').waitFor();
  const title = `live ${Date.now()}`;
  const fault = await api(page, 'noc-jw', 'POST', '/faults', { customer: 'JW', title, impact: 'full' });
  await page.getByText(title).first().waitFor();
  await page.waitForFunction(() => /^\(\d+!\) /.test(document.title));
  await api(page, 'engineer-a', 'POST', `/faults/${fault.number}/accept`);
  await page.getByRole('row').filter({ hasText: title }).getByText('engineer-a').first().waitFor();
  await api(page, 'noc-jw', 'POST', `/faults/${fault.number}/cancellation`, { reason: 'a test' });
  await page.getByText(title).waitFor({ state: 'detached' });
  await close(page);
});

test('split view shows the fault beside the list, and j and k walk', async () => {
  const page = await open('/faults', { person: 'engineer-a', width: 1600, before: (page) => serve(page, many(9)) });
  await list(page).getByText('F-JW-1', { exact: true }).waitFor();
  await page.keyboard.press('\\');
  await page.waitForURL(/split=F-JW-1/);
  await page.keyboard.press('j');
  await page.keyboard.press('j');
  await page.waitForURL(/split=F-JW-3/);
  await page.locator('section.beside').waitFor();
  await page.keyboard.press('\\');
  await page.waitForURL((url) => !url.searchParams.has('split'));
  await page.close();
});

test('on a phone a fault takes two lines and nothing sticks out', async () => {
  const page = await open('/faults', { person: 'engineer-a', width: 360, height: 740, before: (page) => serve(page, many(30)) });
  await list(page).getByText('F-JW-1', { exact: true }).waitFor();
  await looksGood(page, '[role=table] a');
  await picture(page, 'faults-phone');
  await close(page);
});

test('a filter is saved as a view with v, counts live, is renamed, moved and deleted with a way back', async () => {
  const page = await open('/faults?q=severity%3Acritical', { person: 'engineer-a' });
  const name = `视图 ${Date.now() % 10000}`;
  await page.getByRole('navigation').waitFor();
  await page.locator('header .live').waitFor();
  await page.keyboard.press('v');
  const dialog = page.getByRole('dialog');
  await dialog.waitFor();
  await page.keyboard.press('Enter');
  await dialog.getByText('请填写名称').waitFor();
  await page.keyboard.type(name);
  await page.keyboard.press('Enter');
  await dialog.waitFor({ state: 'detached' });
  const link = page.getByRole('navigation').getByRole('link', { name: new RegExp(`^${name}`) });
  await link.waitFor();
  assert.equal(await link.getAttribute('aria-current'), 'page');
  const before = Number(/(\d+)\+?$/.exec(await link.innerText())[1]);
  const fault = await api(page, 'noc-jw', 'POST', '/faults', { customer: 'JW', title: 'counted', impact: 'full' });
  await page.waitForFunction(([name, n]) => [...document.querySelectorAll('nav a')].some((one) => one.innerText.includes(name) && one.innerText.trim().endsWith(String(n))), [name, before + 1]);
  await page.getByRole('button', { name: '管理视图' }).click();
  await page.getByRole('button', { name: `改名 ${name}` }).click();
  await page.keyboard.press('Control+a');
  await page.keyboard.type(`${name}改`);
  await page.keyboard.press('Enter');
  await page.getByRole('button', { name: `上移 ${name}改` }).click();
  await looksGood(page, 'nav a');
  await page.evaluate(() => { sessionStorage.clear(); });
  await page.reload();
  await page.getByRole('button', { name: '管理视图' }).click();
  await page.getByRole('button', { name: `删除 ${name}改` }).click();
  await page.getByRole('navigation').getByText(`${name}改`).waitFor({ state: 'detached' });
  await page.keyboard.press('Escape');
  await page.getByRole('button', { name: '撤销' }).click();
  await page.getByRole('navigation').getByText(`${name}改`).waitFor();
  const views = await api(page, 'engineer-a', 'GET', '/views?counts=false');
  for (const view of views.items.filter((one) => one.name.startsWith(name))) await api(page, 'engineer-a', 'DELETE', `/views/${view.id}`);
  await api(page, 'noc-jw', 'POST', `/faults/${fault.number}/cancellation`, { reason: 'a test' });
  await close(page);
});

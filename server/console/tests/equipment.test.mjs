// Equipment: the list, one device with what it measured, its trust, and a fleet that is empty yet.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { close, facts, looksGood, open, picture } from './harness.mjs';

const NE = facts.devices[0].name;
const problem = (status, code) => ({ status, contentType: 'application/problem+json', body: JSON.stringify({ status, code, title: 'made to fail', request_id: 'req-3' }) });
const list = '**/api/v1/equipment?*';

test('the list shows what is there, is filtered by its line, and is walked with keys', async () => {
  const page = await open('/equipment', { person: 'engineer-a' });
  await page.getByRole('link', { name: NE }).waitFor();
  await picture(page, 'equipment');
  await page.keyboard.press('/');
  await page.keyboard.type(NE.split('.')[0]);
  await page.waitForURL('**q=*');
  await page.keyboard.press('Escape');
  await page.keyboard.press('j');
  await page.keyboard.press('Enter');
  await page.waitForURL(`**/equipment/${NE}`);
  await close(page);
});

test('the list looks good', async () => {
  const page = await open('/equipment', { person: 'noc-jw' });
  await looksGood(page, '.row');
  await page.setViewportSize({ width: 360, height: 740 });
  await picture(page, 'equipment-360');
  await close(page);
});

test('one device: health is plotted, zoomed with the mouse, shifted and given back with keys', async () => {
  const page = await open(`/equipment/${NE}`, { person: 'engineer-a' });
  await page.getByRole('tab', { name: '概览' }).waitFor();
  await page.keyboard.press('h');
  await page.waitForURL('**tab=health*');
  const plot = page.locator('[data-chart=temperature] .u-over');
  await plot.waitFor();
  assert.ok((await page.locator('[data-chart]').count()) >= 3);
  await picture(page, 'equipment-health');
  const before = await page.locator('[data-range]').textContent();
  const box = await plot.boundingBox();
  await page.mouse.move(box.x + box.width * 0.7, box.y + 30);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width * 0.9, box.y + 30, { steps: 5 });
  await page.mouse.up();
  await page.waitForURL('**from=*');
  assert.notEqual(await page.locator('[data-range]').textContent(), before);
  const from = () => Number(new URL(page.url()).searchParams.get('from'));
  const zoomed = from();
  await page.keyboard.press('ArrowLeft');
  await page.waitForFunction((zoomed) => Number(new URL(location.href).searchParams.get('from')) < zoomed, zoomed);
  await page.keyboard.press('z');
  await page.waitForFunction(() => !location.search.includes('from='));
  await page.getByRole('button', { name: '30d' }).click();
  await page.waitForURL('**range=30d*');
  await plot.waitFor();
  await close(page);
});

test('every tab looks good', async () => {
  for (const [tab, ready] of [['overview', '.cards'], ['health', '.u-over'], ['trust', '[data-fingerprint]']]) {
    const page = await open(`/equipment/${NE}?tab=${tab}`, { person: 'engineer-a' });
    await looksGood(page, ready);
    await close(page);
  }
});

test('report now asks the device itself; trust shows the key that the device shows', async () => {
  const page = await open(`/equipment/${NE}`, { person: 'engineer-a' });
  await page.getByRole('tab', { name: '概览' }).waitFor();
  await page.keyboard.press('i');
  await page.getByText('已要求设备上报').waitFor();
  await page.keyboard.press('t');
  await page.locator('[data-fingerprint]', { hasText: /^SHA256:[\w+/]{43}$/ }).waitFor();
  await page.keyboard.press('f');
  await page.waitForURL('**tab=faults*');
  await page.keyboard.press('s');
  await page.waitForURL('**tab=sessions*');
  await close(page);
});

test('a device that is offline is grey and says since when', async () => {
  const page = await open(`/equipment/${NE}`, {
    person: 'engineer-a',
    before: (page) => page.route(`**/api/v1/equipment/${NE}`, async (route) => {
      const answer = await route.fetch();
      await route.fulfill({ response: answer, json: { ...(await answer.json()), presence: 'offline', last_seen_at: new Date(Date.now() - 12 * 60_000).toISOString() } });
    }),
  });
  await page.getByText(/离线，最后心跳 1[123] 分钟前/).waitFor();
  assert.ok(await page.getByRole('button', { name: /立即上报/ }).isDisabled());
  await looksGood(page, '.warning');
  await close(page);
});

test('an empty fleet: three steps for an administrator, and the first agent turns the line', async () => {
  const none = { items: [], searched: [], as_of: new Date().toISOString(), total: 0 };
  const arrival = { seq: 1, kind: 'agent.online', actor: 'agent:ne-9.jw.ne', equipment: 'ne-9.jw.ne', data: {}, text: 'online', occurred_at: none.as_of, recorded_at: none.as_of };
  let arrive;
  const arrived = new Promise((resolve) => { arrive = resolve; });
  const page = await open('/equipment', { person: 'admin-z', before: async (page) => {
    await page.route(list, (route) => route.fulfill({ json: none }));
    await page.route('**/api/v1/events', async (route) => {
      await arrived;
      await route.fulfill({ contentType: 'text/event-stream', body: `id: 1\nevent: agent.online\ndata: ${JSON.stringify(arrival)}\n\n` });
    });
  } });
  await page.getByText('lineman-agent enrol --token-file token', { exact: false }).first().waitFor();
  await page.getByText('等待第一个代理上线').waitFor();
  arrive();
  await page.getByText('ne-9.jw.ne 已上线').waitFor();
  await picture(page, 'equipment-empty');
  await close(page);
});

test('an enrolment token is made once and shown once', async () => {
  const page = await open('/equipment/' + NE, { person: 'admin-z', before: (page) => page.route('**/enrolment-token', (route) => route.fulfill({ json: { token: 'lmt1/host:7443/spki/secret', expires_at: new Date(Date.now() + 86_400_000).toISOString() } })) });
  await page.getByRole('button', { name: '登记令牌' }).click();
  await page.getByRole('button', { name: '生成令牌' }).click();
  await page.locator('[data-token]', { hasText: 'lmt1/' }).waitFor();
  await page.keyboard.press('Escape');
  await page.getByRole('button', { name: '登记令牌' }).click();
  await page.getByRole('button', { name: '生成令牌' }).waitFor();
  assert.equal(await page.locator('[data-token]').count(), 0);
  await close(page);
});

test('the list says what it lacks', async () => {
  const none = { items: [], searched: [], as_of: new Date().toISOString(), total: 0 };
  const page = await open('/equipment?q=nothing', { person: 'noc-jw', before: (page) => page.route(list, (route) => route.fulfill({ json: none })) });
  await page.getByRole('link', { name: '清除筛选' }).waitFor();
  for (const [status, code] of [[500, 'internal'], [403, 'forbidden']]) {
    await page.unroute(list);
    await page.route(list, (route) => route.fulfill(problem(status, code)));
    await page.reload();
    await page.getByText('req-3').waitFor();
  }
  await page.unroute(list);
  await page.route(list, () => {});
  await page.reload();
  await page.locator('[data-skeleton]').waitFor();
  await close(page);
});

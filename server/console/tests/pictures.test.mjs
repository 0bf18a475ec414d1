// The pictures of the README, in both languages: SCREENS=../../docs/screens npm test -- tests/pictures.test.mjs
import { test } from 'node:test';
import { api, close, demo, facts, open, picture } from './harness.mjs';

const device = facts.devices[0];
const skip = process.env.SCREENS === undefined;

test('the main pages, as they are when a fan has stopped', { skip }, async () => {
  await demo('break', device.handle, 'fan');
  const first = await open('/faults', { person: 'engineer-a' });
  await first.getByText(device.name).first().waitFor({ timeout: 60_000 });
  const { items } = await api(first, 'engineer-a', 'GET', '/faults');
  await api(first, 'engineer-a', 'POST', `/faults/${items[0].number}/accept`);
  await close(first);
  const pages = [
    ['wall', '/wall', '[data-wall], main h1, main'],
    ['faults', '/faults', '[role=row] a'],
    ['fault', `/faults/${items[0].number}`, '[data-timeline] li'],
    ['cases', '/cases?q=%E9%A3%8E%E6%89%87%20fan', 'mark'],
    ['equipment', `/equipment/${device.name}`, 'main h1'],
    ['reports', '/reports', 'main h1'],
  ];
  for (const [name, path, ready] of pages) {
    for (const language of ['zh', 'en']) {
      const page = await open(path, { person: 'engineer-a', language, theme: name === 'wall' ? 'dark' : 'light' });
      await page.locator(ready).first().waitFor();
      await page.waitForLoadState('domcontentloaded');
      await page.waitForTimeout(1500);
      await picture(page, `${name}-${language}`);
      await close(page);
    }
  }
});

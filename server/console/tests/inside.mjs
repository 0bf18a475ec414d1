// A fault with a live consent on one of the demo's devices, asked for and approved by the real command line.
import assert from 'node:assert/strict';
import { api, facts, lineman } from './harness.mjs';

/** Answers `{ fault, consent, device }`; `grade` as in the consent. */
export async function inside(page, { handle = 'ne-2', grade = 'gateway', doors = 'shell,exec', time = '2h' } = {}) {
  const device = facts.devices.find((one) => one.handle === handle);
  assert.ok(device, `the demo has no ${handle}`);
  const fault = await api(page, 'engineer-a', 'POST', '/faults', { equipment: device.name, title: '风扇停转 fan stopped', impact: 'none' });
  await api(page, 'engineer-a', 'POST', `/faults/${fault.number}/accept`);
  const engineer = facts.people.find((one) => one.name === 'engineer-a');
  const asked = JSON.parse(await lineman('engineer-a', 'consent', 'request', fault.number, '--grade', grade, '--doors', doors, '--for', time, '--key', engineer.key, '-o', 'json'));
  const approver = facts.people.find((one) => one.name === `approver-${device.customer.toLowerCase()}`);
  await lineman(approver.name, 'consent', 'approve', asked.id, '--key', approver.key, '--yes');
  return { fault: fault.number, consent: asked.id, device: device.name };
}

/** A session that is over, with a recording: what `commands` printed in a terminal of the page. */
export async function typed(page, ...commands) {
  for (const command of commands) {
    await page.getByLabel(/行输入|Line input/).fill(command);
    await page.keyboard.press('Enter');
  }
}

/** What the terminal shows and has shown. */
export const shown = (page, text) => page.waitForFunction((text) => document.querySelector('.xterm-rows')?.textContent.replaceAll('\u00a0', ' ').includes(text), text);

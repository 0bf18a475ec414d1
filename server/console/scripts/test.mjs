// Runs the browser tests against one real demo (server, agents, people) and in one browser.
//
//   npm test                      all
//   npm test -- tests/x.test.mjs  some
//   DEMO=/some/dir npm test       against a demo that is already up
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

const here = fileURLToPath(new URL('..', import.meta.url));
const bin = process.env.LINEMAN_BIN ?? join(here, '../../target/debug');
const asked = process.argv.slice(2);
const files = asked.length > 0 ? asked : readdirSync(join(here, 'tests')).filter((name) => name.endsWith('.test.mjs')).sort().map((name) => `tests/${name}`);

const lineman = (...args) => execFileSync(join(bin, 'lineman'), args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
const own = process.env.DEMO === undefined ? mkdtempSync(join(tmpdir(), 'lineman-console-')) : undefined;
const dir = process.env.DEMO ?? join(own, 'demo');
let browser;
let failed = 1;
try {
  if (own) lineman('demo', 'up', '--dir', dir, '--detach', '--json', '--port', '0', '--jump-port', '0', '--agents', '3');
  browser = await chromium.launchServer({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync', '--font-render-hinting=none'],
  });
  const env = { ...process.env, LINEMAN_BIN: bin, DEMO_FACTS: join(dir, 'demo.json'), BROWSER: browser.wsEndpoint() };
  const tests = spawn(process.execPath, ['--test', '--test-concurrency=1', '--test-timeout=1200000', ...files], { cwd: here, env, stdio: 'inherit' });
  failed = await new Promise((resolve) => tests.on('exit', (code) => resolve(code ?? 1)));
} finally {
  await browser?.close();
  if (own) {
    try {
      lineman('demo', 'down', '--dir', dir);
    } finally {
      rmSync(own, { recursive: true, force: true });
    }
  }
}
process.exit(failed);

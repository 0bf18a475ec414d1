// A server and a provider of a test's own, beside the demo that the other tests share.
import assert from 'node:assert/strict';
import { execFileSync, fork, spawn } from 'node:child_process';
import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { pace } from './pace.mjs';

export async function freePort() {
  const listener = createServer();
  await new Promise((resolve) => listener.listen(0, '127.0.0.1', resolve));
  const { port } = listener.address();
  await new Promise((resolve) => listener.close(resolve));
  return port;
}

const ended = (child) => new Promise((resolve) => (child.exitCode !== null || child.signalCode !== null ? resolve() : child.once('exit', resolve)));

/** A new server in a folder of its own; not a demo. */
export class Server {
  constructor() {
    this.dir = mkdtempSync(join(tmpdir(), 'lineman-own-'));
    this.folder = join(this.dir, 'server');
    const bin = process.env.LINEMAN_BIN;
    this.program = join(bin, 'lineman-server');
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', join(this.dir, 'root')]);
    const key = readFileSync(join(this.dir, 'root.pub'), 'utf8').split(' ').slice(0, 2).join(' ');
    writeFileSync(join(this.dir, 'vendor-root'), `vendor-root namespaces="roster@lineman,anchors@lineman" ${key}\n`);
  }

  async init(port) {
    this.address = `https://127.0.0.1:${port}`;
    const args = ['init', '--dir', this.folder, '--vendor-root', join(this.dir, 'vendor-root'), '--listen', `127.0.0.1:${port}`, '--jump', '127.0.0.1:0'];
    execFileSync(this.program, args, { stdio: 'pipe' });
    this.token = readFileSync(join(this.folder, 'admin-token'), 'utf8').trim();
  }

  configure(toml) {
    appendFileSync(join(this.folder, 'server.toml'), toml);
  }

  /** Until it says ready. What it says beside that is in `log`. */
  async start() {
    this.log = '';
    const env = { ...process.env, LINEMAN_LOG: 'info' };
    this.child = spawn(this.program, ['run', '--config', join(this.folder, 'server.toml')], { env, stdio: ['ignore', 'pipe', 'pipe'] });
    this.child.stderr.on('data', (data) => { this.log += data; });
    await new Promise((resolve, reject) => {
      let said = '';
      this.child.stdout.on('data', (data) => { if ((said += data).includes('ready ')) resolve(); });
      this.child.once('exit', () => reject(new Error(this.log)));
    });
  }

  async stop() {
    this.child?.kill('SIGTERM');
    if (this.child) await ended(this.child);
  }

  /** As a power cut ends it. */
  async kill() {
    this.child.kill('SIGKILL');
    await ended(this.child);
  }

  /** The one-time code of the first set-up. */
  get setupCode() {
    return /^ {4}([a-z2-7]{4}-[a-z2-7]{4}-[a-z2-7]{4})$/m.exec(this.log)?.[1];
  }

  async end() {
    await this.stop();
    rmSync(this.dir, { recursive: true, force: true });
  }
}

/** The identity provider. */
export class Idp {
  async start(redirects, secret) {
    this.port ??= await freePort();
    this.issuer = `http://127.0.0.1:${this.port}`;
    const env = { ...process.env, PORT: String(this.port), REDIRECTS: JSON.stringify(redirects), SECRET: secret, NODE_ENV: 'test' };
    this.child = fork(fileURLToPath(new URL('provider.mjs', import.meta.url)), { env, stdio: ['ignore', 'ignore', 'pipe', 'ipc'] });
    this.log = '';
    this.child.stderr.on('data', (data) => { this.log += data; });
    await new Promise((resolve, reject) => {
      this.child.once('message', resolve);
      this.child.once('exit', () => reject(new Error(this.log)));
    });
  }

  async tell(message) {
    const heard = new Promise((resolve) => this.child.once('message', resolve));
    this.child.send(message);
    await heard;
  }

  async stop() {
    this.child?.kill('SIGKILL');
    if (this.child) await ended(this.child);
  }
}

let browser;
export async function page(baseURL, { language = 'zh', ...more } = {}) {
  browser ??= await chromium.connect(process.env.BROWSER);
  const context = await browser.newContext({ baseURL, ignoreHTTPSErrors: true, reducedMotion: 'reduce', viewport: { width: 1280, height: 800 }, ...more });
  await context.addInitScript((language) => { localStorage.setItem('lineman.language', language); localStorage.setItem('lineman.theme', 'light'); }, language);
  const page = await context.newPage();
  await pace(page);
  page.wrong = [];
  page.on('pageerror', (error) => page.wrong.push(String(error)));
  return page;
}

export async function close(page) {
  assert.deepEqual(page.wrong, []);
  // A page may still ask while it goes; what a test put in between is not waited for then.
  await page.unrouteAll({ behavior: 'ignoreErrors' });
  await page.context().close();
}

export async function closeBrowser() {
  await browser?.close();
}

/** The API with a bearer token. */
export async function api(page, server, method, path, data) {
  const answer = await page.request.fetch(`${server.address}/api/v1${path}`, { method, data, headers: { authorization: `Bearer ${server.token}` } });
  assert.ok(answer.ok(), `${method} ${path}: ${await answer.text()}`);
  return answer.status() === 204 ? undefined : answer.json();
}

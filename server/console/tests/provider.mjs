// A real identity provider (oidc-provider), as a process of its own: on loopback, with accounts that the test sets.
//
// It hears { accounts }, { rotate: true } and { aheadMs } from its parent, and says { ready } and { done }.
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import Provider from 'oidc-provider';

const port = Number(process.env.PORT);
const issuer = `http://127.0.0.1:${port}`;
let accounts = {};
let keys = 0;
const KINDS = [
  () => ({ ...generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'jwk' }), alg: 'ES256' }),
  () => ({ ...generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ format: 'jwk' }), alg: 'RS256' }),
];

function made() {
  // Each rotation brings another kind of key, too.
  const key = { ...KINDS[keys % KINDS.length](), kid: `key-${keys}`, use: 'sig' };
  keys += 1;
  const provider = new Provider(issuer, {
    clients: [{
      client_id: 'lineman', client_secret: process.env.SECRET, redirect_uris: JSON.parse(process.env.REDIRECTS), grant_types: ['authorization_code'], response_types: ['code'],
      token_endpoint_auth_method: 'client_secret_basic', id_token_signed_response_alg: key.alg,
    }],
    jwks: { keys: [key] },
    cookies: { keys: [randomBytes(16).toString('hex')] },
    claims: { openid: ['sub'], profile: ['preferred_username'], email: ['email', 'email_verified'], groups: ['groups'] },
    scopes: ['openid', 'profile', 'email', 'groups'],
    pkce: { required: () => true },
    findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id, preferred_username: id, email: `${id}@support.example`, email_verified: true, groups: accounts[id] ?? [] }) }),
    ttl: { Session: 3600, Interaction: 600, Grant: 3600, AccessToken: 300, IdToken: 300 },
  });
  return provider.callback();
}

let handle = made();
createServer((request, response) => {
  // By the clock that the test may set wrong.
  response.setHeader('date', new Date().toUTCString());
  handle(request, response);
}).listen(port, '127.0.0.1', () => process.send({ ready: true }));

const RealDate = Date;
process.on('message', (message) => {
  if (message.accounts) accounts = message.accounts;
  if (message.rotate) handle = made();
  if (message.aheadMs !== undefined) {
    const ahead = message.aheadMs;
    globalThis.Date = class extends RealDate {
      constructor(...args) { super(...(args.length === 0 ? [RealDate.now() + ahead] : args)); }
      static now() { return RealDate.now() + ahead; }
    };
  }
  process.send({ done: true });
});

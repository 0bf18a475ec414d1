// A key for consents in this browser: Ed25519 by WebCrypto, which signs but can't be read out, kept in IndexedDB, one for each person.
// It signs in OpenSSH's form (SSHSIG), so whoever holds the carrier's list checks it with stock `ssh-keygen`, like any other consent.

export const NAMESPACE = 'consent-browser@lineman';
const KIND = 'ssh-ed25519';
const HASH = 'sha512';

type Bytes = Uint8Array<ArrayBuffer>;
export type PageKey = { pair: CryptoKeyPair; blob: Bytes; fingerprint: string };

const utf8 = (text: string): Bytes => new TextEncoder().encode(text);
const base64 = (bytes: Bytes): string => btoa(String.fromCharCode(...bytes));

/** SSH's strings: the length in four bytes, then the bytes. */
const packed = (...parts: (string | Bytes)[]): Bytes => Uint8Array.from(parts.flatMap((part) => {
  const bytes = typeof part === 'string' ? utf8(part) : part;
  const n = bytes.length;
  return [n >> 24, n >> 16, n >> 8, n, ...bytes];
}));
const joined = (...parts: Bytes[]): Bytes => Uint8Array.from(parts.flatMap((part) => [...part]));

async function described(pair: CryptoKeyPair): Promise<PageKey> {
  const blob = packed(KIND, new Uint8Array(await crypto.subtle.exportKey('raw', pair.publicKey)));
  const hash = new Uint8Array(await crypto.subtle.digest('SHA-256', blob));
  return { pair, blob, fingerprint: `SHA256:${base64(hash).replace(/=+$/, '')}` };
}

const done = <T>(request: IDBRequest<T>): Promise<T> => new Promise((resolve, reject) => {
  request.onsuccess = () => resolve(request.result);
  request.onerror = () => reject(request.error);
});

async function store<T>(mode: IDBTransactionMode, act: (keys: IDBObjectStore) => IDBRequest<T>): Promise<T> {
  const opening = indexedDB.open('lineman', 1);
  opening.onupgradeneeded = () => opening.result.createObjectStore('keys');
  const database = await done(opening);
  try {
    return await done(act(database.transaction('keys', mode).objectStore('keys')));
  } finally {
    database.close();
  }
}

export async function kept(person: string): Promise<PageKey | undefined> {
  const pair = await store<CryptoKeyPair | undefined>('readonly', (keys) => keys.get(person));
  return pair && described(pair);
}

export async function make(person: string): Promise<PageKey> {
  const pair = await crypto.subtle.generateKey('Ed25519', false, ['sign', 'verify']);
  await store('readwrite', (keys) => keys.put(pair, person));
  return described(pair);
}

export const remove = (person: string): Promise<unknown> => store('readwrite', (keys) => keys.delete(person));

export const publicKey = (key: PageKey): string => `${KIND} ${base64(key.blob)}`;

/** What goes into the carrier's signer list. */
export const line = (key: PageKey, person: string): string => `${person} namespaces="${NAMESPACE}" ${publicKey(key)}`;

/** The armoured signature over exactly this text. */
export async function sign(key: PageKey, text: string): Promise<string> {
  const hash = new Uint8Array(await crypto.subtle.digest('SHA-512', utf8(text)));
  const magic = utf8('SSHSIG');
  const toSign = joined(magic, packed(NAMESPACE, '', HASH, hash));
  const signature = new Uint8Array(await crypto.subtle.sign('Ed25519', key.pair.privateKey, toSign));
  const blob = joined(magic, Uint8Array.of(0, 0, 0, 1), packed(key.blob, NAMESPACE, '', HASH, packed(KIND, signature)));
  return `-----BEGIN SSH SIGNATURE-----\n${base64(blob).replace(/.{70}(?=.)/g, '$&\n')}\n-----END SSH SIGNATURE-----\n`;
}

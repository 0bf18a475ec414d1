// After the build: packs every file once, so that the server only picks, and holds the console to its size.
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { brotliCompressSync, gzipSync, constants } from 'node:zlib';

const FIRST_LOAD_MOST = 70_000;
const ALL_MOST = 450_000;

const dist = new URL('../dist/', import.meta.url).pathname;
const files = readdirSync(dist, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile() && !/\.(br|gz)$/.test(entry.name))
  .map((entry) => join(entry.parentPath, entry.name));

const gzSizes = new Map();
for (const file of files) {
  const bytes = readFileSync(file);
  const gz = gzipSync(bytes, { level: 9 });
  gzSizes.set(relative(dist, file), gz.length);
  if (bytes.length > 1000 && /\.(js|css|html|svg|json|wasm)$/.test(file)) {
    writeFileSync(`${file}.gz`, gz);
    writeFileSync(`${file}.br`, brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } }));
  }
}

// What index.html names is loaded first; the geometry of the map is data, not script.
const html = readFileSync(join(dist, 'index.html'), 'utf8');
const first = [...html.matchAll(/(?:src|href)="\/(assets\/[^"]+\.(?:js|css))"/g)].map((match) => match[1]);
const sum = (names) => names.reduce((total, name) => total + (gzSizes.get(name) ?? 0), 0);
const code = [...gzSizes.keys()].filter((name) => /\.(js|css|wasm)$/.test(name));
const [firstLoad, all] = [sum(first), sum(code)];
console.log(`first load ${(firstLoad / 1000).toFixed(1)} kB, all ${(all / 1000).toFixed(1)} kB (gzip)`);
if (firstLoad > FIRST_LOAD_MOST || all > ALL_MOST) {
  for (const name of code) console.error(`${String(gzSizes.get(name)).padStart(8)} ${first.includes(name) ? 'first ' : '      '}${name}`);
  console.error(`the console may have ${FIRST_LOAD_MOST} bytes at first and ${ALL_MOST} in all`);
  process.exit(1);
}

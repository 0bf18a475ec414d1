import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vite';

/** Areas that are small, or opened together. */
const WITH: Record<string, string> = { 'consent-key': 'consents', setup: 'account', docs: 'reports' };

/** One file for an area, not one for each small component that two pages share: many small files pack badly. */
function area(id: string): string | null {
  const name = /\/src\/pages\/(admin|[a-z-]+)\//.exec(id)?.[1];
  return name === undefined ? null : (WITH[name] ?? name);
}

export default defineConfig({
  plugins: [svelte()],
  build: {
    target: 'es2022',
    // Whatever is small goes into the bundle as text otherwise, and the content security policy refuses data: URLs in style sheets.
    assetsInlineLimit: 0,
    reportCompressedSize: false,
    sourcemap: false,
    cssCodeSplit: true,
    // Whoever does not know `modulepreload` loads a little later, and no script for it is sent to everybody.
    modulePreload: { polyfill: false },
    rolldownOptions: { output: { chunkFileNames: 'assets/[name]-[hash:6].js', assetFileNames: 'assets/[name]-[hash:6][extname]', codeSplitting: { includeDependenciesRecursively: false, groups: [{ name: 'shared', test: /\/src\/(lib|ui|shell)\// }, { name: area, test: /\/src\/pages\//, minSize: 0 }] } } },
  },
});

import { vitePreprocess } from '@sveltejs/vite-plugin-svelte';

const names = new Map();

/** Short names for scoped styles: they stand in every element that has one, and random letters don't pack. Two alike end the build. */
function cssHash({ hash, filename }) {
  const name = `s${hash(filename).slice(-4)}`;
  const other = names.get(name) ?? filename;
  if (other !== filename) throw new Error(`${filename} and ${other} have one name for their styles: rename one of the files`);
  names.set(name, filename);
  return name;
}

export default { preprocess: vitePreprocess(), compilerOptions: { runes: true, cssHash } };

import { vitePreprocess } from '@sveltejs/vite-plugin-svelte';

// Each component's own styles hang on a class of its own; a short one, as it stands at every element.
const known = new Map();

export default {
  preprocess: vitePreprocess(),
  compilerOptions: {
    runes: true,
    cssHash: ({ hash, css }) => {
      const name = `s${hash(css).slice(0, 4)}`;
      if ((known.get(name) ?? css) !== css) throw new Error(`two components would share the class ${name}: take more letters`);
      known.set(name, css);
      return name;
    },
  },
};

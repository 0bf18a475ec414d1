import { remembered } from './remembered.svelte';

export type Theme = 'system' | 'light' | 'dark';

export const theme = remembered<Theme>('theme', 'system', (text) => (text === 'light' || text === 'dark' || text === 'system' ? text : undefined));

const dark = matchMedia('(prefers-color-scheme: dark)');

export function applyTheme(): void {
  const isDark = theme.value === 'dark' || (theme.value === 'system' && dark.matches);
  document.documentElement.dataset.theme = isDark ? 'dark' : 'light';
}

dark.addEventListener('change', applyTheme);

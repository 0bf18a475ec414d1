// Two languages, equal. An area's Chinese texts are its set of keys; an English one that is missing does not compile.

import { remembered } from './remembered.svelte';

export type Language = 'zh' | 'en';

const preferred = (): Language => (navigator.languages.some((language) => language.startsWith('zh')) ? 'zh' : 'en');

export const language = remembered<Language>('language', preferred(), (text) => (text === 'zh' || text === 'en' ? text : undefined));

export function applyLanguage(): void {
  document.documentElement.lang = language.value === 'zh' ? 'zh-CN' : 'en';
}

type Values = Record<string, string | number>;

/**
 * `t('key', { n: 3 })`. `{name}` is replaced; `one|many` picks by `n`.
 */
export function texts<K extends string>(zh: Record<K, string>, en: Record<K, string>): (key: K, values?: Values) => string {
  return (key, values) => {
    const [one = '', many = one] = (language.value === 'zh' ? zh : en)[key].split('|');
    const text = values?.n === undefined || values.n === 1 ? one : many;
    return values === undefined ? text : text.replace(/\{(\w+)\}/g, (whole, name: string) => String(values[name] ?? whole));
  };
}

/** A word of the API in both languages. */
export type Word = { zh: string; en: string };

export const word = (words: Word): string => words[language.value];

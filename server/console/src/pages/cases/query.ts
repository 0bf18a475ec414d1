// The filters within a search's line of text, as the server reads them: `product:OLT,BBU -state:wip "rx power" 风扇`.

import type { Schema } from '../../lib/api';

export type Facet = Schema['CaseFacet'];
export type Filter = { key: Facet; value: string; negate: boolean };

const FACETS: readonly Facet[] = ['product', 'model', 'version', 'code', 'cause', 'language', 'state', 'audience'];
/** A filter, a quoted phrase, or a word; in the order of the text. */
const PART = /-?[a-z]+:(?:"[^"]*"|[^\s"])+|"[^"]*"?|[^\s"]+/g;

const isFacet = (key: string): key is Facet => (FACETS as readonly string[]).includes(key);

/** `a,"b c"` to `a` and `b c`. */
function values(text: string): string[] {
  return [...text.matchAll(/"([^"]*)"|([^,"]+)/g)].map(([, quoted, bare]) => quoted ?? bare ?? '').filter((value) => value !== '');
}

const quoted = (value: string): string => (/[\s,"]/.test(value) ? `"${value.replaceAll('"', '')}"` : value);

type Part = { text: string; key?: Facet; negate: boolean; values: string[] };

function parts(text: string): Part[] {
  return (text.match(PART) ?? []).map((part) => {
    const [, minus = '', key = '', rest = ''] = /^(-?)([a-z]+):(.+)$/s.exec(part) ?? [];
    return isFacet(key) ? { text: part, key, negate: minus === '-', values: values(rest) } : { text: part, negate: false, values: [] };
  });
}

export const filtersOf = (text: string): Filter[] =>
  parts(text).flatMap(({ key, negate, values }) => (key === undefined ? [] : values.map((value) => ({ key, value, negate }))));

/** What is asked, without the filters. */
export const wordsOf = (text: string): string =>
  parts(text).filter((part) => part.key === undefined).map((part) => part.text).join(' ');

export const isChosen = (text: string, key: Facet, value: string): boolean =>
  filtersOf(text).some((filter) => !filter.negate && filter.key === key && filter.value.toLowerCase() === value.toLowerCase());

/** The same question without one of its filters. */
export function without(text: string, { key, value, negate }: Filter): string {
  const kept = parts(text).flatMap((part) => {
    if (part.key !== key || part.negate !== negate) return [part.text];
    const rest = part.values.filter((one) => one.toLowerCase() !== value.toLowerCase());
    return rest.length === 0 ? [] : [`${negate ? '-' : ''}${key}:${rest.map(quoted).join(',')}`];
  });
  return kept.join(' ');
}

/** Another value of a facet widens it, and another facet narrows the question. */
export function having(text: string, key: Facet, value: string): string {
  if (isChosen(text, key, value)) return text;
  let added = false;
  const all = parts(text).map((part) => {
    if (added || part.key !== key || part.negate) return part.text;
    added = true;
    return `${key}:${[...part.values, value].map(quoted).join(',')}`;
  });
  return [...all, ...(added ? [] : [`${key}:${quoted(value)}`])].join(' ');
}

export const toggled = (text: string, key: Facet, value: string): string =>
  isChosen(text, key, value) ? without(text, { key, value, negate: false }) : having(text, key, value);

export const withoutFilters = wordsOf;

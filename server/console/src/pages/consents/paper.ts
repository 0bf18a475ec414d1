// A signed statement as its lines: `key: value`, in the order in which they were signed. Nothing here believes anything; it is for reading.

import type { Schema } from '../../lib/api';

export type Line = readonly [key: string, value: string];

export function lines(text: string): readonly Line[] {
  return text.split('\n').filter((line) => line.includes(': ')).map((line) => {
    const at = line.indexOf(': ');
    return [line.slice(0, at), line.slice(at + 2)] as const;
  });
}

export const value = (text: string, key: string): string | undefined => lines(text).find(([name]) => name === key)?.[1];

export const bytes = (text: string): number => new TextEncoder().encode(text).length;

/** What would hide in a text that is read before it is signed: shown as what it is. */
export function visible(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (c) => (c === '\n' ? c : `\\u{${(c.codePointAt(0) ?? 0).toString(16)}}`));
}

/** `shell,exec,forward:10.0.0.5:443` as its parts. */
export const doorsOf = (doors: string | null | undefined): readonly string[] => (doors ?? '').split(',').filter(Boolean);

export const isOpen = (consent: Schema['ConsentView']): boolean => consent.state === 'requested';
export const isIn = (consent: Schema['ConsentView']): boolean => consent.state === 'live' || consent.state === 'approved';

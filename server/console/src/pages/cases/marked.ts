// What of a text matched. The server counts Unicode characters, a browser's strings count UTF-16 units.

import type { Schema } from '../../lib/api';

export type Stretch = { text: string; marked: boolean };

export function stretches({ text, spans }: Pick<Schema['Highlight'], 'text' | 'spans'>): Stretch[] {
  const letters = [...text];
  const all: Stretch[] = [];
  let at = 0;
  for (const [begin = 0, end = 0] of spans) {
    if (begin < at || end <= begin || end > letters.length) continue;
    if (begin > at) all.push({ text: letters.slice(at, begin).join(''), marked: false });
    const before = all.at(-1);
    // Neighbours are one: two bigrams beside each other are one word to a reader.
    if (before?.marked && begin === at) before.text += letters.slice(begin, end).join('');
    else all.push({ text: letters.slice(begin, end).join(''), marked: true });
    at = end;
  }
  if (at < letters.length) all.push({ text: letters.slice(at).join(''), marked: false });
  return all;
}

// A filter line taken apart, so that each part of it can be a chip that goes away with one click. The grammar is the server's; what is
// not understood here stays as it is.

export type Part = {
  /** As it was typed. */
  text: string;
  /** A filter has a key; a word has none. */
  key?: string;
  value: string;
  negate: boolean;
};

const FILTER = /^(-?)([\p{Script=Han}a-z_]+)[:：](.+)$/su;
/** A stretch without spaces, in which quotes hold spaces together. */
const STRETCH = /(?:"[^"]*"|[^\s"])+/g;

export function parts(line: string): Part[] {
  return (line.match(STRETCH) ?? []).map((text) => {
    const filter = FILTER.exec(text);
    if (!filter) return { text, value: bare(text), negate: false };
    const [, minus, key = '', value = ''] = filter;
    return { text, key, value: bare(value), negate: minus === '-' };
  });
}

const bare = (text: string): string => text.replaceAll('"', '');

export const without = (line: string, at: number): string => join(parts(line).filter((_, i) => i !== at));

/** With this part; one of the same key gives way to it. */
export function having(line: string, part: string): string {
  const added = parts(part)[0];
  return join([...parts(line).filter((one) => one.text !== part && (added?.key === undefined || one.key !== added.key)), { text: part }]);
}

const join = (all: readonly { text: string }[]): string => all.map((part) => part.text).join(' ');

/** Keys by which a line says itself which states it wants. */
export const says = (line: string, ...keys: string[]): boolean => parts(line).some((part) => part.key !== undefined && keys.includes(part.key));

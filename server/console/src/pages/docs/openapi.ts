// The server's description of its API, as far as a page needs it to be read by people.

export type Shape = {
  $ref?: string;
  type?: string | string[];
  title?: string;
  description?: string;
  properties?: Record<string, Shape>;
  required?: string[];
  items?: Shape;
  additionalProperties?: Shape | boolean;
  allOf?: Shape[];
  oneOf?: Shape[];
  anyOf?: Shape[];
  enum?: unknown[];
  const?: unknown;
  default?: unknown;
  examples?: unknown[];
  format?: string;
  pattern?: string;
  minimum?: number;
  maximum?: number;
};
export type Parameter = { name: string; in: 'path' | 'query' | 'header' | 'cookie'; description?: string; required?: boolean; schema?: Shape };
type Content = Record<string, { schema?: Shape }>;
export type Answer = { description?: string; content?: Content };
type Described = {
  tags?: string[];
  summary?: string;
  description?: string;
  parameters?: Parameter[];
  requestBody?: { content: Content; required?: boolean };
  responses: Record<string, Answer>;
  security?: unknown[];
};
export type Description = {
  info: { title: string; version: string; description?: string };
  paths: Record<string, Record<string, Described>>;
  components: { schemas: Record<string, Shape> };
  security?: unknown[];
};

export type Operation = Described & { id: string; method: string; path: string; tag: string; words: string };

const METHODS = ['get', 'post', 'put', 'patch', 'delete'];

export function operations(doc: Description): Operation[] {
  return Object.entries(doc.paths).flatMap(([path, methods]) =>
    METHODS.flatMap((method) => {
      const one = methods[method];
      if (one === undefined) return [];
      const tag = one.tags?.[0] ?? '';
      const words = [method, path, tag, one.summary, one.description, ...(one.parameters ?? []).flatMap(({ name, description }) => [name, description])];
      return [{ ...one, id: `${method} ${path}`, method: method.toUpperCase(), path, tag, words: words.filter(Boolean).join(' ').toLowerCase() }];
    }),
  );
}

export const nameOf = (ref: string): string => ref.slice(ref.lastIndexOf('/') + 1);

export const resolved = (doc: Description, shape: Shape): Shape =>
  shape.$ref === undefined ? shape : { ...(doc.components.schemas[nameOf(shape.$ref)] ?? {}), ...(shape.description !== undefined && { description: shape.description }) };

const isNull = (shape: Shape): boolean => shape.type === 'null';

/** `allOf`, and what may be null, made plain. */
export function plain(doc: Description, given: Shape): { shape: Shape; orNull: boolean; names: string[] } {
  const names: string[] = [];
  let shape = given;
  let orNull = false;
  // A description that names itself ends here, too.
  for (let step = 0; step < 20; step++) {
    if (shape.$ref !== undefined) {
      names.push(nameOf(shape.$ref));
      shape = resolved(doc, shape);
      continue;
    }
    const either = shape.oneOf ?? shape.anyOf;
    const some = either?.filter((one) => !isNull(one));
    if (either !== undefined && some !== undefined && some.length === 1 && some[0] !== undefined) {
      orNull ||= some.length < either.length;
      shape = some[0];
      continue;
    }
    break;
  }
  if (Array.isArray(shape.type) && shape.type.includes('null')) orNull = true;
  return { shape, orNull, names };
}

/** The properties of an object, those of all that it is put together from. */
export function properties(doc: Description, shape: Shape, seen: readonly string[] = []): { name: string; of: Shape; required: boolean }[] {
  const all = Object.entries(shape.properties ?? {}).map(([name, of]) => ({ name, of, required: shape.required?.includes(name) ?? false }));
  for (const part of shape.allOf ?? []) {
    const name = part.$ref === undefined ? undefined : nameOf(part.$ref);
    if (name !== undefined && seen.includes(name)) continue;
    all.push(...properties(doc, resolved(doc, part), name === undefined ? seen : [...seen, name]));
  }
  return all;
}

/** In a word or two: `string`, `CaseNumber`, `[Fault]`, `"a" | "b"`. */
export function typeName(doc: Description, given: Shape, depth = 0): string {
  if (depth > 6) return '…';
  const { shape, orNull, names } = plain(doc, given);
  const tail = orNull ? ' | null' : '';
  const last = names.at(-1);
  if (last !== undefined && shape.type !== 'string' && shape.type !== 'integer' && shape.type !== 'number') return last + tail;
  if (shape.enum) return (last ?? shape.enum.map((one) => JSON.stringify(one)).join(' | ')) + tail;
  if (shape.const !== undefined) return JSON.stringify(shape.const) + tail;
  const many = shape.oneOf ?? shape.anyOf;
  if (many) return (last ?? many.map((one) => typeName(doc, one, depth + 1)).join(' | ')) + tail;
  const types = (Array.isArray(shape.type) ? shape.type : [shape.type ?? (shape.properties || shape.allOf ? 'object' : 'any')]).filter((one) => one !== 'null');
  if (types[0] === 'array') return `[${shape.items ? typeName(doc, shape.items, depth + 1) : 'any'}]${tail}`;
  const bare = types.join(' | ') + (shape.format ? ` (${shape.format})` : '');
  return (last === undefined ? bare : `${last}: ${bare}`) + tail;
}

export const isOpenable = (doc: Description, given: Shape): boolean => {
  const { shape } = plain(doc, given);
  return properties(doc, shape).length > 0 || (shape.oneOf ?? shape.anyOf ?? []).length > 1
    || (shape.items !== undefined && isOpenable1(doc, shape.items)) || (typeof shape.additionalProperties === 'object' && isOpenable1(doc, shape.additionalProperties));
};
/** One level: a list of lists of itself would never end. */
const isOpenable1 = (doc: Description, given: Shape): boolean => {
  const { shape } = plain(doc, given);
  return properties(doc, shape).length > 0 || (shape.oneOf ?? shape.anyOf ?? []).length > 1;
};

/** A body that has what must be there, to begin with. */
export function example(doc: Description, given: Shape, seen: readonly string[] = []): unknown {
  const { shape, names } = plain(doc, given);
  if (names.some((name) => seen.includes(name)) || seen.length > 6) return {};
  const inside = [...seen, ...names];
  if (shape.examples?.[0] !== undefined) return shape.examples[0];
  if (shape.default !== undefined && shape.default !== null) return shape.default;
  if (shape.const !== undefined) return shape.const;
  if (shape.enum) return shape.enum[0];
  const many = shape.oneOf ?? shape.anyOf;
  if (many?.[0] !== undefined) return example(doc, many[0], inside);
  const all = properties(doc, shape);
  if (all.length > 0) {
    const needed = all.filter((one) => one.required);
    const some = needed.length > 0 ? needed : all.slice(0, 2);
    return Object.fromEntries(some.map(({ name, of }) => [name, example(doc, of, inside)]));
  }
  const type = Array.isArray(shape.type) ? shape.type.find((one) => one !== 'null') : shape.type;
  switch (type) {
    case 'array': return shape.items ? [example(doc, shape.items, inside)] : [];
    case 'integer': case 'number': return shape.minimum ?? 1;
    case 'boolean': return true;
    case 'string': return ofPattern(shape);
    default: return {};
  }
}

function ofPattern(shape: Shape): string {
  if (shape.format === 'date-time') return '2026-11-22T06:00:00Z';
  if (shape.format === 'date') return '2026-11-22';
  const id = /^\^([a-z]+_)\[0-9a-f\]\{32\}\$$/.exec(shape.pattern ?? '');
  return id ? `${id[1]}${'0'.repeat(32)}` : '…';
}

const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;

export function curl(doc: Description, one: Operation, server: string): string {
  const parameters = one.parameters ?? [];
  const needed = parameters.filter((of) => of.in === 'query' && of.required);
  const query = needed.map(({ name }) => `${encodeURIComponent(name)}=…`).join('&');
  const body = one.requestBody?.content['application/json']?.schema;
  const lines = [
    `curl -s --cacert ca.pem${one.method === 'GET' ? '' : ` -X ${one.method}`}`,
    ...(one.security === undefined || one.security.length > 0 ? [`-H "Authorization: Bearer $TOKEN"`] : []),
    ...parameters.filter((of) => of.in === 'header').map(({ name }) => `-H ${quoted(`${name}: …`)}`),
    ...(body ? [`-H 'content-type: application/json'`, `-d ${quoted(JSON.stringify(example(doc, body)))}`] : []),
    quoted(`${server}${one.path}${query && `?${query}`}`),
  ];
  return lines.join(' \\\n  ');
}

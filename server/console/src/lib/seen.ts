// What a list had on its rows, kept for the way between them: the header of a fault that is opened shows at once, and `[` and `]` go to
// its neighbours in the list that one came from.

import { api, ask, type Schema } from './api';

type Row = Schema['Fault'];

const rows = new Map<string, Row>();
let order: readonly string[] = [];

/** Called by lists of faults with what they show, in its order. */
export function cameFrom(list: readonly Row[]): void {
  order = list.map((row) => row.number);
  for (const row of list) rows.set(row.number, row);
}

export function remembered(fault: string): Row | undefined {
  return rows.get(fault);
}

/** The fault `by` places further; that of the open faults with the least time left when no list was open. */
export async function neighbour(fault: string, by: number): Promise<string | undefined> {
  if (!order.includes(fault)) cameFrom((await ask(api.GET('/api/v1/faults', { params: { query: { sort: 'left' } } }))).items);
  const at = order.indexOf(fault);
  return at < 0 ? order[0] : order[at + by];
}

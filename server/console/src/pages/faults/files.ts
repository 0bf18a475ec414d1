// A list as a table of the columns that are shown, for people, and as JSON for programs.

import type { Column } from './columns';
import { titleOf } from './columns';
import type { Row } from './listed.svelte';

export function asTable(columns: readonly Column[], rows: readonly Row[]): string[][] {
  return [columns.map(titleOf), ...rows.map((row) => columns.map((column) => column.text(row)))];
}

export function json(columns: readonly Column[], rows: readonly Row[]): string {
  return JSON.stringify(rows.map((row) => Object.fromEntries(columns.map((column) => [column.key, column.value(row)]))), null, 2);
}

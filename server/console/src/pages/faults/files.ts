// A list as a file: for Excel, which wants a byte order mark to read UTF-8, or for programs.

import type { Column } from './columns';
import { titleOf } from './columns';
import type { Row } from './listed.svelte';

const BOM = '\uFEFF';

/** A spreadsheet runs what begins like a formula; titles come from devices and must not. */
const harmless = (text: string): string => (/^[=+\-@\t\r]/.test(text) && !/^-?[\d:.]+$/.test(text) ? `'${text}` : text);
const quoted = (text: string): string => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);

export function csv(columns: readonly Column[], rows: readonly Row[]): string {
  const lines = [columns.map(titleOf), ...rows.map((row) => columns.map((column) => harmless(column.text(row))))];
  return BOM + lines.map((cells) => cells.map(quoted).join(',')).join('\r\n') + '\r\n';
}

export function json(columns: readonly Column[], rows: readonly Row[]): string {
  return JSON.stringify(rows.map((row) => Object.fromEntries(columns.map((column) => [column.key, column.value(row)]))), null, 2);
}

export function save(name: string, type: string, text: string): void {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(new Blob([text], { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

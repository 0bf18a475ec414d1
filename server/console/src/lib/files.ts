// Files that a page makes: saved by the browser, tables in the way that spreadsheets read them.

/** Without it Excel takes UTF-8 for something else. The API's own CSV has none: programs don't want it. */
const BYTE_ORDER_MARK = '\uFEFF';

/** Long enough for any browser to have begun reading. */
const KEPT_MS = 60_000;

/** A spreadsheet runs what begins like a formula; titles come from devices and must not. */
const harmless = (text: string): string => (/^[=+\-@\t\r]/.test(text) && !/^-?[\d:.]+$/.test(text) ? `'${text}` : text);
const quoted = (text: string): string => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);

export function csv(rows: readonly (readonly string[])[]): string {
  return rows.map((cells) => `${cells.map((cell) => quoted(harmless(cell))).join(',')}\r\n`).join('');
}

export function saveCsv(name: string, table: string): void {
  save(name, 'text/csv;charset=utf-8', BYTE_ORDER_MARK + table);
}

export function save(name: string, type: string, text: string): void {
  const href = URL.createObjectURL(new Blob([text], { type }));
  Object.assign(document.createElement('a'), { href, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(href), KEPT_MS);
}

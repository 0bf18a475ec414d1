// The steps of a case are text that people write: numbered lines, with commands in them.

export type Piece = { text: string; command: boolean };
export type Step = { pieces: Piece[] };

/** `1.`, `2)`, `3、`, `-`, `*`, `①` at the beginning of a line. */
const NUMBER = /^\s*(?:\d{1,3}\s*[.)、．）:：]\s*|[-*•·]\s+|[①-⑳]\s*)/;
/**
 * What can be copied: `in backticks`, the rest of a line behind `$ `, and behind a colon or comma what begins with a tool's name.
 */
const COMMAND =
  /`([^`]+)`|^\s*\$\s+(.+)$|(?<=[:：,，;；、]\s*)((?:ne|show|display|ping|traceroute|ip|lineman|systemctl|journalctl|dmesg|df|cat|ls)(?:\s+[\w./:@=-]*[\w/])+)/gm;

export function piecesOf(line: string): Piece[] {
  const pieces: Piece[] = [];
  let at = 0;
  for (const found of line.matchAll(COMMAND)) {
    const command = found[1] ?? found[2] ?? found[3];
    if (command === undefined) continue;
    if (found.index > at) pieces.push({ text: line.slice(at, found.index), command: false });
    pieces.push({ text: command, command: true });
    at = found.index + found[0].length;
  }
  if (at < line.length) pieces.push({ text: line.slice(at), command: false });
  return pieces;
}

/** A line without a number of its own belongs to the step before it, where steps are numbered at all. */
export function stepsOf(text: string): Step[] {
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  const numbered = lines.some((line) => NUMBER.test(line));
  const steps: string[] = [];
  for (const line of lines) {
    if (numbered && !NUMBER.test(line) && steps.length > 0) steps[steps.length - 1] += `\n${line}`;
    else steps.push(line.replace(NUMBER, ''));
  }
  return steps.map((step) => ({ pieces: piecesOf(step) }));
}

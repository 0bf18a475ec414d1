// Single keys, as people know them from other tools. Off while somebody types, and while an input method composes.

import { tick, untrack } from 'svelte';
import { tinykeys } from 'tinykeys';

export type Key = {
  /** In tinykeys' words: `j`, `g f`, `Shift+J`, `$mod+k`. */
  keys: string;
  label: () => string;
  run: (event: KeyboardEvent) => void;
  /** Also while typing, like Ctrl+Enter. */
  whileTyping?: boolean;
  /** Not on the sheet: a second name of another key. */
  hidden?: boolean;
};

type Group = { title: () => string; keys: readonly Key[] };

class Keys {
  groups = $state.raw<readonly Group[]>([]);

  /** For as long as the component lives. Call it while a component is made. */
  use(title: () => string, keys: readonly Key[]): void {
    $effect(() => this.add(title, keys));
  }

  add(title: () => string, keys: readonly Key[]): () => void {
    const group = { title, keys };
    // Whoever adds in an effect does not follow what others add.
    this.groups = [...untrack(() => this.groups), group];
    const bindings = Object.fromEntries(keys.map((key) => [key.keys, (event: KeyboardEvent) => press(key, event)]));
    const end = tinykeys(window, bindings);
    return () => {
      end();
      this.groups = this.groups.filter((other) => other !== group);
    };
  }
}

export const keys = new Keys();

function press(key: Key, event: KeyboardEvent): void {
  // 229: an input method has the key, in browsers that don't say `isComposing`.
  if (event.defaultPrevented || event.isComposing || event.keyCode === 229) return;
  if (!key.whileTyping && takesText(event.target)) return;
  if (pressesFocused(event)) return;
  // In a dialog, its own keys count alone.
  const dialog = openDialog();
  if (dialog !== null && !key.whileTyping && !(event.target instanceof Node && dialog.contains(event.target) && key.hidden)) return;
  event.preventDefault();
  key.run(event);
}

/** Whatever has the focus keeps the keys that press it. */
function pressesFocused(event: KeyboardEvent): boolean {
  const bare = !event.ctrlKey && !event.metaKey && !event.altKey;
  return bare && (event.key === 'Enter' || event.key === ' ') && event.target instanceof Element && event.target.closest('a, button, summary, select, input:not([type=range])') !== null;
}

/** Keys pressed while a page is on its way are meant for it, not for the one that still stands. They wait, though not for long. */
class Ahead {
  #pressed: KeyboardEvent[] | undefined;

  constructor() {
    addEventListener('keydown', (event) => this.#keep(event), { capture: true });
  }

  wait(): void {
    this.#pressed ??= [];
  }

  forget(): void {
    this.#pressed = undefined;
  }

  /** The page stands: it gets what was pressed, as if now. */
  async arrive(): Promise<void> {
    for (let event; (event = this.#pressed?.shift()) !== undefined; await tick()) pressAgain(event);
    this.forget();
  }

  #keep(event: KeyboardEvent): void {
    if (this.#pressed === undefined || !event.isTrusted || event.isComposing || event.keyCode === 229) return;
    if (event.ctrlKey || event.metaKey || event.altKey || (event.key.length > 1 && event.key !== 'Enter')) return;
    if (takesText(event.target) || pressesFocused(event) || openDialog() !== null) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    this.#pressed.push(event);
  }
}

const STALE_MS = 5000;

function pressAgain({ key, code, shiftKey, timeStamp }: KeyboardEvent): void {
  const target = document.activeElement ?? document.body;
  if (performance.now() - timeStamp > STALE_MS) return;
  if (!target.dispatchEvent(new KeyboardEvent('keydown', { key, code, shiftKey, bubbles: true, cancelable: true }))) return;
  // What a browser does by itself with a key that a person presses.
  if (key.length === 1 && takesText(target)) document.execCommand('insertText', false, key);
  else if (key === 'Enter' && target instanceof HTMLInputElement) target.form?.requestSubmit();
  else if (key === 'Enter' && target instanceof HTMLElement) target.click();
}

export const ahead = new Ahead();

/** An input method has not said yet which letters it means. */
export const composing = (event: Event | undefined): boolean => event instanceof InputEvent && event.isComposing;

export const openDialog = (): Element | null => document.querySelector('dialog[open]');

export function takesText(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false;
  if (target instanceof HTMLInputElement) return !['checkbox', 'radio', 'button', 'submit', 'range', 'color'].includes(target.type);
  return target instanceof HTMLTextAreaElement || target instanceof HTMLSelectElement || target.isContentEditable || target.closest('.xterm') !== null;
}

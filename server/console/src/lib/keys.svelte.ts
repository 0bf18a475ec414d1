// Single keys, as people know them from other tools. Off while somebody types, and while an input method composes.

import { untrack } from 'svelte';
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
  // Whatever has the focus keeps the keys that press it.
  const bare = !event.ctrlKey && !event.metaKey && !event.altKey;
  if (bare && (event.key === 'Enter' || event.key === ' ') && event.target instanceof Element && event.target.closest('a, button, summary, select, input:not([type=range])')) return;
  // In a dialog, its own keys count alone.
  const dialog = openDialog();
  if (dialog !== null && !key.whileTyping && !(event.target instanceof Node && dialog.contains(event.target) && key.hidden)) return;
  event.preventDefault();
  key.run(event);
}

/** An input method has not said yet which letters it means. */
export const composing = (event: Event | undefined): boolean => event instanceof InputEvent && event.isComposing;

export const openDialog = (): Element | null => document.querySelector('dialog[open]');

export function takesText(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false;
  if (target instanceof HTMLInputElement) return !['checkbox', 'radio', 'button', 'submit', 'range', 'color'].includes(target.type);
  return target instanceof HTMLTextAreaElement || target instanceof HTMLSelectElement || target.isContentEditable || target.closest('.xterm') !== null;
}

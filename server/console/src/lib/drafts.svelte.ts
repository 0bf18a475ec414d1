// What somebody is typing survives a reload, a crash of the browser and an expired sign-in.

import { me } from './me.svelte';
import { recall, remember } from './remembered.svelte';

export class Draft<T extends object> {
  value: T = $state() as T;
  savedAt = $state<number>();
  readonly #name: string;
  readonly #empty: () => T;

  /** `name` like `fault.F-JW-17.note`. Call it while a component is made: it saves by itself from then on. */
  constructor(name: string, empty: () => T) {
    this.#name = `draft.${me.person?.name ?? '-'}.${name}`;
    this.#empty = empty;
    this.value = this.#kept() ?? empty();
    const clean = JSON.stringify(empty());
    $effect(() => {
      const text = JSON.stringify(this.value);
      remember(this.#name, text === clean ? undefined : text);
      this.savedAt = text === clean ? undefined : Date.now();
    });
  }

  /** It was sent, or thrown away. */
  clear(): void {
    this.value = this.#empty();
  }

  #kept(): T | undefined {
    try {
      const kept: unknown = JSON.parse(recall(this.#name) ?? 'null');
      return kept !== null && typeof kept === 'object' ? { ...this.#empty(), ...kept } : undefined;
    } catch {
      return undefined;
    }
  }
}

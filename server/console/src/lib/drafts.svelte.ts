// What somebody is typing survives a reload, a crash of the browser and an expired sign-in.

import { me } from './me.svelte';
import { recall, remember } from './remembered.svelte';

/** Of who is here now: what is kept under it stays theirs, whoever signs in next. */
export const draftName = (name: string): string => `draft.${me.person?.name ?? '-'}.${name}`;

export const keepDraft = (name: string, value: object): void => remember(name, JSON.stringify(value));

export const dropDraft = (name: string): void => remember(name, undefined);

export function keptDraft<T extends object>(name: string): Partial<T> | undefined {
  try {
    const kept: unknown = JSON.parse(recall(name) ?? 'null');
    return kept !== null && typeof kept === 'object' ? kept : undefined;
  } catch {
    return undefined;
  }
}

export class Draft<T extends object> {
  value: T = $state() as T;
  savedAt = $state<number>();
  readonly #name: string;
  readonly #empty: () => T;

  /** `name` like `fault.F-JW-17.note`. Call it while a component is made: it saves by itself from then on. */
  constructor(name: string, empty: () => T) {
    this.#name = draftName(name);
    this.#empty = empty;
    this.value = { ...empty(), ...keptDraft<T>(this.#name) };
    const clean = JSON.stringify(empty());
    $effect(() => {
      const text = JSON.stringify(this.value);
      if (text === clean) dropDraft(this.#name);
      else keepDraft(this.#name, this.value);
      this.savedAt = text === clean ? undefined : Date.now();
    });
  }

  /** It was sent, or thrown away. */
  clear(): void {
    this.value = this.#empty();
  }
}

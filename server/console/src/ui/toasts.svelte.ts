// Short words about what was done, with the way back where there is one. They stay long enough to be read, longer while pointed at, and
// until nobody is kept from them by a dialog.

import { openDialog } from '../lib/keys.svelte';

type Toast = { id: number; text: string; bad: boolean; undo: (() => Promise<unknown>) | undefined };

const SHOWN_MS = 5000;
/** After whatever held them has gone, they stay up to this long. */
const AGAIN_MS = 2000;

class Toasts {
  all = $state.raw<readonly Toast[]>([]);
  #next = 0;

  say(text: string, undo?: () => Promise<unknown>): void {
    this.#add({ id: this.#next++, text, bad: false, undo });
  }

  fail(text: string): void {
    this.#add({ id: this.#next++, text, bad: true, undo: undefined });
  }

  end(id: number): void {
    this.all = this.all.filter((toast) => toast.id !== id);
  }

  #add(toast: Toast): void {
    this.all = [...this.all.slice(-2), toast];
    this.#wait(toast.id, toast.bad ? SHOWN_MS * 2 : SHOWN_MS);
  }

  #wait(id: number, ms: number): void {
    setTimeout(() => {
      if (document.querySelector('.toasts:hover, .toasts:focus-within') ?? openDialog()) this.#wait(id, AGAIN_MS);
      else this.end(id);
    }, ms);
  }
}

export const toasts = new Toasts();

// Short words about what was done, with the way back where there is one. They stay long enough to be read, and longer while pointed at.

type Toast = { id: number; text: string; bad: boolean; undo: (() => Promise<unknown>) | undefined };

const SHOWN_MS = 5000;

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
    setTimeout(() => this.end(toast.id), toast.bad ? SHOWN_MS * 2 : SHOWN_MS);
  }
}

export const toasts = new Toasts();

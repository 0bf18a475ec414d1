// A list that is read page by page: what follows the first page stays under it until the first is read anew.

import { asFailure, type Failure } from './failure';

type Page<T> = { items: readonly T[]; next?: string | null };

export class Paged<T> {
  readonly #first: () => Page<T> | undefined;
  readonly #read: (after: string) => Promise<Page<T>>;
  #later = $state.raw<Page<T> & { of: unknown }>();
  #reading = false;
  /** Why the next page did not come. */
  failure = $state.raw<Failure>();

  constructor(first: () => Page<T> | undefined, read: (after: string) => Promise<Page<T>>) {
    this.#first = first;
    this.#read = read;
  }

  get rows(): readonly T[] {
    const first = this.#first();
    return first === undefined ? [] : this.#later?.of === first ? [...first.items, ...this.#later.items] : first.items;
  }

  get hasMore(): boolean {
    const of = this.#first();
    return (this.#later?.of === of ? this.#later?.next : of?.next) != null;
  }

  /** `again`: a person asks for it, after it failed. */
  async more(again = false): Promise<void> {
    const of = this.#first();
    const before = this.#later?.of === of ? this.#later : undefined;
    const next = before ? before.next : of?.next;
    if (!next || this.#reading || (this.failure !== undefined && !again)) return;
    this.#reading = true;
    try {
      const page = await this.#read(next);
      if (this.#first() === of) this.#later = { of, items: [...(before?.items ?? []), ...page.items], next: page.next ?? null };
      this.failure = undefined;
    } catch (error) {
      this.failure = asFailure(error);
    } finally {
      this.#reading = false;
    }
  }
}

// The address is the state: a page, and what is filtered and opened on it. Links are links.

class Route {
  #url = $state.raw(new URL(location.href));
  /** Where a person was in a list, for the way back and for "next". */
  #before: string | undefined;

  constructor() {
    addEventListener('popstate', () => (this.#url = new URL(location.href)));
    document.addEventListener('click', (click) => this.#clicked(click));
  }

  get path(): string {
    return this.#url.pathname;
  }

  get query(): URLSearchParams {
    return this.#url.searchParams;
  }

  get whole(): string {
    return this.#url.pathname + this.#url.search;
  }

  go(to: string, { replace = false } = {}): void {
    const url = new URL(to, location.href);
    if (url.href === location.href) return;
    if (url.pathname !== this.#url.pathname) this.#before = this.whole;
    history[replace ? 'replaceState' : 'pushState'](null, '', url);
    this.#url = url;
    if (!replace) scrollTo(0, 0);
  }

  /** Sets what stands behind the question mark; `undefined` takes it away. Typing replaces, choosing is a step that "back" undoes. */
  ask(values: Record<string, string | undefined>, { replace = false } = {}): void {
    const url = new URL(this.#url);
    for (const [name, value] of Object.entries(values)) {
      if (value === undefined || value === '') url.searchParams.delete(name);
      else url.searchParams.set(name, value);
    }
    this.go(url.pathname + url.search, { replace });
  }

  /** Back to where one came from inside the console, else to `fallback`. */
  back(fallback: string): void {
    if (this.#before === undefined) this.go(fallback);
    else history.back();
  }

  #clicked(click: MouseEvent): void {
    if (click.defaultPrevented || click.button !== 0 || click.metaKey || click.ctrlKey || click.shiftKey || click.altKey) return;
    // A link of a drawing is no HTMLAnchorElement, and its `href` an object.
    const link = (click.target as Element | null)?.closest('a[href]');
    if (!link || link.getAttribute('target') || link.hasAttribute('download')) return;
    const to = new URL(link.getAttribute('href') ?? '', location.href);
    if (to.origin !== location.origin || to.pathname.startsWith('/api/')) return;
    click.preventDefault();
    this.go(to.href);
  }
}

export const route = new Route();

/** `/faults/:fault` against `/faults/F-JW-17`. */
export function match(pattern: string, path: string): Record<string, string> | undefined {
  const [wanted, given] = [pattern.split('/'), path.split('/')];
  if (wanted.length !== given.length) return undefined;
  const found: Record<string, string> = {};
  for (const [i, part] of wanted.entries()) {
    const here = given[i] ?? '';
    if (part.startsWith(':') && here !== '') {
      try {
        found[part.slice(1)] = decodeURIComponent(here);
      } catch {
        return undefined;
      }
    } else if (part !== here) {
      return undefined;
    }
  }
  return found;
}

// Small choices of a person, kept by the browser: language, theme, drafts. Never anything secret.

const PREFIX = 'lineman.';

export type Remembered<T> = { value: T };

export function remembered<T extends string>(name: string, fallback: T, read: (text: string) => T | undefined): Remembered<T> {
  let value = $state(read(recall(name) ?? '') ?? fallback);
  return {
    get value() {
      return value;
    },
    set value(next: T) {
      value = next;
      remember(name, next);
    },
  };
}

export function recall(name: string): string | undefined {
  try {
    return localStorage.getItem(PREFIX + name) ?? undefined;
  } catch {
    return undefined;
  }
}

export function remember(name: string, text: string | undefined): void {
  try {
    if (text === undefined) localStorage.removeItem(PREFIX + name);
    else localStorage.setItem(PREFIX + name, text);
  } catch {
    // A browser that keeps nothing is no reason to stop working.
  }
}

/** Somebody signs in: the drafts of others who used this computer are forgotten, but not the reports that they meant to send. */
export function forgetDrafts(person: string): void {
  try {
    for (const key of Object.keys(localStorage)) {
      if (key.startsWith(`${PREFIX}draft.`) && !key.startsWith(`${PREFIX}draft.${person}.`) && !key.endsWith('.unsent')) localStorage.removeItem(key);
    }
  } catch {
    // As above.
  }
}

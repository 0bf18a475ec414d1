// How one can sign in here, and whether the server is there at all. It is asked again while it is not.

import { api, ask, type Schema } from '../../lib/api';
import { clock } from '../../lib/clock.svelte';

const AGAIN_AFTER_MS = 5000;

export class Ways {
  known = $state.raw<Schema['SignInWays']>();
  isLost = $state(false);

  /** Call it while a component is made. */
  constructor() {
    $effect(() => {
      let timer: ReturnType<typeof setTimeout> | undefined;
      let lives = true;
      const look = async (): Promise<void> => {
        try {
          this.known = await ask(api.GET('/api/v1/sign-in/ways'));
          clock.heard(this.known.now);
          this.isLost = false;
        } catch {
          this.isLost = true;
          if (lives) timer = setTimeout(() => void look(), AGAIN_AFTER_MS);
        }
      };
      void look();
      return () => {
        lives = false;
        clearTimeout(timer);
      };
    });
  }
}

/** A place in this console, whatever somebody wrote into the address. */
export function placeHere(next: string | null): string {
  if (next === null || !next.startsWith('/')) return '/';
  const url = new URL(next, location.origin);
  return url.origin === location.origin && !url.pathname.startsWith('/api/') ? url.pathname + url.search + url.hash : '/';
}

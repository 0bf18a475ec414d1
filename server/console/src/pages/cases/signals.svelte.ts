// What was offered and what came of it, told to the server: ranking learns from it. One offer for each answer that somebody looked at; it
// may be told again with more. Failing to tell is no reason to disturb anybody.

import { api, ask, type Schema } from '../../lib/api';
import { hex } from '../../lib/bytes';
import { asFailure } from '../../lib/failure';

type Shown = Schema['Shown'];

/** Ids sort by the time of their making. */
function offerId(): string {
  const random = crypto.getRandomValues(new Uint8Array(10));
  const time = Date.now().toString(16).padStart(12, '0');
  const rest = hex(random);
  return `ofr_${time}7${rest.slice(1, 4)}8${rest.slice(5, 20)}`;
}

async function tell(offer: Schema['NewOffer']): Promise<void> {
  try {
    await ask(api.POST('/api/v1/cases/signals', { body: { offers: [offer] } }));
  } catch (error) {
    asFailure(error);
  }
}

export class Offer {
  readonly id = offerId();
  /** Somebody said that none fits. */
  noneFits = $state(false);
  constructor(readonly query: string, readonly shown: readonly Shown[]) {}

  /** It was on the page for long enough to be read. */
  seen(): Promise<void> {
    return tell(this.#whole());
  }

  opened(number: string): Promise<void> {
    return tell({ ...this.#whole(), opened: [number] });
  }

  nothingFits(): Promise<void> {
    this.noneFits = true;
    return tell({ ...this.#whole(), none_fits: true });
  }

  #whole(): Schema['NewOffer'] {
    return { offer: this.id, place: 'search', query: this.query, shown: [...this.shown] };
  }
}

/** The search that a case was opened from: "this solved it" names it. */
export const lastSearch = $state<{ offer: Offer | undefined }>({ offer: undefined });

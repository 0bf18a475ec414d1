// Why the identity provider's way in failed, in words: the server says which, in one of a few fixed words.

import { t } from './texts';

const WORDS = [
  'provider_unreachable', 'provider_answer', 'refused', 'stale', 'token', 'no_role', 'bad_name', 'name_taken', 'other_customer', 'no_customer', 'disabled', 'internal',
] as const;

export type Failed = { text: string; reference: string | undefined };

export function failedOf(query: URLSearchParams, provider: string): Failed | undefined {
  const word = query.get('failed');
  if (word === null) return undefined;
  const reference = /^[0-9a-f]{10}$/.exec(query.get('ref') ?? '')?.[0];
  if (word === 'clock') {
    const seconds = Number.parseInt(query.get('seconds') ?? '0', 10) || 0;
    const n = Math.abs(seconds);
    const span = n < 120 ? t('seconds', { n }) : t('minutes', { n: Math.round(n / 60) });
    return { text: t(seconds < 0 ? 'f_clockBehind' : 'f_clockAhead', { name: provider, t: span }), reference };
  }
  const known = WORDS.find((one) => one === word) ?? 'internal';
  return { text: t(`f_${known}`, { name: provider }), reference };
}

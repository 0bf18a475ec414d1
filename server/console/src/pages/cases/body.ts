// A case as it is edited: every field there, empty where nothing is said.

import type { Schema } from '../../lib/api';

export type Language = Schema['Language'];
export const LANGUAGES: readonly Language[] = ['zh', 'en'];
export const TEXT_FIELDS: readonly Schema['CaseField'][] = ['title', 'symptom', 'cause', 'steps', 'resolution'];

type Side = Record<Schema['CaseField'], string>;
export type Edited = {
  /** The version that it began with, as its entity tag; empty for a new case. */
  base: string;
  zh: Side;
  en: Side;
  equipment: { product: string; model: string; versions: string }[];
  codes: string;
  probable_cause: Schema['ProbableCause'] | '';
  audience: Schema['Audience'];
  note: string;
};

const side = (text: Schema['CaseText'] | null | undefined): Side => ({
  title: text?.title ?? '', symptom: text?.symptom ?? '', cause: text?.cause ?? '', steps: text?.steps ?? '', resolution: text?.resolution ?? '',
});

export function edited(of: Schema['CaseBody'] | undefined, base: string): Edited {
  return {
    base,
    zh: side(of?.zh),
    en: side(of?.en),
    equipment: (of?.equipment ?? []).map(({ product, model, versions }) => ({ product, model: model ?? '', versions: versions ?? '' })),
    codes: (of?.codes ?? []).join('\n'),
    probable_cause: of?.probable_cause ?? '',
    audience: of?.audience ?? 'internal',
    note: '',
  };
}

const said = (text: Side): boolean => TEXT_FIELDS.some((field) => text[field].trim() !== '');

export function bodyOf(of: Edited): Schema['CaseBody'] {
  const equipment = of.equipment
    .filter(({ product }) => product.trim() !== '')
    .map(({ product, model, versions }) => ({ product: product.trim(), ...(model.trim() && { model: model.trim() }), ...(versions.trim() && { versions: versions.trim() }) }));
  return {
    ...(said(of.zh) && { zh: of.zh }),
    ...(said(of.en) && { en: of.en }),
    equipment,
    codes: of.codes.split(/[\n,，;；]/).map((code) => code.trim()).filter(Boolean),
    ...(of.probable_cause !== '' && { probable_cause: of.probable_cause }),
    audience: of.audience,
  };
}

/** The texts in which two differ. */
export const differing = (one: Edited, other: Edited): { language: Language; field: Schema['CaseField'] }[] =>
  LANGUAGES.flatMap((language) => TEXT_FIELDS.filter((field) => one[language][field].trim() !== other[language][field].trim()).map((field) => ({ language, field })));

/** The particulars in which two differ, by what both say. */
export function differingFacts(one: Edited, other: Edited): boolean {
  const facts = ({ equipment, codes, probable_cause, audience }: Edited): string => JSON.stringify([equipment, codes.trim(), probable_cause, audience]);
  return facts(one) !== facts(other);
}

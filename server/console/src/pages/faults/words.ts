// What the server says about a row, in both languages.

import type { Row } from './listed.svelte';
import { word, type Word } from '../../lib/i18n.svelte';
import { pendingReasons } from '../../lib/words';

const HELD: Record<string, Word> = {
  'consent wait': { zh: '同意', en: 'consent' },
  'waits for the customer': { zh: '客户', en: 'customer' },
  'link lost': { zh: '断链', en: 'link lost' },
};

/** Why a clock stands still. */
export function held(why: string | null | undefined): string {
  if (why == null) return '';
  const reason = /^pending: (\w+)$/.exec(why)?.[1];
  const known = reason !== undefined && reason in pendingReasons ? pendingReasons[reason as keyof typeof pendingReasons] : HELD[why];
  return known ? word(known) : why;
}

/** Keys of the filter line, as chips say them. */
export const KEYS: Record<string, Word> = {
  severity: { zh: '级别', en: 'severity' }, sev: { zh: '级别', en: 'severity' },
  status: { zh: '状态', en: 'state' }, state: { zh: '状态', en: 'state' },
  customer: { zh: '客户', en: 'customer' }, tier: { zh: '服务级别', en: 'tier' }, site: { zh: '站点', en: 'site' },
  product: { zh: '产品', en: 'product' }, model: { zh: '型号', en: 'model' }, software: { zh: '版本', en: 'software' },
  equipment: { zh: '设备', en: 'equipment' }, ne: { zh: '设备', en: 'equipment' }, owner: { zh: '负责人', en: 'owner' },
  reporter: { zh: '报障人', en: 'reporter' }, kind: { zh: '类型', en: 'kind' }, impact: { zh: '影响', en: 'impact' },
  pending: { zh: '挂起', en: 'held' }, due: { zh: '剩余', en: 'time left' }, breached: { zh: '超时', en: 'late' },
  age: { zh: '历时', en: 'age' }, opened: { zh: '报障时间', en: 'reported' }, updated: { zh: '更新', en: 'updated' },
  resolved: { zh: '解决时间', en: 'resolved' }, code: { zh: '告警码', en: 'alarm code' }, consent: { zh: '同意', en: 'consent' },
  reference: { zh: '客户单号', en: 'customer’s number' }, number: { zh: '编号', en: 'number' }, problem: { zh: '问题单', en: 'problem' },
  text: { zh: '文本', en: 'text' },
};

/** The title with what the alarm measured, where the title does not say it. */
export function measured(row: Row): string {
  const value = row.trigger?.value;
  if (value == null || row.title.includes(value)) return '';
  return row.trigger?.threshold == null ? value : `${value} / ${row.trigger.threshold}`;
}

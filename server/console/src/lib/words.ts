// The words of the API in both languages. A word that the server gains and this page lacks does not compile.

import type { Schema } from './api';
import { word, type Word } from './i18n.svelte';

export const severities: Record<Schema['Severity'], Word> = {
  critical: { zh: '紧急', en: 'critical' },
  major: { zh: '重要', en: 'major' },
  minor: { zh: '次要', en: 'minor' },
  warning: { zh: '警告', en: 'warning' },
  indeterminate: { zh: '未定', en: 'indeterminate' },
};

export const statuses: Record<Schema['FaultStatus'], Word> = {
  reported: { zh: '已报障', en: 'reported' },
  accepted: { zh: '已受理', en: 'accepted' },
  in_progress: { zh: '处理中', en: 'in progress' },
  pending: { zh: '挂起', en: 'pending' },
  restored: { zh: '业务已恢复', en: 'restored' },
  resolved: { zh: '已解决', en: 'resolved' },
  closed: { zh: '已关闭', en: 'closed' },
  rejected: { zh: '已退回', en: 'rejected' },
  cancelled: { zh: '已撤单', en: 'cancelled' },
  duplicate: { zh: '重复单', en: 'duplicate' },
};

export const roles: Record<Schema['Role'], Word> = {
  noc: { zh: '网管值班员', en: 'NOC staff' },
  approver: { zh: '审批人', en: 'approver' },
  auditor: { zh: '审计员', en: 'auditor' },
  engineer: { zh: '支持工程师', en: 'support engineer' },
  duty_manager: { zh: '值班经理', en: 'duty manager' },
  admin: { zh: '管理员', en: 'administrator' },
};

export const impacts: Record<Schema['Impact'], Word> = {
  none: { zh: '无业务影响', en: 'no service impact' },
  partial: { zh: '部分中断', en: 'partial outage' },
  full: { zh: '全部中断', en: 'full outage' },
};

export const faultKinds: Record<Schema['FaultKind'], Word> = {
  fault: { zh: '故障', en: 'fault' },
  consulting: { zh: '咨询', en: 'consulting' },
  upgrade: { zh: '升级', en: 'upgrade' },
  maintenance: { zh: '维护', en: 'maintenance' },
};

export const pendingReasons: Record<Schema['PendingReason'], Word> = {
  customer: { zh: '等待客户', en: 'waiting for the customer' },
  parts: { zh: '等待备件', en: 'waiting for parts' },
  access: { zh: '等待进站', en: 'waiting for site access' },
  third_party: { zh: '等待第三方', en: 'waiting for a third party' },
};

export const consentStates: Record<Schema['ConsentState'], Word> = {
  challenged: { zh: '准备中', en: 'being prepared' },
  requested: { zh: '已申请', en: 'requested' },
  approved: { zh: '已同意', en: 'approved' },
  live: { zh: '会话中', en: 'in use' },
  refused: { zh: '已拒绝', en: 'refused' },
  refused_by_device: { zh: '设备拒绝', en: 'refused by the device' },
  lapsed: { zh: '已过期', en: 'lapsed' },
  ended: { zh: '已结束', en: 'ended' },
};

export const clockNames: Record<Schema['ClockName'], Word> = {
  K1: { zh: '受理', en: 'accept' },
  K2: { zh: '响应', en: 'respond' },
  K3: { zh: '等待同意', en: 'await consent' },
  K4: { zh: '建立会话', en: 'open session' },
  K5: { zh: '远程诊断', en: 'remote diagnosis' },
  K6: { zh: '恢复业务', en: 'restore' },
  K7: { zh: '解决', en: 'resolve' },
};

export const grades: Record<Schema['Grade'], Word> = {
  'end-to-end': { zh: '端到端', en: 'end to end' },
  role: { zh: '角色', en: 'role' },
  gateway: { zh: '网关', en: 'gateway' },
};

export const presences: Record<Schema['Presence'], Word> = {
  never: { zh: '从未上线', en: 'never seen' },
  online: { zh: '在线', en: 'online' },
  offline: { zh: '离线', en: 'offline' },
};

export const endReasons: Record<Schema['EndReason'], Word> = {
  client: { zh: '工程师离开', en: 'the engineer left' },
  revoked: { zh: '同意被撤销', en: 'the consent was revoked' },
  fault_closed: { zh: '故障单已关闭', en: 'the fault was closed' },
  time_up: { zh: '时间到', en: 'the time was up' },
  killed: { zh: '被强制终止', en: 'it was killed' },
  link_lost: { zh: '链路中断', en: 'the link was lost' },
  centre_stopped: { zh: '中心停止服务', en: 'the centre stopped' },
  agent_stopped: { zh: '代理停止', en: 'the agent stopped' },
  recorder_failed: { zh: '录制失败', en: 'recording failed' },
  quota: { zh: '录制达到上限', en: 'the recording reached its limit' },
  stopped: { zh: '客户全部停止', en: 'the customer stopped everything' },
  error: { zh: '出错', en: 'an error' },
};

/** What every screen says of a consent that somebody signed in a page of this console. */
export const IN_PAGE: Word = { zh: '在厂商提供的页面中批准', en: 'approved in a page served by the vendor' };
export const inPage = (consent: Schema['ConsentView'] | undefined): string => (consent?.approvals?.some((one) => one.key === 'page') ? word(IN_PAGE) : '');

const SEARCHED: Record<string, Word> = {
  account: { zh: '账号', en: 'account' },
  agent: { zh: '代理', en: 'agent' },
  approver: { zh: '审批人', en: 'approver' },
  cause: { zh: '原因', en: 'cause' },
  code: { zh: '客户代码', en: 'customer’s code' },
  customer: { zh: '客户', en: 'customer' },
  customer_reference: { zh: '客户单号', en: 'customer’s number' },
  decided_by: { zh: '审批人', en: 'who decided' },
  description: { zh: '描述', en: 'description' },
  engineer: { zh: '工程师', en: 'engineer' },
  equipment: { zh: '设备', en: 'equipment' },
  fault: { zh: '故障单', en: 'fault' },
  model: { zh: '型号', en: 'model' },
  name: { zh: '名称', en: 'name' },
  notes: { zh: '备注', en: 'notes' },
  number: { zh: '编号', en: 'number' },
  plan: { zh: '方案', en: 'plan' },
  product: { zh: '产品', en: 'product' },
  reason: { zh: '原因', en: 'reason' },
  resolution: { zh: '解决说明', en: 'resolution' },
  serial: { zh: '序列号', en: 'serial number' },
  site: { zh: '站点', en: 'site' },
  software: { zh: '软件版本', en: 'software' },
  title: { zh: '标题', en: 'title' },
};

/** Where a list's free words were looked for. */
export function searchedIn(columns: readonly string[] = []): string | undefined {
  if (columns.length === 0) return undefined;
  const [before, between] = [{ zh: '搜索列：', en: 'searched: ' }, { zh: '、', en: ', ' }].map(word);
  return before + columns.map((column) => (SEARCHED[column] ? word(SEARCHED[column]) : column)).join(between);
}

/** What holds a clock, in the server's words. */
const HOLDS: Record<string, Word> = {
  running: { zh: '计时', en: 'running' },
  'consent wait': { zh: '等待同意', en: 'waiting for consent' },
  'waits for the customer': { zh: '等待客户', en: 'waiting for the customer' },
  'waits for parts': { zh: '等待备件', en: 'waiting for parts' },
  'waits for access': { zh: '等待进站', en: 'waiting for access' },
  'waits for a third party': { zh: '等待第三方', en: 'waiting for a third party' },
  'pending: customer': { zh: '等待客户', en: 'waiting for the customer' },
  'link lost': { zh: '链路中断', en: 'link lost' },
};

/** The same with the day or holiday of a calendar in it: `outside the hours of mon (office-hours)`. */
const SHUT: readonly [RegExp, Word][] = [
  [/^outside the hours of the extra day (.*) \((.*)\)$/, { zh: '特殊工作日 $1 的时段以外（$2）', en: 'outside the hours of the extra day $1 ($2)' }],
  [/^outside the hours of (\w+) \((.*)\)$/, { zh: '$1 工作时间以外（$2）', en: 'outside the hours of $1 ($2)' }],
  [/^no hours on (\w+) \((.*)\)$/, { zh: '$1 不上班（$2）', en: 'no hours on $1 ($2)' }],
  [/^holiday: (.*) \((.*)\)$/, { zh: '节假日：$1（$2）', en: 'holiday: $1 ($2)' }],
];

const DAYS: Record<string, Word> = {
  mon: { zh: '周一', en: 'mon' }, tue: { zh: '周二', en: 'tue' }, wed: { zh: '周三', en: 'wed' }, thu: { zh: '周四', en: 'thu' }, fri: { zh: '周五', en: 'fri' },
  sat: { zh: '周六', en: 'sat' }, sun: { zh: '周日', en: 'sun' },
};

const dayOf = (name: string): string => {
  const day = DAYS[name];
  return day === undefined ? name : word(day);
};

export function hold(why: string): string {
  const known = HOLDS[why];
  if (known !== undefined) return word(known);
  for (const [form, said] of SHUT) {
    const parts = form.exec(why);
    if (parts !== null) return word(said).replace(/\$(\d)/g, (_, at: string) => dayOf(parts[Number(at)] ?? ''));
  }
  return why;
}

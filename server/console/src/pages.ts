// Every page of the console: its address, its code (fetched when it is first opened), who finds it in the navigation.

import type { Component } from 'svelte';
import type { Role } from './lib/me.svelte';
import type { Word } from './lib/i18n.svelte';

// A page's props are the named parts of its address.
type Load = () => Promise<{ default: Component<Record<string, string>> }>;

export type Page = {
  path: string;
  load: Load;
  title: Word;
  /** In the rail, with the second key of `g x`. */
  rail?: { key: string; roles?: readonly Role[] };
  /** Under the administration's heading. */
  admin?: { roles: readonly Role[] };
  /** Fills the window, without the shell; `open` ones need no sign-in. */
  bare?: boolean;
  open?: boolean;
};

const load = <P extends object>(from: () => Promise<{ default: Component<P> }>): Load => from as unknown as Load;

export const pages: readonly Page[] = [
  { path: '/wall', load: load(() => import('./pages/wall/Wall.svelte')), title: { zh: '监控中心', en: 'Monitoring centre' }, rail: { key: 'm' } },
  { path: '/wall/:token', load: load(() => import('./pages/wall/Screen.svelte')), title: { zh: '监控中心', en: 'Monitoring centre' }, bare: true, open: true },
  { path: '/faults', load: load(() => import('./pages/faults/List.svelte')), title: { zh: '故障', en: 'Faults' }, rail: { key: 'f' } },
  { path: '/faults/:fault', load: load(() => import('./pages/fault/Page.svelte')), title: { zh: '故障单', en: 'Fault' } },
  { path: '/new', load: load(() => import('./pages/new/New.svelte')), title: { zh: '报障', en: 'File a fault' } },
  { path: '/consents', load: load(() => import('./pages/consents/List.svelte')), title: { zh: '同意申请', en: 'Consents' }, rail: { key: 'o' } },
  { path: '/consents/:consent', load: load(() => import('./pages/consents/Request.svelte')), title: { zh: '同意申请', en: 'Consent request' } },
  { path: '/sessions', load: load(() => import('./pages/sessions/List.svelte')), title: { zh: '会话', en: 'Sessions' }, rail: { key: 's' } },
  { path: '/sessions/:session', load: load(() => import('./pages/sessions/Session.svelte')), title: { zh: '会话', en: 'Session' } },
  { path: '/equipment', load: load(() => import('./pages/equipment/List.svelte')), title: { zh: '设备', en: 'Equipment' }, rail: { key: 'e' } },
  { path: '/equipment/:equipment', load: load(() => import('./pages/equipment/Page.svelte')), title: { zh: '设备', en: 'Equipment' } },
  { path: '/cases', load: load(() => import('./pages/cases/Search.svelte')), title: { zh: '案例库', en: 'Cases' }, rail: { key: 'c' } },
  { path: '/cases/new', load: load(() => import('./pages/cases/New.svelte')), title: { zh: '新建案例', en: 'New case' } },
  { path: '/cases/review', load: load(() => import('./pages/cases/Review.svelte')), title: { zh: '案例审核', en: 'Review of cases' } },
  { path: '/cases/health', load: load(() => import('./pages/cases/Health.svelte')), title: { zh: '案例库健康度', en: 'Health of the library' } },
  { path: '/cases/gaps', load: load(() => import('./pages/cases/Gaps.svelte')), title: { zh: '未答问题', en: 'Unanswered questions' } },
  { path: '/cases/synonyms', load: load(() => import('./pages/cases/Synonyms.svelte')), title: { zh: '同义词', en: 'Synonyms' } },
  { path: '/cases/:case', load: load(() => import('./pages/cases/Case.svelte')), title: { zh: '案例', en: 'Case' } },
  { path: '/cases/:case/edit', load: load(() => import('./pages/cases/Edit.svelte')), title: { zh: '编辑案例', en: 'Edit a case' } },
  { path: '/reports', load: load(() => import('./pages/reports/Reports.svelte')), title: { zh: '报表', en: 'Reports' }, rail: { key: 'r' } },
  { path: '/reports/definitions', load: load(() => import('./pages/reports/Definitions.svelte')), title: { zh: '口径说明', en: 'What figures mean' } },
  { path: '/reports/:figure', load: load(() => import('./pages/reports/Counted.svelte')), title: { zh: '统计明细', en: 'What was counted' } },
  { path: '/api-docs', load: load(() => import('./pages/docs/ApiDocs.svelte')), title: { zh: 'API 文档', en: 'API' }, rail: { key: 'd' } },
  { path: '/admin/customers', load: load(() => import('./pages/admin/customers/Customers.svelte')), title: { zh: '客户与站点', en: 'Customers & sites' }, admin: { roles: ['admin', 'duty_manager', 'noc', 'approver'] } },
  { path: '/admin/tiers', load: load(() => import('./pages/admin/tiers/Tiers.svelte')), title: { zh: '服务等级与合同', en: 'Tiers & contracts' }, admin: { roles: ['admin', 'duty_manager'] } },
  { path: '/admin/calendars', load: load(() => import('./pages/admin/calendars/Calendars.svelte')), title: { zh: '服务日历', en: 'Calendars' }, admin: { roles: ['admin', 'duty_manager'] } },
  { path: '/admin/offices', load: load(() => import('./pages/admin/offices/Offices.svelte')), title: { zh: '办事处与值班', en: 'Offices & duty' }, admin: { roles: ['admin', 'duty_manager', 'engineer'] } },
  { path: '/admin/enrolment', load: load(() => import('./pages/admin/enrolment/Enrolment.svelte')), title: { zh: '设备入网', en: 'Enrolment' }, admin: { roles: ['admin'] } },
  { path: '/admin/integrations', load: load(() => import('./pages/admin/integrations/Integrations.svelte')), title: { zh: '通知与集成', en: 'Integrations' }, admin: { roles: ['admin', 'duty_manager', 'engineer', 'noc', 'approver'] } },
  { path: '/admin/walls', load: load(() => import('./pages/admin/walls/Walls.svelte')), title: { zh: '大屏令牌', en: 'Wall tokens' }, admin: { roles: ['admin'] } },
  { path: '/admin/audit', load: load(() => import('./pages/admin/audit/Audit.svelte')), title: { zh: '审计', en: 'Audit' }, admin: { roles: ['admin', 'auditor'] } },
  { path: '/admin/system', load: load(() => import('./pages/admin/system/System.svelte')), title: { zh: '系统', en: 'System' }, admin: { roles: ['admin', 'duty_manager', 'auditor'] } },
  { path: '/admin/people', load: load(() => import('./pages/admin/people/People.svelte')), title: { zh: '人员与角色', en: 'People & roles' }, admin: { roles: ['admin'] } },
  { path: '/admin/people/:name', load: load(() => import('./pages/admin/people/Person.svelte')), title: { zh: '人员', en: 'Person' } },
  { path: '/account', load: load(() => import('./pages/account/Account.svelte')), title: { zh: '我的账号', en: 'My account' } },
  { path: '/sign-in', load: load(() => import('./pages/signin/Page.svelte')), title: { zh: '登录', en: 'Sign in' }, bare: true, open: true },
  { path: '/setup', load: load(() => import('./pages/setup/Setup.svelte')), title: { zh: '首次设置', en: 'First set-up' }, bare: true, open: true },
];

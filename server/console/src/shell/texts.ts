import { texts } from '../lib/i18n.svelte';

export const t = texts(
  {
    skip: '跳到内容', search: '搜索故障、设备、案例', palette: '命令', live: '实时', stale: '数据已停止 {n} 秒', paused: '已定住', pause: '定住或继续实时更新',
    language: 'English', theme: '切换明暗', theme_system: '跟随系统', theme_light: '浅色', theme_dark: '深色', menu: '导航', signOut: '退出登录', account: '我的账号',
    sheet: '按键一览', goTo: '前往', general: '全局', admin: '管理', notFound: '没有这个页面', notFoundHint: '地址可能有误，或该页面已移除。', home: '回到故障列表',
    expired: '登录已失效', expiredHint: '页面和草稿都还在。请重新登录后继续。', password: '口令', code: '一次性验证码', signIn: '登录', signInSso: '用企业账号登录',
    unreachable: '连不上服务器', unreachableHint: '正在重试。', loadFailed: '页面没有读到', forbiddenPage: '您的角色不能打开此页面', jump: '打开 {id}', nothing: '没有匹配的命令',
    newFault: '报障', back: '返回',
  },
  {
    skip: 'Skip to content', search: 'Search faults, equipment, cases', palette: 'Commands', live: 'live', stale: 'no data for {n} s', paused: 'held', pause: 'Hold or resume live updates',
    language: '中文', theme: 'Light or dark', theme_system: 'as the system', theme_light: 'light', theme_dark: 'dark', menu: 'Navigation', signOut: 'Sign out', account: 'My account',
    sheet: 'Keys', goTo: 'Go to', general: 'Everywhere', admin: 'Administration', notFound: 'There is no such page', notFoundHint: 'The address may be wrong, or the page is gone.', home: 'To the faults',
    expired: 'Your sign-in has ended', expiredHint: 'The page and your drafts are still here. Sign in again to go on.', password: 'Password', code: 'One-time code', signIn: 'Sign in', signInSso: 'Sign in with the company account',
    unreachable: 'The server can’t be reached', unreachableHint: 'Trying again.', loadFailed: 'The page could not be read', forbiddenPage: 'Your role may not open this page', jump: 'Open {id}', nothing: 'No command matches',
    newFault: 'File a fault', back: 'Back',
  },
);

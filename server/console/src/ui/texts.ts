import { texts } from '../lib/i18n.svelte';

export const t = texts(
  {
    retry: '重试', requestId: '请求号 {id}', empty: '没有内容', loading: '正在读取',
    offline: '连不上服务器', offlineHint: '请检查网络；已显示的内容可能已过时。', signed_out: '登录已失效',
    forbidden: '没有权限', forbiddenHint: '如需权限，请联系管理员。', not_found: '没有找到', conflict: '内容已被他人修改', invalid: '请求未被接受',
    busy: '服务器繁忙，请稍后再试', server: '服务器出错',
    cancel: '取消', close: '关闭', undo: '撤销', copy: '复制', copied: '已复制',
    typeToConfirm: '请输入 {word} 以确认', filter: '筛选', clear: '清除筛选', filterHint: '例如 sev:critical due:<10m -site:成都 温度',
    overdue: '超时 {t}',
  },
  {
    retry: 'Try again', requestId: 'request {id}', empty: 'Nothing here', loading: 'Reading',
    offline: 'The server can’t be reached', offlineHint: 'Check the network; what is shown may be old.', signed_out: 'The sign-in has ended',
    forbidden: 'Not permitted', forbiddenHint: 'An administrator can permit it.', not_found: 'Not found', conflict: 'Somebody else changed it', invalid: 'The request was not taken',
    busy: 'The server is busy; try again in a moment', server: 'The server failed',
    cancel: 'Cancel', close: 'Close', undo: 'Undo', copy: 'Copy', copied: 'Copied',
    typeToConfirm: 'Type {word} to confirm', filter: 'Filter', clear: 'Clear the filter', filterHint: 'like sev:critical due:<10m -site:Chengdu temperature',
    overdue: 'late by {t}',
  },
);

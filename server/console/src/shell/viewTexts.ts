import { texts } from '../lib/i18n.svelte';
import type { View } from '../lib/views.svelte';

export const t = texts(
  {
    save: '保存视图', saveHint: '把当前的筛选和排序存为视图，显示在左侧导航中并带实时数量。', name: '名称', nameMissing: '请填写名称', query: '筛选', noQuery: '（不筛选）', shared: '共享给支持中心的所有人',
    saved: '已保存视图“{name}”', manage: '管理视图', rename: '改名', up: '上移', down: '下移', remove: '删除', removed: '已删除视图“{name}”', share: '共享', unshare: '取消共享', isShared: '共享',
    owner: '由 {name} 共享', broken: '此视图的条件已失效：{why}', mine: '我负责的', due: '10 分钟内到期', consent: '等待同意', update: '用当前筛选覆盖', updated: '已更新视图“{name}”', none: '还没有保存的视图。在列表中筛选后按 v 保存。', unsent: '{n} 个报障未发送',
    sentLater: '{number} 已发送', saveHere: '把当前筛选存为视图', done: '完成', renamed: '已改名为“{name}”',
  },
  {
    save: 'Save view', saveHint: 'Keeps the filter and order as a view in the navigation, with a live count.', name: 'Name', nameMissing: 'Give it a name', query: 'Filter', noQuery: '(no filter)', shared: 'Share with everybody at the support centre',
    saved: 'View “{name}” saved', manage: 'Manage views', rename: 'Rename', up: 'Move up', down: 'Move down', remove: 'Delete', removed: 'View “{name}” deleted', share: 'Share', unshare: 'Stop sharing', isShared: 'shared',
    owner: 'shared by {name}', broken: 'Its filter is not understood any more: {why}', mine: 'Mine', due: 'Due within 10 min', consent: 'Waiting for consent', update: 'Replace by the present filter', updated: 'View “{name}” updated', none: 'No view is saved yet. Filter a list and press v.', unsent: '{n} report not sent|{n} reports not sent',
    sentLater: '{number} was sent', saveHere: 'Save the present filter as a view', done: 'Done', renamed: 'Renamed to “{name}”',
  },
);

export const nameOf = (view: View): string => (view.built_in == null ? view.name : t(view.built_in));

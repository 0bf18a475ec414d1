import { texts } from '../../lib/i18n.svelte';

export const zh = {
  list: '故障', none: '没有符合条件的故障', noneHint: '筛选条件可能太窄。', calm: '当前没有未关闭的故障', calmHint: '有新故障时会自动出现在这里。',
  clearFilter: '清除筛选', showClosed: '查看已关闭', fileOne: '报障', number: '编号', title: '标题', status: '状态', severity: '级别', severityShort: '级', left: '剩余', equipment: '设备',
  customerTier: '客户/级', owner: '负责人', repeats: '次数', last: '最后动态', site: '站点', model: '机型', impact: '影响', reported: '报障时间', consent: '同意',
  sessions: '会话', reference: '客户单号', open: '未关闭', addFilter: '筛选', columns: '列', export: '导出', exportCsv: 'CSV（Excel）', exportJson: 'JSON',
  exporting: '正在读取 {n} 条', exported: '已导出 {n} 条', exportMost: '只导出前 {n} 条：符合条件的更多', exportChosen: '只含已选的 {n} 条', exportAll: '全部符合条件的行，列与屏幕一致',
  sort: '排序', sort_left: '剩余时间最少', sort_newest: '最新报障', sort_oldest: '最早报障', sort_severity: '最严重', sort_updated: '最近更新', saveView: '保存视图',
  count: '{n} 条', countMore: '{n} 条以上', indexing: '文本索引尚未建完，搜索结果可能不全', chosen: '已选 {n}', clearChosen: '取消选择',
  chooseAll: '选择已读取的全部行', choose: '选择 {number}', gone: '已不符合条件', newOnes: '{n} 条更新，点此显示', reading: '正在读取更多', removeChip: '去掉条件 {part}',
  accept: '认领', assign: '指派', hold: '挂起', merge: '合并', acceptTitle: '认领 {n} 个故障', assignTitle: '指派 {n} 个故障', holdTitle: '挂起 {n} 个故障', mergeTitle: '合并 {n} 个故障',
  how: '方式', howAccept: '认领，由我负责', howAcknowledge: '仅确认知悉，暂不认领（停止重复通知）', note: '备注（写入每个故障）', noteVisible: '客户可见', noteHint: '可不填。Ctrl+Enter 执行。',
  to: '指派给', choosePerson: '请选择', toMissing: '请选择接手的人', why: '原因', openThings: '接手人需要知道的', holdReason: '等待什么', holdNote: '说明',
  mergeInto: '并入', mergeReason: '为什么是同一个故障', mergeHint: '其余故障成为它的重复单，告警移到它名下。可撤销。', mergeTwo: '合并至少要选两个故障', mergeCustomers: '只能合并同一客户的故障',
  doneAccept: '已认领 {n} 个故障', doneAcknowledge: '已确认 {n} 个故障', doneAssign: '已指派 {n} 个故障', doneHold: '已挂起 {n} 个故障', doneMerge: '已合并到 {number}', undone: '已撤销',
  failed: '{n} 个未成功，其余已完成', failedOne: '{number}：{why}', again: '重试未成功的', run: '执行', busy: '{done}/{all}',
  split: '左右分栏', openTab: '在新标签页打开', chooseRow: '选中或取消', extendDown: '向下扩选', extendUp: '向上扩选', down: '下一条', up: '上一条',
  f_critical: '紧急', f_mine: '我负责的', f_due: '10 分钟内到期', f_late: '已超时', f_nobody: '尚未认领', f_consent: '等待同意', f_pending: '挂起的', f_closed: '已关闭', f_all: '全部状态', f_today: '24 小时内报的',
  titleCount: '{n} 故障', clocks: '还有 {n} 个时钟', splitEmpty: '用 j / k 选一条故障，在这里查看', liveSessions: '{n} 个进行中的会话', moreFailed: '后面的没有读到', noClock: '没有计时',
} as const;

export type TextKey = keyof typeof zh;

export const en: Record<TextKey, string> = {
  list: 'Faults', none: 'No fault matches', noneHint: 'The filter may be too narrow.', calm: 'No fault is open', calmHint: 'New ones appear here by themselves.',
  clearFilter: 'Clear the filter', showClosed: 'Show closed ones', fileOne: 'File a fault', number: 'Number', title: 'Title', status: 'State', severity: 'Severity', severityShort: 'Sev', left: 'Left', equipment: 'Equipment',
  customerTier: 'Customer/tier', owner: 'Owner', repeats: 'Times', last: 'Last activity', site: 'Site', model: 'Model', impact: 'Impact', reported: 'Reported', consent: 'Consent',
  sessions: 'Inside', reference: 'Their number', open: 'open', addFilter: 'Filter', columns: 'Columns', export: 'Export', exportCsv: 'CSV (Excel)', exportJson: 'JSON',
  exporting: 'Reading, {n} so far', exported: '{n} row exported|{n} rows exported', exportMost: 'The first {n} only: more match', exportChosen: 'Only the {n} chosen one|Only the {n} chosen ones', exportAll: 'Every row that matches, with the columns on the screen',
  sort: 'Order', sort_left: 'least time left', sort_newest: 'newest', sort_oldest: 'oldest', sort_severity: 'worst', sort_updated: 'last changed', saveView: 'Save view',
  count: '{n} fault|{n} faults', countMore: 'more than {n} faults', indexing: 'The text index is not complete yet; a search may find less than there is', chosen: '{n} chosen', clearChosen: 'Choose none',
  chooseAll: 'Choose all rows that were read', choose: 'Choose {number}', gone: 'no longer matches', newOnes: '{n} update, show it|{n} updates, show them', reading: 'Reading more', removeChip: 'Remove the condition {part}',
  accept: 'Accept', assign: 'Assign', hold: 'Hold', merge: 'Merge', acceptTitle: 'Accept {n} fault|Accept {n} faults', assignTitle: 'Assign {n} fault|Assign {n} faults', holdTitle: 'Hold {n} fault|Hold {n} faults', mergeTitle: 'Merge {n} fault|Merge {n} faults',
  how: 'How', howAccept: 'Accept: I am responsible', howAcknowledge: 'Only acknowledge (no more repeated notices)', note: 'Note (written into each)', noteVisible: 'the customer sees it', noteHint: 'May be empty. Ctrl+Enter goes ahead.',
  to: 'Assign to', choosePerson: 'Choose', toMissing: 'Choose who takes over', why: 'Why', openThings: 'What the next person should know', holdReason: 'What it waits for', holdNote: 'Explanation',
  mergeInto: 'Merge into', mergeReason: 'Why they are the same', mergeHint: 'The others become its duplicates, and their alarms move to it. This can be undone.', mergeTwo: 'Choose two faults at least to merge', mergeCustomers: 'Only faults of one customer can be merged',
  doneAccept: '{n} fault accepted|{n} faults accepted', doneAcknowledge: '{n} fault acknowledged|{n} faults acknowledged', doneAssign: '{n} fault assigned|{n} faults assigned', doneHold: '{n} fault held|{n} faults held', doneMerge: 'Merged into {number}', undone: 'Undone',
  failed: '{n} did not work, the others are done', failedOne: '{number}: {why}', again: 'Try those again', run: 'Go ahead', busy: '{done}/{all}',
  split: 'Split view', openTab: 'Open in a new tab', chooseRow: 'Choose or not', extendDown: 'Choose downwards', extendUp: 'Choose upwards', down: 'Next', up: 'Previous',
  f_critical: 'Critical', f_mine: 'Mine', f_due: 'Due within 10 minutes', f_late: 'Late', f_nobody: 'Nobody’s yet', f_consent: 'Waiting for consent', f_pending: 'Held', f_closed: 'Closed', f_all: 'Every state', f_today: 'Reported in 24 hours',
  titleCount: '{n} fault|{n} faults', clocks: '{n} more clock|{n} more clocks', splitEmpty: 'Choose a fault with j / k to see it here', liveSessions: '{n} live session|{n} live sessions', moreFailed: 'The rest could not be read', noClock: 'no clock',
};

export const t = texts(zh, en);

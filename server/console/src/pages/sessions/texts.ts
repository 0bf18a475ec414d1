import { texts } from '../../lib/i18n.svelte';

export const zh = {
  title: '会话', live: '进行中', ended: '已结束', noneLive: '现在没有人在设备上', none: '没有符合条件的会话', noneHint: '工程师在客户同意后登录设备时，会话会出现在这里，并全程录制。',
  who: '工程师', where: '设备', since: '开始', length: '时长', fault: '故障单', grade: '方式', watchers: '旁观', recording: '录制', reason: '结束原因', nobody: '无人',
  watch: '旁观', replay: '回放', open: '打开', kill: '强制终止', killTitle: '强制终止会话', killWhat: '将立即断开 {engineer} 在 {device} 上的会话。已录制的内容保留。',
  killReason: '原因（可不填）', killed: '已要求终止会话', search: '在所有录像文本中查找', searchHint: '例如 show alarm，按回车查找', searchNone: '没有录像中出现过这段文字', searchTold: '查找会记入日志，客户可以看到。',
  hits: '{n} 处|{n} 处', listMode: '会话列表', filterHint: '例如 engineer:me site:成都 length:>30m', whole: '完整', arriving: '传输中', missing: '缺失',
  up: '上一行', down: '下一行', recorded: '录制中', consentLeft: '同意剩余', session: '会话', account: '账号', clock: '时钟',
  ending: '同意还剩 {t}，到时会话会自动断开。需要更多时间，请客户重新签名。', line: '行输入', lineHint: '整行发送，适合输入法和慢链路', send: '发送', notSent: '没有发出：终端未连接',
  find: '在终端中查找', findNext: '下一处', findPrevious: '上一处', close: '关闭', screen: '终端',
  screenOf: '{device} 的终端', connecting: '正在连接', lost: '已断开', lostHint: '设备上的终端保留 120 秒，期间可以接着用。', retryIn: '{t} 秒后自动重连', reconnect: '重连',
  taken: '此终端已在另一个窗口中打开', takeBack: '接管到这里', attached: '此终端正在另一个窗口中使用', take: '在这里接管', over: '终端已结束', endTerminal: '结束', endTitle: '结束终端',
  endWhat: '将关闭 {device} 上的这个终端；其中运行的程序会收到挂断信号。', ending1: '已结束终端', openHere: '在这里打开终端', opening: '正在向设备申请终端', openFailed: '终端没有打开', backToFault: '回到故障单',
  marker: '标记', markerTitle: '添加标记', markerWhat: '写在故障单的时间线上，回放时可以跳到这里。', markerText: '说明', markerAdd: '添加', markerDone: '已标记', leader: '终端按键',
  watchNote: '只读旁观。旁观会记入故障单。', watchLost: '连接已断开，正在重连', channel: '通道 {n}', sessionOver: '会话已结束（{reason}）', toReplay: '看回放', exited: '退出状态 {n}',
  play: '播放', spaceKey: '空格', pause: '暂停', speed: '速度', skipIdle: '跳过空闲 >2 秒', previousCommand: '上一条命令', nextCommand: '下一条命令', back5: '后退 5 秒', on5: '前进 5 秒', frameBack: '上一帧', frameOn: '下一帧', slower: '减速', faster: '加速',
  percent: '跳到百分比', downloadCast: '下载 .cast', downloadTxt: '下载 .txt', transcript: '文本记录', transcriptFind: '在文本中查找', transcriptNone: '没有文本', nextHit: '下一处', previousHit: '上一处', hitOf: '{i} / {n}', follow: '跟随播放', position: '播放位置',
  chain: '录像链', chain_whole: '链完整：{n} 块，一块接一块，有结束记录', chain_open: '结束记录还没有到：已有 {n} 块，一块接一块', chain_broken: '链在第 {at} 块断开（{why}）；这里只显示断开之前的 {n} 块', chain_none: '中心还没有这段录像',
  why_unreadable: '无法读取', why_missing: '缺少或顺序不对', why_hash: '与前一块的哈希不符', verify: '这里只核对了链。签名请在自己的机器上核对：', loadingRecording: '正在读取录像 {n} 块', seenBy: '看过', noneSeen: '还没有人看过', missingHint: '会话已结束，但录像不在中心。设备恢复连接后会补传；没有补传的部分无法重放。',
  cut: '录像太长，这里只播放前一部分；完整内容请用命令行下载。', nothingPrinted: '此通道没有终端输出', print: '打印', summary: '概要', commands: '命令', files: '文件', leftovers: '遗留', bytes: '字节（出 / 入）', digestBroken: '文本只到第 {n} 块：{why}', markers: '标记',
  started: '开始于', consent: '同意书', engineer: '工程师',
} as const;

export const en: Record<keyof typeof zh, string> = {
  title: 'Sessions', live: 'Live', ended: 'Ended', noneLive: 'Nobody is inside a device now', none: 'No session matches', noneHint: 'When an engineer enters a device with the customer’s consent, the session appears here, recorded from beginning to end.',
  who: 'Engineer', where: 'Device', since: 'Since', length: 'Length', fault: 'Fault', grade: 'Grade', watchers: 'Watched by', recording: 'Recording', reason: 'Ended by', nobody: 'nobody',
  watch: 'Watch', replay: 'Replay', open: 'Open', kill: 'Kill', killTitle: 'Kill the session', killWhat: '{engineer} will be cut off from {device} at once. What was recorded stays.',
  killReason: 'Reason (optional)', killed: 'The session is being ended', search: 'Search all transcripts', searchHint: 'like show alarm; Enter searches', searchNone: 'No recording has this text', searchTold: 'Searching is logged, and the customer sees it.',
  hits: '{n} hit|{n} hits', listMode: 'List of sessions', filterHint: 'like engineer:me site:Chengdu length:>30m', whole: 'whole', arriving: 'arriving', missing: 'missing',
  up: 'Row before', down: 'Next row', recorded: 'recorded', consentLeft: 'consent left', session: 'Session', account: 'account', clock: 'clock',
  ending: 'The consent ends in {t}; the session ends with it. For more time the customer signs anew.', line: 'Line input', lineHint: 'Sends whole lines: for input methods and slow links', send: 'Send', notSent: 'Not sent: the terminal is not connected',
  find: 'Find in the terminal', findNext: 'Next', findPrevious: 'Previous', close: 'Close', screen: 'Terminal',
  screenOf: 'Terminal of {device}', connecting: 'Connecting', lost: 'Disconnected', lostHint: 'The terminal stays on the device for 120 s; come back and go on.', retryIn: 'trying again in {t} s', reconnect: 'Reconnect',
  taken: 'Another window has this terminal now', takeBack: 'Take it back here', attached: 'Another window is using this terminal', take: 'Take it over here', over: 'The terminal is over', endTerminal: 'End', endTitle: 'End the terminal',
  endWhat: 'This terminal on {device} will be closed; programs in it are hung up.', ending1: 'The terminal is ended', openHere: 'Open a terminal here', opening: 'Asking the device for a terminal', openFailed: 'The terminal did not open', backToFault: 'Back to the fault',
  marker: 'Marker', markerTitle: 'Set a marker', markerWhat: 'It stands on the fault’s timeline; a replay can jump to it.', markerText: 'What it is', markerAdd: 'Set', markerDone: 'Marked', leader: 'Terminal',
  watchNote: 'Watching, read-only. The fault’s story says so.', watchLost: 'The connection broke; trying again', channel: 'channel {n}', sessionOver: 'The session has ended ({reason})', toReplay: 'Replay it', exited: 'exit status {n}',
  play: 'Play', spaceKey: 'Space', pause: 'Pause', speed: 'Speed', skipIdle: 'Skip silence > 2 s', previousCommand: 'Previous command', nextCommand: 'Next command', back5: 'Back 5 s', on5: 'On 5 s', frameBack: 'Frame back', frameOn: 'Frame on', slower: 'Slower', faster: 'Faster',
  percent: 'Jump to a percentage', downloadCast: 'Download .cast', downloadTxt: 'Download .txt', transcript: 'Transcript', transcriptFind: 'Find in the transcript', transcriptNone: 'No text', nextHit: 'Next hit', previousHit: 'Previous hit', hitOf: '{i} of {n}', follow: 'Follow the player', position: 'Position',
  chain: 'Chain', chain_whole: 'The chain is whole: {n} chunks, each following the one before, with the end record', chain_open: 'The end record is not here yet: {n} chunks, each following the one before', chain_broken: 'The chain breaks at chunk {at} ({why}); only the {n} chunks before it are shown', chain_none: 'The centre has nothing of this recording yet',
  why_unreadable: 'it can’t be read', why_missing: 'missing or out of order', why_hash: 'its hash does not follow', verify: 'Only the chain was checked here. Check the signatures on your own machine:', loadingRecording: 'Reading the recording, {n} chunks', seenBy: 'Seen by', noneSeen: 'Nobody has seen it yet', missingHint: 'The session is over and its recording is not at the centre. The device sends the rest when it is back; what never arrives can’t be replayed.',
  cut: 'The recording is long; only its beginning plays here. The command line fetches all of it.', nothingPrinted: 'Nothing was printed on this channel', print: 'Print', summary: 'Summary', commands: 'Commands', files: 'Files', leftovers: 'Left behind', bytes: 'Bytes (out / in)', digestBroken: 'The text ends at chunk {n}: {why}', markers: 'Markers',
  started: 'Started', consent: 'Consent', engineer: 'Engineer',
};

export const t = texts(zh, en);

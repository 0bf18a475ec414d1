import type { Schema } from '../../lib/api';
import { texts, word, type Word } from '../../lib/i18n.svelte';

export const zh = {
  consents: '同意申请', waiting: '待答复', inForce: '有效中', past: '已结束', all: '全部', show: '显示', noneWaiting: '没有待答复的申请', noneWaitingHint: '工程师申请进入设备时，申请会出现在这里，并按通知设置提醒审批人。',
  noneFound: '没有符合条件的申请', showAll: '查看全部申请', engineer: '申请人', device: '设备', fault: '故障单', state: '状态', doors: '进入方式', forTime: '时长', until: '截止', left: '剩余', grade: '级别', asked: '申请时间',
  request: '同意申请', backToList: '全部申请', openNext: '下一份申请', previous: '上一份申请',
  plain: '申请的内容', who: '谁', askedBy: '{who} 申请进入', why: '原因', whatFor: '为故障单', onDevice: '设备', ways: '进入方式', asAccount: '账号', howLong: '时长', key: '工程师密钥', hostKey: '设备密钥', challenge: '设备挑战值',
  accountHint: '设备本地配置中的账号档案，决定进入后能做什么', keyHint: '只有这把密钥能进入，签署申请的也是它', seconds: '{t}（{n} 秒）', risks: '风险', narrowed: '批准时已收窄',
  exact: '签名的原文', exactHint: '工程师签署的就是下面这些字节，一字不差；同意书中写入它的 SHA-256。', copyText: '复制原文', copySignature: '复制签名', copyHash: '复制 SHA-256', byteCount: '{n} 字节', sha: 'SHA-256', signature: '签名', consentText: '同意书原文（{n}）', local: '设备本地批准的记录', localHint: '由设备管理员在设备上直接批准，没有运营商签名人签名。',
  answer: '答复', approveOwn: '在您自己的机器上批准', approveOwnHint: '批准是用您的密钥签名，密钥只在您的机器上。支持中心既不能代签，也不能改动内容；此页面显示的内容由支持中心提供，请以您机器上显示的为准。',
  approverStep1: '1. 在您的机器上运行，并打开它打印的链接（链接每次不同，只能用一次，因此这里无法直接跳转）：', approverStep2: '2. 在打开的页面里核对这份申请：', approverStep3: '3. 在那里批准、收窄或拒绝；本页会自动更新。',
  commandLine: '或使用命令行', verify: '核对全部签名', refuseHere: '拒绝', refuseHint: '拒绝不需要签名。原因会发给工程师。', refuseTitle: '拒绝这份申请', refuseWhat: '{who} 不能进入 {device}。需要时工程师可以重新申请。', reason: '原因', refused: '已拒绝', mayNot: '只有贵方的审批人和值班员可以答复。', supportWaits: '等待客户答复。支持中心不能代为批准。',
  browserKey: '在本页面签署', noBrowserKey: '不提供：此设备的机主没有允许在厂商提供的页面中签署（browser_keys）。', browserKeyHint: '此设备的机主允许；页面由厂商提供，所以还是自己的机器更好。',
  revoke: '撤销', revokeTitle: '撤销同意', revokeWhat: '{device} 上依此同意进行的会话会立即结束。重新进入需要新的申请和签名。', revoked: '已撤销', withdraw: '撤回申请', withdrawn: '已撤回',
  s_challenged: '设备正在准备，申请尚未签署。', s_requested: '等待答复', s_requestedHint: '过时不答复即自动失效，不会自动同意。', s_partly: '已有 {n} 人批准，需要 {of} 人', s_approved: '已批准，等待设备确认', s_live: '同意有效：工程师可以进入', s_refused: '已拒绝', s_refused_by_device: '设备不接受', s_lapsed: '申请已过期，无人答复', s_ended: '已结束',
  by: '{who}', byHow: '{who} 签名', decided: '{at} 由 {who} 决定', lapsesIn: '剩余答复时间', liveUntil: '有效至', timeLeft: '剩余', deviceSays: '设备的说明', refusal: '理由', endedAt: '结束于', sessionsUnder: '依此同意的会话', noSessions: '还没有会话', watch: '旁观', kill: '强制终止', killTitle: '强制终止会话', killWhat: '{who} 在 {device} 上的会话会立即断开。', killed: '已要求终止', inside: '进行中', reasonOptional: '原因（可不填）',
  risk_end: '只有一名工程师的密钥可以进入；支持中心只转发，读不到会话内容，但会保存录像。', risk_gateway: '网关级别：支持中心的网关代工程师进入，支持中心有能力在此会话中操作。', risk_role: '角色级别：凭常设授权，名册中达到级别的任何工程师都可以进入。',
  risk_shell: '交互终端：能做该账号能做的一切，全程录制输出。', risk_exec: '可逐条执行命令，也能借此传文件。', risk_read: '可读取该账号能读的文件，包括配置。', risk_write: '可写入文件，包括替换配置和程序。', risk_forward: '可经设备连到 {to}，其中内容不录制。', risk_long: '时长超过 4 小时，请确认确有必要。', risk_network: '命令自身发起的网络连接不受控制，也不录制。', risk_two: '此设备要求 {n} 人批准，且须是不同的人和不同的密钥。',
  consentList: '申请列表', open: '打开', refuseKey: '拒绝', loadingBytes: '正在计算', id: '编号', standing: '凭常设授权自动批准',
} as const;

export const en: Record<keyof typeof zh, string> = {
  consents: 'Consent requests', waiting: 'Waiting', inForce: 'In force', past: 'Over', all: 'All', show: 'Show', noneWaiting: 'No request is waiting', noneWaitingHint: 'When an engineer asks to enter a device, the request appears here, and approvers are told as their notices say.',
  noneFound: 'No request matches', showAll: 'Show all requests', engineer: 'Asked by', device: 'Device', fault: 'Fault', state: 'State', doors: 'Ways in', forTime: 'For', until: 'Until', left: 'Left', grade: 'Grade', asked: 'Asked',
  request: 'Consent request', backToList: 'All requests', openNext: 'Next request', previous: 'Previous request',
  plain: 'What is asked', who: 'Who', askedBy: '{who} asks to enter', why: 'Reason', whatFor: 'For the fault', onDevice: 'Device', ways: 'Ways in', asAccount: 'Account', howLong: 'For', key: 'Engineer’s key', hostKey: 'Device’s key', challenge: 'The device’s challenge',
  accountHint: 'an account profile of the device’s own configuration: it decides what can be done inside', keyHint: 'only this key gets in; it is the one that signed the request', seconds: '{t} ({n} s)|{t} ({n} s)', risks: 'Risks', narrowed: 'narrowed when it was approved',
  exact: 'The signed text', exactHint: 'The engineer signed exactly these bytes; their SHA-256 goes into the consent.', copyText: 'Copy the text', copySignature: 'Copy the signature', copyHash: 'Copy the SHA-256', byteCount: '{n} byte|{n} bytes', sha: 'SHA-256', signature: 'Signature', consentText: 'Text of the consent ({n})|Text of the consent ({n})', local: 'Record of the approval on the device', localHint: 'Approved on the device by its administrator; no signer of the carrier signed.',
  answer: 'Answer', approveOwn: 'Approve on your own machine', approveOwnHint: 'Approving is signing with your key, which stays on your machine. The support centre can neither sign for you nor change the text. What this page shows comes from the support centre: what your own machine shows is what counts.',
  approverStep1: '1. Run this on your machine and open the link that it prints (it is another one each time and works once, so this page can’t lead there):', approverStep2: '2. In the page that opens, compare this request:', approverStep3: '3. Approve, narrow or refuse it there; this page follows by itself.',
  commandLine: 'Or on the command line', verify: 'Check every signature', refuseHere: 'Refuse', refuseHint: 'Refusing needs no signature. The engineer reads the reason.', refuseTitle: 'Refuse this request', refuseWhat: '{who} does not enter {device}. The engineer can ask anew.', reason: 'Reason', refused: 'Refused', mayNot: 'Only the carrier’s approvers and NOC staff can answer.', supportWaits: 'The customer has to answer. The support centre can’t approve in its place.',
  browserKey: 'Sign in this page', noBrowserKey: 'Not offered: the owner of this device has not allowed consents that are signed in a page served by the vendor (browser_keys).', browserKeyHint: 'The owner of this device allows it. The vendor serves this page, so your own machine is the better place.',
  revoke: 'Revoke', revokeTitle: 'Revoke the consent', revokeWhat: 'Sessions on {device} under this consent end at once. Entering again takes a new request and a new signature.', revoked: 'Revoked', withdraw: 'Withdraw the request', withdrawn: 'Withdrawn',
  s_challenged: 'The device is being asked; nothing is signed yet.', s_requested: 'Waiting for an answer', s_requestedHint: 'Without an answer it lapses; it is never approved by itself.', s_partly: '{n} approved, {of} are needed|{n} approved, {of} are needed', s_approved: 'Approved; the device has not confirmed it yet', s_live: 'In force: the engineer can enter', s_refused: 'Refused', s_refused_by_device: 'The device does not take it', s_lapsed: 'Lapsed: nobody answered', s_ended: 'Over',
  by: '{who}', byHow: 'signed by {who}', decided: 'decided at {at} by {who}', lapsesIn: 'Left to answer', liveUntil: 'In force until', timeLeft: 'Left', deviceSays: 'The device says', refusal: 'Reason', endedAt: 'Ended at', sessionsUnder: 'Sessions under this consent', noSessions: 'No session yet', watch: 'Watch', kill: 'Kill', killTitle: 'Kill the session', killWhat: 'The session of {who} on {device} is cut at once.', killed: 'Asked to end it', inside: 'inside', reasonOptional: 'Reason (optional)',
  risk_end: 'One engineer’s key gets in. The support centre passes on what it can’t read, and keeps the recording.', risk_gateway: 'Grade gateway: the support centre’s gateway enters for the engineer, and the centre could act in this session.', risk_role: 'Grade role: under a standing consent any engineer of the roster from that level on can enter.',
  risk_shell: 'A terminal: whatever the account may do. All output is recorded.', risk_exec: 'Commands one at a time; files can be moved that way too.', risk_read: 'Files that the account can read, configuration too.', risk_write: 'Files can be written, configuration and programs too.', risk_forward: 'Connections through the device to {to}; what is said there is not recorded.', risk_long: 'Longer than 4 hours: is that needed?', risk_network: 'Connections that commands open by themselves are neither held nor recorded.', risk_two: 'This device wants {n} approvals, by different people with different keys.|This device wants {n} approvals, by different people with different keys.',
  consentList: 'List of requests', open: 'Open', refuseKey: 'Refuse', loadingBytes: 'computing', id: 'Id', standing: 'approved by a standing consent',
};

export const t = texts(zh, en);

const DOORS: Record<string, Word> = {
  shell: { zh: '交互终端', en: 'terminal' },
  exec: { zh: '单条命令', en: 'single commands' },
  'sftp-read': { zh: '读取文件', en: 'read files' },
  'sftp-write': { zh: '写入文件', en: 'write files' },
};

export function door(name: string): string {
  const known = DOORS[name];
  if (known) return word(known);
  return name.startsWith('forward:') ? word({ zh: `转发到 ${name.slice(8)}`, en: `forward to ${name.slice(8)}` }) : name;
}

/** `2 小时`, `45 min`. */
export function duration(seconds: number): string {
  const [h, m, s] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  const parts = [h > 0 ? word({ zh: `${h} 小时`, en: `${h} h` }) : '', m > 0 ? word({ zh: `${m} 分钟`, en: `${m} min` }) : '', s > 0 ? word({ zh: `${s} 秒`, en: `${s} s` }) : ''];
  return parts.filter(Boolean).join(' ') || word({ zh: '0 秒', en: '0 s' });
}

/** What the person who allows it should have read, the weightiest first. */
export function risks(consent: Schema['ConsentView']): { text: string; heavy: boolean }[] {
  const doors = (consent.doors ?? '').split(',');
  const told: { text: string; heavy: boolean }[] = [];
  if (consent.grade === 'gateway') told.push({ text: t('risk_gateway'), heavy: true });
  else if (consent.grade === 'role') told.push({ text: t('risk_role'), heavy: true });
  else told.push({ text: t('risk_end'), heavy: false });
  if (doors.includes('shell')) told.push({ text: t('risk_shell'), heavy: true });
  if (doors.includes('exec')) told.push({ text: t('risk_exec'), heavy: false });
  if (doors.includes('sftp-write')) told.push({ text: t('risk_write'), heavy: true });
  if (doors.includes('sftp-read')) told.push({ text: t('risk_read'), heavy: false });
  const forwards = doors.filter((one) => one.startsWith('forward:')).map((one) => one.slice(8));
  if (forwards.length > 0) told.push({ text: t('risk_forward', { to: forwards.join(', ') }), heavy: true });
  if (doors.includes('shell') || doors.includes('exec')) told.push({ text: t('risk_network'), heavy: false });
  if ((consent.duration_s ?? 0) > 4 * 3600) told.push({ text: t('risk_long'), heavy: true });
  if (consent.approvals_needed > 1) told.push({ text: t('risk_two', { n: consent.approvals_needed }), heavy: false });
  return told;
}

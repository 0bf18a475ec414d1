import { texts } from '../../../lib/i18n.svelte';

export const zh = {
  title: '人员与角色', add: '添加人员', addTitle: '添加人员', name: '账号', nameHint: '2 至 32 个字符：a–z、0–9 和“-”，以字母开头；日志中一直保留，以后不能改', role: '角色', customer: '客户', state: '状态', how: '登录方式', skills: '技能', since: '创建于', mail: '邮箱', level: '级别',
  filter: '筛选', filterHint: '账号、角色、客户、邮箱', searched: '搜索列：账号、角色、客户、邮箱、技能', count: '{n} 人', chooseRole: '请选择角色', chooseCustomer: '请选择客户', ofAll: '支持中心（全部客户）', badName: '账号应为 2 至 32 个字符的 a–z、0–9 和“-”，以字母开头', needRole: '请选择角色', needCustomer: '此角色属于运营商，请选择客户',
  firstSignIn: '创建后请生成一次性登录链接交给本人，由本人设置口令。', create: '创建', cancel: '取消', created: '已添加 {name}', empty: '还没有人员', emptyWhy: '添加工程师、值班员和审批人，或配置企业账号登录。', noMatch: '没有符合筛选的人员', clear: '清除筛选',
  active: '可用', disabled: '已停用', disabledBy: '由 {by} 停用：{reason}', password: '口令', factor: '第二因素', oidc: '企业账号', tokenOnly: '仅令牌', down: '下一人', up: '上一人', open: '打开', back: '全部人员',
  setRole: '更改角色', roleTitle: '更改 {name} 的角色', reason: '原因', needReason: '请填写原因', roleSet: '{name} 的角色已改为{role}', roleByOidc: '角色由企业账号的分组决定，不能在此更改。', self: '这是您自己的账号：角色和停用由其他管理员处理。',
  disable: '停用', disableTitle: '停用 {name}', disableWhat: '立即结束其 {n} 个登录和令牌；不能再登录、值班、接故障。名字仍保留在历史记录中。', disabledDone: '已停用 {name}', enable: '启用', enableTitle: '启用 {name}', enableWhat: '可以重新登录；以前的令牌不会恢复。', enabledDone: '已启用 {name}',
  reset: '重置口令', resetTitle: '重置 {name} 的口令', newPassword: '新口令', passwordHint: '至少 12 个字符。其全部登录和令牌随即结束。', short: '口令至少 12 个字符', resetDone: '{name} 的口令已重置',
  link: '登录链接', linkTitle: '{name} 的一次性登录链接', linkHint: '打开即以 {name} 的身份登录，只能用一次，{at} 前有效。请当面或通过可信渠道交给本人；有第二因素的仍须输入验证码。', make: '生成链接', linkMade: '链接已生成，不再显示第二次', done: '完成',
  noFactor: '解除第二因素', noFactorTitle: '解除 {name} 的第二因素', noFactorWhat: '之后仅凭口令即可登录，直到本人重新开启。请先确认确是本人。', noFactorDone: '已解除 {name} 的第二因素',
  matrix: '角色权限', matrixHint: '由服务器执行；这里只是说明。“自己”指所属客户的范围。', act: '操作', own: '自己', all: '全部', yes: '可以', no: '不可以',
  m_see: '查看故障、设备、会话、案例', m_file: '报障、评论', m_work: '认领、处理、解决故障', m_close: '关闭故障', m_request: '申请远程会话', m_sign: '签署或拒绝同意', m_kill: '强制终止会话', m_cases: '编写、审核案例', m_duty: '调整值班', m_audit: '查看审计', m_people: '管理人员、客户、设备登记', m_walls: '发放大屏令牌',
} as const;

export const en: Record<keyof typeof zh, string> = {
  title: 'People & roles', add: 'Add a person', addTitle: 'Add a person', name: 'Name', nameHint: '2 to 32 of a–z, 0–9 and “-”, beginning with a letter; it stays in the log, and can’t be changed', role: 'Role', customer: 'Customer', state: 'State', how: 'Signs in by', skills: 'Skills', since: 'Since', mail: 'E-mail', level: 'Level',
  filter: 'Filter', filterHint: 'name, role, customer, e-mail', searched: 'searched: name, role, customer, e-mail, skills', count: '{n} person|{n} people', chooseRole: 'Choose a role', chooseCustomer: 'Choose a customer', ofAll: 'Support centre (all customers)', badName: 'A name is 2 to 32 of a–z, 0–9 and “-”, beginning with a letter', needRole: 'Choose a role', needCustomer: 'This role belongs to a carrier: choose the customer',
  firstSignIn: 'Then make a one-time link for them, by which they sign in and set a password of their own.', create: 'Create', cancel: 'Cancel', created: '{name} is added', empty: 'Nobody yet', emptyWhy: 'Add engineers, NOC staff and approvers, or set up signing in with the organisation’s accounts.', noMatch: 'Nobody fits the filter', clear: 'Clear the filter',
  active: 'active', disabled: 'disabled', disabledBy: 'disabled by {by}: {reason}', password: 'password', factor: 'second factor', oidc: 'organisation’s account', tokenOnly: 'token alone', down: 'Next person', up: 'Previous person', open: 'Open', back: 'All people',
  setRole: 'Change the role', roleTitle: 'Change the role of {name}', reason: 'Reason', needReason: 'Say why', roleSet: '{name} is {role} now', roleByOidc: 'The groups of the organisation’s account decide on the role.', self: 'This is your own account: another administrator changes its role, or disables it.',
  disable: 'Disable', disableTitle: 'Disable {name}', disableWhat: 'Ends their {n} sign-in or token now; no sign-in, no duty, no new faults. The name stays in the history.|Ends their {n} sign-ins and tokens now; no sign-in, no duty, no new faults. The name stays in the history.', disabledDone: '{name} is disabled', enable: 'Enable', enableTitle: 'Enable {name}', enableWhat: 'They may sign in again; old tokens stay ended.', enabledDone: '{name} is enabled',
  reset: 'Reset the password', resetTitle: 'Reset the password of {name}', newPassword: 'New password', passwordHint: 'At least 12 characters. All their sign-ins and tokens end.', short: 'A password has at least 12 characters', resetDone: 'The password of {name} is reset',
  link: 'Sign-in link', linkTitle: 'A one-time link for {name}', linkHint: 'Whoever opens it is signed in as {name}, once, until {at}. Hand it over in person or by a way that you trust; a second factor is asked for all the same.', make: 'Make a link', linkMade: 'The link is made; it is not shown again', done: 'Done',
  noFactor: 'Take the second factor away', noFactorTitle: 'Take the second factor of {name} away', noFactorWhat: 'The password alone signs them in until they set another one up. Make sure that it is they who ask.', noFactorDone: 'The second factor of {name} is gone',
  matrix: 'What roles may do', matrixHint: 'The server decides; this explains. “own” means their customer’s things.', act: 'What', own: 'own', all: 'all', yes: 'may', no: 'may not',
  m_see: 'See faults, equipment, sessions, cases', m_file: 'File faults, comment', m_work: 'Accept, work on, resolve faults', m_close: 'Close faults', m_request: 'Request remote sessions', m_sign: 'Sign or refuse consents', m_kill: 'Kill sessions', m_cases: 'Write and review cases', m_duty: 'Change who is on duty', m_audit: 'Read the audit', m_people: 'Administer people, customers, enrolment', m_walls: 'Give wall tokens out',
};

export const t = texts(zh, en);

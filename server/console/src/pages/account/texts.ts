import { texts } from '../../lib/i18n.svelte';

export const zh = {
  title: '我的账号', name: '账号', role: '角色', customer: '客户', since: '创建于', mail: '邮箱', none: '无', how: '登录方式', howPassword: '口令', howOidc: '企业账号（其分组决定角色）', howToken: '仅令牌',
  look: '显示', language: '语言', zh: '中文', en: 'English', theme: '主题', system: '跟随系统', light: '浅色', dark: '深色',
  password: '口令', passwordOidc: '您用企业账号登录。另设本地口令后，企业账号不可用时也能登录。', old: '原口令', new: '新口令', again: '再输入一次新口令', passwordHint: '至少 12 个字符', setPassword: '修改口令', firstPassword: '设置口令',
  passwordSet: '口令已修改，其他登录已全部结束', short: '口令至少 12 个字符', differ: '两次输入的口令不一致', wrongOld: '原口令不正确', needOld: '请填写原口令',
  factor: '第二因素', factorOff: '未开启。开启后，用口令登录时还要输入身份验证器上的六位数字；手机丢失时可用恢复码。', factorOn: '已开启：登录时要输入一次性验证码。', begin: '开启第二因素',
  scan: '用身份验证器（如 FreeOTP、Aegis）扫描二维码，或手工输入密钥，然后填写它现在显示的数字。', qr: '第二因素的二维码', secret: '密钥', code: '现在显示的六位数字', confirm: '确认并开启', abandon: '放弃', wrongCode: '验证码不正确，或已经用过', wait: '尝试次数过多，请稍候再试',
  recovery: '恢复码', recoveryHint: '每个只能用一次，之后不再显示：请打印或存入口令管理器。', saved: '我已保存', factorDone: '第二因素已开启', giveUp: '关闭第二因素', giveUpHint: '需要一个有效的验证码或恢复码。', giveUpCode: '一次性验证码', gaveUp: '第二因素已关闭',
  tokens: '登录与令牌', tokensHint: '每个浏览器登录是一个，命令行和程序的 API 令牌也在这里。', label: '用途', created: '创建', expires: '到期', here: '本次登录', signIn: '登录', end: '结束', endTitle: '结束登录或令牌', endWhat: '“{label}”立即失效，用它的程序或浏览器须重新登录。', ended: '已结束：{label}',
  newToken: '新建 API 令牌', days: '有效天数', daysHint: '1 至 366 天', labelHint: '例如“笔记本上的命令行”', needLabel: '请填写用途', make: '新建', made: '令牌已创建：请现在记下，之后不再显示', noted: '我已记下', noTokens: '没有令牌',
  everywhere: '在所有地方退出', everywhereTitle: '在所有地方退出登录', everywhereWhat: '所有浏览器登录和 API 令牌立即失效，包括本页：{n} 个。|所有浏览器登录和 API 令牌立即失效，包括本页：{n} 个。', keyPassword: '修改口令', keyToken: '新建 API 令牌', cancel: '取消',
} as const;

export const en: Record<keyof typeof zh, string> = {
  title: 'My account', name: 'Name', role: 'Role', customer: 'Customer', since: 'Since', mail: 'E-mail', none: 'none', how: 'Signs in by', howPassword: 'password', howOidc: 'the organisation’s account (its groups decide on the role)', howToken: 'token alone',
  look: 'Appearance', language: 'Language', zh: '中文', en: 'English', theme: 'Theme', system: 'As the system', light: 'Light', dark: 'Dark',
  password: 'Password', passwordOidc: 'You sign in with the organisation’s account. A local password lets you in when that is away.', old: 'Old password', new: 'New password', again: 'New password again', passwordHint: 'At least 12 characters', setPassword: 'Change the password', firstPassword: 'Set a password',
  passwordSet: 'The password is changed, and all other sign-ins have ended', short: 'A password has at least 12 characters', differ: 'The two passwords differ', wrongOld: 'The old password is wrong', needOld: 'Fill the old password in',
  factor: 'Second factor', factorOff: 'Off. With it, signing in by password also asks for the six digits of an authenticator; recovery codes help when the phone is lost.', factorOn: 'On: signing in asks for a one-time code.', begin: 'Set a second factor up',
  scan: 'Scan this with an authenticator (like FreeOTP or Aegis), or type its secret there; then fill in the digits that it shows now.', qr: 'QR code of the second factor', secret: 'Secret', code: 'The six digits shown now', confirm: 'Confirm', abandon: 'Not now', wrongCode: 'The code is wrong, or was used before', wait: 'Too many tries: wait a moment',
  recovery: 'Recovery codes', recoveryHint: 'Each counts once, and they are not shown again: print them, or put them into a password manager.', saved: 'I have kept them', factorDone: 'The second factor is on', giveUp: 'Turn the second factor off', giveUpHint: 'It takes a good code, or a recovery code.', giveUpCode: 'One-time code', gaveUp: 'The second factor is off',
  tokens: 'Sign-ins and tokens', tokensHint: 'Each browser that is signed in is one; API tokens of the command line and of programs are here too.', label: 'For', created: 'Made', expires: 'Ends', here: 'this one', signIn: 'sign-in', end: 'End', endTitle: 'End a sign-in or a token', endWhat: '“{label}” ends now; the program or browser that uses it has to sign in again.', ended: 'Ended: {label}',
  newToken: 'New API token', days: 'Days', daysHint: '1 to 366', labelHint: 'like “command line on the laptop”', needLabel: 'Say what it is for', make: 'Make', made: 'The token is made: note it now, it is not shown again', noted: 'I have noted it', noTokens: 'No tokens',
  everywhere: 'Sign out everywhere', everywhereTitle: 'Sign out everywhere', everywhereWhat: 'Every sign-in and API token ends now, this page’s too: {n} of them.', keyPassword: 'Change the password', keyToken: 'New API token', cancel: 'Cancel',
};

export const t = texts(zh, en);

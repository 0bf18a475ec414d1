import { texts } from '../../lib/i18n.svelte';

export const zh = {
  title: '首次设置', intro: '创建第一个能登录控制台的管理员。', code: '一次性设置码', codeHint: '服务器启动时打印在它自己的输出里（journalctl -u lineman-server）；用过一次或服务器重启后失效。',
  name: '管理员账号', nameHint: '2 至 32 个字符：a–z、0–9 和“-”，以字母开头。可以填 init 时创建的管理员。', password: '口令', passwordHint: '至少 12 个字符', again: '再输入一次口令',
  create: '创建并登录', busy: '正在创建', needCode: '请填写设置码', badName: '账号应为 2 至 32 个字符的 a–z、0–9 和“-”，以字母开头', short: '口令至少 12 个字符', differ: '两次输入的口令不一致',
  wrongCode: '设置码不正确或已失效：服务器每次启动会打印新的设置码', locked: '尝试次数过多：请在 {at} 之后再试', done: '已经设置完成：管理员可以登录。', signIn: '去登录', language: 'English',
  next: '设置完成后：在“人员与角色”中添加同事；建议管理员在“我的账号”中开启第二因素。',
} as const;

export const en: Record<keyof typeof zh, string> = {
  title: 'First set-up', intro: 'Makes the first administrator who can sign in to the console.', code: 'One-time set-up code', codeHint: 'The server printed it to its own output when it started (journalctl -u lineman-server); it counts once, and until the server ends.',
  name: 'Administrator’s name', nameHint: '2 to 32 of a–z, 0–9 and “-”, beginning with a letter. It may be the administrator whom init has made.', password: 'Password', passwordHint: 'At least 12 characters', again: 'The password again',
  create: 'Create and sign in', busy: 'Creating', needCode: 'Fill the code in', badName: 'A name is 2 to 32 of a–z, 0–9 and “-”, beginning with a letter', short: 'A password has at least 12 characters', differ: 'The two passwords differ',
  wrongCode: 'The code is wrong, or counts no longer: the server prints another one each time it starts', locked: 'Too many tries: try again after {at}', done: 'This server is set up: an administrator can sign in.', signIn: 'To the sign-in', language: '中文',
  next: 'After that: add colleagues under “People & roles”; administrators do well to set a second factor under “My account”.',
};

export const t = texts(zh, en);

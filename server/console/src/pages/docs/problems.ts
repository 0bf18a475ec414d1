// What each code of a problem means. A code that the server gains and this page lacks does not compile.

import type { Schema } from '../../lib/api';
import type { Word } from '../../lib/i18n.svelte';

export const problems: Record<Schema['ErrorCode'], Word & { status: number }> = {
  bad_request: { status: 400, zh: '读不懂：JSON 有误，或有未知的查询参数', en: 'not readable: broken JSON, an unknown query parameter' },
  unauthenticated: { status: 401, zh: '没有令牌，或令牌无效', en: 'no token, or one that is not valid' },
  second_factor: { status: 401, zh: '还需要一次性验证码', en: 'a code of the second factor is needed, too' },
  forbidden: { status: 403, zh: '身份已知，但无权限；hint 会说明哪些角色可以', en: 'known, and not allowed; the hint names the roles that are' },
  not_found: { status: 404, zh: '没有这个对象，或您不能知道它', en: 'no such thing, or none that you may know of' },
  method_not_allowed: { status: 405, zh: '路径存在，方法不存在', en: 'the path exists, the method does not' },
  conflict: { status: 409, zh: '当前状态不允许；标题说明允许什么', en: 'its state does not allow this; the title says what it does allow' },
  precondition_failed: { status: 412, zh: '期间有人改过；details 里有双方的内容', en: 'somebody has changed it since; the details have both texts' },
  too_large: { status: 413, zh: '请求体过大', en: 'the body is too large' },
  unsupported_media_type: { status: 415, zh: '不是 application/json', en: 'not application/json' },
  invalid: { status: 422, zh: '读得懂，但某个值或字段不对', en: 'readable, but a value or field is wrong' },
  statement_refused: { status: 422, zh: '签名声明未通过验证', en: 'a signed statement does not verify' },
  precondition_required: { status: 428, zh: '此路由需要 If-Match', en: 'this route wants If-Match' },
  rate_limited: { status: 429, zh: '尝试过于频繁；retry-after 说明何时可再试', en: 'too many tries; retry-after says when' },
  internal: { status: 500, zh: '服务器的错；用请求号可查到原因', en: 'our fault; the request id finds the cause' },
  agent_offline: { status: 503, zh: '设备代理未连接', en: 'the device’s agent is not connected' },
  agent_refused: { status: 503, zh: '设备代理已连接但拒绝；标题是它的理由', en: 'the agent is connected and said no; the title is its reason' },
  agent_timeout: { status: 504, zh: '设备代理没有及时答复', en: 'the device’s agent did not answer in time' },
  unavailable: { status: 503, zh: '服务器正在停止', en: 'the server is stopping' },
};

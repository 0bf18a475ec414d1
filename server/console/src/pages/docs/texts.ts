import { texts } from '../../lib/i18n.svelte';

export const zh = {
  title: 'API 文档', intro: '本服务器自述的接口，离线可用；命令行 lineman 的一切操作都走它。', searchHint: '如 faults accept、cases diff', searched: '查找范围：路径、说明、参数',
  areas: '分类', all: '全部', problems: '错误码', problemsHint: '错误以 application/problem+json 返回（RFC 9457）。程序请按 code 判断；code 只增不改。', status: '状态',
  means: '含义', parameters: '参数', name: '名称', where: '位置', value: '取值', required: '必填', body: '请求体', answers: '应答', otherwise: '出错时',
  example: '示例', none: '没有匹配的接口', noneHint: '换一个词，或清除筛选。', clear: '清除筛选', next: '下一个', previous: '上一个', default: '默认 {value}',
  asAbove: '（同上层）', oneOf: '下列之一：',
} as const;

export const en: Record<keyof typeof zh, string> = {
  title: 'API', intro: 'What this server says of its own interface; all that the command line does goes over it. Works offline.',
  searchHint: 'like faults accept, cases diff', searched: 'searched: paths, descriptions, parameters', areas: 'Areas', all: 'all',
  problems: 'Problem codes',
  problemsHint: 'Errors are application/problem+json (RFC 9457). Act on the code; codes are added, never renamed.', status: 'Status',
  means: 'Means', parameters: 'Parameters', name: 'Name', where: 'In', value: 'Value', required: 'required', body: 'Body',
  answers: 'Answers', otherwise: 'otherwise', example: 'Example', none: 'No route matches',
  noneHint: 'Try another word, or clear the filter.', clear: 'Clear the filter', next: 'Next', previous: 'Previous',
  default: '{value} when absent', asAbove: '(as above)', oneOf: 'One of:',
};

export const t = texts(zh, en);

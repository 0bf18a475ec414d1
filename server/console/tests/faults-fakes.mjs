// Faults that are not there: as many as a test wants, served a page at a time like the server does.

const SEVERITIES = ['critical', 'major', 'minor', 'warning'];
const STATUSES = ['reported', 'accepted', 'in_progress', 'pending'];

export const row = (n, more = {}) => ({
  id: `flt_${String(n).padStart(32, '0')}`, number: `F-JW-${n}`, customer: 'JW', customer_name: '甲网', tier: 'gold', title: `板卡 ${n} 温度越限`, description: '', severity: SEVERITIES[n % 4],
  impact: 'partial', status: STATUSES[n % 4], kind: 'fault', equipment: `ne-${n % 40}.jw.ne`, site: '成都双流', product: 'M6000', model: 'M6000-8S', owner: n % 4 === 0 ? undefined : 'engineer-a',
  reported_by: 'noc-jw', reported_at: new Date(Date.now() - n * 60_000).toISOString(), updated_at: new Date(Date.now() - n * 30_000).toISOString(), version: 1, proposes_restored: false,
  clocks: n % 5 === 0 ? [{ name: 'K3', what: 'await consent', state: 'paused', target_s: 1800, left_s: 900, paused_by: 'consent wait' }]
    : [{ name: 'K6', what: 'restore', state: 'running', target_s: 14400, left_s: 252 + n, deadline_at: new Date(Date.now() + (252 + n) * 1000).toISOString() }],
  breached: false, trigger: n % 3 === 0 ? { severity: 'critical', text: '温度越限', value: '92 °C', threshold: '85 °C', raised: 1 } : undefined, repeats: 1 + (n % 15), live_sessions: n % 7 === 0 ? 1 : 0,
  last: { who: 'engineer-a', at: new Date(Date.now() - n * 20_000).toISOString(), kind: 'fault.note', text: '已联系现场，等待备件' }, ...more,
});

export const listing = (items, more = {}) => ({ items, searched: ['number', 'title', 'equipment', 'site', 'customer', 'notes'], as_of: new Date().toISOString(), total: items.length, ...more });

/** Answers `GET /api/v1/faults` with `rows` (a list that the test may change); `asked` collects what was asked. */
export async function serve(page, rows, asked = []) {
  await page.route(/\/api\/v1\/faults\?/, async (route) => {
    const query = new URL(route.request().url()).searchParams;
    const q = query.get('q') ?? '';
    if (query.get('limit') === '1') return route.fulfill({ json: listing([], { total: rows.filter((one) => one.severity === 'critical').length }) });
    asked.push(Object.fromEntries(query));
    const only = /number:(\S+)/.exec(q)?.[1].split(',');
    const fitting = rows.filter((one) => (only === undefined || only.includes(one.number)) && (!q.includes('severity:critical') || one.severity === 'critical') && !q.includes('没有的词'));
    const from = Number(query.get('after') ?? 0);
    const limit = Number(query.get('limit') ?? 200);
    const items = fitting.slice(from, from + limit);
    const next = from + limit < fitting.length ? String(from + limit) : undefined;
    await route.fulfill({ json: listing(items, { next, total: from === 0 ? fitting.length : undefined }) });
  });
  return asked;
}

export const PEOPLE = { items: [
  { id: `per_${'1'.padStart(32, '0')}`, name: 'engineer-a', role: 'engineer', level: 2, created_at: '2026-01-01T00:00:00Z' },
  { id: `per_${'2'.padStart(32, '0')}`, name: 'engineer-b', role: 'engineer', level: 3, created_at: '2026-01-01T00:00:00Z' },
  { id: `per_${'3'.padStart(32, '0')}`, name: 'noc-jw', role: 'noc', customer: 'JW', created_at: '2026-01-01T00:00:00Z' },
] };

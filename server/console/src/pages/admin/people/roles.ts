// What the server lets each role do. It explains; the server decides.

import type { Role } from '../../../lib/me.svelte';

export const ROLES: readonly Role[] = ['noc', 'approver', 'engineer', 'duty_manager', 'admin', 'auditor'];
export const CARRIER: readonly Role[] = ['noc', 'approver'];

type May = 'own' | 'all' | 'no';
type Act = 'm_see' | 'm_file' | 'm_work' | 'm_close' | 'm_request' | 'm_sign' | 'm_kill' | 'm_cases' | 'm_duty' | 'm_audit' | 'm_people' | 'm_walls';

const row = (...may: [May, May, May, May, May, May]): Record<Role, May> => Object.fromEntries(ROLES.map((role, i) => [role, may[i]])) as Record<Role, May>;

export const MATRIX: readonly (readonly [Act, Record<Role, May>])[] = [
  ['m_see', row('own', 'own', 'all', 'all', 'all', 'all')],
  ['m_file', row('own', 'own', 'all', 'all', 'all', 'no')],
  ['m_work', row('no', 'no', 'all', 'all', 'all', 'no')],
  ['m_close', row('own', 'no', 'all', 'all', 'all', 'no')],
  ['m_request', row('no', 'no', 'all', 'no', 'no', 'no')],
  ['m_sign', row('own', 'own', 'no', 'no', 'no', 'no')],
  ['m_kill', row('own', 'own', 'all', 'all', 'all', 'no')],
  ['m_cases', row('no', 'no', 'all', 'all', 'all', 'no')],
  ['m_duty', row('no', 'no', 'all', 'all', 'all', 'no')],
  ['m_audit', row('no', 'no', 'no', 'no', 'all', 'all')],
  ['m_people', row('no', 'no', 'no', 'no', 'all', 'no')],
  ['m_walls', row('no', 'no', 'no', 'no', 'all', 'no')],
];

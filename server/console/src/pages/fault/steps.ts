// Which steps a fault can take from where it is, as the server's table has it (common/src/fault.rs). The server decides; this hides what
// it would refuse.

import type { Schema } from '../../lib/api';

export type Status = Schema['FaultStatus'];
export type Step = 'accept' | 'assign' | 'hold' | 'resume' | 'escalate' | 'diagnose' | 'restore' | 'resolve' | 'close' | 'reopen' | 'reject' | 'cancel' | 'duplicate' | 'unmerge' | 'merge';

const BEFORE_RESTORED: readonly Status[] = ['reported', 'accepted', 'in_progress', 'pending'];
const OPEN: readonly Status[] = [...BEFORE_RESTORED, 'restored', 'resolved'];

const FROM: Record<Step, readonly Status[]> = {
  accept: ['reported'],
  // Whom nobody has accepted has no owner to be handed on from.
  assign: ['accepted', 'in_progress', 'pending', 'restored', 'resolved'],
  hold: ['accepted', 'in_progress'],
  resume: ['pending'],
  escalate: OPEN,
  diagnose: ['accepted', 'in_progress', 'restored'],
  restore: ['accepted', 'in_progress', 'pending'],
  resolve: ['restored'],
  close: ['resolved'],
  reopen: ['restored', 'resolved', 'closed'],
  reject: ['reported'],
  cancel: BEFORE_RESTORED,
  duplicate: BEFORE_RESTORED,
  unmerge: ['duplicate'],
  merge: OPEN,
};

export const can = (status: Status, step: Step): boolean => FROM[step].includes(status);

export const isOver = (status: Status): boolean => ['closed', 'rejected', 'cancelled', 'duplicate'].includes(status);

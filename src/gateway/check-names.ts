/**
 * Names of the checks, as records and metrics tell them; the empty one stands for none. Apart from the checks themselves, so
 * that whoever needs the names alone loads nothing else.
 */
export const CHECK_NAMES = [
  '',
  'wire',
  'canonical',
  'route',
  'identify',
  'active',
  'address',
  'failures',
  'authenticate',
  'proof',
  'held-back route',
  'same proxy',
  'assignment',
  'path readings',
  'method',
  'upgrade',
  'declared body',
  'limits',
  'contract',
  'operation',
  'replay',
  'credential',
  'gather',
  'target',
  'forward',
  'answer',
] as const
export type CheckName = (typeof CHECK_NAMES)[number]

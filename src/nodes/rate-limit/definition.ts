import { z } from 'zod'
import { DURATION_PATTERN, toMs } from '../../base/clock.ts'
import { MAX_MAX, RATE_WINDOW } from '../../model/bounds.ts'
import { Duration } from '../../model/members.ts'
import { EITHER, type NodeType } from '../node-type.ts'

export const rateLimitNode: NodeType = {
  name: 'rate_limit_node',
  phase: 'decide',
  summary: 'Counts a key against a rate, over all gateway threads',
  config: z.strictObject({
    max: z.int().min(1).max(MAX_MAX).describe('Units that a key may take in any window'),
    window: Duration.refine((window) => {
      if (!DURATION_PATTERN.test(window)) return false
      const ms = toMs(window)
      return ms >= RATE_WINDOW.min && ms <= RATE_WINDOW.max
    }, 'from 1s to 24h').describe('Sliding window, from 1s to 24h'),
  }),
  inputs: { key: 'string or number, at most 1024 characters', 'cost?': 'number, from 1 to max; default 1' },
  outputs: { remaining: 'integer', reset_ms: 'integer: milliseconds until the key may take more' },
  handles: EITHER,
}

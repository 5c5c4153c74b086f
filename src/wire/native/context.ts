import type { LookupFunction } from 'node:net'
import type { Clock } from '../../base/clock.ts'
import type { ByteBudget } from '../../base/memory/bytes.ts'
import type { Egress } from '../../base/net/egress.ts'
import type { Guarded } from '../guarded.ts'
import type { WireLimits } from '../port.ts'
import type { StreamedAnswer } from '../streamed-answer.ts'
import type { RequestHead } from './request-head.ts'
import type { ResponseHead } from './response-head.ts'
import type { Sweep } from './sweep.ts'

/** What the parts of one engine share. All of it lives in one thread. */
export interface Context extends Guarded {
  readonly clock: Clock
  readonly limits: WireLimits
  readonly sweep: Sweep
  readonly requestHead: RequestHead
  readonly responseHead: ResponseHead
  /** Every plain socket is read into it; what outlives the read callback is copied. */
  readonly readBuffer: Buffer
  readonly egress: Egress
  /** Resolves names for all pools; its answers are judged by none. */
  readonly lookup: LookupFunction
  /** What to call when a new connection has closed, or null for one that is closed at once; null: all are taken. */
  readonly admits: ((peer: string, listener: number) => (() => void) | null) | null
  /** Where bytes are counted that wait on one connection for an address to read them; null: nowhere. */
  readonly keep: ((peer: string) => ByteBudget) | null
  /** A Date line, at most one sweep old. */
  dateLine: string
  /** Streamed answers whose writers were not told that the engine drains. */
  readonly streams: Set<StreamedAnswer>
  draining: boolean
}

import type { lookup } from 'node:dns'
import type { Clock } from '../../base/clock.ts'
import type { ByteBudget } from '../../base/memory/bytes.ts'
import type { Egress } from '../../base/net/egress.ts'
import { guarded } from '../guarded.ts'
import { DEFAULT_LIMITS, SWEEP_MS } from '../limits.ts'
import type { FieldRules, Handler, WireLimits } from '../port.ts'
import type { Context } from './context.ts'
import { READ_BYTES } from './limits.ts'
import { RequestHead } from './request-head.ts'
import { compileRules } from './request-rules.ts'
import { createLookup } from './resolver.ts'
import { answerTable, ResponseHead } from './response-head.ts'
import { Sweep } from './sweep.ts'

export interface NativeEngineOptions<State> {
  readonly handler: Handler<State>
  readonly rules: FieldRules
  readonly clock: Clock
  /** What upstreams may be. */
  readonly egress: Egress
  /** Those not given are {@link DEFAULT_LIMITS}. */
  readonly limits?: Partial<WireLimits>
  /** Lower-case names that are never passed on from an upstream's answer; `server` by default. */
  readonly stripAnswers?: readonly string[]
  /** Told of what a handler threw. The request was answered with internal_error where that was still possible. */
  readonly onFault?: (error: unknown) => void
  /** How often deadlines are looked at, milliseconds. */
  readonly sweepMs?: number
  /**
   * Asked for each new connection, before TLS: what to call when it has closed, or null to close it at once. All are
   * taken by default.
   */
  readonly admits?: (peer: string, listener: number) => (() => void) | null
  /** Where bytes are counted that wait on one connection for an address to read them; counted nowhere by default. */
  readonly keep?: (peer: string) => ByteBudget
  /** Resolves names of upstreams; the system's resolver by default. */
  readonly resolve?: typeof lookup
}

/** Makes the shared parts. Its sweep runs until it is stopped. */
export function createContext<State>(options: NativeEngineOptions<State>): Context {
  const { clock } = options
  const limits = { ...DEFAULT_LIMITS, ...options.limits }
  const context: Context = {
    clock,
    limits,
    sweep: new Sweep(clock, options.sweepMs ?? SWEEP_MS, () => {
      context.dateLine = dateLineOf(clock)
    }),
    requestHead: new RequestHead(compileRules(options.rules), limits),
    responseHead: new ResponseHead(answerTable(options.stripAnswers ?? ['server'])),
    readBuffer: Buffer.allocUnsafeSlow(READ_BYTES),
    admits: options.admits ?? null,
    keep: options.keep ?? null,
    egress: options.egress,
    lookup: createLookup(clock, options.resolve),
    dateLine: dateLineOf(clock),
    streams: new Set(),
    draining: false,
    ...guarded(options.handler, options.onFault),
  }
  return context
}

function dateLineOf(clock: Clock): string {
  return `Date: ${new Date(clock.now()).toUTCString()}\r\n`
}

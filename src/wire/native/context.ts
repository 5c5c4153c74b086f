import { type LookupAddress, type LookupOptions, lookup } from 'node:dns'
import type { LookupFunction } from 'node:net'
import type { Clock } from '../../base/clock.ts'
import type { ByteBudget } from '../../base/memory/bytes.ts'
import { Lru } from '../../base/memory/lru.ts'
import { bareHost } from '../../base/net/address.ts'
import type { Egress } from '../../base/net/egress.ts'
import { type Guarded, guarded } from '../guarded.ts'
import { DEFAULT_LIMITS, SWEEP_MS } from '../limits.ts'
import type { FieldRules, Handler, UpstreamOptions, WireLimits } from '../port.ts'
import type { StreamedAnswer } from '../streamed-answer.ts'
import { READ_BYTES, RESOLVED_MS, RESOLVED_NAMES_MAX, UNRESOLVED_MS } from './grammar.ts'
import { RequestHead } from './request-head.ts'
import { compileRules } from './request-rules.ts'
import { answerTable, ResponseHead } from './response-head.ts'
import { Sweep } from './sweep.ts'

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

/** The address of a pool, as the egress rule judges it. */
export interface JudgedAddress {
  /** Why nothing is connected to; null when the address is admitted. */
  readonly fault: string | null
  /** For sockets: gives only addresses that the egress rule admits. */
  readonly lookup: LookupFunction
}

/**
 * Judges the address of a pool by the egress rule. A name is judged again with each connection, by what it resolves to;
 * a refused address beside others is left out, since some networks give each host a link-local one.
 */
export function judgeAddress(
  { egress, lookup }: Context,
  { address, from = 'typed' }: UpstreamOptions,
): JudgedAddress {
  if (from === 'own') return { fault: null, lookup }
  if ('socketPath' in address) return { fault: egress.socketFault(address.socketPath), lookup }
  const to = { host: bareHost(address.host), port: address.port, from }
  return { fault: egress.faultOf(to), lookup: egress.lookup(to, lookup, 'leave_out') }
}

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

interface Resolved {
  readonly error: NodeJS.ErrnoException | null
  readonly addresses: LookupAddress[]
  readonly until: number
}

type Waiter = (resolved: Resolved) => void

/**
 * A `lookup` for sockets with a short memory: the system's resolver runs in a pool of few threads that the whole
 * process shares, so it is asked once per name and period, and once for all that wait. What may be connected to is
 * judged by its users: the egress rule depends on the port as well.
 */
export function createLookup(clock: Clock, resolve: typeof lookup = lookup): LookupFunction {
  const known = new Lru<string, Resolved>(RESOLVED_NAMES_MAX)
  const asked = new Map<string, Waiter[]>()

  function ask(name: string, waiter: Waiter): void {
    const waiters = asked.get(name)
    if (waiters !== undefined) {
      waiters.push(waiter)
      return
    }
    asked.set(name, [waiter])
    resolve(name, { all: true }, (error, addresses) => {
      const until = clock.monotonic() + (error === null ? RESOLVED_MS : UNRESOLVED_MS)
      const resolved = { error, addresses: addresses ?? [], until }
      known.set(name, resolved)
      const all = asked.get(name) ?? []
      asked.delete(name)
      for (const each of all) each(resolved)
    })
  }

  return (name: string, options: LookupOptions, callback): void => {
    const give: Waiter = ({ error, addresses }) => {
      const first = addresses[0]
      if (error !== null || first === undefined) {
        callback(error ?? Object.assign(new Error(`no address for ${name}`), { code: 'ENOTFOUND' }), [])
      } else if (options.all === true) callback(null, addresses)
      else callback(null, first.address, first.family)
    }
    const resolved = known.get(name)
    // Sockets are not ready for an answer before they have returned
    if (resolved !== undefined && resolved.until > clock.monotonic()) process.nextTick(give, resolved)
    else ask(name, give)
  }
}

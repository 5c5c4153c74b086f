/**
 * Decides the answer of `/readyz`. It is 200 from the moment at which all `WORKERS` threads listen until the process receives
 * a stop signal, or an operator drains the node. While a thread is replaced, the answer stays 200 with `"status": "warn"`, because the other threads serve.
 */

import { url } from 'node:inspector'
import { STORE_FAULTS, type StoreFault } from '../../store/ports/unavailable.ts'
import { HEALTH, healthTime, STORES, type StoreName } from './messages.ts'
import { type ValkeyState, valkeyStateOf } from './valkey-state.ts'

/** What `/readyz` says, with the states of draft-inadarei-api-health-check. */
export interface Readiness {
  readonly ready: boolean
  readonly status: 'pass' | 'warn' | 'fail'
  /** Gateway threads that listen, and how many there are to be. */
  readonly threads: number
  readonly workers: number
  /** Gateway threads whose event loop has been blocked for three seconds. They are replaced after ten. */
  readonly stalled: number
  readonly draining: boolean
  /** Nodes on the database of this one; null where data is in files. */
  readonly nodes: { readonly counted: number; readonly silent: number } | null
  /** Counters of limits that nodes share; null where the settings name none. Without it an instance is as ready as with it. */
  readonly valkey: ValkeyState | null
  /** The clock of this machine is more than 30 seconds from that of the database: limits and tokens would end at wrong times. */
  readonly skewed: boolean
  /** Without its store an instance serves the last known configuration. */
  readonly store: boolean
  /** Why each file of the data directory cannot be used; null while it can. */
  readonly stores: Readonly<Record<StoreName, StoreFault | null>>
  readonly recorder: { readonly running: boolean; readonly dropped: number }
}

/**
 * Ready once every configured thread has listened, until the process receives a stop signal. A thread that dies later and is
 * being replaced is a warning: the others serve its port, and a balancer that took the whole instance out for the
 * loss of one thread would turn a part of the outage into all of it. A thread that hangs makes the instance unready,
 * because the system still gives it a share of the new connections.
 * @param holds the thread that answers has a snapshot. @param faults fragments that it could not link.
 */
export function readinessOf(health: Int32Array, holds: boolean, faults: number): Readiness {
  const threads = Atomics.load(health, HEALTH.threads)
  const workers = Atomics.load(health, HEALTH.workers)
  const draining = Atomics.load(health, HEALTH.draining) === 1 || Atomics.load(health, HEALTH.drained) === 1
  const running = Atomics.load(health, HEALTH.recorder) === 1
  const stalled = Atomics.load(health, HEALTH.stalled)
  const skewed = Atomics.load(health, HEALTH.skewed) === 1
  const counted = Atomics.load(health, HEALTH.nodes)
  const silent = Atomics.load(health, HEALTH.nodesSilent)
  const ready = holds && !draining && !skewed && stalled === 0 && Atomics.load(health, HEALTH.started) === 1
  const store = Atomics.load(health, HEALTH.store) === 1
  const stores = faultsOf(health)
  const areUsable = Object.values(stores).every((fault) => fault === null)
  const valkey = valkeyStateOf(health)
  const whole =
    running &&
    store &&
    areUsable &&
    faults === 0 &&
    threads >= workers &&
    silent === 0 &&
    valkey?.up !== false
  return {
    ready,
    status: !ready ? 'fail' : whole ? 'pass' : 'warn',
    threads,
    workers,
    stalled,
    draining,
    nodes: counted === 0 ? null : { counted, silent },
    valkey,
    skewed,
    store,
    stores,
    recorder: { running, dropped: droppedRecords(health) },
  }
}

/** Request records that were lost since the start, wherever. */
function droppedRecords(health: Int32Array): number {
  return Atomics.load(health, HEALTH.recordsDropped) + Atomics.load(health, HEALTH.droppedByGateways)
}

/**
 * The main thread looks at its stores every second. A write to a disk that stalls blocks it, so that it cannot tell of that itself:
 * without a look for so long, the other threads do.
 */
const UNSEEN_MS = 4000

/** Why each file cannot be used, or is slow; null while there is nothing to say. */
function faultsOf(health: Int32Array): Record<StoreName, StoreFault | null> {
  const looked = Atomics.load(health, HEALTH.looked)
  const isUnseen = looked !== 0 && ((healthTime() - looked) & 0x7fff_ffff) > UNSEEN_MS
  const faults = STORES.map((name, index) => {
    const fault = STORE_FAULTS[Atomics.load(health, HEALTH.faults + index) - 1] ?? null
    return [name, fault === null && name === 'config' && isUnseen ? 'slow' : fault]
  })
  // One entry for each of STORES.
  return Object.fromEntries(faults) as Record<StoreName, StoreFault | null>
}

// Finds gateway threads whose event loop is blocked. After three seconds readiness fails; after ten seconds the thread
// is ended and replaced. A thread that does not listen within 60 seconds of its start is replaced too.

/** How often a gateway thread reports that its event loop runs. */
const HEARTBEAT_MS = 250
/** How often the main thread looks. It counts its own turns, not time: a suspended machine or process makes no thread stall. */
const LOOK_MS = 500
/** Looks without a heartbeat until the instance is not ready: three seconds. */
const UNREADY_LOOKS = 6
/** Looks without a heartbeat until the thread is replaced: ten seconds. */
const REPLACE_LOOKS = 20

/** The cell of the health buffer in which a gateway thread counts its heartbeats. */
export interface HeartbeatCell {
  readonly health: Int32Array
  readonly cell: number
}

/** Counts heartbeats as long as the event loop of this thread runs. */
export function sendHeartbeats({ health, cell }: HeartbeatCell): void {
  setInterval(() => Atomics.add(health, cell, 1), HEARTBEAT_MS).unref()
}

interface Watched {
  readonly heartbeats: number
  readonly looks: number
}

export interface HeartbeatWatch<Thread extends object> {
  /** Looks at once; for tests. */
  look(): void
  stop(): void
  /** Threads without a heartbeat for three seconds. */
  readonly stalled: ReadonlySet<Thread>
}

export interface HeartbeatWatchOptions<Thread extends object> {
  readonly threads: () => readonly Thread[]
  readonly cellOf: (thread: Thread) => HeartbeatCell
  /** Called when the number of stalled threads changes. */
  readonly changed: (stalled: number) => void
  /** Called once for a thread without a heartbeat for ten seconds. */
  readonly hangs: (thread: Thread) => void
  readonly lookMs?: number
  /** True while a debugger may have paused a thread; looks are not counted then. */
  readonly isDebugged?: () => boolean
}

/** Finds gateway threads whose event loop is blocked, for example by an endless loop. */
export function watchHeartbeats<Thread extends object>(
  options: HeartbeatWatchOptions<Thread>,
): HeartbeatWatch<Thread> {
  const { threads, cellOf, changed, hangs, lookMs = LOOK_MS } = options
  const { isDebugged = () => url() !== undefined } = options
  let known = new Map<Thread, Watched>()
  const stalled = new Set<Thread>()

  function look(): void {
    const before = stalled.size
    const seen = new Map<Thread, Watched>()
    const step = isDebugged() ? 0 : 1
    stalled.clear()
    for (const thread of threads()) {
      const { health, cell } = cellOf(thread)
      const heartbeats = Atomics.load(health, cell)
      const last = known.get(thread)
      const looks = last?.heartbeats === heartbeats ? last.looks + step : 0
      seen.set(thread, { heartbeats, looks })
      if (looks >= UNREADY_LOOKS) stalled.add(thread)
      if (looks === REPLACE_LOOKS && step === 1) hangs(thread)
    }
    known = seen
    if (stalled.size !== before) changed(stalled.size)
  }

  const timer = setInterval(look, lookMs)
  timer.unref()
  return { look, stop: () => clearInterval(timer), stalled }
}

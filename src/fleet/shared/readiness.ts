/**
 * Decides the answer of `/readyz`. It is 200 from the moment at which all `WORKERS` threads listen until the process receives
 * a stop signal. While a thread is replaced, the answer stays 200 with `"status": "warn"`, because the other threads serve.
 */
import { STORE_FAULTS, type StoreFault } from '../../store/ports/unavailable.ts'
import { HEALTH, healthTime, STORES, type StoreName } from './messages.ts'

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
  const draining = Atomics.load(health, HEALTH.draining) === 1
  const running = Atomics.load(health, HEALTH.recorder) === 1
  const stalled = Atomics.load(health, HEALTH.stalled)
  const ready = holds && !draining && stalled === 0 && Atomics.load(health, HEALTH.started) === 1
  const store = Atomics.load(health, HEALTH.store) === 1
  const stores = faultsOf(health)
  const areUsable = Object.values(stores).every((fault) => fault === null)
  const whole = running && store && areUsable && faults === 0 && threads >= workers
  return {
    ready,
    status: !ready ? 'fail' : whole ? 'pass' : 'warn',
    threads,
    workers,
    stalled,
    draining,
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

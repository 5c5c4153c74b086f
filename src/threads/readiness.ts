import { HEALTH } from './messages.ts'

/** What `/readyz` says, with the states of draft-inadarei-api-health-check. */
export interface Readiness {
  readonly ready: boolean
  readonly status: 'pass' | 'warn' | 'fail'
  /** Gateway threads that listen, and how many there are to be. */
  readonly threads: number
  readonly workers: number
  readonly draining: boolean
  /** Without its store an instance serves the last known configuration. */
  readonly store: boolean
  readonly recorder: { readonly running: boolean; readonly dropped: number }
}

/**
 * Ready once every configured thread has listened, until the process is told to stop. A thread that dies later and is
 * being replaced is a warning: the others serve its port, and a balancer that took the whole instance out for the
 * loss of one thread would turn a part of the outage into all of it.
 * @param holds the thread that answers has a snapshot. @param faults fragments that it could not link.
 */
export function readinessOf(health: Int32Array, holds: boolean, faults: number): Readiness {
  const threads = Atomics.load(health, HEALTH.threads)
  const workers = Atomics.load(health, HEALTH.workers)
  const draining = Atomics.load(health, HEALTH.draining) === 1
  const running = Atomics.load(health, HEALTH.recorder) === 1
  const ready = holds && !draining && Atomics.load(health, HEALTH.started) === 1
  const store = Atomics.load(health, HEALTH.store) === 1
  const whole = running && store && faults === 0 && threads >= workers
  return {
    ready,
    status: !ready ? 'fail' : whole ? 'pass' : 'warn',
    threads,
    workers,
    draining,
    store,
    recorder: { running, dropped: Atomics.load(health, HEALTH.recordsDropped) },
  }
}

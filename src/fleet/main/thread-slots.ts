/**
 * Keeps one gateway thread in each slot. A thread that ends, hangs or does not listen in time is replaced under the same
 * slot. Its locks and places are released first. The start of the process fails if a thread cannot start, or does not listen in time
 * `START_ATTEMPTS` times.
 */
import type { Worker } from 'node:worker_threads'
import { type FromGateway, HEALTH, REPLACEMENTS, type Replacement } from '../shared/messages.ts'
import { watchHeartbeats } from '../shared/readiness.ts'

export interface GatewayThread {
  readonly slot: number
  readonly worker: Worker
  listening: boolean
  stopping: boolean
  /** It was ended because of this; null while it runs. */
  endedFor: Replacement | null
  /** Number of changes that were sent to it, and of those it has confirmed: it confirms them in order. */
  sent: number
  applied: number
  drained: (() => void) | null
}

export interface ThreadSlotsOptions {
  readonly count: number
  /** See {@link HEALTH}. */
  readonly health: Int32Array
  readonly start: (slot: number) => Worker
  /** Joins a thread that has started to the recorder; gives what ends that. */
  readonly connect: (worker: Worker) => () => void
  /** Tells a thread that has started what it serves. */
  readonly begin: (thread: GatewayThread) => void
  readonly hear: (thread: GatewayThread, message: FromGateway) => void
  /** Gives back what a thread held that has ended. */
  readonly release: (thread: GatewayThread) => void
  /** A thread listens, or does so no more. */
  readonly changed: () => void
  readonly log: (level: 'info' | 'warn' | 'error', message: string) => void
  /** How often the heartbeats are looked at, milliseconds; see fleet/shared/readiness. */
  readonly lookMs?: number
  /** How long a thread may take to listen, milliseconds. */
  readonly startMs?: number
}

export interface ThreadSlots {
  /** By slot; without those that have ended and are not replaced yet. */
  readonly threads: readonly (GatewayThread | undefined)[]
  /** Threads that listen and go on doing so. */
  live(): GatewayThread[]
  /** Starts all; resolves when all listen. Ends all and rejects when one cannot start. */
  startAll(): Promise<void>
  /** From now on no thread is replaced. */
  close(): void
}

const RESTART_MS_MAX = 5000
/** From its start until it listens: loading, linking the configuration, and a machine that is busy. */
const START_MS = 60_000
/** Threads that do not listen in time, one after the other in one slot, until the start of the process fails. */
const START_ATTEMPTS = 3
/** A thread that lived this long was healthy: the next restart is immediate again. */
const HEALTHY_MS = 10_000

export function createThreadSlots(options: ThreadSlotsOptions): ThreadSlots {
  const { health } = options
  const threads: (GatewayThread | undefined)[] = []
  let closed = false

  const watch = watchHeartbeats<GatewayThread>({
    threads: live,
    cellOf: ({ slot }) => ({ health, cell: HEALTH.heartbeats + slot }),
    changed: (stalled) => Atomics.store(health, HEALTH.stalled, stalled),
    hangs(thread) {
      options.log('error', `gateway thread ${thread.slot} hangs; ending it and its connections`)
      end(thread, 'hung')
    },
    ...(options.lookMs === undefined ? {} : { lookMs: options.lookMs }),
  })

  function live(): GatewayThread[] {
    return threads.filter((thread) => thread?.listening === true && !thread.stopping) as GatewayThread[]
  }

  function end(thread: GatewayThread, reason: Replacement): void {
    thread.endedFor = reason
    void thread.worker.terminate()
  }

  /** A thread is replaced that has ended by itself, unless `thread` says otherwise. */
  function countReplacement({ endedFor }: GatewayThread): void {
    Atomics.add(health, HEALTH.replaced + REPLACEMENTS.indexOf(endedFor ?? 'died'), 1)
  }

  /** Tells the other threads how many listen. */
  function refresh(): void {
    const { length } = live()
    Atomics.store(health, HEALTH.threads, length)
    if (length === options.count) Atomics.store(health, HEALTH.started, 1)
    options.changed()
  }

  function start(
    slot: number,
    onListening: () => void,
    onFailed: (error: Error, thread: GatewayThread) => void,
  ): void {
    const worker = options.start(slot)
    const disconnect = options.connect(worker)
    const thread: GatewayThread = {
      slot,
      worker,
      listening: false,
      stopping: false,
      endedFor: null,
      sent: 0,
      applied: 0,
      drained: null,
    }
    const startedAt = performance.now()
    threads[slot] = thread
    let fault: Error | null = null
    const { startMs = START_MS } = options
    const late = setTimeout(() => {
      const limit = `${startMs / 1000} seconds`
      options.log('error', `gateway thread ${slot} does not listen ${limit} after its start; ending it`)
      fault = new Error(`it did not listen within ${limit}`)
      end(thread, 'start_timeout')
    }, startMs)
    late.unref()
    worker.on('message', (message: FromGateway) => {
      options.hear(thread, message)
      if (message.kind !== 'listening') return
      thread.listening = true
      refresh()
      clearTimeout(late)
      onListening()
    })
    worker.on('error', (error: Error) => {
      fault = error
    })
    worker.on('exit', () => {
      disconnect()
      clearTimeout(late)
      const wasListening = thread.listening
      thread.listening = false
      if (threads[slot] === thread) threads[slot] = undefined
      options.release(thread)
      refresh()
      thread.drained?.()
      if (closed || thread.stopping) return
      if (!wasListening)
        return onFailed(fault ?? new Error(`gateway thread ${slot} ended before it listened`), thread)
      countReplacement(thread)
      options.log(
        'error',
        `gateway thread ${slot} died${fault === null ? '' : `: ${fault.message}`}; replacing it`,
      )
      restart(slot, performance.now() - startedAt > HEALTHY_MS ? 0 : 50)
    })
    options.begin(thread)
  }

  function restart(slot: number, delayMs: number): void {
    setTimeout(() => {
      if (closed) return
      start(
        slot,
        () => options.log('warn', `gateway thread ${slot} is back`),
        (error, failed) => {
          countReplacement(failed)
          options.log('error', `gateway thread ${slot} cannot start: ${error.message}`)
          restart(slot, Math.min(RESTART_MS_MAX, Math.max(100, delayMs * 2)))
        },
      )
    }, delayMs)
  }

  /** Resolves when the thread listens. One that does not listen in time is replaced a few times; any other fault rejects. */
  function startFirst(slot: number, attempts = 1): Promise<void> {
    return new Promise((resolve, reject) =>
      start(slot, resolve, (error, failed) => {
        if (failed.endedFor !== 'start_timeout' || attempts === START_ATTEMPTS) return reject(error)
        countReplacement(failed)
        resolve(startFirst(slot, attempts + 1))
      }),
    )
  }

  return {
    threads,
    live,
    async startAll() {
      Atomics.store(health, HEALTH.workers, options.count)
      const slots = Array.from({ length: options.count }, (_, slot) => startFirst(slot))
      await Promise.all(slots).catch(async (error: unknown) => {
        closed = true
        await Promise.all(threads.map((thread) => thread?.worker.terminate()))
        throw error
      })
    },
    close() {
      closed = true
      watch.stop()
    },
  }
}

/** Decides how many gateway threads run: one if the system cannot share a port. */
export interface ThreadCount {
  /** Gateway threads that there are to be. */
  readonly count: number
  /** They listen on the same port. */
  readonly reusePort: boolean
}

/** `reusePort` with balancing between sockets: Linux and the BSDs that Node knows (see `listen` in node:net). */
const SHARING: readonly string[] = ['linux', 'freebsd']

/** As many gateway threads as are set; one where the system cannot share a port, which the log is told. */
export function threadCountOf(
  workers: number,
  log: (level: 'warn', message: string) => void,
  platform: string = process.platform,
): ThreadCount {
  const reusePort = SHARING.includes(platform)
  if (!reusePort && workers > 1)
    log(
      'warn',
      `this system cannot share a port between threads; running 1 gateway thread instead of ${workers}`,
    )
  return { count: reusePort ? workers : 1, reusePort }
}

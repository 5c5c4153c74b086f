import type { MessagePort, Worker } from 'node:worker_threads'
import type { Protected } from '../../base/doors.ts'
import type { Trial } from '../../gateway/forward/try-credential.ts'
import type { IdempotencyMemory } from '../../gateway/idempotency/keys.ts'
import type { LoadKeySet } from '../../gateway/identify/key-sets.ts'
import type { CredentialTest } from '../../model/credential-test.ts'
import type { Explanation, Hypothetical } from '../../model/explanation.ts'
import type { ReplayAnswer, ReplayAsked } from '../../model/replay.ts'
import { mergeHealth, type UpstreamHealth } from '../../model/upstream-health.ts'
import type { Event } from '../../shared-state/ports/events.ts'
import type { SnapshotDelta } from '../../snapshot/fragments.ts'
import { type SentDelta, toSent } from '../../snapshot/sent-delta.ts'
import type { TlsOptions } from '../../wire/port.ts'
import { watchHeartbeats } from '../shared/heartbeats.ts'
import {
  type FromGateway,
  type GatewayInit,
  HEALTH,
  type Listener,
  REPLACEMENTS,
  type Replacement,
  type ToGateway,
} from '../shared/messages.ts'
import { PublishedSnapshot } from './published-snapshot.ts'
import { createQuestions } from './questions.ts'

/**
 * The gateway threads as the main thread sees them.
 *
 * 1. `published` is the published snapshot; a thread that starts gets all of it and then every later change,
 *    in order, because both travel through the same port.
 * 2. `publish` resolves when every thread that was listening has applied the change, so a change that has
 *    answered is in force; a thread that does not confirm in time makes it `pending`, never wrong. While the
 *    first threads start, a change waits for all of them.
 * 3. A thread that dies, hangs, or does not listen in time after its start is replaced under the same slot; what it held of the
 *    shared counters is released first.
 */
export interface Gateways {
  publish(delta: SnapshotDelta): Promise<{ pending: boolean }>
  /** New certificates or ticket keys for the threads that run, and for those that replace them. */
  setTls(listener: Listener, tls: TlsOptions): void
  /** What opens credential secrets, likewise; in force for every change that is published after it. */
  setCredentialKey(credentialKey: Uint8Array): void
  /** Tells all threads an event of the main thread. */
  tell(event: Event): void
  /** Asks a thread what would become of a request. Rejects when no thread answers in time. */
  explain(asked: Hypothetical): Promise<Explanation>
  /** Has a thread try a credential. Rejects when no thread answers in time. */
  tryCredential(trial: Trial): Promise<CredentialTest>
  /** Has a thread make a recorded request again; null when that had no whole answer in time. Rejects when no thread answers. */
  replay(asked: ReplayAsked): Promise<ReplayAnswer | null>
  /** When credentials were last used since the threads began, by id; milliseconds since the epoch. */
  credentialUses(): Promise<ReadonlyMap<string, number>>
  /** How the servers of a published collection are; null when there are none, or nobody can tell. */
  upstreamHealth(collection: string): Promise<UpstreamHealth | null>
  /** Stops accepting, lets requests end, then ends the threads. */
  drain(deadlineMs: number): Promise<void>
  /** Ends a thread at once, as a fault would; resolves when its replacement listens. For tests of that promise. */
  kill(slot: number): Promise<void>
  close(): Promise<void>
}

export interface GatewaysOptions {
  readonly count: number
  readonly start: (init: GatewayInit) => Worker
  readonly init: Omit<GatewayInit, 'slot'>
  /** Joins a gateway thread to the recorder; returns what ends it. See record/recorder-client. */
  readonly connectRecorder: (attach: (port: MessagePort) => void) => () => void
  /** Counters: give back what a dead thread held. */
  readonly releaseDead: (slot: number) => void
  /** Idempotency keys of all threads. */
  readonly keys: IdempotencyMemory
  /** Fetches the keys of issuers for all threads. */
  readonly keySets: LoadKeySet
  /** Id of the principal that an access token of management stands for; null for none. Never rejects. */
  readonly prove: (token: string, resource: Protected) => Promise<string | null>
  /** Takes the events that gateway threads publish. */
  readonly deliver: (event: Event) => void
  readonly log: (level: 'info' | 'warn' | 'error', message: string) => void
  /** How often the main thread looks at the heartbeats of its threads, milliseconds; see fleet/shared/heartbeats. */
  readonly lookMs?: number
  /** How long a thread may take to listen, milliseconds. */
  readonly startMs?: number
}

interface Thread {
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

const ACKNOWLEDGE_MS = 1000
const ANSWER_MS = 5000
/** Longer than a thread tries. */
const TRIAL_MS = 30_000
/** Likewise of a request that is made again. */
const REPLAY_MS = 35_000
const RESTART_MS_MAX = 5000
/** From its start until it listens: loading, linking the configuration, and a machine that is busy. */
const START_MS = 60_000
/** Threads that do not listen in time, one after the other in one slot, until the start of the process fails. */
const START_ATTEMPTS = 3
/** A thread that lived this long was healthy: the next restart is immediate again. */
const HEALTHY_MS = 10_000

/** Starts the threads; resolves when all of them listen and hold `first`. Rejects when one cannot start. */
export async function startGateways(options: GatewaysOptions, first: SnapshotDelta): Promise<Gateways> {
  const health = new Int32Array(options.init.health)
  const { keys } = options
  const published = new PublishedSnapshot(toSent(first))
  const threads: (Thread | undefined)[] = []
  const waiting = new Set<() => void>()
  let closed = false
  const { ask, askAll, answered } = createQuestions(tell)
  let { tls, controlTls, credentialKey } = options.init

  const watch = watchHeartbeats<Thread>({
    threads: live,
    cellOf: ({ slot }) => ({ health, cell: HEALTH.heartbeats + slot }),
    changed: (stalled) => Atomics.store(health, HEALTH.stalled, stalled),
    hangs(thread) {
      options.log('error', `gateway thread ${thread.slot} hangs; ending it and its connections`)
      end(thread, 'hung')
    },
    ...(options.lookMs === undefined ? {} : { lookMs: options.lookMs }),
  })

  function end(thread: Thread, reason: Replacement): void {
    thread.endedFor = reason
    void thread.worker.terminate()
  }

  /** A thread is replaced that has ended by itself, unless `thread` says otherwise. */
  function countReplacement({ endedFor }: Thread): void {
    Atomics.add(health, HEALTH.replaced + REPLACEMENTS.indexOf(endedFor ?? 'died'), 1)
  }

  function tell(thread: Thread, message: ToGateway): void {
    thread.worker.postMessage(message)
  }

  function tellAll(message: ToGateway): void {
    for (const thread of threads) if (thread !== undefined) tell(thread, message)
  }

  /** Gives the number that the thread has confirmed once it holds the change. */
  function change(thread: Thread, delta: SentDelta): number {
    tell(thread, { kind: 'snapshot', delta })
    return ++thread.sent
  }

  function live(): Thread[] {
    return threads.filter((thread) => thread?.listening === true && !thread.stopping) as Thread[]
  }

  /** Threads that may answer by what held before: one accepts calls a moment before it is known here to listen. */
  function holding(): Thread[] {
    return threads.filter(
      (thread) => thread !== undefined && thread.applied > 0 && !thread.stopping,
    ) as Thread[]
  }

  /** Tells the other threads how many listen, and those who wait that something has changed. */
  function refresh(): void {
    const { length } = live()
    Atomics.store(health, HEALTH.threads, length)
    if (length === options.count) Atomics.store(health, HEALTH.started, 1)
    for (const check of [...waiting]) check()
  }

  function start(
    slot: number,
    onListening: () => void,
    onFailed: (error: Error, thread: Thread) => void,
  ): void {
    const worker = options.start({ ...options.init, tls, controlTls, credentialKey, slot })
    const disconnect = options.connectRecorder((port) =>
      worker.postMessage({ kind: 'recorder', port } satisfies ToGateway, [port]),
    )
    const thread: Thread = {
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
      hear(thread, message)
      if (message.kind !== 'listening') return
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
      options.releaseDead(slot)
      keys.cutOff(slot)
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
    const { parts, last } = published.whole()
    for (const put of parts) tell(thread, { kind: 'snapshot_part', put })
    change(thread, last)
  }

  function hear(thread: Thread, message: FromGateway): void {
    const { slot } = thread
    switch (message.kind) {
      case 'listening':
        thread.listening = true
        refresh()
        break
      case 'applied':
        thread.applied++
        for (const text of message.faults) options.log('error', `gateway thread ${slot}: ${text}`)
        refresh()
        break
      case 'key_set': {
        const { id, source, maxAgeMs } = message
        void options.keySets(source, maxAgeMs).then((answer) => tell(thread, { kind: 'key_set', id, answer }))
        break
      }
      case 'prove': {
        const { id, token, resource } = message
        void options
          .prove(token, resource)
          .then((principal) => tell(thread, { kind: 'proved', id, principal }))
        break
      }
      case 'answered':
        answered(message.id, message.answer)
        break
      case 'drained':
        thread.drained?.()
        break
      case 'claim': {
        const claim = keys.claim(message.key, message.fingerprint, slot)
        tell(thread, { kind: 'claimed', id: message.id, claim })
        break
      }
      case 'settle':
        keys.settle(message.key, message.answer, slot)
        break
      case 'release':
        keys.release(message.key, slot)
        break
      case 'event':
        for (const other of threads) if (other !== undefined && other !== thread) tell(other, message)
        options.deliver(message.event)
        break
      case 'log':
        options.log(message.level, `gateway thread ${slot}: ${message.message}`)
        break
    }
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

  /** Resolves true once `holds`, looked at whenever a thread reports, or false at the deadline. */
  function until(holds: () => boolean, deadlineMs: number): Promise<boolean> {
    if (holds()) return Promise.resolve(true)
    return new Promise((resolve) => {
      const end = (result: boolean): void => {
        clearTimeout(timer)
        waiting.delete(check)
        resolve(result)
      }
      const check = (): void => {
        if (holds()) end(true)
      }
      const timer = setTimeout(() => end(false), deadlineMs)
      waiting.add(check)
    })
  }

  Atomics.store(health, HEALTH.workers, options.count)
  await Promise.all(Array.from({ length: options.count }, (_, slot) => startFirst(slot))).catch(
    async (error: unknown) => {
      closed = true
      await Promise.all(threads.map((thread) => thread?.worker.terminate()))
      throw error
    },
  )

  return {
    async publish(delta) {
      const sent = toSent(delta)
      published.remember(sent)
      const marks = new Map<Thread, number>()
      for (const thread of threads) if (thread !== undefined) marks.set(thread, change(thread, sent))
      // A thread that started since got it with its first change
      const isApplied = await until(
        () => holding().every((thread) => thread.applied >= (marks.get(thread) ?? 1)),
        ACKNOWLEDGE_MS,
      )
      return { pending: !isApplied }
    },
    setTls(listener, changed) {
      if (listener === 'gateway') tls = changed
      else controlTls = changed
      tellAll({ kind: 'tls', listener, tls: changed })
    },
    setCredentialKey(changed) {
      credentialKey = changed
      tellAll({ kind: 'credential_key', credentialKey })
    },
    tell: (event) => tellAll({ kind: 'event', event }),
    explain: (asked) => ask(live()[0], { about: 'request', asked }, ANSWER_MS),
    tryCredential: (trial) => ask(live()[0], { about: 'credential', trial }, TRIAL_MS),
    replay: (asked) => ask(live()[0], { about: 'replay', asked }, REPLAY_MS),
    async credentialUses() {
      const uses = new Map<string, number>()
      for (const answer of await askAll(live(), { about: 'uses' }, ANSWER_MS))
        for (const [id, at] of answer) uses.set(id, Math.max(at, uses.get(id) ?? 0))
      return uses
    },
    async upstreamHealth(collection) {
      const seen = await askAll(live(), { about: 'health', collection }, ANSWER_MS)
      return mergeHealth(seen.filter((one) => one !== null))
    },
    async drain(deadlineMs) {
      closed = true
      watch.stop()
      await Promise.all(
        threads.map(async (thread) => {
          if (thread === undefined) return
          thread.stopping = true
          await new Promise<void>((resolve) => {
            thread.drained = resolve
            // The thread keeps its own deadline; this one is for a thread that hangs.
            setTimeout(resolve, deadlineMs + 2000).unref()
            tell(thread, { kind: 'drain', deadlineMs })
          })
          await thread.worker.terminate()
        }),
      )
    },
    async kill(slot) {
      const victim = threads[slot]
      if (victim === undefined) return
      await victim.worker.terminate()
      await until(
        () => threads[slot] !== undefined && threads[slot] !== victim && threads[slot].listening,
        10_000,
      )
    },
    async close() {
      closed = true
      watch.stop()
      await Promise.all(threads.map((thread) => thread?.worker.terminate()))
    },
  }
}

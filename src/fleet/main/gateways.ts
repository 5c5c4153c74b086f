/** The main thread's side of the gateway threads: starts them, publishes snapshots to them, asks them questions. */
import { setImmediate } from 'node:timers/promises'
import type { MessagePort, Worker } from 'node:worker_threads'
import type { OwnedBytes } from '../../base/memory/bytes.ts'
import { createQuestions, InLine } from '../../base/threads/in-line.ts'
import type { Trial } from '../../gateway/forward/try-credential.ts'
import type { GuardrailTrial } from '../../gateway/guardrails/try-guardrail.ts'
import type { WorkflowTrial } from '../../gateway/try-workflow.ts'
import type { CredentialTest } from '../../model/api/credential.ts'
import type { GuardrailTried } from '../../model/api/guardrail.ts'
import { mergeHealth, type UpstreamHealth } from '../../model/api/upstream.ts'
import type { Explanation, Hypothetical } from '../../model/explanation.ts'
import type { OriginNews, OriginProbed } from '../../model/mcp/origin.ts'
import type { ReplayAnswer, ReplayAsked } from '../../model/replay.ts'
import type { ArmedCapture, Taken } from '../../model/workflow/capture.ts'
import type { TrialAnswer } from '../../model/workflow/trial.ts'
import type { Event } from '../../shared-state/ports/events.ts'
import type { OriginSessionMembers } from '../../shared-state/ports/origin-sessions.ts'
import type { OriginFragment } from '../../snapshot/fragments.ts'
import type { PackedSnapshot, SentDelta, TextDelta } from '../../snapshot/packed-fragments.ts'
import type { TlsOptions } from '../../wire/port.ts'
import {
  type Answers,
  type Attachment,
  type FromGateway,
  type GatewayInit,
  HEALTH,
  type Listener,
  type Question,
  type RefusedCallers,
  type ToGateway,
} from '../shared/messages.ts'
import { createConditions } from './conditions.ts'
import { isLong, PublishedSnapshot } from './published-snapshot.ts'
import {
  createOriginWatchers,
  createThreadRequests,
  createThreadSessions,
  type ThreadRequestsOptions,
} from './thread-requests.ts'
import { createThreadSlots, type GatewayThread } from './thread-slots.ts'

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
  publish(delta: TextDelta): Promise<{ pending: boolean }>
  /** New certificates or ticket keys for the threads that run, and for those that replace them. */
  setTls(listener: Listener, tls: TlsOptions): void
  /** What opens credential secrets, likewise; in force for every change that is published after it. */
  setCredentialKey(credentialKey: OwnedBytes): void
  /** Tells all threads an event of the main thread. */
  tell(event: Event): void
  /** Says which origins cannot be reached, to the threads that run and to those that replace them. */
  setOriginsDown(origins: readonly string[]): void
  /** Asks a thread what would become of a request. Rejects when no thread answers in time. */
  explain(asked: Hypothetical): Promise<Explanation>
  /** Has a thread try a credential. Rejects when no thread answers in time. */
  tryCredential(trial: Trial): Promise<CredentialTest>
  /**
   * Has a thread find out how an origin is spoken to and what it lists. Rejects when no thread answers in time.
   * @param as whose account at the origin is used: the id of a person, or SHARED; absent for none
   */
  probeOrigin(origin: OriginFragment, as?: string): Promise<OriginProbed>
  /** Has a thread make a recorded request again; null when that had no whole answer in time. Rejects when no thread answers. */
  replay(asked: ReplayAsked): Promise<ReplayAnswer | null>
  /** Runs a workflow once. Null where a live one had no whole answer in time. */
  tryWorkflow(asked: WorkflowTrial): Promise<TrialAnswer | null>
  /** Has all threads wait for requests of these captures, in place of those before, and threads that start later. */
  arm(captures: readonly ArmedCapture[]): Promise<void>
  /** Has a thread try a guardrail on a sample. Rejects when no thread answers. */
  tryGuardrail(trial: GuardrailTrial): Promise<GuardrailTried>
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

export interface GatewaysOptions extends ThreadRequestsOptions {
  readonly count: number
  readonly start: (init: GatewayInit) => Worker
  readonly init: Omit<GatewayInit, 'slot'>
  /** Joins a gateway thread to the recorder; returns what ends it. See record/recorder-client. */
  readonly connectRecorder: (attach: (port: MessagePort) => void) => () => void
  /** Counters: give back what a dead thread held. */
  readonly releaseDead: (slot: number) => void
  /** Sessions at origins, which all threads share. */
  readonly originSessions: OriginSessionMembers
  /** Takes the events that gateway threads publish. */
  readonly deliver: (event: Event) => void
  /** Takes what threads hear about the lists of the origins that they watch. */
  readonly originNews: (origin: string, news: OriginNews) => void
  /** An origin cannot be reached from a thread, or fails. */
  readonly originFailed: (origin: string) => void
  /** A request was taken for a capture, or its run has ended. */
  readonly taken: (taken: Taken) => void
  /** MCP endpoints have refused callers. */
  readonly refusedCallers: (refused: RefusedCallers) => void
  /** How often the main thread looks at the heartbeats of its threads, milliseconds; see fleet/shared/readiness. */
  readonly lookMs?: number
  /** How long a thread may take to listen, milliseconds. */
  readonly startMs?: number
}

const ACKNOWLEDGE_MS = 1000
const ANSWER_MS = 5000
/** Longer than a thread tries. */
const TRIAL_MS = 30_000
/** For the probe of an origin, which reads all its lists. */
const PROBE_MS = 120_000
/** Likewise of a request that is made again. */
const REPLAY_MS = 35_000
/** Likewise than a webhook is waited for. */
const WEBHOOK_MS = 35_000

/** Starts the threads; resolves when all of them listen and hold `first`. Rejects when one cannot start. */
export async function startGateways(options: GatewaysOptions, first: PackedSnapshot): Promise<Gateways> {
  const { keys } = options
  const published = new PublishedSnapshot(first)
  const sending = new InLine(1)
  const { changed, until } = createConditions()
  const { ask, askAll, answered, ended } = createThreadQuestions(tell)
  const serve = createThreadRequests(options)
  const sessions = createThreadSessions(options.originSessions)
  let { tls, controlTls, credentialKey } = options.init
  const slots = createThreadSlots({
    count: options.count,
    health: new Int32Array(options.init.health),
    start: (slot) => options.start({ ...options.init, tls, controlTls, credentialKey, slot }),
    connect: (worker) =>
      options.connectRecorder((port) =>
        worker.postMessage({ kind: 'recorder', port } satisfies ToGateway, [port]),
      ),
    begin(thread) {
      sessions.begin(thread.slot, (reply) => tell(thread, { kind: 'origin_session', reply }))
      tell(thread, { kind: 'origins_down', origins: originsDown })
      if (captures.length > 0) tell(thread, { kind: 'captures', captures })
      const { pieces, last } = published.whole()
      changeInParts(thread, pieces, last)
    },
    hear,
    release(thread) {
      const { slot } = thread
      ended(thread)
      options.releaseDead(slot)
      keys.cutOff(slot)
      watchers.gone(slot)
      sessions.leave(slot)
      tellAll({ kind: 'thread_ended', slot })
    },
    changed() {
      shareWatching()
      changed()
    },
    log: options.log,
    ...(options.lookMs === undefined ? {} : { lookMs: options.lookMs }),
    ...(options.startMs === undefined ? {} : { startMs: options.startMs }),
  })
  const { threads, live } = slots
  const watchers = createOriginWatchers((slot, message) => {
    const thread = threads[slot]
    if (thread !== undefined) tell(thread, message)
  })
  let watching = ''
  let originsDown: readonly string[] = []
  let captures: readonly ArmedCapture[] = []

  /** To be called whenever a thread has begun to listen, or does so no more. */
  function shareWatching(): void {
    const all = live().map(({ slot }) => slot)
    if (all.join() === watching) return
    watching = all.join()
    watchers.share(all)
  }

  function tell(thread: GatewayThread, message: ToGateway): void {
    thread.worker.postMessage(message)
  }

  function tellAll(message: ToGateway): void {
    for (const thread of threads) if (thread !== undefined) tell(thread, message)
  }

  /** Gives the number that the thread has confirmed once it holds the change. */
  function change(thread: GatewayThread, delta: SentDelta): number {
    tell(thread, { kind: 'snapshot', delta })
    return ++thread.sent
  }

  /** The same with the pieces of its fragments, in one turn: what else is told goes before all of them, or after. */
  function changeInParts(thread: GatewayThread, parts: readonly OwnedBytes[], last: SentDelta): number {
    for (const piece of parts) tell(thread, { kind: 'snapshot_part', piece, full: last.full })
    return change(thread, last)
  }

  /** Sends a delta to all threads that there are. Gives what each confirms once it holds it. */
  async function send(delta: TextDelta): Promise<ReadonlyMap<GatewayThread, number>> {
    const long = isLong(delta) ? await published.prepare(delta) : null
    if (long === null) published.remember(delta)
    else long.remember()
    const marks = new Map<GatewayThread, number>()
    for (const thread of threads) {
      if (thread === undefined) continue
      if (long === null) {
        marks.set(thread, change(thread, delta))
        continue
      }
      marks.set(thread, changeInParts(thread, long.parts, long.last))
      // Keys that are dropped take a while to copy, for each thread anew. One that starts meanwhile has the delta already
      await setImmediate()
    }
    return marks
  }

  /** Threads that may answer by what held before: one accepts calls a moment before it is known here to listen. */
  function holding(): GatewayThread[] {
    return threads.filter(
      (thread) => thread !== undefined && thread.applied > 0 && !thread.stopping,
    ) as GatewayThread[]
  }

  /** To the thread that holds the call. Where there is none, the closed port tells the other side. */
  function carry(attachment: Attachment): void {
    const owner = threads[attachment.slot]
    if (owner === undefined) attachment.port.close()
    else owner.worker.postMessage(attachment satisfies ToGateway, [attachment.port])
  }

  function hear(thread: GatewayThread, message: FromGateway): void {
    switch (message.kind) {
      case 'listening':
        break
      case 'applied':
        thread.applied++
        for (const text of message.faults) options.log('error', `gateway thread ${thread.slot}: ${text}`)
        changed()
        break
      case 'answered':
        answered(message.id, message.answer)
        break
      case 'drained':
        thread.drained?.()
        break
      case 'want_resources':
        watchers.want(thread.slot, message.origin, message.uris)
        break
      case 'resources_updated':
        watchers.updated(message.origin, message.uris)
        break
      case 'origin_news':
        options.originNews(message.origin, message.news)
        break
      case 'origin_failed':
        options.originFailed(message.origin)
        break
      case 'taken':
        options.taken(message.taken)
        break
      case 'refused_callers':
        for (const refused of message.refused) options.refusedCallers(refused)
        break
      case 'origin_session':
        sessions.hear(thread.slot, message.said, (reply) => tell(thread, { kind: 'origin_session', reply }))
        break
      case 'event':
        for (const other of threads) if (other !== undefined && other !== thread) tell(other, message)
        options.deliver(message.event)
        break
      case 'attachment':
        carry(message)
        break
      default:
        serve(thread.slot, message, (answer) => tell(thread, answer))
    }
  }

  await slots.startAll()

  return {
    async publish(delta) {
      // In their order: a long one takes several turns
      const marks = await sending.run('', () => send(delta))
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
    setOriginsDown(origins) {
      originsDown = origins
      Atomics.store(new Int32Array(options.init.health), HEALTH.originsDown, origins.length)
      tellAll({ kind: 'origins_down', origins })
    },
    explain: (asked) => ask(live()[0], { about: 'request', asked }, ANSWER_MS),
    tryCredential: (trial) => ask(live()[0], { about: 'credential', trial }, TRIAL_MS),
    probeOrigin: (origin, as) =>
      ask(live()[0], { about: 'origin', origin, ...(as === undefined ? {} : { as }) }, PROBE_MS),
    replay: (asked) => ask(live()[0], { about: 'replay', asked }, REPLAY_MS),
    tryWorkflow: (asked) => ask(live()[0], { about: 'trial', asked }, REPLAY_MS),
    async arm(changed) {
      captures = changed
      const answering = live()
      for (const thread of threads)
        if (thread !== undefined && !answering.includes(thread)) tell(thread, { kind: 'captures', captures })
      await askAll(answering, { about: 'captures', captures }, ACKNOWLEDGE_MS)
    },
    tryGuardrail: (trial) => ask(live()[0], { about: 'guardrail', trial }, WEBHOOK_MS),
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
      slots.close()
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
      slots.close()
      await Promise.all(threads.map((thread) => thread?.worker.terminate()))
    },
  }
}

// Sends questions of the main thread to gateway threads, and matches their answers.

/** Questions of the main thread to gateway threads, and who waits for their answers. */
export interface ThreadQuestions<Thread> {
  /** Asks a thread. Rejects when there is none, when it ends, and when it does not answer in time. */
  ask<About extends Question['about']>(
    thread: Thread | undefined,
    question: Extract<Question, { about: About }>,
    deadlineMs: number,
  ): Promise<Answers[About]>
  /** Of all that answer: a thread that has just died, or hangs, knows nothing that is worth waiting for. */
  askAll<About extends Question['about']>(
    threads: readonly Thread[],
    question: Extract<Question, { about: About }>,
    deadlineMs: number,
  ): Promise<Answers[About][]>
  /** Takes the answer to the question of that number. */
  answered(id: number, answer: unknown): void
  /** The thread has ended: whatever it was asked is answered no more. */
  ended(thread: Thread): void
}

export function createThreadQuestions<Thread>(
  tell: (thread: Thread, message: ToGateway) => void,
): ThreadQuestions<Thread> {
  const questions = createQuestions<{ readonly answer: unknown } | { readonly fault: string }, Thread>(
    (why) => ({
      fault: why === 'late' ? 'the gateway thread did not answer' : 'the gateway thread has ended',
    }),
  )
  const ask: ThreadQuestions<Thread>['ask'] = async (thread, question, deadlineMs) => {
    if (thread === undefined) throw new Error('no gateway thread listens')
    const say = (id: number): void => tell(thread, { kind: 'ask', id, question })
    const given = await questions.ask(deadlineMs, say, thread)
    if ('fault' in given) throw new Error(given.fault)
    // A thread answers each question by its own kind
    return given.answer as never
  }
  return {
    ask,
    async askAll(threads, question, deadlineMs) {
      const answers = await Promise.allSettled(threads.map((one) => ask(one, question, deadlineMs)))
      return answers.flatMap((answer) => (answer.status === 'fulfilled' ? [answer.value] : []))
    },
    answered: (id, answer) => void questions.answered(id, { answer }),
    ended: questions.ended,
  }
}

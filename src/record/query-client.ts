/** The main thread's side of the query thread. It replaces a thread that does not answer. */
import type { Worker } from 'node:worker_threads'
import { refuse } from '../base/refusal.ts'
import type { WholeRecord } from '../model/record.ts'
import type { ContractAnswer } from './contract-report.ts'
import type { FromQueryThread, QueryThreadReady, RecordPage, ToQueryThread } from './messages.ts'
import type { MetricsAnswer, MetricsQuestion } from './metrics.ts'
import { toRecordFilter, toRecordSelection } from './record-selection.ts'
import type { Recorder } from './recorder-client.ts'

/** Longer than a healthy query thread ever reads, so that it means the thread hangs. */
const DEADLINE_MS = 5000

/**
 * Far longer than a thread takes to start, also where much else runs: to end one that is starting, and to start another, would take
 * longer still.
 */
const START_MS = 30_000

const ENDED = 'The thread that reads request records has ended.'

/** Questions that may wait for the thread; more are refused at once. */
const WAITING_MAX = 64

export interface RecordQueryClient {
  list(filter: Record<string, unknown>): Promise<RecordPage>
  get(id: string): Promise<WholeRecord | undefined>
  /** Counts records. @param question with a selection that is parsed here */
  metrics(question: MetricsRequest): Promise<MetricsAnswer>
  /** Counts what would have been refused. @param question with a selection that is parsed here */
  contract(question: {
    readonly selection: Readonly<Record<string, unknown>>
    readonly limit: number
  }): Promise<ContractAnswer>
  close(): Promise<void>
}

/** A {@link MetricsQuestion} as it comes from outside of this folder. */
interface MetricsRequest extends Omit<MetricsQuestion, 'selection'> {
  readonly selection: Readonly<Record<string, unknown>>
}

interface Question {
  readonly message: ToQueryThread
  readonly settle: (answer: FromQueryThread) => void
  readonly fail: (error: Error) => void
  readonly late: () => void
  /** Ends it at the deadline; undefined until a thread runs that could answer. */
  timer: NodeJS.Timeout | undefined
}

/**
 * The main thread's end of the query thread. Invariants:
 * 1. The thread has one question at a time, so that its silence means that it hangs and not that it is busy.
 * 2. Every question ends within the deadline, which begins when the thread has started. A thread that hangs or dies is replaced at the
 *    next question. One that does not start in its time ends all that wait for it.
 * 3. Nothing else waits for any of this.
 */
export function createRecordQueries(
  start: () => Worker,
  options: { readonly deadlineMs?: number; readonly waitingMax?: number } = {},
): RecordQueryClient {
  const deadlineMs = options.deadlineMs ?? DEADLINE_MS
  const waitingMax = options.waitingMax ?? WAITING_MAX
  const waiting: Question[] = []
  let asked: { readonly question: Question; hangs: NodeJS.Timeout } | null = null
  let worker: Worker | null = null
  let isReady = false
  let lastId = 0

  const refuseOne = (question: Question, detail: string, cause?: unknown): void => {
    clearTimeout(question.timer)
    question.fail(unavailable(detail, cause))
  }
  /** Ends a thread, and the question it was asked. */
  const abandon = (gone: Worker, cause: unknown): void => {
    if (worker !== gone) return
    worker = null
    void gone.terminate()
    const unable = isReady ? [] : waiting.splice(0)
    for (const question of unable) refuseOne(question, ENDED, cause)
    if (asked !== null) {
      clearTimeout(asked.hangs)
      refuseOne(asked.question, ENDED, cause)
      asked = null
    }
    askNext()
  }
  const hanging = (answering: Worker): NodeJS.Timeout =>
    setTimeout(() => abandon(answering, 'no answer in time'), isReady ? deadlineMs : START_MS)
  const limit = (question: Question): void => {
    question.timer ??= setTimeout(question.late, deadlineMs)
  }
  const ready = (started: Worker): void => {
    if (worker !== started) return
    isReady = true
    waiting.forEach(limit)
    if (asked === null) return
    limit(asked.question)
    clearTimeout(asked.hangs)
    asked.hangs = hanging(started)
  }
  const running = (): Worker => {
    if (worker !== null) return worker
    const fresh = start()
    isReady = false
    fresh.on('message', (answer: FromQueryThread | QueryThreadReady) => {
      if (answer.kind === 'ready') return ready(fresh)
      if (asked === null || answer.id !== asked.question.message.id) return
      clearTimeout(asked.hangs)
      clearTimeout(asked.question.timer)
      asked.question.settle(answer)
      asked = null
      askNext()
    })
    fresh.on('error', (error) => abandon(fresh, error))
    fresh.on('exit', () => abandon(fresh, undefined))
    worker = fresh
    return fresh
  }
  const askNext = (): void => {
    if (asked !== null) return
    const question = waiting.shift()
    if (question === undefined) return
    const answering = running()
    asked = { question, hangs: hanging(answering) }
    answering.postMessage(question.message)
  }
  const ask = (make: (id: number) => ToQueryThread): Promise<FromQueryThread> =>
    new Promise((settle, fail) => {
      if (waiting.length >= waitingMax)
        return fail(unavailable('Too many queries of request records are pending. Try again later.'))
      const late = (): void => {
        const at = waiting.indexOf(question)
        if (at !== -1) waiting.splice(at, 1)
        // An asked one settles nothing any more; whether its thread hangs is for the other timer to say.
        fail(unavailable('The query took too long. Ask for a shorter time.'))
      }
      const question: Question = { message: make(++lastId), settle, fail, late, timer: undefined }
      waiting.push(question)
      askNext()
      if (isReady) limit(question)
    })

  return {
    async list(filter) {
      const parsed = toRecordFilter(filter)
      const answer = await ask((id) => ({ kind: 'list', id, filter: parsed }))
      if (answer.kind === 'list') return answer.page
      throw toError(answer)
    },
    async get(record) {
      const answer = await ask((id) => ({ kind: 'get', id, record }))
      if (answer.kind === 'get') return answer.record
      throw toError(answer)
    },
    async metrics(question) {
      const selection = toRecordSelection(question.selection)
      const answer = await ask((id) => ({ kind: 'metrics', id, question: { ...question, selection } }))
      if (answer.kind === 'metrics') return answer.answer
      throw toError(answer)
    },
    async contract({ selection, limit }) {
      const question = { selection: toRecordSelection(selection), limit }
      const answer = await ask((id) => ({ kind: 'contract', id, question }))
      if (answer.kind === 'contract') return answer.answer
      throw toError(answer)
    },
    async close() {
      for (const question of waiting.splice(0)) refuseOne(question, 'Postern is stopping.')
      if (worker !== null) abandon(worker, 'closed')
    },
  }
}

function unavailable(detail: string, cause?: unknown): Error {
  const inner = cause === undefined ? undefined : cause instanceof Error ? cause.message : String(cause)
  return refuse('records_unavailable', inner === undefined ? { detail } : { detail, inner })
}

function toError(answer: FromQueryThread): Error {
  if (answer.kind === 'refused') return refuse(answer.code, { detail: answer.detail })
  return new Error(answer.kind === 'failed' ? answer.error : 'the query thread answered something else')
}

// Questions about records that first have the gateway threads hand over what they hold. A caller therefore finds the call
// that it has just made.

/** Questions about request records, and their removal. */
export interface RecordQuestions extends RecordQueryClient {
  remove(
    selection: Parameters<typeof toRecordSelection>[0],
    onlyCount: boolean,
  ): ReturnType<Recorder['remove']>
  /** As of {@link Recorder}; a filter that is none is refused with input_invalid. */
  follow(filter: Record<string, unknown>, waitMs: number, by: string): ReturnType<Recorder['follow']>
}

/** Who asks right after a call finds it: what the gateway threads still hold is stored before a question is put. */
export function createFreshQueries(
  recorder: Pick<Recorder, 'flush' | 'follow' | 'remove'>,
  queries: RecordQueryClient,
): RecordQuestions {
  return {
    ...queries,
    list: (filter) => recorder.flush().then(() => queries.list(filter)),
    get: (id) => recorder.flush().then(() => queries.get(id)),
    metrics: (question) => recorder.flush().then(() => queries.metrics(question)),
    async follow(filter, waitMs, by) {
      const parsed = toRecordFilter(filter)
      // Who begins now has seen what was called before
      if (parsed.cursor == null) await recorder.flush()
      return recorder.follow(parsed, waitMs, by)
    },
    remove: async (selection, onlyCount) => recorder.remove(toRecordSelection(selection), onlyCount),
  }
}

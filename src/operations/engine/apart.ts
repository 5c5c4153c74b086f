/**
 * Work of operations that takes long by what their callers send: it is done in threads apart, so that the main thread answers others.
 *
 * 1. A job is a pure function of plain data. What crosses between threads is cut into pieces (`base/json-pieces`).
 * 2. A caller has one place. Its further jobs wait in their order, callers take turns, and too many are refused with `overloaded`.
 * 3. A job that takes longer than its time, or more than the memory of a thread, is refused, and its thread ends.
 * 4. Small inputs are worked on by the main thread: a thread costs more than they do.
 * 5. A job inside of a transaction, for which other writes wait, goes first and may have one thread more.
 */
import { Worker } from 'node:worker_threads'
import { mayFit } from '../../base/bounded-json.ts'
import { fromPieces, type JsonPieces, toPieces } from '../../base/json-pieces.ts'
import { ownedBytes } from '../../base/owned-bytes.ts'
import { entryUrl } from '../../base/program.ts'
import { Refusal, type RefusalCode, type RefusalFacts, refuse } from '../../base/refusal.ts'
import { inSlices } from '../../base/time-slices.ts'

/** A function of plain data that threads apart know by its name. */
export interface Job<I, O> {
  readonly name: string
  readonly run: (input: I) => O | Promise<O>
  /** Refuses an input that takes more than its time or memory. */
  readonly tooMuch: () => Refusal
  /** Milliseconds. */
  readonly msMax?: number
  /** Small inputs may be costly too: no input is worked on by the main thread. */
  readonly isAlwaysApart?: true
}

/** Plain data, or bytes, which change hands. */
type Sent = { readonly pieces: JsonPieces } | { readonly bytes: Uint8Array<ArrayBuffer> }

/** What a thread is asked. */
export interface Asked {
  readonly job: string
  readonly input: Sent
}

/** What it answers. A fault ends it. */
export type Answered =
  | { readonly output: JsonPieces }
  | { readonly refusal: { readonly code: RefusalCode; readonly facts: RefusalFacts } }

/** Runs a job for the caller of an operation. Refuses as the job does, with `overloaded`, and by its `tooMuch`. */
export type RunApart = <I, O>(job: Job<I, O>, input: I) => Promise<O>

/** Below the time in which a gateway thread gives up waiting for the control plane. */
const MS_MAX = 60_000
/** Characters of an input that the main thread works on itself, as JSON. */
const SMALL_CHARS = 8192
const THREADS_MAX = 2
/** Jobs of one caller that wait. */
const WAITING_MAX = 8
/** After which a thread without a job ends, milliseconds. */
const IDLE_MS = 30_000
/** Memory of a thread. The YAML parser takes some 500 bytes for a value of one. */
const MEGABYTES_MAX = 1536

interface Waiting {
  readonly isUrgent: boolean
  readonly job: Job<never, unknown>
  readonly input: Sent
  readonly done: (output: JsonPieces) => void
  readonly failed: (error: unknown) => void
}

interface Thread {
  readonly worker: Worker
  /** Null without a job. */
  at: { readonly caller: string; readonly one: Waiting } | null
  timer: NodeJS.Timeout | undefined
}

class Apart {
  readonly #threads = new Set<Thread>()
  /** By caller; who has waited longest is first. */
  readonly #lines = new Map<string, Waiting[]>()

  ask(caller: string, asked: Pick<Waiting, 'job' | 'input' | 'isUrgent'>): Promise<JsonPieces> {
    const line = this.#lines.get(caller) ?? []
    if (line.length >= WAITING_MAX)
      throw refuse('overloaded', {
        detail: `${WAITING_MAX} of your requests wait for work that takes long. Send the request again when one has been answered.`,
        members: { retry_after_ms: 1000 },
      })
    return new Promise((done, failed) => {
      line.push({ ...asked, done, failed })
      this.#lines.set(caller, line)
      this.#next()
    })
  }

  #next(): void {
    const busy = new Set([...this.#threads].map(({ at }) => at?.caller))
    const callers = [...this.#lines.keys()].filter((one) => !busy.has(one))
    const isUrgent = (name: string): boolean => this.#lines.get(name)![0]!.isUrgent
    const caller = callers.find(isUrgent) ?? callers[0]
    if (caller === undefined) return
    const threads = [...this.#threads]
    // The further thread is for urgent jobs, whichever thread was opened for them
    const others = threads.filter(({ at }) => at !== null && !at.one.isUrgent).length
    if (!isUrgent(caller) && others >= THREADS_MAX) return
    const idle = threads.find(({ at }) => at === null)
    if (idle === undefined && threads.length > THREADS_MAX) return
    const line = this.#lines.get(caller)!
    const one = line.shift()!
    // Others come before its next one
    this.#lines.delete(caller)
    if (line.length > 0) this.#lines.set(caller, line)
    this.#start(idle ?? this.#open(), caller, one)
    this.#next()
  }

  #start(thread: Thread, caller: string, one: Waiting): void {
    clearTimeout(thread.timer)
    thread.at = { caller, one }
    thread.worker.ref()
    thread.timer = setTimeout(() => this.#end(thread, one.job.tooMuch()), one.job.msMax ?? MS_MAX)
    const asked: Asked = { job: one.job.name, input: one.input }
    thread.worker.postMessage(asked, 'bytes' in one.input ? [one.input.bytes.buffer] : [])
  }

  #open(): Thread {
    const worker = new Worker(entryUrl('apart'), {
      name: 'apart',
      resourceLimits: { maxOldGenerationSizeMb: MEGABYTES_MAX },
    })
    const thread: Thread = { worker, at: null, timer: undefined }
    this.#threads.add(thread)
    worker.on('message', (answered: Answered) => {
      const one = thread.at?.one
      if (!this.#threads.has(thread) || one === undefined) return
      clearTimeout(thread.timer)
      thread.at = null
      // A thread without a job holds up no end of its process
      worker.unref()
      thread.timer = setTimeout(() => this.#end(thread, null), IDLE_MS).unref()
      if ('output' in answered) one.done(answered.output)
      else one.failed(refuse(answered.refusal.code, answered.refusal.facts))
      this.#next()
    })
    worker.on('error', (error: NodeJS.ErrnoException) => {
      const isTooMuch = error.code === 'ERR_WORKER_OUT_OF_MEMORY' && thread.at !== null
      this.#end(thread, isTooMuch ? thread.at!.one.job.tooMuch() : error)
    })
    // An answer that cannot be read would leave the thread at its job
    worker.on('messageerror', (error) => this.#end(thread, error))
    worker.on('exit', () => this.#end(thread, new Error('the thread apart ended without an answer')))
    return thread
  }

  #end(thread: Thread, error: unknown): void {
    if (!this.#threads.delete(thread)) return
    clearTimeout(thread.timer)
    thread.at?.one.failed(error)
    void thread.worker.terminate()
    this.#next()
  }
}

/** One for the process, so that several interfaces do not take all memory and all cores. */
const apart = new Apart()

/**
 * {@link RunApart} for a caller, by the id of its principal.
 * @param isUrgent inside of a transaction
 */
export function runApartFor(caller: string, isUrgent = false): RunApart {
  // Its jobs outside of transactions must not hold up one inside
  const place = isUrgent ? `${caller} write` : caller
  return async (job, input) => {
    if (input instanceof Uint8Array) {
      // Of a part of a buffer only a copy can change hands
      return work(place, { job, input: { bytes: ownedBytes(input) }, isUrgent })
    }
    if (job.isAlwaysApart !== true && mayFit(input, SMALL_CHARS)) return job.run(input)
    return work(place, { job, input: { pieces: await inSlices(toPieces(input)) }, isUrgent })
  }
}

async function work<I, O>(
  place: string,
  { job, ...asked }: { readonly job: Job<I, O>; readonly input: Sent; readonly isUrgent: boolean },
): Promise<O> {
  const output = await apart.ask(place, { ...asked, job: job as Job<never, unknown> })
  // The JSON of what the job gave
  return (await inSlices(fromPieces(output))) as O
}

/** Does a job in its thread. Rejects with what is no refusal. */
export async function answerApart(
  jobs: ReadonlyMap<string, Job<never, unknown>>,
  { job: name, input: sent }: Asked,
): Promise<Answered> {
  const job = jobs.get(name)
  if (job === undefined) throw new Error(`there is no job "${name}"`)
  try {
    const input = 'bytes' in sent ? sent.bytes : await inSlices(fromPieces(sent.pieces))
    // Of the type of the job that was named
    const output = await job.run(input as never)
    return { output: await inSlices(toPieces(output)) }
  } catch (error) {
    if (!(error instanceof Refusal)) throw error
    return { refusal: { code: error.code, facts: error.facts } }
  }
}

/**
 * Long work of operations, done in `apart` threads, so that the main thread can answer other callers.
 *
 * 1. A job is a pure function of plain data. Values cross between threads in pieces (`base/json/pieces`).
 * 2. A caller has one place. Its further jobs wait in order, callers take turns, and too many are refused with `overloaded`.
 * 3. A job that takes longer than its time, or more than the memory of a thread, is refused, and its thread ends.
 * 4. The main thread does small inputs itself: a thread costs more.
 * 5. A job inside of a transaction goes first and may have one more thread, because other writes wait for it.
 * 6. A job whose caller has left ends, and its place is free.
 */
import { type ResourceLimits, Worker } from 'node:worker_threads'
import { mayFit } from '../../base/json/canonical.ts'
import { buffersOf, fromPieces, type JsonPieces, toPieces } from '../../base/json/pieces.ts'
import { isPlain, type Plain } from '../../base/json/storable.ts'
import { entryUrl } from '../../base/program.ts'
import { Refusal, type RefusalCode, type RefusalFacts, refuse } from '../../base/refusal.ts'
import { InLine } from '../../base/threads/in-line.ts'
import { inSlices } from '../../base/threads/time-slices.ts'
import { isUnread, type UnreadDocument } from './unread.ts'

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

/** Plain data in pieces, and beside it the members that are bytes or documents that nobody has read: these change hands, or are shared. */
interface Sent {
  readonly pieces: JsonPieces
  readonly held: Readonly<Record<string, Held>>
}

type Held = Uint8Array | readonly Uint8Array[] | UnreadDocument

/** What a thread is asked. */
export interface Asked {
  readonly job: string
  readonly input: Sent
}

/** What it answers. A fault ends it. */
export type Answered =
  | { readonly output: Sent }
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
  readonly done: (output: Sent) => void
  readonly failed: (error: unknown) => void
}

/** What threads are opened with; tests have less memory, and threads of their own. */
export interface Opening {
  readonly megabytesMax: number
  readonly open: (limits: ResourceLimits) => Worker
}

const OPENING: Opening = {
  megabytesMax: MEGABYTES_MAX,
  open: (resourceLimits) => new Worker(entryUrl('apart'), { name: 'apart', resourceLimits }),
}

interface Thread {
  readonly worker: Worker
  /** Null without a job. */
  at: { readonly caller: string; readonly one: Waiting } | null
  timer: NodeJS.Timeout | undefined
}

/** Threads apart, and who waits for one. */
export class Apart {
  readonly #opening: Opening
  readonly #threads = new Set<Thread>()
  /** By caller; who has waited longest is first. */
  readonly #lines = new Map<string, Waiting[]>()

  constructor(opening: Partial<Opening> = {}) {
    this.#opening = { ...OPENING, ...opening }
  }

  /** @param left aborted when the caller has left */
  async ask(
    caller: string,
    asked: Pick<Waiting, 'job' | 'input' | 'isUrgent'>,
    left: AbortSignal | undefined,
  ): Promise<Sent> {
    if (left?.aborted === true) throw nobodyWaits()
    const line = this.#lines.get(caller) ?? []
    if (line.length >= WAITING_MAX)
      throw refuse('overloaded', {
        detail: `${WAITING_MAX} of your requests are still being processed. Repeat the request when one of them has ended.`,
        members: { retry_after_ms: 1000 },
      })
    const answer = Promise.withResolvers<Sent>()
    const one: Waiting = { ...asked, done: answer.resolve, failed: answer.reject }
    line.push(one)
    this.#lines.set(caller, line)
    this.#next()
    const leave = (): void => this.#leave(caller, one)
    left?.addEventListener('abort', leave, { once: true })
    try {
      return await answer.promise
    } finally {
      left?.removeEventListener('abort', leave)
    }
  }

  #leave(caller: string, one: Waiting): void {
    const thread = [...this.#threads].find(({ at }) => at?.one === one)
    if (thread !== undefined) {
      this.#end(thread, nobodyWaits())
      return
    }
    const line = (this.#lines.get(caller) ?? []).filter((other) => other !== one)
    // A line keeps its turn
    if (line.length > 0) this.#lines.set(caller, line)
    else this.#lines.delete(caller)
    one.failed(nobodyWaits())
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
    if (line.length === 0) this.#lines.delete(caller)
    this.#start(idle ?? this.#open(), caller, one)
    this.#next()
  }

  /** The job of a thread has ended, however: who waits comes before further jobs of its caller. */
  #ended(thread: Thread): Waiting | undefined {
    clearTimeout(thread.timer)
    const { at } = thread
    thread.at = null
    if (at === null) return undefined
    const line = this.#lines.get(at.caller)
    if (line !== undefined) {
      this.#lines.delete(at.caller)
      this.#lines.set(at.caller, line)
    }
    return at.one
  }

  #start(thread: Thread, caller: string, one: Waiting): void {
    clearTimeout(thread.timer)
    thread.at = { caller, one }
    thread.worker.ref()
    thread.timer = setTimeout(() => this.#end(thread, one.job.tooMuch()), one.job.msMax ?? MS_MAX)
    const asked: Asked = { job: one.job.name, input: one.input }
    thread.worker.postMessage(asked, changingHands(one.input))
  }

  #open(): Thread {
    const { open, megabytesMax } = this.#opening
    const worker = open({ maxOldGenerationSizeMb: megabytesMax })
    const thread: Thread = { worker, at: null, timer: undefined }
    this.#threads.add(thread)
    worker.on('message', (answered: Answered) => {
      if (!this.#threads.has(thread)) return
      const one = this.#ended(thread)
      if (one === undefined) return
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
    this.#ended(thread)?.failed(error)
    void thread.worker.terminate()
    this.#next()
  }
}

/** Of a job that ends because its caller has left: only the trail reads it. */
function nobodyWaits(): Refusal {
  return refuse('payload_rejected', { detail: 'The caller disconnected before the work was done.' })
}

/** One for the process, so that several interfaces do not take all memory and all cores. */
const ofProcess = new Apart()

/** Whose work it is. */
export interface Place {
  /** Inside of a transaction. */
  readonly isUrgent?: boolean
  /** Aborted when the caller has left. */
  readonly left?: AbortSignal | undefined
  /** Threads of a test. */
  readonly apart?: Apart
}

const writing = new InLine(1)

/** {@link RunApart} for a caller, by the id of its principal. */
export function runApartFor(
  caller: string,
  { isUrgent = false, left, apart = ofProcess }: Place = {},
): RunApart {
  // Its jobs outside of transactions must not hold up one inside
  const place = isUrgent ? `${caller} write` : caller
  return async <I, O>(job: Job<I, O>, input: I): Promise<O> => {
    if (job.isAlwaysApart !== true && heldIn(input).length === 0 && mayFit(input, SMALL_CHARS))
      return job.run(input)
    // A caller's jobs in their order, though one takes longer to write than the next
    const sent = await writing.run(place, () => toSent(input))
    const asked = { job: job as Job<never, unknown>, input: sent, isUrgent }
    // What the job gave
    return (await fromSent(await apart.ask(place, asked, left))) as O
  }
}

/** Members of an input or output that are held apart from its pieces. */
function heldIn(value: unknown): [string, Held][] {
  if (!isPlain(value)) return []
  // A list of bytes is one of bytes alone
  const isBytes = (one: unknown): boolean => one instanceof Uint8Array
  return Object.entries(value).filter(
    ([, one]) => isBytes(one) || isUnread(one) || (Array.isArray(one) && isBytes(one[0])),
  ) as [string, Held][]
}

async function toSent(value: unknown): Promise<Sent> {
  const held = Object.fromEntries(heldIn(value))
  const rest = isPlain(value)
    ? Object.fromEntries(Object.entries(value).filter(([name]) => !Object.hasOwn(held, name)))
    : value
  return { pieces: await inSlices(toPieces(rest)), held }
}

async function fromSent({ pieces, held }: Sent): Promise<unknown> {
  const value = await inSlices(fromPieces(pieces))
  return Object.keys(held).length === 0 ? value : { ...(value as Plain), ...held }
}

/** Buffers that their sender has no longer. Each must hold nothing else. */
function changingHands({ pieces, held }: Sent): ArrayBuffer[] {
  const buffers = Object.values(held)
    .flatMap((one) => (isUnread(one) ? one.bytes : one))
    .flatMap(({ buffer }) => (buffer instanceof ArrayBuffer ? buffer : []))
  return [...buffers, ...buffersOf(pieces)]
}

/** Buffers of an answer that its thread has no longer. */
export function handedBack(answered: Answered): ArrayBuffer[] {
  return 'output' in answered ? [...buffersOf(answered.output.pieces)] : []
}

/** Does a job in its thread. Rejects with what is no refusal. */
export async function answerApart(
  jobs: ReadonlyMap<string, Job<never, unknown>>,
  { job: name, input: sent }: Asked,
): Promise<Answered> {
  const job = jobs.get(name)
  if (job === undefined) throw new Error(`there is no job "${name}"`)
  try {
    // Of the type of the job that was named
    const output = await job.run((await fromSent(sent)) as never)
    return { output: await toSent(output) }
  } catch (error) {
    if (!(error instanceof Refusal)) throw error
    return { refusal: { code: error.code, facts: error.facts } }
  }
}

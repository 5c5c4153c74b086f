/**
 * A call of a client of 2026-07-28 to an origin that may ask during the call (2025-11-25, client/elicitation, sampling,
 * roots). The client is asked by `input_required`. Meanwhile the call stays open, and its retry, on any thread, continues it.
 *
 * 1. At most one request of the client waits for the call at a time: its turn. The messages of the call go to that turn.
 * 2. A turn ends once: with questions, or with the answer of the call. An answer without a turn is kept for the next one.
 * 3. The call, its questions and its answer are counted in the memory of the caller.
 * 4. The call is given up when a turn leaves, when no retry continues it in time, and when its caller loses the right to it.
 */
import type { Reservation } from '../../../base/memory/bytes.ts'
import type { RefusalCode } from '../../../base/refusal.ts'
import type {
  CallLine,
  HeldCall,
  HeldCalls,
  Hold,
  LineWatcher,
} from '../../../shared-state/ports/held-calls.ts'
import { isMembers, type Members } from '../../protocol/message.ts'
import type { RelayedAnswer } from '../../protocol/relay-port.ts'
import type { ClientAnswer } from '../../protocol/relayed-requests.ts'
import { toReply } from '../../protocol/sealed-elicitation.ts'
import { bytesOf } from '../call/origin-line.ts'

/** How often one call may ask the client. */
export const ROUNDS_MAX = 8
const ASKS_TOO_OFTEN = `The origin asked the client more than ${ROUNDS_MAX} times in one call.`
/** Questions that come within this time are put to the client together, milliseconds. */
const TOGETHER_MS = 15
/** What a parked call costs beside the bytes of its questions and its answer: two connections' buffers, and the objects. */
const PARKED_BYTES = 32_768

/** Member of `_meta` by which an origin of an earlier era may name its question. */
const INPUT_KEY = 'postern/input_key'

/** What a request of the client wants of the call. */
export interface Turn {
  notify(text: string): void
  done(ended: Ended): void
  /** Undefined for none. */
  readonly progressToken: unknown
  readonly logLevel: string | null
}

/** How a turn ends. */
export interface Ended {
  readonly answer: RelayedAnswer
  /** Of a refusal, for the record of the request. */
  readonly code: RefusalCode | null
}

/** What a retry says to the thread that holds its call, as JSON. */
export interface RetryPayload {
  /** The principal. The call of another one is lost. */
  readonly identity: string
  /** Null gives the call up. */
  readonly responses: Members | null
  readonly progressToken: unknown
  readonly logLevel: string | null
}

/** What the thread says back: notifications as they are, and this at the end. Null where there is nothing to take up. */
export type RetryEnd = Ended | null

/** The upstream side of the call. */
export interface Upstream {
  /** The HTTP request that began it is about to be answered. @param code of a refusal */
  park(code: RefusalCode | null): void
  /** Gives the call up, and tells the origin so; resolves when that has reached it or cannot. */
  cancel(): Promise<void>
}

export interface ParkedCallOptions {
  readonly identity: string
  readonly heldCalls: HeldCalls
  /** Where what is kept for the caller is counted. Released at the end. */
  readonly memory: Reservation
  /** True when the call may be parked, asked once. */
  readonly admits: () => boolean
  /** Seals the `requestState`. @param heldId null where the call is made again */
  readonly seal: (heldId: string | null, round: number) => string
  /** The call is over and nobody will ask for it. */
  readonly ended: () => void
  /** Answers with a refusal. */
  readonly refusal: (code: RefusalCode, detail: string) => Ended
  /** Rounds before. */
  readonly round: number
}

interface Question {
  readonly request: Members
  /** Of the request, counted in the memory of the call. */
  readonly bytes: number
  readonly done: (answer: ClientAnswer) => void
}

export class ParkedCall implements HeldCall {
  readonly #options: ParkedCallOptions
  #turn: Turn | null
  #upstream: Upstream | null = null
  #hold: Hold | null = null
  readonly #open = new Map<string, Question>()
  #asked = 0
  #round: number
  #timer: NodeJS.Timeout | undefined
  /** The answer of the call, with nobody there to take it. */
  #kept: Ended | null = null
  #isOver = false
  /** Nobody will take it up. */
  #isGone = false

  constructor(options: ParkedCallOptions, first: Turn) {
    this.#options = options
    this.#turn = first
    this.#round = options.round
  }

  get identity(): string {
    return this.#options.identity
  }

  get memory(): Reservation {
    return this.#options.memory
  }

  /** Null while the call is parked. */
  get turn(): Turn | null {
    return this.#turn
  }

  /** The call is about to be sent. */
  carriedBy(upstream: Upstream): void {
    this.#upstream = upstream
  }

  /** Puts a question of the origin to the client; null where it cannot be asked. */
  ask(method: string, params: Members, done: (answer: ClientAnswer) => void): void {
    if (this.#isOver) {
      done(null)
      return
    }
    const request = toModern(method, params)
    const bytes = bytesOf(request)
    const bound = this.#boundOf(bytes)
    if (bound !== null) {
      done(null)
      this.#giveUp(bound)
      return
    }
    this.#open.set(this.#keyOf(params), { request, bytes, done })
    this.#offerSoon()
  }

  /** Pages that must be opened before the call is made again; null when the client was asked too often. */
  pagesFirst(pages: readonly Members[]): RelayedAnswer | null {
    if (this.#round >= ROUNDS_MAX) return null
    const requests = pages.map(
      (page, at) => [`page_${at + 1}`, toModern('elicitation/create', { ...page, mode: 'url' })] as const,
    )
    return inputRequired(Object.fromEntries(requests), this.#options.seal(null, this.#round + 1))
  }

  /** The origin has answered, or the call was refused. */
  answered(ended: Ended): void {
    if (this.#isOver) return
    this.#isOver = true
    clearTimeout(this.#timer)
    const { memory, refusal } = this.#options
    const { answer } = ended
    if (this.#turn !== null) {
      this.#endTurn(ended)
      return
    }
    this.#forgetQuestions()
    const bytes = answer.kind === 'result' ? Buffer.byteLength(answer.text) : bytesOf(answer)
    this.#kept = memory.take(bytes)
      ? ended
      : refusal(
          'overloaded',
          'The call was carried out, but its response could not be stored until the client fetched it.',
        )
  }

  /** The call was given up on its way. */
  gone(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#release()
  }

  /** Ends the call for its retry, if nobody waits for it. Resolves when the origin was told. */
  async drop(): Promise<void> {
    this.#release()
    if (!this.#isOver) await this.#upstream?.cancel()
  }

  attached(payload: string, line: CallLine): LineWatcher {
    // Written by the thread that the retry reached
    const { identity, responses, progressToken, logLevel } = JSON.parse(payload) as RetryPayload
    const end = (ended: RetryEnd): void => line.end(JSON.stringify(ended))
    const nobody: LineWatcher = { drained() {}, left() {} }
    if (this.#isGone || this.#turn !== null || identity !== this.identity) {
      end(null)
      return nobody
    }
    if (responses === null) {
      end(null)
      void this.drop()
      return nobody
    }
    const turn: Turn = {
      // A client that reads slower than the origin speaks misses what is not the answer
      notify: (text) => {
        if (isFree) isFree = line.message(text)
      },
      done: end,
      progressToken,
      logLevel,
    }
    let isFree = true
    this.#turn = turn
    if (this.#kept !== null) this.#endTurn(this.#kept)
    else this.#take(responses)
    return {
      drained() {
        isFree = true
      },
      left: () => {
        if (this.#turn !== turn) return
        this.#turn = null
        void this.drop()
      },
    }
  }

  /** Passes the answers of the client to the origin. The client is asked again for missing answers. */
  #take(responses: Members): void {
    for (const [key, { request, bytes, done }] of [...this.#open]) {
      const response = responseIn(responses, key, request)
      if (response === null) continue
      this.#open.delete(key)
      this.memory.give(bytes)
      done(response)
    }
    if (this.#open.size === 0) return
    if (this.#round < ROUNDS_MAX) this.#offerSoon()
    else this.#giveUp(ASKS_TOO_OFTEN)
  }

  /** The name of a question. Origins of earlier eras have none for it, unless they say it. */
  #keyOf({ _meta }: Members): string {
    this.#asked++
    const named = isMembers(_meta) ? _meta[INPUT_KEY] : undefined
    const isUsable =
      typeof named === 'string' && /^[A-Za-z0-9_.-]{1,64}$/.test(named) && !this.#open.has(named)
    return isUsable ? named : `input_${this.#asked}`
  }

  /** The bound that another question reaches; null for none. @param bytes of the question */
  #boundOf(bytes: number): string | null {
    const { admits, memory, heldCalls } = this.#options
    if (this.#round >= ROUNDS_MAX) return ASKS_TOO_OFTEN
    if (this.#hold === null) {
      if (!admits() || !memory.take(PARKED_BYTES)) return 'Too many calls wait for input of their clients.'
      this.#hold = heldCalls.hold(this)
    }
    return memory.take(bytes) ? null : 'The questions of the origin take too much memory.'
  }

  #offerSoon(): void {
    if (this.#turn === null || this.#timer !== undefined) return
    this.#timer = setTimeout(() => this.#offer(), TOGETHER_MS)
  }

  #offer(): void {
    this.#timer = undefined
    const turn = this.#turn
    if (turn === null || this.#isOver || this.#open.size === 0) return
    this.#round++
    const requests = [...this.#open].map(([key, { request }]) => [key, request] as const)
    const answer = inputRequired(
      Object.fromEntries(requests),
      this.#options.seal(this.#hold!.id, this.#round),
    )
    this.#turn = null
    this.#upstream?.park(null)
    turn.done({ answer, code: null })
  }

  /** At a bound: the client learns that as the answer of the call, now or when it asks for it. */
  #giveUp(reason: string): void {
    const ended = this.#options.refusal('concurrency_exceeded', reason)
    this.#isOver = true
    clearTimeout(this.#timer)
    this.#upstream?.park(ended.code)
    void this.#upstream?.cancel()
    if (this.#turn !== null) this.#endTurn(ended)
    else if (this.#hold !== null) {
      this.#forgetQuestions()
      this.#kept = ended
    }
  }

  #endTurn(ended: Ended): void {
    const turn = this.#turn
    this.#turn = null
    turn?.done(ended)
    this.#release()
  }

  #forgetQuestions(): void {
    for (const { bytes } of this.#open.values()) this.memory.give(bytes)
    this.#open.clear()
  }

  #release(): void {
    if (this.#isGone) return
    this.#isGone = true
    clearTimeout(this.#timer)
    this.#forgetQuestions()
    this.#kept = null
    this.#hold?.release()
    this.#options.memory.release()
    this.#options.ended()
  }
}

/** A result that asks the client (2026-07-28, basic/patterns: multi round-trip requests). */
export function inputRequired(inputRequests: Members, requestState: string): RelayedAnswer {
  return {
    kind: 'result',
    text: JSON.stringify({ resultType: 'input_required', inputRequests, requestState }),
  }
}

/** A request of an origin of an earlier era, without what ended with that era. */
function toModern(method: string, params: Members): Members {
  const { _meta, task, elicitationId, ...kept } = params
  return { method, params: kept }
}

/** What the client answered to a question; null where it answered nothing that can be one. */
function responseIn(responses: Members, key: string, request: Members): ClientAnswer {
  const response = Object.hasOwn(responses, key) ? responses[key] : undefined
  if (!isMembers(response)) return null
  return request['method'] !== 'elicitation/create' || toReply(response) !== null ? response : null
}

/** A stream that stays open at an origin of an earlier era with Streamable HTTP. */
import { isMembers } from '../protocol/message.ts'
import { readReply } from './answer.ts'
import {
  endSession,
  initializeRequest,
  type OriginRequest,
  originNotification,
  originRequest,
  sessionStream,
} from './envelope.ts'
import {
  type EraEvents,
  type EraStream,
  type EraStreamTools,
  endBy,
  MessageStream,
  StandingAnswers,
  type StreamEnd,
  Subscribed,
  type Wanted,
} from './era-stream.ts'
import { sessionIn } from './probe.ts'

/** Some servers send no head before the first event: a stream that was not refused by then stands, milliseconds. */
const HEAD_MS = 500
/** The same after a failure, when the server may not even be reached. */
const DOUBTFUL_HEAD_MS = 5000

/**
 * A session of its own at an origin of an earlier revision, with the stream on which the server says what belongs to no request
 * (2025-11-25, basic/transports: listening for messages from the server).
 *
 * 1. A stream that ends is opened again in the same session, from the last event on. A session that the server knows no longer is
 *    opened anew.
 * 2. Each resource is subscribed to once in a session.
 */
export class LegacyStream implements EraStream {
  readonly #tools: EraStreamTools
  readonly #events: EraEvents
  /** `id` is null for a server without sessions. */
  #session: { readonly id: string | null; readonly subscribed: Subscribed } | null = null
  #wanted: Wanted = { lists: false, uris: new Set() }
  #handle: { abort(): void } | null = null
  #headTimer: NodeJS.Timeout | undefined
  #lastId = ''
  #isSyncing = false
  #hasFailed = false
  /** Counts openings and closings: what belongs to an earlier one is left alone. */
  #turn = 0

  constructor(tools: EraStreamTools, events: EraEvents) {
    this.#tools = tools
    this.#events = events
  }

  open(wanted: Wanted): void {
    this.#wanted = wanted
    const turn = ++this.#turn
    if (this.#session === null) void this.#initialize(turn)
    else this.#listen(turn, false)
  }

  want(wanted: Wanted): void {
    this.#wanted = wanted
    void this.#sync()
  }

  close(): void {
    this.#turn++
    clearTimeout(this.#headTimer)
    this.#handle?.abort()
    this.#handle = null
    this.#forget()
  }

  #forget(): void {
    const id = this.#session?.id ?? null
    this.#session = null
    this.#lastId = ''
    if (id !== null) void this.#tools.send(endSession(this.#tools.version, id))
  }

  async #initialize(turn: number): Promise<void> {
    const { send, version, own } = this.#tools
    const asked = 'initialize'
    const answer = await send(initializeRequest(asked, version, own, {}))
    const id = sessionIn(answer)
    if (turn !== this.#turn) {
      if (id !== null) void send(endSession(version, id))
      return
    }
    if (readReply(answer, asked, false).kind !== 'result') {
      this.#over(endBy(answer.ok ? answer.status : null))
      return
    }
    this.#session = { id, subscribed: new Subscribed() }
    await send(originNotification(version, id, 'notifications/initialized', {}))
    if (turn === this.#turn) this.#listen(turn, true)
  }

  #listen(turn: number, isNew: boolean): void {
    const id = this.#session?.id ?? null
    let status: number | null = null
    const { send, clock, version, read } = this.#tools
    const answers = new StandingAnswers(version, send, () => clock.monotonic())
    const messages = new MessageStream((message) => {
      if (turn !== this.#turn) return false
      const { method, params } = message
      const isMethod = typeof method === 'string'
      if (isMethod && message['id'] === undefined)
        return this.#events.heard(method, isMembers(params) ? params : {})
      if (isMethod) answers.answer(message, id)
      return this.#events.heard(null, {})
    })
    let stands = false
    const stand = (): void => {
      clearTimeout(this.#headTimer)
      if (stands || turn !== this.#turn) return
      stands = true
      this.#events.stands(isNew)
      void this.#sync()
    }
    this.#headTimer = setTimeout(stand, isNew || !this.#hasFailed ? HEAD_MS : DOUBTFUL_HEAD_MS).unref()
    this.#handle = read(sessionStream(version, id, this.#lastId), {
      head: (given, header) => {
        status = given
        if (turn !== this.#turn) return
        clearTimeout(this.#headTimer)
        if (messages.head(header('content-type') ?? '') && status === 200) stand()
      },
      piece: (bytes, from, to) => messages.piece(bytes, from, to),
      over: (fault) => {
        messages.end()
        if (turn !== this.#turn) return
        clearTimeout(this.#headTimer)
        this.#handle = null
        this.#lastId = messages.lastId || this.#lastId
        if (status === 404 && id !== null) this.#lost(turn, isNew)
        else if (status === 405 || status === 404 || status === 400) this.#over({ kind: 'refused' })
        else if (status === 200)
          this.#over({ kind: 'ended', retryMs: fault === null ? messages.retry : null })
        else this.#over(endBy(status))
      },
    })
  }

  /** The server knows the session no longer. */
  #lost(turn: number, isNew: boolean): void {
    this.#session = null
    this.#lastId = ''
    if (isNew) this.#over({ kind: 'ended', retryMs: null })
    else void this.#initialize(turn)
  }

  #over(end: StreamEnd): void {
    if (end.kind === 'refused') this.#forget()
    this.#hasFailed = end.kind === 'failed'
    this.#events.over(end)
  }

  /** Subscribes to what is wanted and unsubscribes from what is not, one after the other. */
  async #sync(): Promise<void> {
    if (this.#isSyncing) return
    this.#isSyncing = true
    for (let next = this.#nextChange(); next !== null; next = this.#nextChange()) await this.#tools.send(next)
    this.#isSyncing = false
  }

  #nextChange(): OriginRequest | null {
    const session = this.#session
    // Not before the stream on which it would be told
    if (session === null || this.#handle === null) return null
    const change = session.subscribed.next(this.#wanted.uris)
    if (change === null) return null
    const { version, own, requestIds } = this.#tools
    const speaker = { info: { ...own }, capabilities: {} }
    return originRequest(version, session.id, requestIds(), change.method, { uri: change.uri }, speaker)
  }
}

/**
 * Streams on which origins of an earlier era send messages that belong to no request. Many servers ask their client there
 * during a call (2025-11-25, basic/transports: listening for messages from the server).
 *
 * 1. A session has one stream in a thread, while calls run to which its messages may belong, and some seconds longer.
 * 2. Before such a call is sent, the stream is open, or the origin was found to have none.
 * 3. A request of the server goes to the call that began last. All calls of a session belong to one client. Progress, and the
 *    status of tasks, goes to all of them.
 * 4. A server allows one stream for a session. A thread without calls leaves the stream to a thread that has one; a thread
 *    that keeps it for nobody leaves it to any thread. The status of tasks goes to all threads.
 */
import { textHash } from '../../../base/json/canonical.ts'
import type { Caller, GatewayPort } from '../../../gateway/port.ts'
import { fieldValue } from '../../../gateway/request-headers.ts'
import type { Events } from '../../../shared-state/ports/events.ts'
import type { LinkedOrigin } from '../../../snapshot/linked-types/mcp.ts'
import type { CallHandle } from '../../../wire/port.ts'
import { sessionStream } from '../../origin/envelope.ts'
import { MessageStream } from '../../origin/era-stream.ts'
import type { Members } from '../../protocol/message.ts'
import { forStandaloneStreams, STREAM_IDLE_MS } from '../streams/watch-tools.ts'
import type { OriginSession } from './sessions.ts'

/** The session that a call runs in. */
interface StreamPlace {
  readonly session: OriginSession
  readonly origin: LinkedOrigin
  readonly caller: Caller
  /** Revision that the origin speaks. */
  readonly version: string
}

export interface StandaloneStreams {
  /**
   * Has `heard` told of what the origin says in the session, until the function that this gives is called.
   * @param ready called once, now or later. @param isCall False: what is for one call alone is not for it
   */
  join(
    place: StreamPlace,
    heard: (message: Members) => void,
    ready: (isStanding: boolean) => void,
    isCall?: boolean,
  ): () => void
}

export interface StandaloneStreamsTools {
  readonly gateway: Pick<GatewayPort, 'readOrigin'>
  readonly events: Events
}

/** How long a stream is kept for the next call, milliseconds. */
const LINGER_MS = 30_000
/** Some servers send no head before the first event: a stream that was not refused by then counts as standing, milliseconds. */
const HEAD_MS = 500
/** Waits for another thread to leave the stream, milliseconds. */
const YIELD_MS = [20, 60, 200]
/** After so long a server that had no stream is asked again, milliseconds. */
const REFUSED_MS = 60_000
/** Before a stream that has ended is opened again, milliseconds. Within these bounds its server says how long. */
const REOPEN_MS = { least: 1000, most: 30_000 }
/** Messages of one stream, and those of it that no call hears. A server that says more has no stream for a while. */
const MESSAGES_MAX = { heard: 100_000, unheard: 1000 }
/** The session has a stream already (as SDKs answer). */
const CONFLICT = 409
const TOPIC = 'session_stream_wanted'
const TASK_TOLD = 'task_told'
const TASK_STATUS = 'notifications/tasks/status'
const OF_ALL: ReadonlySet<unknown> = new Set(['notifications/progress', TASK_STATUS])
/** Before a stream that another thread has is asked for again, milliseconds. */
const ELSEWHERE_MS = 5000

export function createStandaloneStreams(tools: StandaloneStreamsTools): StandaloneStreams {
  const bySession = new WeakMap<OriginSession, StandaloneStream>()
  const kept = new Map<string, StandaloneStream>()
  const listening = new Map<string, Set<StandaloneStream>>()
  tools.events.subscribe(TOPIC, (text) => {
    // Published below, as that of the other topic
    const [name, isForCall] = JSON.parse(text) as [string, boolean]
    kept.get(name)?.leave(isForCall)
  })
  tools.events.subscribe(TASK_TOLD, (text) => {
    const [name, message] = JSON.parse(text) as [string, Members]
    for (const stream of listening.get(name) ?? []) stream.tellAll(message)
  })

  return {
    join(place, heard, ready, isCall = true) {
      // Those that did not begin here are other objects each time
      const [known] = place.session.id === null ? [] : (listening.get(nameOf(place)) ?? [])
      let stream = bySession.get(place.session) ?? known
      if (stream === undefined) {
        stream = new StandaloneStream(tools, place, kept, listening)
        bySession.set(place.session, stream)
      }
      return stream.join(place.caller, { heard, isCall }, ready)
    },
  }
}

/** Who hears of a session. */
interface StreamListener {
  readonly heard: (message: Members) => void
  readonly isCall: boolean
}

class StandaloneStream {
  readonly #tools: StandaloneStreamsTools
  readonly #place: StreamPlace
  /** Those that stand, by name. */
  readonly #kept: Map<string, StandaloneStream>
  /** Those with listeners, by name. */
  readonly #listening: Map<string, Set<StandaloneStream>>
  readonly #name: string
  readonly #listeners: StreamListener[] = []
  #caller: Caller
  /** Who waits until it stands. */
  #waiting: ((isStanding: boolean) => void)[] = []
  #state: 'closed' | 'opening' | 'open' | 'elsewhere' | 'refused' = 'closed'
  #handle: CallHandle | null = null
  #timer: NodeJS.Timeout | undefined
  /** Counts openings: what belongs to an earlier one is left alone. */
  #turn = 0

  constructor(
    tools: StandaloneStreamsTools,
    place: StreamPlace,
    kept: Map<string, StandaloneStream>,
    listening: Map<string, Set<StandaloneStream>>,
  ) {
    this.#tools = tools
    this.#place = place
    this.#kept = kept
    this.#listening = listening
    this.#caller = place.caller
    this.#name = nameOf(place)
  }

  join(caller: Caller, listener: StreamListener, ready: (isStanding: boolean) => void): () => void {
    this.#caller = caller
    // A call does not leave the stream to those of another thread that only listen
    const isNeeded = this.#state === 'elsewhere' && listener.isCall && !this.#hasCall
    this.#listeners.push(listener)
    this.#listening.set(this.#name, (this.#listening.get(this.#name) ?? new Set()).add(this))
    if (this.#state === 'closed' || isNeeded) this.#open(0)
    else if (this.#state === 'open') clearTimeout(this.#timer)
    if (this.#state === 'opening') this.#waiting.push(ready)
    else ready(this.#state !== 'refused')
    return () => {
      const at = this.#listeners.indexOf(listener)
      if (at < 0) return
      this.#listeners.splice(at, 1)
      if (this.#listeners.length === 0) this.#unlisten()
      if (this.#listeners.length === 0 && this.#state === 'open')
        this.#after(LINGER_MS, () => this.leave(false))
    }
  }

  /** Closes it, if no call needs it. @param isForCall another thread has a call that needs it */
  leave(isForCall: boolean): void {
    if (this.#state !== 'open' || this.#hasCall) return
    if (this.#listeners.length > 0 && !isForCall) return
    this.#turn++
    this.#closed()
    this.#handle?.abort()
    if (this.#listeners.length > 0) this.#after(REOPEN_MS.least, () => this.#reopen())
  }

  #open(attempt: number): void {
    this.#state = 'opening'
    const turn = ++this.#turn
    const { session, origin, version } = this.#place
    let status: number | null = null
    const said = { heard: 0, unheard: 0 }
    let saysTooMuch = false
    const messages = new MessageStream((message) => {
      if (turn !== this.#turn) return false
      const kind = this.#listeners.length > 0 ? 'heard' : 'unheard'
      saysTooMuch = ++said[kind] > MESSAGES_MAX[kind]
      if (!saysTooMuch) this.#heard(message)
      return !saysTooMuch
    })
    this.#after(HEAD_MS, () => this.#stands())
    this.#handle = this.#tools.gateway.readOrigin(
      forStandaloneStreams(origin.fragment),
      sessionStream(version, session.id, ''),
      {
        idleTimeoutMs: STREAM_IDLE_MS,
        head: (given, fields) => {
          status = given
          const isStream = messages.head(fieldValue(fields, 'content-type') ?? '')
          if (turn === this.#turn && given === 200 && isStream) this.#stands()
        },
        piece: (bytes, from, to) => messages.piece(bytes, from, to),
        gaveUp() {},
      },
      () => {
        messages.end()
        if (turn === this.#turn) this.#over(saysTooMuch ? null : status, attempt, messages.retry)
      },
      this.#caller,
    )
  }

  #stands(): void {
    clearTimeout(this.#timer)
    this.#state = 'open'
    this.#kept.set(this.#name, this)
    this.#tell(true)
    if (this.#listeners.length === 0) this.#after(LINGER_MS, () => this.leave(false))
  }

  /** @param status null where no answer came, or too much */
  #over(status: number | null, attempt: number, retryMs: number | null): void {
    const wait = YIELD_MS[attempt]
    if (status === CONFLICT && wait !== undefined) {
      this.#state = 'opening'
      this.#tools.events.publish({ topic: TOPIC, text: JSON.stringify([this.#name, this.#hasCall]) })
      this.#after(wait, () => this.#open(attempt + 1))
      return
    }
    const stood = this.#state === 'open' && status === 200
    this.#closed()
    if (stood) {
      const waitMs = Math.min(REOPEN_MS.most, Math.max(REOPEN_MS.least, retryMs ?? 0))
      if (this.#listeners.length > 0) this.#after(waitMs, () => this.#reopen())
      return
    }
    const isElsewhere = status === CONFLICT
    this.#state = isElsewhere ? 'elsewhere' : 'refused'
    this.#after(isElsewhere ? ELSEWHERE_MS : REFUSED_MS, () => {
      this.#state = 'closed'
      this.#reopen()
    })
    this.#tell(isElsewhere)
  }

  #reopen(): void {
    if (this.#state === 'closed' && this.#listeners.length > 0) this.#open(0)
  }

  #closed(): void {
    clearTimeout(this.#timer)
    this.#state = 'closed'
    if (this.#kept.get(this.#name) === this) this.#kept.delete(this.#name)
  }

  #tell(isStanding: boolean): void {
    for (const ready of this.#waiting.splice(0)) ready(isStanding)
  }

  #heard(message: Members): void {
    // Sessions without an id have one name
    if (message['method'] === TASK_STATUS && this.#place.session.id !== null)
      this.#tools.events.publish({ topic: TASK_TOLD, text: JSON.stringify([this.#name, message]) })
    if (OF_ALL.has(message['method'])) this.tellAll(message)
    else this.#listeners.findLast(({ isCall }) => isCall)?.heard(message)
  }

  /** Each listener knows its own. */
  tellAll(message: Members): void {
    for (const { heard } of [...this.#listeners]) heard(message)
  }

  get #hasCall(): boolean {
    return this.#listeners.some(({ isCall }) => isCall)
  }

  #unlisten(): void {
    const all = this.#listening.get(this.#name)
    all?.delete(this)
    if (all?.size === 0) this.#listening.delete(this.#name)
  }

  #after(ms: number, work: () => void): void {
    clearTimeout(this.#timer)
    this.#timer = setTimeout(work, ms).unref()
  }
}

function nameOf({ origin, session }: StreamPlace): string {
  return textHash(`${origin.id} ${session.id}`)
}

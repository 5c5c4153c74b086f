/**
 * A stream that stays open at an origin and carries its notifications about changes.
 *
 * 1. A stream that ends is opened again. The waits double, until a stream has stayed open for a while.
 * 2. A server without such streams is asked once.
 * 3. If an origin sends too much, the stream is closed for a while, so that the cost is bounded.
 * 4. After a time without a stream, everything that is watched counts as changed.
 */
import { isMembers, isModernVersion, type Members } from '../protocol/message.ts'
import { withTasks } from '../protocol/tasks.ts'
import { type OriginRequest, originNotification, originRequest } from './envelope.ts'
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
import { LegacyStream } from './legacy-stream.ts'
import { initializeOverSse, SseSession, type SseTools } from './sse-session.ts'

export interface StandingEvents {
  /** It stands for the first time, and the origin has not failed before. */
  opened(): void
  /** It stands again. @param wasAway the origin could not be reached meanwhile, or knows nothing of what was before */
  reopened(wasAway: boolean): void
  /** A list has changed, or some may have. */
  listsChanged(): void
  /** A resource has changed, or may have. @param uri as the origin has it */
  updated(uri: string): void
  /** Any other notification. */
  told?(method: string, params: Members): void
  /** The origin cannot be reached, or fails. */
  failed(): void
}

export interface StandingStreamTools extends EraStreamTools {
  /** The waits before a stream is opened again, milliseconds. */
  readonly waits?: { readonly first: number; readonly last: number }
}

const WAITS = { first: 1000, last: 60_000 }
/** A stream that stood for so long was well, milliseconds. */
const STEADY_MS = 10_000
/** Messages that are read in {@link WINDOW_MS}, and bytes, whatever they say. */
const MESSAGES_MAX = 1000
const BYTES_MAX = 4 * 1024 * 1024
const WINDOW_MS = 10_000
const LIST_CHANGED = /^notifications\/(tools|prompts|resources)\/list_changed$/

type State = 'closed' | 'opening' | 'open' | 'waiting' | 'refused'

export class StandingStream {
  readonly #tools: StandingStreamTools
  readonly #events: StandingEvents
  readonly #stream: EraStream
  #wanted: Wanted = { lists: false, uris: new Set() }
  #state: State = 'closed'
  #timer: NodeJS.Timeout | undefined
  #waitMs: number
  #stoodAt = 0
  #hasStood = false
  /** Something may have been missed since it stood. */
  #hasMissed = false
  #window = { since: 0, messages: 0, bytes: 0 }

  constructor(tools: StandingStreamTools, events: StandingEvents) {
    this.#tools = tools
    this.#events = events
    this.#waitMs = this.#waits.first
    this.#stream = streamOf(this.#bounded(tools), {
      stands: (isNew) => this.#stands(isNew),
      heard: (method, params) => this.#heard(method, params),
      over: (end) => this.#over(end),
    })
  }

  /** From now on this is to be heard of; nothing closes the stream. */
  want(wanted: Wanted): void {
    this.#wanted = wanted
    if (!wanted.lists && wanted.uris.size === 0 && (wanted.tasks?.size ?? 0) === 0) {
      this.close()
      return
    }
    if (this.#state === 'closed') this.#open()
    else if (this.#state === 'open' || this.#state === 'opening') this.#stream.want(wanted)
  }

  /** The origin is said to be well again. */
  hurry(): void {
    if (this.#state !== 'waiting') return
    clearTimeout(this.#timer)
    this.#open()
  }

  close(): void {
    clearTimeout(this.#timer)
    this.#stream.close()
    if (this.#state !== 'refused') this.#state = 'closed'
  }

  get #waits() {
    return this.#tools.waits ?? WAITS
  }

  #open(): void {
    this.#state = 'opening'
    this.#stream.open(this.#wanted)
  }

  #stands(isNew: boolean): void {
    if (this.#state !== 'opening') return
    this.#state = 'open'
    this.#stoodAt = this.#tools.clock.monotonic()
    const wasAway = this.#hasMissed || (isNew && this.#hasStood)
    this.#hasMissed = false
    if (!this.#hasStood && !wasAway) this.#events.opened()
    else {
      this.#events.reopened(wasAway)
      if (wasAway) for (const uri of this.#wanted.uris) this.#events.updated(uri)
    }
    this.#hasStood = true
  }

  #heard(method: string | null, params: Members): boolean {
    if (method !== null && LIST_CHANGED.test(method)) {
      if (this.#wanted.lists) this.#events.listsChanged()
    } else if (method === 'notifications/resources/updated') {
      const { uri } = params
      if (typeof uri === 'string' && this.#wanted.uris.has(uri)) this.#events.updated(uri)
    } else if (method !== null) this.#events.told?.(method, params)
    return this.#counts(1, 0)
  }

  /** Streams whose bytes are counted. */
  #bounded(tools: EraStreamTools): EraStreamTools {
    return {
      ...tools,
      read: (request, reader) =>
        tools.read(request, {
          ...reader,
          piece: (bytes, from, to) => this.#counts(0, to - from) && reader.piece(bytes, from, to),
        }),
    }
  }

  /** False once the origin says too much. */
  #counts(messages: number, bytes: number): boolean {
    const now = this.#tools.clock.monotonic()
    if (now - this.#window.since > WINDOW_MS) this.#window = { since: now, messages: 0, bytes: 0 }
    this.#window.messages += messages
    this.#window.bytes += bytes
    return !this.#saysTooMuch()
  }

  #saysTooMuch(): boolean {
    return this.#window.messages > MESSAGES_MAX || this.#window.bytes > BYTES_MAX
  }

  #over(end: StreamEnd): void {
    if (end.kind === 'refused') {
      this.#state = 'refused'
      return
    }
    const { first, last } = this.#waits
    const isSteady =
      this.#state === 'open' &&
      !this.#saysTooMuch() &&
      this.#tools.clock.monotonic() - this.#stoodAt >= STEADY_MS
    if (isSteady) this.#waitMs = first
    const asked = end.kind === 'ended' ? end.retryMs : null
    const waitMs = asked === null ? this.#waitMs : Math.max(first, Math.min(asked, last))
    if (asked === null) this.#waitMs = Math.min(2 * this.#waitMs, last)
    // Messages that the origin sends in the meantime are lost
    if (this.#saysTooMuch()) this.#hasMissed = true
    this.#state = 'waiting'
    this.#timer = setTimeout(() => this.#open(), waitMs).unref()
    if (end.kind !== 'failed') return
    this.#hasMissed = true
    this.#events.failed()
  }
}

function streamOf(tools: EraStreamTools, events: EraEvents): EraStream {
  if (tools.sse !== null) return new SseStream(tools, { ...tools.sse, read: tools.read }, events)
  return isModernVersion(tools.version) ? new ModernStream(tools, events) : new LegacyStream(tools, events)
}

// A stream that stays open at an origin with HTTP+SSE.

/** What an origin answers to GET that has another transport by now: a probe finds it out. */
const MOVED: ReadonlySet<number | null> = new Set([400, 404, 405])

/**
 * A session of its own at an origin of HTTP+SSE, on whose stream the server says what has changed (2024-11-05, basic/transports).
 *
 * 1. The stream is the session: one that has ended is opened anew, and the origin knows nothing of the earlier one.
 * 2. Each resource is subscribed to once in a session.
 */
class SseStream implements EraStream {
  readonly #tools: EraStreamTools
  readonly #sse: SseTools
  readonly #events: EraEvents
  #session: SseSession | null = null
  #subscribed = new Subscribed()
  #wanted: Wanted = { lists: false, uris: new Set() }
  #isSyncing = false
  /** Counts openings and closings: what belongs to an earlier one is left alone. */
  #turn = 0

  constructor(tools: EraStreamTools, sse: SseTools, events: EraEvents) {
    this.#tools = tools
    this.#sse = sse
    this.#events = events
  }

  open(wanted: Wanted): void {
    this.#wanted = wanted
    void this.#begin(++this.#turn)
  }

  want(wanted: Wanted): void {
    this.#wanted = wanted
    void this.#sync()
  }

  close(): void {
    this.#turn++
    this.#session?.close()
    this.#session = null
  }

  async #begin(turn: number): Promise<void> {
    const { send, version, own } = this.#tools
    const opened = await initializeOverSse(this.#sse, send, version, own, {})
    const isOpen = opened instanceof SseSession
    if (turn !== this.#turn) {
      if (isOpen) opened.close()
      return
    }
    if (!isOpen) {
      this.#events.over(MOVED.has(opened.status) ? { kind: 'failed' } : endBy(opened.status))
      return
    }
    this.#session = opened
    this.#subscribed = new Subscribed()
    this.#listen(turn, opened)
    await send({ ...originNotification(version, null, 'notifications/initialized', {}), at: opened.at })
    if (turn !== this.#turn || this.#session !== opened) return
    this.#events.stands(true)
    void this.#sync()
  }

  #listen(turn: number, session: SseSession): void {
    const over = (end: StreamEnd): void => {
      if (turn !== this.#turn || this.#session !== session) return
      this.#session = null
      this.#events.over(end)
    }
    const { version, send, clock } = this.#tools
    const answers = new StandingAnswers(
      version,
      (answer) => send({ ...answer, at: session.at }),
      () => clock.monotonic(),
    )
    const heard = (message: Members): void => {
      if (turn !== this.#turn) return
      const { method, params, id } = message
      if (id !== undefined) answers.answer(message, null)
      const told = id === undefined ? String(method) : null
      if (!this.#events.heard(told, isMembers(params) ? params : {})) session.close()
    }
    const broke = (): void => over({ kind: 'ended', retryMs: null })
    // No response is waited for
    session.listen({ id: '', heard, replied() {}, broke }, null)
    if (session.isOver) over({ kind: 'ended', retryMs: null })
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
    if (session === null) return null
    const change = this.#subscribed.next(this.#wanted.uris)
    if (change === null) return null
    const { version, own, requestIds } = this.#tools
    const speaker = { info: { ...own }, capabilities: {} }
    const { method, uri } = change
    return { ...originRequest(version, null, requestIds(), method, { uri }, speaker), at: session.at }
  }
}

// A stream that stays open at an origin of 2026-07-28 and later.

/** The server does not know the method. */
const METHOD_NOT_FOUND = -32601
/** Statuses of servers that do not. */
const UNKNOWN_STATUSES: ReadonlySet<number> = new Set([404, 405])

const NO_TASKS: ReadonlySet<string> = new Set()
/** What a listen may ask for, and the capability that says so. */
const LISTS = [
  ['toolsListChanged', 'tools'],
  ['promptsListChanged', 'prompts'],
  ['resourcesListChanged', 'resources'],
] as const

/**
 * `subscriptions/listen` at an origin of 2026-07-28 and later. The subjects of a listen cannot be changed: a new
 * listen takes its place. The old one goes on until the new one has said something, so that nothing is missed between them.
 */
class ModernStream implements EraStream {
  readonly #tools: EraStreamTools
  readonly #events: EraEvents
  /** At most two: one that stands, and one that is to take its place. */
  #open: Listen[] = []

  constructor(tools: EraStreamTools, events: EraEvents) {
    this.#tools = tools
    this.#events = events
  }

  open(wanted: Wanted): void {
    const listen: Listen = new Listen(this.#tools, wanted, {
      stands: () => {
        for (const other of this.#open) if (other !== listen) other.abort()
        this.#open = [listen]
        this.#events.stands(false)
      },
      heard: (method, params) => this.#events.heard(method, params),
      over: (end) => {
        const isLast = this.#open.at(-1) === listen
        this.#open = this.#open.filter((one) => one !== listen)
        if (!isLast) return
        this.close()
        this.#events.over(end)
      },
    })
    for (const other of this.#open) if (!other.stands) other.abort()
    this.#open = [...this.#open.filter(({ stands }) => stands), listen]
    listen.begin()
  }

  want(wanted: Wanted): void {
    this.open(wanted)
  }

  close(): void {
    for (const listen of this.#open) listen.abort()
    this.#open = []
  }
}

class Listen {
  readonly #tools: EraStreamTools
  readonly #wanted: Wanted
  readonly #events: EraEvents
  #handle: { abort(): void } | null = null
  #isOver = false
  stands = false
  #isUnknown = false
  #status: number | null = null

  constructor(tools: EraStreamTools, wanted: Wanted, events: EraEvents) {
    this.#tools = tools
    this.#wanted = wanted
    this.#events = events
  }

  begin(): void {
    const { requestIds, version, own, read, capabilities } = this.#tools
    const lists = LISTS.filter(([, type]) => {
      const declared = capabilities[type]
      return this.#wanted.lists && isMembers(declared) && declared['listChanged'] === true
    })
    const { uris, tasks = NO_TASKS } = this.#wanted
    const notifications = {
      ...Object.fromEntries(lists.map(([name]) => [name, true])),
      ...(uris.size === 0 ? {} : { resourceSubscriptions: [...uris] }),
      ...(tasks.size === 0 ? {} : { taskIds: [...tasks] }),
    }
    const speaker = { info: { ...own }, capabilities: tasks.size === 0 ? {} : withTasks({}) }
    const id = requestIds()
    const request = originRequest(version, null, id, 'subscriptions/listen', { notifications }, speaker)
    const messages = new MessageStream((message) => this.#read(message))
    const handle = read(request, {
      head: (status, header) => {
        this.#status = status
        messages.head(header('content-type') ?? '')
      },
      piece: (bytes, from, to) => messages.piece(bytes, from, to),
      over: () => {
        messages.end()
        if (this.#isOver) return
        this.#isOver = true
        const isRefused = this.#isUnknown || (this.#status !== null && UNKNOWN_STATUSES.has(this.#status))
        this.#events.over(isRefused ? { kind: 'refused' } : endBy(this.#status))
      },
    })
    if (!this.#isOver) this.#handle = handle
  }

  abort(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#handle?.abort()
  }

  /** False ends the stream: its response is there, or too much was said. */
  #read({ method, params, error }: Members): boolean {
    if (this.#isOver) return false
    if (typeof method !== 'string') {
      this.#isUnknown = isMembers(error) && error['code'] === METHOD_NOT_FOUND
      return false
    }
    if (!this.stands) {
      this.stands = true
      this.#events.stands(false)
    }
    return this.#events.heard(method, isMembers(params) ? params : {})
  }
}

/**
 * A stream that stays open at an origin and carries its notifications about changes.
 *
 * 1. A stream that ends is opened again. The waits double, until a stream has stayed open for a while.
 * 2. A server without such streams is asked once.
 * 3. If an origin sends too much, the stream is closed for a while, so that the cost is bounded.
 * 4. After a time without a stream, everything that is watched counts as changed.
 */
import type { Members } from '../protocol/message.ts'
import { isModernVersion } from '../protocol/versions.ts'
import type { EraEvents, EraStream, EraStreamTools, StreamEnd, Wanted } from './era-stream.ts'
import { LegacyStream } from './legacy-stream.ts'
import { ModernStream } from './modern-stream.ts'
import { SseStream } from './sse-stream.ts'

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

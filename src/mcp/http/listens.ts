/**
 * Streams on which callers receive notifications about changes: `subscriptions/listen` of 2026-07-28, and the stream of a
 * session of earlier revisions. They stay open as long as their clients want.
 *
 * 1. Each new snapshot leads to a check of every stream. A stream is notified about a list if the part of it that its caller
 *    sees has changed, for whatever reason.
 * 2. A stream ends when anything about its caller has changed, when the grant of a person is revoked, and when what proved the
 *    caller has ended: a token, a certificate, or the validity of the client. The next request authenticates the caller again.
 * 3. The number of streams is bounded for each client, for each person who has signed in, and in total.
 */
import type { Caller, GatewayPort } from '../../gateway/port.ts'
import type { CapabilityType } from '../../model/mcp/capability.ts'
import type { RelayedRequest } from '../protocol/relay-port.ts'
import { listenTexts, type Wanted } from '../protocol/subscription.ts'
import type { Sender } from './message.ts'
import { type Done, refusal } from './relay.ts'

export interface Standing {
  /** Another snapshot is in force. False when the caller has lost its right: nothing more is told. */
  look(): boolean
  /** It is over for the caller, who has not left it. Not called after `close`. */
  end(): void
}

interface StandingStreams {
  /** Null where there are too many; else what closes it when its caller has left. */
  open(caller: Caller, standing: Standing): (() => void) | null
}

type State = ReturnType<GatewayPort['standingOf']>

/** Within so long each stream is checked for a caller whose time has passed, which no snapshot tells, milliseconds. */
const LOOK_MS = 2000
/** Part of the streams that are checked at once, so that calls of the thread do not wait for thousands of them. */
const PARTS = 20
const EACH_MAX = 100
const ALL_MAX = 10_000

interface OpenStream {
  readonly caller: Caller
  readonly holder: string
  readonly before: State
  readonly of: Standing
}

/** The streams of one kind in one gateway thread. */
export function createStandingStreams(gateway: GatewayPort): StandingStreams {
  const open = new Set<OpenStream>()
  let unsubscribe: (() => void) | null = null
  /** Gives the streams that are to be checked next for their time. */
  let turn = open.values()

  function end(one: OpenStream): void {
    remove(one)
    one.of.end()
  }

  function lookAtAll(): void {
    for (const one of [...open])
      if (open.has(one) && !(isSame(gateway.standingOf(one.caller), one.before) && one.of.look())) end(one)
  }

  function lookAtSome(): void {
    for (let left = Math.ceil(open.size / PARTS); left > 0; left--) {
      let { value: one } = turn.next()
      if (one === undefined) {
        turn = open.values()
        one = turn.next().value
      }
      if (one !== undefined && !isSame(gateway.standingOf(one.caller), one.before)) end(one)
    }
  }

  function watch(): () => void {
    turn = open.values()
    const timer = setInterval(lookAtSome, LOOK_MS / PARTS).unref()
    const leave = gateway.onApplied(lookAtAll)
    return () => {
      clearInterval(timer)
      leave()
    }
  }

  function remove(one: OpenStream): void {
    if (!open.delete(one) || open.size > 0) return
    unsubscribe?.()
    unsubscribe = null
  }

  return {
    open(caller, of) {
      let own = 0
      const holder = gateway.holderOf(caller)
      for (const one of open) if (one.holder === holder) own++
      if (own >= EACH_MAX || open.size >= ALL_MAX) return null
      const one = { caller, holder, before: gateway.standingOf(caller), of }
      open.add(one)
      unsubscribe ??= watch()
      return () => remove(one)
    },
  }
}

function isSame(now: State, before: State): boolean {
  return now?.every((one, at) => one === before?.[at]) === true
}

/** JSON of the lists that a caller sees. */
export type Seen = Readonly<Record<CapabilityType, string>>

/** What a stream tells changes of, as its caller sees it. */
export interface Listened {
  /** What is in force: the same object as long as nothing has changed. Null once the caller has lost its right. */
  now(): object | null
  /** Of what {@link now} gave last. */
  lists(): Seen | Promise<Seen>
  /** Tells of changes of a resource until the function that it gives is called; null for one whose changes are not told. */
  watch(uri: string, tell: () => void): (() => void) | null
}

/** Where it is told. */
interface Listener {
  /** @param uri of `notifications/resources/updated`; null for the others */
  notify(method: string, uri: string | null): void
  /** Nothing more will be told. */
  end(): void
}

interface Listen {
  /** Of {@link Wanted.uris} those whose changes are told. */
  readonly honoured: ReadonlySet<string>
  /** Changes what is wanted. */
  want(wanted: Wanted): void
  close(): void
}

export interface Listens {
  /** Null where there are too many. */
  open(caller: Caller, of: Listened, wanted: Wanted, listener: Listener): Listen | null
}

const LISTS: readonly (readonly [keyof Omit<Wanted, 'uris'>, readonly CapabilityType[]])[] = [
  ['tools', ['tools']],
  ['prompts', ['prompts']],
  ['resources', ['resources', 'resource_templates']],
]

/** @param fault told why what a caller sees could not be compared */
export function createListens(gateway: GatewayPort, fault: (error: unknown) => void): Listens {
  const streams = createStandingStreams(gateway)
  return {
    open(caller, of, wanted, listener) {
      const before = of.now()
      if (before === null) return null
      const listen = new OpenListen(of, before, listener, fault)
      const close = streams.open(caller, listen)
      if (close === null) return null
      listen.closed = close
      listen.want(wanted)
      return listen
    },
  }
}

class OpenListen implements Listen, Standing {
  closed = (): void => {}
  readonly #of: Listened
  readonly #listener: Listener
  readonly #fault: (error: unknown) => void
  #now: object
  #wanted: Wanted = { tools: false, prompts: false, resources: false, uris: new Set() }
  #seen: Seen | Promise<Seen | null>
  readonly #watched = new Map<string, () => void>()
  #isOver = false

  constructor(of: Listened, now: object, listener: Listener, fault: (error: unknown) => void) {
    this.#of = of
    this.#now = now
    this.#listener = listener
    this.#fault = fault
    this.#seen = this.#lists()
  }

  get honoured(): ReadonlySet<string> {
    return new Set(this.#watched.keys())
  }

  want(wanted: Wanted): void {
    this.#wanted = wanted
    this.#watch()
  }

  /** Another snapshot is in force. */
  look(): boolean {
    const now = this.#of.now()
    if (now === null) return false
    if (now === this.#now) return true
    this.#now = now
    this.#unwatch()
    this.#watch()
    const before = this.#seen
    const seen = this.#lists()
    this.#seen = seen
    if (before instanceof Promise || seen instanceof Promise)
      void Promise.all([before, seen]).then((both) => this.#compare(...both))
    else this.#compare(before, seen)
    return true
  }

  end(): void {
    this.close()
    this.#listener.end()
  }

  close(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#unwatch()
    this.closed()
  }

  #lists(): Seen | Promise<Seen | null> {
    const lists = this.#of.lists()
    if (!(lists instanceof Promise)) return lists
    return lists.catch((error: unknown) => {
      this.#fault(error)
      return null
    })
  }

  #compare(before: Seen | null, now: Seen | null): void {
    if (this.#isOver || before === null || now === null) return
    for (const [name, types] of LISTS)
      if (this.#wanted[name] && types.some((type) => before[type] !== now[type]))
        this.#listener.notify(`notifications/${name}/list_changed`, null)
  }

  #unwatch(): void {
    for (const stop of this.#watched.values()) stop()
    this.#watched.clear()
  }

  #watch(): void {
    const { uris } = this.#wanted
    for (const [uri, stop] of [...this.#watched])
      if (!uris.has(uri)) {
        stop()
        this.#watched.delete(uri)
      }
    for (const uri of uris) {
      if (this.#watched.has(uri)) continue
      const tell = (): void => this.#listener.notify('notifications/resources/updated', uri)
      const stop = this.#of.watch(uri, tell)
      if (stop !== null) this.#watched.set(uri, stop)
    }
  }
}

/** What is told on the stream of a listen beside lists and resources. */
interface News {
  close(): void
  /** Ids of what is told of. */
  readonly honoured: Promise<readonly string[]>
}

/**
 * Answers `subscriptions/listen` by a stream that stands (2026-07-28, basic/patterns: subscriptions). It ends when its client leaves, or
 * Postern ends it.
 * @param open of the client's tasks; null where it asks for none
 */
export function answerListen(
  listens: Listens,
  of: Listened,
  sender: Sender,
  request: RelayedRequest,
  wanted: Wanted,
  open: ((texts: ReturnType<typeof listenTexts>, say: (text: string) => void) => News) | null,
  done: Done,
): void {
  const { id, notify } = request
  const texts = listenTexts(id)
  /** What comes before the acknowledgement, which is the first message. */
  let early: string[] | null = []
  const say = (text: string): void => void (early === null ? notify(text) : early.push(text))
  let news: News | null = null
  const opened = listens.open(sender.caller, of, wanted, {
    notify: (name, uri) => say(texts.changed(name, uri)),
    end() {
      news?.close()
      done({ kind: 'result', text: texts.ended })
    },
  })
  if (opened === null) {
    const detail = 'Too many streams are open for the client.'
    done(refusal(request, sender, 'concurrency_exceeded', { detail }))
    return
  }
  const acknowledge = (honoured: readonly string[] | null): void => {
    notify(texts.acknowledged({ ...wanted, uris: opened.honoured }, honoured))
    for (const text of early ?? []) notify(text)
    early = null
  }
  news = open?.(texts, say) ?? null
  if (news === null) acknowledge(null)
  else void news.honoured.then(acknowledge)
  request.onLeft(() => {
    news?.close()
    opened.close()
  })
}

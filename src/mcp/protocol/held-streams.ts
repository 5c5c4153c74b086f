/**
 * Streams of 2025-11-25 that a client resumes after its connection has broken (transports: resumability and redelivery).
 *
 * 1. Each event has an id: the name of its stream, sealed for one principal and session, and its place in the stream. Only
 *    that principal and session can resume the stream.
 * 2. A client that has left cancels nothing. Its messages are kept for {@link HELD_MS}, within the bytes of its principal.
 *    While the client is connected, only the last events are kept, because they may have been lost on the way.
 * 3. A message goes to one reader: the one that came last. The last events of a stream that has ended are kept for
 *    {@link ENDED_MS}, because Postern may not have noticed yet that the client is gone.
 * 4. The request that resumes may arrive at any thread. The stream stays with its call.
 */

import type { Clock } from '../../base/clock.ts'
import type { Reservation } from '../../base/memory/bytes.ts'
import { Lru } from '../../base/memory/lru.ts'
import { PoolShare } from '../../base/memory/pool-share.ts'
import type { HeldCalls, Hold } from '../../shared-state/ports/held-calls.ts'
import type { Tombstones } from '../../shared-state/ports/memory.ts'
import { errorAnswer, type McpAnswer, type Outlet, RPC } from './answer.ts'
import type { DeclaredAgent, Members } from './message.ts'
import { createSealer } from './sealed-elicitation.ts'
import { type EventStream, openEventText, WAITING } from './sse-reader.ts'

/** Whom a stream belongs to. */
interface StreamOwner {
  readonly identity: string
  /** Hash of the session. */
  readonly sessionId: string
}

export interface HeldStreams {
  /**
   * @param holder of all streams of its principals together
   * @param memory where what is kept is counted; the stream releases it
   * @param left told when the client did not come back
   */
  open(owner: StreamOwner, holder: string, memory: Reservation, left: () => void): EventStream
  /** Answers a request that resumes a stream, at once or later. @param lastEventId the last that the client has got */
  resume(owner: StreamOwner, lastEventId: string, done: (answer: McpAnswer) => void): void
}

/** How long a stream waits for its client, milliseconds. */
export const HELD_MS = 5 * 60_000
/** How long clients wait before they come back, milliseconds. */
const RETRY_MS = 1000
/** Bytes of the last events that are kept while a client reads. */
const READ_BYTES_MAX = 64 * 1024
/** And while it is away. */
const HELD_BYTES_MAX = 16 * 1024 * 1024
/** Streams that wait for the clients of one principal, and for all, in one thread. One holder gets no more than remain free. */
const HELD_EACH_MAX = 16
const HELD_MAX = 1000
/** How long the last events of a stream that was written to its end are kept, milliseconds; and for how many of one principal. */
export const ENDED_MS = 30_000
const ENDED_EACH_MAX = 4

const EVENT_ID = /^([A-Za-z0-9_-]{1,6144})\.(0|[1-9][0-9]{0,9})$/

/**
 * @param keyBytes 32 bytes, the same on every thread and node
 * @param door its streams are unknown at others
 */
export function createHeldStreams(keyBytes: Uint8Array, door: string, heldCalls: HeldCalls): HeldStreams {
  const sealer = createSealer(keyBytes, `mcp-stream:1:${door}`)
  const away = new Waiting()
  const ended = new Waiting()

  const keeper: Keeper = {
    hold(stream) {
      return away.ownOf(stream).length < HELD_EACH_MAX && away.add(stream)
    },
    ended(stream) {
      const own = ended.ownOf(stream)
      if (own.length >= ENDED_EACH_MAX) own[0]!.forget()
      if (!ended.add(stream)) stream.forget()
    },
    back(stream) {
      away.delete(stream)
      ended.delete(stream)
    },
  }

  return {
    open({ identity, sessionId }, holder, memory, left) {
      const stream = new HeldStream(identity, holder, memory, left, keeper)
      const held = heldCalls.hold({
        attached: (after, line) =>
          stream.attached(Number(after), {
            write: (text) => void line.message(text),
            end: () => line.end(''),
          }),
      })
      stream.begin(held, sealer.seal(JSON.stringify([identity, sessionId, held.id])))
      return stream
    },
    resume({ identity, sessionId }, lastEventId, done) {
      const [, sealed, after] = EVENT_ID.exec(lastEventId) ?? []
      const opened = sealed === undefined ? null : sealer.open(sealed)
      // Sealed above
      const [of, session, id] = JSON.parse(opened?.text ?? '[]') as Partial<Sealed>
      if (id === undefined || after === undefined || of !== identity || session !== sessionId)
        return done(gone())
      const text = openEventText(() => detach())
      let isOpen = false
      const start = (): void => {
        if (!isOpen) done(text.answer)
        isOpen = true
      }
      const detach = heldCalls.attach(id, after, {
        message(events) {
          text.write(events)
          start()
        },
        // A stream that is resumed says something first
        end() {
          if (isOpen) text.end()
          else done(gone())
        },
        lost() {
          if (isOpen) text.end()
          else done(gone())
        },
      })
    },
  }
}

type Sealed = readonly [identity: string, sessionId: string, held: string]

/** Streams without a reader. */
interface Keeper {
  /** The client has left before the end. False where too many wait. */
  hold(stream: HeldStream): boolean
  /** It was written to its end. The oldest of the principal may be forgotten for it, or it is where too many wait. */
  ended(stream: HeldStream): void
  /** It has a reader again, or is forgotten. */
  back(stream: HeldStream): void
}

/** Streams that wait, the oldest first. */
class Waiting {
  readonly #streams = new Set<HeldStream>()
  readonly #share = new PoolShare(HELD_MAX)

  /** Those of the same principal. */
  ownOf({ identity }: HeldStream): HeldStream[] {
    return [...this.#streams].filter((other) => other.identity === identity)
  }

  /** False where the holder has as many as remain free. */
  add(stream: HeldStream): boolean {
    if (!this.#share.mayTake(stream.holder)) return false
    this.#share.take(stream.holder)
    this.#streams.add(stream)
    return true
  }

  delete(stream: HeldStream): void {
    if (this.#streams.delete(stream)) this.#share.give(stream.holder)
  }
}

class HeldStream implements EventStream {
  readonly identity: string
  readonly holder: string
  readonly answer: McpAnswer
  readonly #memory: Reservation
  readonly #left: () => void
  readonly #keeper: Keeper
  #held: Hold | null = null
  #prefix = ''
  /** Null while the client is away. */
  #outlet: Outlet | null
  /** Events that are kept, the last of all among them. */
  readonly #kept: { readonly text: string; readonly bytes: number }[] = []
  #bytes = 0
  /** Number of the last event. */
  #last = 0
  #isEnded = false
  #isOver = false
  #timer: NodeJS.Timeout | undefined

  constructor(identity: string, holder: string, memory: Reservation, left: () => void, keeper: Keeper) {
    this.identity = identity
    this.holder = holder
    this.#memory = memory
    this.#left = left
    this.#keeper = keeper
    const first = openEventText(() => this.#leave(first))
    this.#outlet = first
    this.answer = first.answer
  }

  /** Tells the client how it comes back. @param prefix of the ids of events */
  begin(held: Hold, prefix: string): void {
    this.#held = held
    this.#prefix = prefix
    this.#outlet?.write(`id: ${prefix}.0\nretry: ${RETRY_MS}\ndata: \n\n`)
  }

  message(message: string): void {
    if (this.#isOver || this.#isEnded) return
    const text = `event: message\nid: ${this.#prefix}.${++this.#last}\ndata: ${message}\n\n`
    this.#keep(text)
    this.#outlet?.write(text)
  }

  keepAlive(): void {
    this.#outlet?.write(WAITING)
  }

  end(): void {
    if (this.#isEnded) return
    this.#isEnded = true
    if (this.#outlet !== null) this.#rest(this.#outlet)
  }

  /** A reader has come that has got the events up to `after`. */
  attached(after: number, outlet: Outlet): { drained(): void; left(): void } {
    const missed = this.#last - after
    if (this.#isOver || missed < 0 || missed > this.#kept.length) {
      outlet.end()
      return { drained() {}, left() {} }
    }
    this.#outlet?.end()
    clearTimeout(this.#timer)
    this.#keeper.back(this)
    this.#outlet = outlet
    const texts = this.#kept.slice(this.#kept.length - missed).map(({ text }) => text)
    outlet.write(`: resumed\n\n${texts.join('')}`)
    if (this.#isEnded) this.#rest(outlet)
    return { drained() {}, left: () => this.#leave(outlet) }
  }

  forget(): void {
    if (!this.#isOver) this.#release()
  }

  /** All was written, and may still be lost on the way. */
  #rest(outlet: Outlet): void {
    this.#outlet = null
    this.#keeper.ended(this)
    this.#timer = setTimeout(() => this.forget(), ENDED_MS).unref()
    outlet.end()
  }

  /** A reader has left. */
  #leave(outlet: Outlet): void {
    if (this.#outlet !== outlet || this.#isOver) return
    this.#outlet = null
    if (!this.#keeper.hold(this)) {
      this.#giveUp()
      return
    }
    this.#timer = setTimeout(() => this.#giveUp(), HELD_MS).unref()
  }

  #keep(text: string): void {
    const bytes = Buffer.byteLength(text)
    const isRead = this.#outlet !== null
    const bytesMax = isRead ? READ_BYTES_MAX : HELD_BYTES_MAX
    while (isRead && this.#kept.length > 0 && this.#bytes + bytes > bytesMax) this.#drop()
    if (this.#bytes + bytes <= bytesMax && this.#memory.take(bytes)) {
      this.#kept.push({ text, bytes })
      this.#bytes += bytes
    } else if (isRead) while (this.#kept.length > 0) this.#drop()
    else this.#giveUp()
  }

  #drop(): void {
    const { bytes } = this.#kept.shift()!
    this.#bytes -= bytes
    this.#memory.give(bytes)
  }

  #giveUp(): void {
    if (this.#isOver) return
    this.#release()
    this.#left()
  }

  #release(): void {
    this.#isOver = true
    clearTimeout(this.#timer)
    this.#keeper.back(this)
    this.#kept.length = 0
    this.#memory.release()
    this.#held?.release()
  }
}

/** There is nothing to resume, and the session is there all the same: it must not be begun anew. */
function gone(): McpAnswer {
  return errorAnswer(400, undefined, RPC.invalidRequest, 'The stream cannot be resumed')
}

// Sessions of clients of earlier revisions. The id contains the session, sealed; nothing is stored.

/**
 * Sessions of legacy clients without stored state: the id is what we must remember, sealed.
 *
 * Invariants:
 * 1. A session proves nothing. Its sender is identified again, and the id has to fit that identity.
 * 2. Broken, foreign, expired and ended ids are told apart by nobody: all are unknown.
 * 3. Any thread or node with the key continues a session.
 */
export interface Session {
  /** SHA-256 of the id's nonce: names the session in records without being usable as one. */
  readonly hashedId: string
  readonly identity: string
  readonly agent: DeclaredAgent
  readonly version: string
  /** The client shows forms to a person, as it said at `initialize`. */
  readonly takesForms: boolean
  /** What servers may ask the client, as it said at `initialize`; see `askableOf`. */
  readonly askable: Members
  readonly createdAt: number
}

export interface Sessions {
  seal(session: Pick<Session, 'identity' | 'agent' | 'version' | 'takesForms' | 'askable'>): string
  /** The session when the id is whole, in time, not ended, and of this identity; else null. */
  open(id: string, identity: string): Session | null
  /** Ends a session everywhere; false when it was not one. */
  end(id: string, identity: string): boolean
}

const NOTHING: Members = Object.freeze({})

/** Life of a session, milliseconds. Afterwards a client gets 404 and starts again. */
export const SESSION_MS_MAX = 7 * 86_400_000
/** Opened ids kept per door and thread, to spare the cipher on every message. */
const OPENED_MAX = 4096

/** @param keyBytes 32 bytes for AES-256-GCM. @param door bound into every id. */
export function createSessions(
  keyBytes: Uint8Array,
  door: string,
  clock: Clock,
  tombstones: Tombstones,
): Sessions {
  const sealer = createSealer(keyBytes, `mcp-session:1:${door}`)
  const opened = new Lru<string, Session>(OPENED_MAX)

  function unseal(id: string): Session | null {
    const found = sealer.open(id)
    if (found === null) return null
    // Sealed by us alone, so the tuple is what `seal` wrote.
    const [identity, name, agentVersion, version, createdAt, takesForms, askable] = JSON.parse(
      found.text,
    ) as [string, string, string, string, number, boolean?, Members?]
    return {
      hashedId: found.name,
      identity,
      agent: { name, version: agentVersion },
      version,
      takesForms: takesForms === true,
      askable: askable ?? NOTHING,
      createdAt,
    }
  }

  function open(id: string, identity: string): Session | null {
    const kept = opened.get(id)
    const session = kept ?? unseal(id)
    if (session === null) return null
    if (kept === undefined) opened.set(id, session)
    if (session.identity !== identity || clock.now() - session.createdAt > SESSION_MS_MAX) return null
    return tombstones.has(session.hashedId) ? null : session
  }

  return {
    seal: ({ identity, agent, version, takesForms, askable }) =>
      sealer.seal(
        JSON.stringify([identity, agent.name, agent.version, version, clock.now(), takesForms, askable]),
      ),
    open,
    end(id, identity) {
      const session = open(id, identity)
      if (session === null) return false
      tombstones.add(session.hashedId)
      return true
    },
  }
}

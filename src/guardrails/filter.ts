/**
 * Applies rules to a content that arrives in pieces. Text passes through a window that holds back what may continue in the
 * next piece; server-sent events and lines of JSON are judged one by one.
 *
 * 1. After a stop nothing more is passed on.
 * 2. Any splitting of the content into pieces gives the same output.
 * 3. A content that no rule can judge, and that all rules let pass, leaves with the bytes that came.
 */
import { failed, type Stop } from './apply.ts'
import type { Leg } from './names.ts'
import type { Chain } from './rule.ts'
import type { Tally } from './tally.ts'
import type { TextFilter } from './text-filter.ts'
import { EVENTS, LINES, SENT_EVENTS, UnitFilter } from './units.ts'
import { completeLength } from './utf8.ts'
import { WindowedText } from './windowed-text.ts'

export interface Filter {
  /** Takes a piece, which is on loan, and gives what may be passed on, possibly nothing. */
  push(piece: Uint8Array): Buffer
  /** Gives the rest, at the end of the content. */
  end(): Buffer
  /** Set once nothing more may be passed on. */
  readonly stop: Stop | null
}

export type StreamedKind = 'text' | 'events' | 'lines'

export function createFilter(kind: StreamedKind, chain: Chain, leg: Leg, tally: Tally): Filter {
  return new Utf8Filter(textFilter(kind, chain, leg, tally), chain, leg, tally)
}

function textFilter(kind: StreamedKind, chain: Chain, leg: Leg, tally: Tally): TextFilter {
  if (kind === 'text') return new WindowedText(chain, leg, tally)
  const events = leg === 'request' ? SENT_EVENTS : EVENTS
  return new UnitFilter(kind === 'events' ? events : LINES, chain, leg, tally)
}

const NOTHING = Buffer.alloc(0)
const UTF_8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Reads bytes as UTF-8. Bytes that are none are a failure of each rule. */
class Utf8Filter implements Filter {
  readonly #inner: TextFilter
  readonly #failed: () => Stop | null
  #stop: Stop | null = null
  /** The begin of a character that goes on in the next piece. */
  #pending: Buffer = NOTHING
  /** All rules let pass what is no UTF-8. */
  #isRaw = false

  constructor(inner: TextFilter, chain: Chain, leg: Leg, tally: Tally) {
    this.#inner = inner
    this.#failed = () => failed(chain, '', leg, tally, 'the content is no valid UTF-8').stop
  }

  get stop(): Stop | null {
    return this.#stop ?? this.#inner.stop
  }

  push(piece: Uint8Array): Buffer {
    // A copy: the piece is on loan
    const bytes = Buffer.concat([this.#pending, piece])
    if (this.#isRaw) return bytes
    const length = completeLength(bytes)
    this.#pending = bytes.subarray(length)
    return this.#take(bytes.subarray(0, length), false)
  }

  end(): Buffer {
    const rest = this.#pending
    this.#pending = NOTHING
    return this.#isRaw ? rest : this.#take(rest, true)
  }

  #take(bytes: Buffer, isEnd: boolean): Buffer {
    if (this.stop !== null) return NOTHING
    let text: string
    try {
      text = UTF_8.decode(bytes)
    } catch {
      this.#stop = this.#failed()
      if (this.#stop !== null) return NOTHING
      this.#isRaw = true
      const held = this.#inner.end()
      const raw = Buffer.concat([Buffer.from(held), bytes, this.#pending])
      this.#pending = NOTHING
      return this.stop === null ? raw : NOTHING
    }
    const out = this.#inner.push(text) + (isEnd ? this.#inner.end() : '')
    return this.stop === null ? Buffer.from(out) : NOTHING
  }
}

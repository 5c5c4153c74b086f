/**
 * Applies rules to a content that arrives in pieces. Text passes through a window that holds back what may continue in the
 * next piece; server-sent events and lines of JSON are judged one by one.
 *
 * 1. After a stop nothing more is passed on.
 * 2. Any splitting of the content into pieces gives the same output.
 * 3. A content that no rule can judge, and that all rules let pass, leaves with the bytes that came.
 */
import { type Hits, unchanged } from '../detectors/act.ts'
import { createWindow, type Window } from '../detectors/window.ts'
import { applyJson, applyText, failed, isJson, type Judged, type Stop } from './apply.ts'
import type { Chain, Leg, Rule } from './rule.ts'
import { countOf, type Tally } from './tally.ts'

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

/** How many of the bytes are whole characters of UTF-8: at most three behind them begin a character that goes on. */
function completeLength(bytes: Uint8Array): number {
  const { length } = bytes
  for (let back = 1; back <= Math.min(3, length); back++) {
    const byte = bytes[length - back]!
    if ((byte & 0xc0) === 0x80) continue
    const size = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1
    return size > back ? length - back : length
  }
  return length
}

// Text in pieces: each rule has its own window, and its output is the input of the next rule.

/** Bytes of the longest value that is found for sure, wherever a text is split. */
const WINDOW_BYTES = 4096

interface Stage {
  readonly rule: Rule
  readonly hits: Hits
  /** Null for limits of size and for schemas. */
  readonly window: Window | null
  /** Of the text so far, for limits of size. */
  bytes: number
}

class WindowedText implements TextFilter {
  stop: Stop | null = null
  readonly #stages: readonly Stage[]

  constructor(chain: Chain, leg: Leg, tally: Tally) {
    this.#stages = chain.map((rule) => {
      const { hits } = tally.of(rule, leg)
      const { detectors, act } = rule
      const window = detectors.hasSize ? null : createWindow(detectors, act ?? unchanged, WINDOW_BYTES, hits)
      return { rule, hits, window, bytes: 0 }
    })
  }

  push(text: string): string {
    return this.#through(text, false)
  }

  end(): string {
    return this.#through('', true)
  }

  #through(text: string, isEnd: boolean): string {
    let current = text
    for (const stage of this.#stages) {
      const { rule, hits, window } = stage
      const after = window === null ? counted(stage, current) : window.pushText(current)
      const rest = isEnd && window !== null ? window.end() : ''
      if (rule.blocks && countOf(hits) > 0) {
        this.stop = { rule, cause: 'found', reason: '' }
        return ''
      }
      // A rule that only counts holds nothing back
      if (rule.act !== null || rule.blocks) current = after + rest
    }
    return current
  }
}

function counted(stage: Stage, text: string): string {
  const { sizeMax } = stage.rule
  const before = stage.bytes
  stage.bytes += Buffer.byteLength(text)
  if (sizeMax !== null && before <= sizeMax && stage.bytes > sizeMax)
    stage.hits['size'] = { bytes: (stage.hits['size']?.['bytes'] ?? 0) + 1 }
  if (stage.rule.fits !== null && stage.bytes > 0) stage.hits['schema'] = { not_json: 1 }
  return text
}

// Contents that consist of units, each judged as a whole: server-sent events, and lines of JSON.

interface UnitFormat {
  /** Place behind the first unit that ends at or after `from`; -1 where none does. */
  readonly endOf: (text: string, from: number) => number
  /** The unit with its text replaced by what `judge` makes of it. */
  readonly apply: (unit: string, judge: (text: string) => Judged<string>) => Judged<string>
}

/** Two ends of lines after each other. A CR at the end of what has come may be the first half of an end. */
const BLANK_LINE = /(?:\r\n|\n|\r(?!\n))(?:\r\n|\n|\r(?=[^\n]))/g
/** Characters before the end of what has come in which an end of a unit may begin. */
const OVERLAP = 3

/** A line with what ends it. */
interface Line {
  readonly text: string
  readonly end: string
}

/** Server-sent events (WHATWG HTML section 9.2). The lines `data` of an event are looked at as one text; other lines stay. */
const EVENTS: UnitFormat = {
  endOf(text, from) {
    BLANK_LINE.lastIndex = from
    return BLANK_LINE.test(text) ? BLANK_LINE.lastIndex : -1
  },
  apply(unit, judge) {
    const lines = linesOf(unit)
    const data = lines.filter(isData)
    if (data.length === 0) return { value: unit, stop: null }
    const before = data.map(dataOf).join('\n')
    const { value, stop } = judge(before)
    if (stop !== null || value === before) return { value: unit, stop }
    const [first] = data
    const end = first!.end === '' ? '\n' : first!.end
    const changed = value.split(/\r\n|\n|\r/).map((line) => `data: ${line}${end}`)
    const out = lines.map((line) =>
      line === first ? changed.join('') : isData(line) ? '' : line.text + line.end,
    )
    return { value: out.join(''), stop: null }
  },
}

/** The same for a request, whose other lines are looked at too, one by one: few servers read events, and many read any lines. */
const SENT_EVENTS: UnitFormat = {
  endOf: EVENTS.endOf,
  apply(unit, judge) {
    let out = ''
    for (const line of linesOf(unit)) {
      const { value, stop } =
        line.text.trim() === '' || isData(line) ? { value: line.text, stop: null } : judge(line.text)
      if (stop !== null) return { value: unit, stop }
      out += value + line.end
    }
    return EVENTS.apply(out, judge)
  },
}

const LINE = /([^\r\n]*)(\r\n|\n|\r|$)/g

function linesOf(unit: string): readonly Line[] {
  return [...unit.matchAll(LINE)].map(([, text, end]) => ({ text: text!, end: end! }))
}

/** One JSON value on each line, also behind a record separator (RFC 7464). */
const LINES: UnitFormat = {
  endOf(text, from) {
    return text.indexOf('\n', from) + 1 || -1
  },
  apply(unit, judge) {
    const line = unit.replace(SEPARATORS, '').trim()
    if (line === '') return { value: unit, stop: null }
    const { value, stop } = judge(line)
    return { value: value === line ? unit : unit.replace(line, () => value), stop }
  },
}

/** Ends of lines alone. */
const BLANK = /^[\r\n]*$/
const SEPARATORS = /^[\s\x1e]+/

/** A stream may begin with a byte order mark, which readers drop. */
const DATA = /^\ufeff?data(?::|$)/

function isData({ text }: Line): boolean {
  return DATA.test(text)
}

function dataOf({ text }: Line): string {
  const value = text.slice(text.indexOf('data') + 'data:'.length)
  return value.startsWith(' ') ? value.slice(1) : value
}

class UnitFilter implements TextFilter {
  stop: Stop | null = null
  readonly #format: UnitFormat
  readonly #chain: Chain
  readonly #leg: Leg
  readonly #tally: Tally
  readonly #charsMax: number
  /** The begin of a unit in the pieces that came: put together once it is whole, or each piece would copy all before it. */
  #held: string[] = []
  #heldChars = 0
  /** The last characters of what is held. */
  #tail = ''
  /** A unit was too long, and all rules let that pass. */
  #isRaw = false

  constructor(format: UnitFormat, chain: Chain, leg: Leg, tally: Tally) {
    this.#format = format
    this.#chain = chain
    this.#leg = leg
    this.#tally = tally
    this.#charsMax = Math.max(...chain.map(({ bytesMax }) => bytesMax))
  }

  push(more: string): string {
    if (this.#isRaw) return more
    let out = ''
    const first = this.#format.endOf(this.#tail + more, 0)
    if (first === -1) this.#hold(more, this.#tail + more)
    else {
      let end = this.#heldChars - this.#tail.length + first
      let text = this.#rest() + more
      while (end !== -1) {
        out += this.#unit(text.slice(0, end))
        if (this.stop !== null) return ''
        text = text.slice(end)
        end = this.#format.endOf(text, 0)
      }
      this.#hold(text, text)
    }
    if (this.#heldChars <= this.#charsMax) return out
    this.stop = this.#tooLong(this.#chain)
    this.#isRaw = true
    return out + this.#rest()
  }

  end(): string {
    const rest = this.#rest()
    return this.#isRaw || rest === '' ? rest : this.#unit(rest)
  }

  /** @param end what is held ends so */
  #hold(text: string, end: string): void {
    this.#held.push(text)
    this.#heldChars += text.length
    this.#tail = end.slice(-OVERLAP)
  }

  #tooLong(chain: Chain): Stop | null {
    const reason = 'an event or a line is longer than max_body'
    return failed(chain, '', this.#leg, this.#tally, reason).stop
  }

  #rest(): string {
    const text = this.#held.join('')
    this.#held = []
    this.#heldChars = 0
    this.#tail = ''
    return text
  }

  #unit(unit: string): string {
    // A content may consist of them
    if (BLANK.test(unit)) return unit
    const within = this.#chain.filter(({ bytesMax }) => unit.length <= bytesMax)
    if (within.length < this.#chain.length)
      this.stop = this.#tooLong(this.#chain.filter((rule) => !within.includes(rule)))
    if (this.stop !== null || within.length === 0) return unit
    const [leg, tally] = [this.#leg, this.#tally]
    const { value, stop } = this.#format.apply(unit, (text) =>
      isJson(text) ? applyJson(within, text, leg, tally) : applyText(within, text, leg, tally),
    )
    this.stop = stop
    return value
  }
}

/** The part of a filter that sees whole characters. */
interface TextFilter {
  push(text: string): string
  end(): string
  readonly stop: Stop | null
}

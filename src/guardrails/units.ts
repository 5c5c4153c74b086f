/** Contents that consist of units, each judged as a whole: server-sent events, and lines of JSON. */
import { applyJson, applyText, failed, isJson, type Judged, type Stop } from './apply.ts'
import type { Leg } from './names.ts'
import type { Chain } from './rule.ts'
import type { Tally } from './tally.ts'
import type { TextFilter } from './text-filter.ts'

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
export const EVENTS: UnitFormat = {
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
export const SENT_EVENTS: UnitFormat = {
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
export const LINES: UnitFormat = {
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

export class UnitFilter implements TextFilter {
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

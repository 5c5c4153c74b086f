import { withoutFields } from '../port.ts'
import { connectionOptions } from './connection-options.ts'
import { type FieldRule, FieldTable, FRAMING_NAMES } from './field-table.ts'
import { CR, LF, lengthOf, SP, VALUE } from './grammar.ts'
import { ANSWER_FIELDS_MAX } from './limits.ts'
import { latin1 } from './message.ts'
import { type FieldVisitor, PASS, passedFields, scanFields } from './scan-fields.ts'

/** Read here; `date` is passed on too. */
const READ = ['content-length', 'transfer-encoding', 'connection', 'date']

/** Hop-by-hop fields of answers: never passed on. */
const HOP_BY_HOP = ['keep-alive', 'proxy-connection', 'proxy-authenticate', 'trailer', 'upgrade', 'te']

/** Rules for answers; `strip` are further lower-case names that are never passed on. */
export function answerTable(strip: readonly string[]): FieldTable {
  const names = new Set([...READ, ...HOP_BY_HOP, ...strip])
  const rules: FieldRule[] = [...names].map((name) => ({
    name,
    bytes: Buffer.from(name, 'latin1'),
    visit: READ.includes(name),
    keep: name === 'date' && !strip.includes(name),
    taken: -1,
    framing: FRAMING_NAMES.includes(name),
    identity: 0,
  }))
  return new FieldTable(rules, [])
}

/**
 * Reads heads of upstreams' answers (RFC 9112 4 to 6), as strictly as those of callers: a doubt about where an
 * answer ends would mix up callers. One instance per engine, its fields hold the last head.
 */
export class ResponseHead implements FieldVisitor {
  status = 0
  minor = 1
  pass = ''
  /** Declared length, or -1. */
  length = -1
  chunked = false
  /** The upstream closes after this answer. */
  close = false
  hasDate = false
  /** Why the last head was not accepted. */
  inner = ''

  readonly table: FieldTable
  readonly fieldsMax = ANSWER_FIELDS_MAX
  dropLengths = 0
  /** Names that the last `replaced` began its lines with, each with its colon, and in lower case without. */
  readonly #written: string[] = []
  readonly #replaced: string[] = []
  #replacedCount = 0
  #nominated: Set<string> | null = null

  constructor(table: FieldTable) {
    this.table = table
  }

  /**
   * Reads `bytes[from, end)`: a whole head including the CRLF of its last line. Lines whose names stand in
   * `replaced` (header lines too) are dropped. False when the head is at fault.
   */
  parse(bytes: Buffer, from: number, end: number, replaced: string): boolean {
    this.length = -1
    this.chunked = false
    this.close = false
    this.hasDate = false
    this.#nominated = null
    this.#replaces(replaced)
    let at = this.#statusLine(bytes, from)
    if (at < 0) return this.#fault('status line')
    while (VALUE[bytes[at]!] === 1) at++
    if (bytes[at] !== CR || bytes[at + 1] !== LF) return this.#fault('reason phrase')
    this.inner = 'header line'
    if (scanFields(bytes, latin1(bytes, from, end), from, at + 2, end, this) !== 0) return false
    this.pass = passedFields()
    if (this.#nominated !== null) this.pass = withoutFields(this.pass, this.#nominated)
    if (this.chunked && this.length >= 0) return this.#fault('Content-Length and Transfer-Encoding')
    if (this.chunked && this.minor === 0) return this.#fault('Transfer-Encoding in HTTP/1.0')
    if (this.minor === 0) this.close = true
    return true
  }

  field(rule: FieldRule, value: string): boolean {
    switch (rule.name) {
      case 'date':
        this.hasDate = true
        return true
      case 'content-length':
        if (this.length >= 0) return this.#fault('Content-Length is repeated')
        this.length = lengthOf(value)
        return this.length >= 0 || this.#fault('Content-Length is no length')
      case 'transfer-encoding':
        if (this.chunked || value.toLowerCase() !== 'chunked') return this.#fault('Transfer-Encoding')
        this.chunked = true
        return true
      default:
        return this.#connection(value)
    }
  }

  oddName(): typeof PASS {
    return PASS
  }

  drops(name: string): boolean {
    for (let i = 0; i < this.#replacedCount; i++) if (this.#replaced[i] === name) return true
    return false
  }

  /** Takes the names of header lines. They are nearly always those of the answer before, with other values. */
  #replaces(fields: string): void {
    let lengths = 0
    let count = 0
    for (let at = 0; at < fields.length; count++) {
      const known = this.#written[count]
      if (known === undefined || !fields.startsWith(known, at)) {
        const written = fields.slice(at, fields.indexOf(':', at) + 1)
        this.#written[count] = written
        this.#replaced[count] = written.slice(0, -1).toLowerCase()
      }
      lengths |= 1 << (this.#replaced[count]!.length & 31)
      const end = fields.indexOf('\r\n', at)
      at = end < 0 ? fields.length : end + 2
    }
    this.#replacedCount = count
    this.dropLengths = lengths
  }

  #connection(value: string): boolean {
    const options = connectionOptions(value)
    if (options === null) return this.#fault('Connection is no list of tokens')
    if (options.close) this.close = true
    if (options.nominated !== null)
      this.#nominated = new Set([...(this.#nominated ?? []), ...options.nominated])
    return true
  }

  /** Index after the status code, or -1. An empty reason may lack its space: some servers leave it out. */
  #statusLine(bytes: Buffer, at: number): number {
    const isHttp1 =
      bytes[at] === 72 &&
      bytes[at + 1] === 84 &&
      bytes[at + 2] === 84 &&
      bytes[at + 3] === 80 &&
      bytes[at + 4] === 47 &&
      bytes[at + 5] === 49 &&
      bytes[at + 6] === 46 &&
      bytes[at + 8] === SP
    if (!isHttp1) return -1
    this.minor = bytes[at + 7]! - 48
    const hundreds = bytes[at + 9]! - 48
    const tens = bytes[at + 10]! - 48
    const ones = bytes[at + 11]! - 48
    if (this.minor !== 0 && this.minor !== 1) return -1
    if (!(hundreds >= 1 && hundreds <= 5 && tens >= 0 && tens <= 9 && ones >= 0 && ones <= 9)) return -1
    this.status = hundreds * 100 + tens * 10 + ones
    const after = bytes[at + 12]
    return after === SP || after === CR ? at + 12 : -1
  }

  #fault(inner: string): false {
    this.inner = inner
    return false
  }
}

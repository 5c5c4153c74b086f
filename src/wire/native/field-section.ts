/**
 * Headers that callers may not send on (`model/http-names`) are dropped when the field section is read. Override
 * headers are kept apart; the check `route` adds those that the collection names.
 */
import type { RefusalCode } from '../../base/refusal.ts'
import { connectionOptions } from './connection-options.ts'
import { bucketOf, type FieldRule, type FieldTable } from './field-table.ts'
import { COLON, CR, HTAB, LF, latin1, lengthOf, SP, TOKEN, VALUE } from './grammar.ts'
import type { RequestRules } from './request-rules.ts'

/** CGI and its heirs turn every character that is no letter or digit into `_`: to them it is the same name. */
function twinOf(lower: string): string {
  return lower.replace(/[^a-z0-9-]/g, '-')
}

/**
 * What the field section of a request says (RFC 9112 5). It depends on nothing but its bytes and the rules of the
 * engine, and does not change once it was read: requests with the same bytes may share it.
 */
export class FieldSection implements FieldVisitor {
  readonly dropped = null
  readonly #rules: RequestRules
  readonly fieldsMax: number
  /** Lines that may be passed on, those included that {@link nominated} takes out. */
  pass = ''
  /** Lines that a handler may let pass; those included that {@link nominated} takes out. */
  apart = ''
  readonly taken: (string | undefined)[]
  /** As sent; null without the field. */
  host: string | null = null
  /** Value of Content-Length, or -1. */
  length = -1
  chunked = false
  /** The connection ends with this request. */
  close = false
  expect = ''
  /** Names of protocols that are offered. */
  upgrade = ''
  /** Names, in lower case, that Connection declares to be hop by hop. */
  nominated: Set<string> | null = null
  code: RefusalCode = 'malformed_request'
  /** Why it is refused. */
  inner = ''
  #identities = 0

  constructor(rules: RequestRules, fieldsMax: number) {
    this.#rules = rules
    this.fieldsMax = fieldsMax
    this.taken = rules.blank.slice()
  }

  get table(): RequestRules['table'] {
    return this.#rules.table
  }

  /** Reads `bytes[from, end)`, once. False when it is refused: `code` and `inner` say why. */
  read(bytes: Buffer, from: number, end: number): boolean {
    const scanned = scanFields(bytes, latin1(bytes, from, end), from, end, this)
    if (scanned === 0) {
      this.pass = passedFields()
      return true
    }
    if (scanned === FIELDS_TOO_MANY) return this.#fault('headers_too_large', 'number of fields')
    return scanned === FIELDS_REFUSED ? false : this.#malformed('header line')
  }

  field(rule: FieldRule, value: string): boolean {
    if (rule.identity !== 0) {
      if ((this.#identities & rule.identity) !== 0) return this.#ambiguous(`${rule.name} is repeated`)
      this.#identities |= rule.identity
    }
    if (rule.taken >= 0) {
      const before = this.taken[rule.taken]
      this.taken[rule.taken] = before === undefined ? value : `${before}, ${value}`
      return true
    }
    switch (rule.name) {
      case 'host':
        if (this.host !== null) return this.#ambiguous('Host is repeated')
        this.host = value
        return true
      case 'connection':
        return this.#connection(value)
      case 'content-length':
        if (this.length >= 0) return this.#malformed('Content-Length is repeated')
        this.length = lengthOf(value)
        return this.length >= 0 || this.#malformed('Content-Length is no length')
      case 'transfer-encoding':
        // Any other coding, and any list of codings, could be framed differently by the next server
        if (this.chunked || value.toLowerCase() !== 'chunked') return this.#malformed('Transfer-Encoding')
        this.chunked = true
        return true
      case 'upgrade':
        this.upgrade = this.upgrade === '' ? value : `${this.upgrade}, ${value}`
        return true
      case 'expect':
        this.expect = this.expect === '' ? value : `${this.expect}, ${value}`
        return true
      default:
        return true
    }
  }

  withheld(name: string, line: string): void {
    const twin = twinOf(name)
    const { withheld, withheldPrefixes } = this.#rules
    if (withheld.has(twin) || withheldPrefixes.some((prefix) => twin.startsWith(prefix))) this.apart += line
  }

  oddName(name: string): typeof PASS | typeof DROP | typeof FAULT {
    const twin = twinOf(name)
    const { identity, dropped, droppedPrefixes } = this.#rules
    if (identity.has(twin)) {
      this.#ambiguous(`${name} reads like ${twin}`)
      return FAULT
    }
    return dropped.has(twin) || droppedPrefixes.some((prefix) => twin.startsWith(prefix)) ? DROP : PASS
  }

  #connection(value: string): boolean {
    const options = connectionOptions(value)
    if (options === null) return this.#malformed('Connection is no list of tokens')
    if (options.close) this.close = true
    if (options.nominated === null) return true
    for (const name of options.nominated) {
      if (this.#rules.identity.has(name)) return this.#ambiguous(`Connection names ${name}`)
      this.nominated ??= new Set()
      this.nominated.add(name)
    }
    return true
  }

  #ambiguous(inner: string): false {
    return this.#fault('request_not_canonical', inner)
  }

  #malformed(inner: string): false {
    return this.#fault('malformed_request', inner)
  }

  #fault(code: RefusalCode, inner: string): false {
    this.code = code
    this.inner = inner
    return false
  }
}

/** Whoever reads a header block: it sees the fields it has a rule for, and only those. */
export interface FieldVisitor {
  readonly table: FieldTable
  readonly fieldsMax: number
  /** Further names whose lines are dropped; null for none. */
  readonly dropped: FieldTable | null
  /** A field with a rule. False when its value is at fault. */
  field(rule: FieldRule, value: string): boolean
  /** A line that is dropped without being looked at; `name` in lower case. */
  withheld(name: string, line: string): void
  /** What to do with a line whose name has characters besides letters, digits and `-`. The name is lower case. */
  oddName(name: string): typeof PASS | typeof DROP | typeof FAULT
}

/** Verdicts on one line. */
export const PASS = 0
export const DROP = 1
export const FAULT = 2

/** The visitor found a fault, or the block breaks the grammar. */
const FIELDS_BROKEN = 1
const FIELDS_TOO_MANY = 2
const FIELDS_REFUSED = 3

/** Lines of the last block that may be passed on, each ending in CRLF. */
let passed = ''

/** See {@link passed}: a string beside a code, without an object for both. */
export function passedFields(): string {
  return passed
}

/**
 * Reads header lines (RFC 9112 5) in `bytes[from, end)`, every one ending in CRLF. `text` is the same bytes as
 * latin1: lines that are passed on are cut from it as whole runs, since most are neighbours.
 * Gives 0 or one of the codes above. No line folding, no space before the colon, no bare CR or LF, no empty name.
 */
export function scanFields(
  bytes: Uint8Array,
  text: string,
  from: number,
  end: number,
  visitor: FieldVisitor,
): number {
  const table = visitor.table
  const flags = table.flags
  const dropped = visitor.dropped
  let left = visitor.fieldsMax
  let at = from
  let run = from
  let kept = ''
  while (at < end) {
    if (left-- === 0) return FIELDS_TOO_MANY
    const line = at
    let kinds = 0
    let kind = TOKEN[bytes[at]!]!
    while (kind !== 0) {
      kinds |= kind
      kind = TOKEN[bytes[++at]!]!
    }
    const length = at - line
    if (length === 0 || bytes[at] !== COLON) return FIELDS_BROKEN
    do at++
    while (bytes[at] === SP || bytes[at] === HTAB)
    const value = at
    while (VALUE[bytes[at]!] === 1) at++
    if (bytes[at] !== CR || bytes[at + 1] !== LF) return FIELDS_BROKEN
    const next = at + 2
    let keep = true
    let isRead = false
    if (length > 63 || flags[bucketOf(length, bytes[line]!)] !== 0) {
      const rule = table.find(bytes, line, length)
      if (rule !== undefined) {
        keep = rule.keep
        if (rule.visit) {
          isRead = true
          let valueEnd = at
          let last = bytes[valueEnd - 1]
          while (valueEnd > value && (last === SP || (last === HTAB && !rule.framing)))
            last = bytes[--valueEnd - 1]
          if (!visitor.field(rule, text.slice(value - from, valueEnd - from))) return FIELDS_REFUSED
        }
      } else keep = !table.hasPrefix(bytes, line, length)
    }
    if (kinds > 1) {
      const verdict = visitor.oddName(nameAt(text, line - from, length))
      if (verdict === FAULT) return FIELDS_REFUSED
      if (verdict === DROP) keep = false
    }
    if (!keep && !isRead)
      visitor.withheld(nameAt(text, line - from, length), text.slice(line - from, next - from))
    if (keep && dropped !== null && dropped.flags[bucketOf(length, bytes[line]!)] !== 0)
      keep = dropped.find(bytes, line, length) === undefined
    if (!keep) {
      if (run < line) kept += text.slice(run - from, line - from)
      run = next
    }
    at = next
  }
  if (at !== end) return FIELDS_BROKEN
  passed = run < end ? kept + text.slice(run - from, end - from) : kept
  return 0
}

function nameAt(text: string, from: number, length: number): string {
  return text.slice(from, from + length).toLowerCase()
}

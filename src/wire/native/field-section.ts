/**
 * Headers that callers may not send on (`model/http-names`) are dropped when the field section is read. Override
 * headers are kept apart; the check `route` adds those that the collection names.
 */
import type { RefusalCode } from '../../base/refusal.ts'
import { connectionOptions } from './connection-options.ts'
import type { FieldRule } from './field-table.ts'
import { lengthOf } from './grammar.ts'
import { latin1 } from './message.ts'
import type { RequestRules } from './request-rules.ts'
import {
  DROP,
  FAULT,
  FIELDS_REFUSED,
  FIELDS_TOO_MANY,
  type FieldVisitor,
  PASS,
  passedFields,
  scanFields,
} from './scan-fields.ts'

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

import type { RefusalCode } from '../../base/refusal.ts'
import { canonicalAuthority } from '../authority.ts'
import { type WireLimits, withoutFields } from '../port.ts'
import { canonicalTarget } from '../target.ts'
import { connectionOptions } from './connection-options.ts'
import type { FieldRule, FieldTable } from './field-table.ts'
import { CR, LF, lengthOf, METHOD, SP, VISIBLE } from './grammar.ts'
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

/** Methods that are served at all. TRACE shows headers to scripts and CONNECT makes tunnels: never. */
const METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'])
const METHOD_BYTES_MAX = 24

/** Names by length: one constant for each method, so that later comparisons end at the first look. */
const BY_LENGTH = Array.from({ length: METHOD_BYTES_MAX + 1 }, (_, length) =>
  [...METHODS].filter((method) => method.length === length),
)

/** The served method that stands at `bytes[from, end)`, or undefined. */
function methodAt(bytes: Uint8Array, from: number, end: number): string | undefined {
  const candidates = BY_LENGTH[end - from]!
  for (let i = 0; i < candidates.length; i++) {
    const method = candidates[i]!
    let at = 0
    while (at < method.length && bytes[from + at] === method.charCodeAt(at)) at++
    if (at === method.length) return method
  }
  return undefined
}

/**
 * Reads request heads (RFC 9112 2 to 5). One instance per engine, its fields hold the last head. {@link parse}
 * gives null or the code of the refusal; then `inner` says why, and what was understood before stays filled in.
 */
export class RequestHead implements FieldVisitor {
  method = ''
  path = ''
  query = ''
  host = ''
  minor: 0 | 1 = 1
  pass = ''
  taken: (string | undefined)[] = []
  /** 0 none, a length, or -1 chunked. */
  bodyBytes = 0
  /** The connection ends with this request. */
  close = false
  /** The caller waits for 100 Continue before it sends the body. */
  expectsContinue = false
  /** A WebSocket is offered. */
  upgrade = false
  inner = ''

  readonly table: FieldTable
  readonly fieldsMax: number
  readonly dropped = null
  readonly #rules: RequestRules
  readonly #targetBytesMax: number
  #hosts = 0
  #length = -1
  #chunked = false
  #expect = ''
  #upgrade = ''
  #identities = 0
  #nominated: Set<string> | null = null
  #code: RefusalCode = 'malformed_request'
  #lastHost = ''
  #lastAuthority: string | null = null

  constructor(rules: RequestRules, limits: WireLimits) {
    this.#rules = rules
    this.table = rules.table
    this.fieldsMax = limits.fieldsMax
    this.#targetBytesMax = limits.targetBytesMax
  }

  /** Forgets the last head. */
  clear(): void {
    this.method = ''
    this.path = ''
    this.query = ''
    this.host = ''
    this.minor = 1
    this.pass = ''
    this.taken = this.#rules.blank.slice()
    this.bodyBytes = 0
    this.close = false
    this.expectsContinue = false
    this.upgrade = false
    this.inner = ''
    this.#upgrade = ''
    this.#hosts = 0
    this.#length = -1
    this.#chunked = false
    this.#expect = ''
    this.#identities = 0
    this.#nominated = null
  }

  /** Reads `bytes[from, end)`: a whole head including the CRLF of its last line, followed by the empty line. */
  parse(bytes: Buffer, from: number, end: number): RefusalCode | null {
    this.clear()
    const text = latin1(bytes, from, end)
    let at = from
    while (METHOD[bytes[at]!] === 1) at++
    if (at === from || bytes[at] !== SP || at - from > METHOD_BYTES_MAX) return this.#malformed('method')
    this.method = methodAt(bytes, from, at) ?? text.slice(0, at - from)
    const start = ++at
    while (VISIBLE[bytes[at]!] === 1) at++
    if (at === start || bytes[at] !== SP) return this.#malformed('request target')
    if (at - start > this.#targetBytesMax) return this.#fault('uri_too_long', 'request target')
    const target = text.slice(start - from, at - from)
    const version = this.#version(bytes, at + 1)
    if (version !== null) return version
    const scanned = scanFields(bytes, text, from, at + 11, end, this)
    if (scanned === FIELDS_REFUSED) return this.#code
    if (scanned === FIELDS_TOO_MANY) return this.#fault('headers_too_large', 'number of fields')
    if (scanned !== 0) return this.#malformed('header line')
    this.pass = passedFields()
    return this.#framing() ?? this.#authority(target) ?? this.#rest()
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
        if (++this.#hosts > 1) return this.#ambiguous('Host is repeated')
        this.host = value
        return true
      case 'connection':
        return this.#connection(value)
      case 'content-length':
        if (this.#length >= 0) return this.#broken('Content-Length is repeated')
        this.#length = lengthOf(value)
        return this.#length >= 0 || this.#broken('Content-Length is no length')
      case 'transfer-encoding':
        // Any other coding, and any list of codings, could be framed differently by the next server
        if (this.#chunked || value.toLowerCase() !== 'chunked') return this.#broken('Transfer-Encoding')
        this.#chunked = true
        return true
      case 'upgrade':
        this.#upgrade = this.#upgrade === '' ? value : `${this.#upgrade}, ${value}`
        return true
      case 'expect':
        this.#expect = this.#expect === '' ? value : `${this.#expect}, ${value}`
        return true
      default:
        return true
    }
  }

  oddName(name: string): typeof PASS | typeof DROP | typeof FAULT {
    // CGI and its heirs turn every character that is no letter or digit into `_`: to them it is the same name
    const twin = name.replace(/[^a-z0-9-]/g, '-')
    const { identity, dropped, droppedPrefixes } = this.#rules
    if (identity.has(twin)) {
      this.#ambiguous(`${name} reads like ${twin}`)
      return FAULT
    }
    return dropped.has(twin) || droppedPrefixes.some((prefix) => twin.startsWith(prefix)) ? DROP : PASS
  }

  #connection(value: string): boolean {
    const options = connectionOptions(value)
    if (options === null) return this.#broken('Connection is no list of tokens')
    if (options.close) this.close = true
    if (options.nominated === null) return true
    for (const name of options.nominated) {
      if (this.#rules.identity.has(name)) return this.#ambiguous(`Connection names ${name}`)
      this.#nominated ??= new Set()
      this.#nominated.add(name)
    }
    return true
  }

  /** `HTTP/1.1` or `HTTP/1.0` and the end of the line at `at`. */
  #version(bytes: Buffer, at: number): RefusalCode | null {
    const isVersion =
      bytes[at] === 72 &&
      bytes[at + 1] === 84 &&
      bytes[at + 2] === 84 &&
      bytes[at + 3] === 80 &&
      bytes[at + 4] === 47
    const major = bytes[at + 5]! - 48
    const minor = bytes[at + 7]! - 48
    if (
      !isVersion ||
      bytes[at + 6] !== 46 ||
      bytes[at + 8] !== CR ||
      bytes[at + 9] !== LF ||
      !(major >= 1 && major <= 9)
    )
      return this.#malformed('version')
    if (major !== 1 || (minor !== 0 && minor !== 1)) {
      if (!(minor >= 0 && minor <= 9)) return this.#malformed('version')
      return this.#fault('http_version_not_supported', `HTTP/${major}.${minor}`)
    }
    this.minor = minor
    if (minor === 0) this.close = true
    return null
  }

  /** Length of the body, decided once (RFC 9112 6.3). */
  #framing(): RefusalCode | null {
    if (this.#chunked) {
      if (this.#length >= 0) return this.#malformed('Content-Length and Transfer-Encoding')
      if (this.minor === 0) return this.#malformed('Transfer-Encoding in HTTP/1.0')
      this.bodyBytes = -1
    } else if (this.#length > 0) this.bodyBytes = this.#length
    if (this.minor === 1 && this.#hosts === 0) return this.#malformed('no Host')
    return null
  }

  /** Target forms of RFC 9112 3.2, and the host they agree on. */
  #authority(target: string): RefusalCode | null {
    if (!METHODS.has(this.method)) return this.#fault('method_not_allowed', this.method)
    let origin = target
    if (this.#hosts > 0) {
      const host = this.#hostOf(this.host)
      if (host === null) return this.#fault('request_not_canonical', 'Host is no authority')
      this.host = host
    }
    if (target.charCodeAt(0) !== 0x2f) {
      const absolute = /^https?:\/\/([^/?]*)(.*)$/i.exec(target)
      if (absolute === null) return this.#fault('request_not_canonical', 'form of the target')
      const authority = canonicalAuthority(absolute[1]!)
      if (authority === null || (this.#hosts > 0 && authority !== this.host))
        return this.#fault('request_not_canonical', 'target and Host differ')
      this.host = authority
      origin = absolute[2]!.startsWith('/') ? absolute[2]! : `/${absolute[2]}`
    }
    const canonical = canonicalTarget(origin)
    if (canonical === null) return this.#fault('request_not_canonical', 'target')
    this.path = canonical.path
    this.query = canonical.query
    return null
  }

  /** Most requests of a listener name the same host. */
  #hostOf(sent: string): string | null {
    if (sent !== this.#lastHost) {
      const host = canonicalAuthority(sent)
      if (host === null) return null
      this.#lastHost = sent
      this.#lastAuthority = host
    }
    return this.#lastAuthority
  }

  #rest(): RefusalCode | null {
    if (this.#nominated !== null) {
      this.pass = withoutFields(this.pass, this.#nominated)
      this.upgrade =
        this.#upgrade.toLowerCase() === 'websocket' &&
        this.#nominated.has('upgrade') &&
        this.method === 'GET' &&
        this.minor === 1 &&
        this.bodyBytes === 0
    }
    // RFC 9110 10.1.1: an HTTP/1.0 caller cannot mean it
    if (this.#expect === '' || this.minor === 0) return null
    if (this.#expect.toLowerCase() !== '100-continue') return this.#fault('expectation_failed', 'Expect')
    this.expectsContinue = this.bodyBytes !== 0
    return null
  }

  #broken(inner: string): false {
    this.#malformed(inner)
    return false
  }

  #ambiguous(inner: string): false {
    this.#fault('request_not_canonical', inner)
    return false
  }

  #malformed(inner: string): RefusalCode {
    return this.#fault('malformed_request', inner)
  }

  #fault(code: RefusalCode, inner: string): RefusalCode {
    this.#code = code
    this.inner = inner
    return code
  }
}

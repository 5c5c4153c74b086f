import { DOORS } from '../../base/doors.ts'
import type { RefusalCode } from '../../base/refusal.ts'
import { type WireLimits, withoutFields } from '../port.ts'
import { canonicalAuthority, canonicalTarget } from '../target.ts'
import { FieldSection } from './field-section.ts'
import type { KnownFields } from './field-table.ts'
import { CR, LF, latin1, METHOD, SP, VISIBLE } from './grammar.ts'
import type { RequestRules } from './request-rules.ts'

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
export class RequestHead {
  method = ''
  path = ''
  query = ''
  host = ''
  minor: 0 | 1 = 1
  pass = ''
  withheld = ''
  taken: readonly (string | undefined)[] = []
  /** 0 none, a length, or -1 chunked. */
  bodyBytes = 0
  /** The connection ends with this request. */
  close = false
  /** The caller waits for 100 Continue before it sends the body. */
  expectsContinue = false
  /** A WebSocket is offered. */
  upgrade = false
  inner = ''

  readonly #rules: RequestRules
  readonly #limits: WireLimits
  #lastHost = ''
  #lastAuthority: string | null = null

  constructor(rules: RequestRules, limits: WireLimits) {
    this.#rules = rules
    this.#limits = limits
  }

  /** Forgets the last head. */
  clear(): void {
    this.method = ''
    this.path = ''
    this.query = ''
    this.host = ''
    this.minor = 1
    this.pass = ''
    this.withheld = ''
    this.taken = this.#rules.blank
    this.bodyBytes = 0
    this.close = false
    this.expectsContinue = false
    this.upgrade = false
    this.inner = ''
  }

  /**
   * Reads `bytes[from, end)`: a whole head including the CRLF of its last line, followed by the empty line. `known`
   * are the fields of the same connection.
   */
  parse(
    bytes: Buffer,
    from: number,
    end: number,
    known: KnownFields<FieldSection> | null = null,
  ): RefusalCode | null {
    this.clear()
    let at = from
    while (METHOD[bytes[at]!] === 1) at++
    if (at === from || bytes[at] !== SP || at - from > METHOD_BYTES_MAX) return this.#malformed('method')
    this.method = methodAt(bytes, from, at) ?? latin1(bytes, from, at)
    const start = ++at
    while (VISIBLE[bytes[at]!] === 1) at++
    if (at === start || bytes[at] !== SP) return this.#malformed('request target')
    if (at - start > this.#limits.targetBytesMax) return this.#fault('uri_too_long', 'request target')
    const target = latin1(bytes, start, at)
    const version = this.#version(bytes, at + 1)
    if (version !== null) return version
    const section = this.#section(bytes, at + 11, end, known)
    this.taken = section.taken
    this.pass = section.pass
    this.withheld = section.apart
    if (section.inner !== '') return this.#fault(section.code, section.inner)
    if (section.close) this.close = true
    return this.#framing(section) ?? this.#authority(target, section.host) ?? this.#rest(section)
  }

  #section(bytes: Buffer, from: number, end: number, known: KnownFields<FieldSection> | null): FieldSection {
    const found = known?.find(bytes, from, end) ?? null
    if (found !== null) return found
    const section = new FieldSection(this.#rules, this.#limits.fieldsMax)
    if (section.read(bytes, from, end)) known?.learn(bytes, from, end, section)
    return section
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
  #framing({ chunked, length, host }: FieldSection): RefusalCode | null {
    if (chunked) {
      if (length >= 0) return this.#malformed('Content-Length and Transfer-Encoding')
      if (this.minor === 0) return this.#malformed('Transfer-Encoding in HTTP/1.0')
      this.bodyBytes = -1
    } else if (length > 0) this.bodyBytes = length
    if (this.minor === 1 && host === null) return this.#malformed('no Host')
    return null
  }

  /** Target forms of RFC 9112 3.2, and the host they agree on. */
  #authority(target: string, sent: string | null): RefusalCode | null {
    if (!METHODS.has(this.method)) return this.#fault('method_not_allowed', this.method)
    let origin = target
    if (sent !== null) {
      const host = this.#hostOf(sent)
      if (host === null) return this.#fault('request_not_canonical', 'Host is no authority')
      this.host = host
    }
    if (target.charCodeAt(0) !== 0x2f) {
      const absolute = /^https?:\/\/([^/?]*)(.*)$/i.exec(target)
      if (absolute === null) return this.#fault('request_not_canonical', 'form of the target')
      const authority = canonicalAuthority(absolute[1]!)
      if (authority === null || (sent !== null && authority !== this.host))
        return this.#fault('request_not_canonical', 'target and Host differ')
      this.host = authority
      origin = absolute[2]!.startsWith('/') ? absolute[2]! : `/${absolute[2]}`
    }
    const canonical = canonicalTarget(origin, DOORS.registry.path)
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

  #rest({ nominated, upgrade, expect }: FieldSection): RefusalCode | null {
    if (nominated !== null) {
      this.pass = withoutFields(this.pass, nominated)
      this.withheld = withoutFields(this.withheld, nominated)
      this.upgrade =
        upgrade.toLowerCase() === 'websocket' &&
        nominated.has('upgrade') &&
        this.method === 'GET' &&
        this.minor === 1 &&
        this.bodyBytes === 0
    }
    // RFC 9110 10.1.1: an HTTP/1.0 caller cannot mean it
    if (expect === '' || this.minor === 0) return null
    if (expect.toLowerCase() !== '100-continue') return this.#fault('expectation_failed', 'Expect')
    this.expectsContinue = this.bodyBytes !== 0
    return null
  }

  #malformed(inner: string): RefusalCode {
    return this.#fault('malformed_request', inner)
  }

  #fault(code: RefusalCode, inner: string): RefusalCode {
    this.inner = inner
    return code
  }
}

/**
 * True when the beginning of a head can become no valid head whatever follows: a bare LF or CR, or NUL, in
 * `bytes[from, to)`, where `from` is `start` or the last byte looked at before. Such a head would otherwise keep
 * its connection until the timeout.
 */
export function isBroken(bytes: Buffer, start: number, from: number, to: number): boolean {
  for (let i = from; i < to; i++) {
    const byte = bytes[i]
    if (byte === 0) return true
    if (byte === LF && (i === start || bytes[i - 1] !== CR)) return true
    if (byte === CR && i + 1 < to && bytes[i + 1] !== LF) return true
  }
  return false
}

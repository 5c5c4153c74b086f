import { withoutCookies } from '../answer-cookies.ts'
import { ACTIVE, contentKind, INERT, isEventStream, UNKNOWN } from '../content-kind.ts'
import { POOLED_MARGIN_MS, POOLED_MS } from '../limits.ts'
import { type FieldNames, type ForwardRequest, withoutFields } from '../port.ts'
import { connectionOptions } from './connection-options.ts'
import { type FieldVisitor, PASS, passedFields, scanFields } from './field-section.ts'
import { type FieldRule, FieldTable, FRAMING_NAMES, type KnownFields } from './field-table.ts'
import { ANSWER_FIELDS_MAX, CR, LF, latin1, lengthOf, SP, VALUE } from './grammar.ts'

/** Read here. */
const READ = [
  'content-length',
  'transfer-encoding',
  'connection',
  'keep-alive',
  'date',
  'content-type',
  'set-cookie',
  'set-cookie2',
]
/** Of these, passed on too. */
const KEPT = ['date', 'content-type', 'set-cookie', 'set-cookie2']

/** Hop-by-hop fields of answers: never passed on. */
const HOP_BY_HOP = ['proxy-connection', 'proxy-authenticate', 'trailer', 'upgrade', 'te']

/** Rules for answers; `strip` are further lower-case names that are never passed on. */
export function answerTable(strip: readonly string[]): FieldTable {
  const names = new Set([...READ, ...HOP_BY_HOP, ...strip])
  const rules = [...names].map((name) => ({
    ...dropRule(name),
    visit: READ.includes(name),
    keep: KEPT.includes(name) && !strip.includes(name),
    framing: FRAMING_NAMES.includes(name),
  }))
  return new FieldTable(rules, [])
}

/** Only drops the line. */
function dropRule(name: string): FieldRule {
  return {
    name,
    bytes: Buffer.from(name, 'latin1'),
    visit: false,
    keep: false,
    taken: -1,
    framing: false,
    identity: 0,
  }
}

/** Tables of the lists that were asked for; those of one gateway are a handful that live as long as it does. */
const droppedTables = new WeakMap<FieldNames, FieldTable>()
let lastNames: FieldNames = []
let lastTable: FieldTable | null = null

/** Null for no names. */
function droppedTable(names: FieldNames): FieldTable | null {
  if (names === lastNames) return lastTable
  let table = droppedTables.get(names) ?? null
  if (table === null && names.length > 0) {
    table = new FieldTable(names.map(dropRule), [])
    droppedTables.set(names, table)
  }
  lastNames = names
  lastTable = table
  return table
}

/** The parameter of a Keep-Alive field that says for how many seconds the server keeps an unused connection. */
const TIMEOUT = /(?:^|[,;\s])timeout=(\d{1,9})(?:$|[,;\s])/i

/** How long an unused connection may be kept by what its server says, milliseconds; 0 for not at all. */
function pooledMs(value: string): number {
  const [, seconds] = TIMEOUT.exec(value) ?? []
  if (seconds === undefined) return POOLED_MS
  return Math.max(0, Math.min(POOLED_MS, Number(seconds) * 1000 - POOLED_MARGIN_MS))
}

/** See {@link UpstreamOptions.refusesCookie}. */
type RefusesCookie = ((value: string) => boolean) | null

/** What the field section of an answer says: nothing but its bytes, and what is dropped of it, decides it. */
class AnswerSection implements FieldVisitor {
  readonly table: FieldTable
  readonly fieldsMax = ANSWER_FIELDS_MAX
  readonly dropped: FieldTable | null
  pass = ''
  length = -1
  chunked = false
  close = false
  pooledMs = POOLED_MS
  hasDate = false
  /** As `contentKind`; without a type it is unknown. */
  kind: number = UNKNOWN
  isStream = false
  inner = ''
  readonly #refusesCookie: RefusesCookie
  #hasRefused = false
  #hasType = false
  #nominated: Set<string> | null = null

  constructor(table: FieldTable, dropped: FieldTable | null, refusesCookie: RefusesCookie) {
    this.table = table
    this.dropped = dropped
    this.#refusesCookie = refusesCookie
  }

  /** Reads `bytes[from, end)`, once. False when it is at fault: `inner` says why. */
  read(bytes: Buffer, from: number, end: number): boolean {
    if (scanFields(bytes, latin1(bytes, from, end), from, end, this) !== 0) {
      if (this.inner === '') this.inner = 'header line'
      return false
    }
    this.pass = passedFields()
    if (this.#nominated !== null) this.pass = withoutFields(this.pass, this.#nominated)
    if (this.#hasRefused) this.pass = withoutCookies(this.pass, this.#refusesCookie!)
    if (this.chunked && this.length >= 0) return this.#fault('Content-Length and Transfer-Encoding')
    return true
  }

  field(rule: FieldRule, value: string): boolean {
    switch (rule.name) {
      case 'date':
        this.hasDate = true
        return true
      case 'keep-alive':
        this.pooledMs = Math.min(this.pooledMs, pooledMs(value))
        return true
      case 'content-type':
        this.#type(value)
        return true
      case 'set-cookie':
      case 'set-cookie2':
        if (this.#refusesCookie?.(value) === true) this.#hasRefused = true
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

  withheld(): void {}

  /** Of several types the one counts that a browser could do most with. */
  #type(value: string): void {
    const kind = contentKind(value)
    if (!this.#hasType || kind === ACTIVE || this.kind === INERT) this.kind = kind
    this.#hasType = true
    if (isEventStream(value)) this.isStream = true
  }

  oddName(): typeof PASS {
    return PASS
  }

  #connection(value: string): boolean {
    const options = connectionOptions(value)
    if (options === null) return this.#fault('Connection is no list of tokens')
    if (options.close) this.close = true
    if (options.nominated !== null)
      this.#nominated = new Set([...(this.#nominated ?? []), ...options.nominated])
    return true
  }

  #fault(inner: string): false {
    this.inner = inner
    return false
  }
}

/** The field sections of one upstream connection. */
export type KnownAnswers = KnownFields<AnswerSection>

/**
 * Reads heads of upstreams' answers (RFC 9112 4 to 6), as strictly as those of callers: a doubt about where an
 * answer ends would mix up callers. One instance per engine, its fields hold the last head.
 */
export class ResponseHead {
  status = 0
  minor = 1
  pass = ''
  /** Declared length, or -1. */
  length = -1
  chunked = false
  /** The upstream closes after this answer. */
  close = false
  /** For how long the connection may stay unused after this answer, milliseconds. */
  pooledMs = POOLED_MS
  hasDate = false
  /** See `contentKind`. */
  kind: number = UNKNOWN
  /** See `isEventStream`. */
  isStream = false
  /** Why the last head was not accepted. */
  inner = ''
  readonly #table: FieldTable

  constructor(table: FieldTable) {
    this.#table = table
  }

  /**
   * Reads `bytes[from, end)`: a whole head including the CRLF of its last line. Lines whose names stand in
   * `replaced` are dropped. False when the head is at fault. `known` are the fields of the same connection, which always gives
   * the same `refusesCookie`.
   */
  parse(
    bytes: Buffer,
    from: number,
    end: number,
    replaced: FieldNames,
    known: KnownAnswers | null = null,
    refusesCookie: RefusesCookie = null,
  ): boolean {
    let at = this.#statusLine(bytes, from)
    if (at < 0) return this.#fault('status line')
    while (VALUE[bytes[at]!] === 1) at++
    if (bytes[at] !== CR || bytes[at + 1] !== LF) return this.#fault('reason phrase')
    const section = this.#section(bytes, at + 2, end, droppedTable(replaced), known, refusesCookie)
    if (section.inner !== '') return this.#fault(section.inner)
    if (section.chunked && this.minor === 0) return this.#fault('Transfer-Encoding in HTTP/1.0')
    this.pass = section.pass
    this.length = section.length
    this.chunked = section.chunked
    this.close = section.close || section.pooledMs === 0 || this.minor === 0
    this.pooledMs = section.pooledMs
    this.hasDate = section.hasDate
    this.kind = section.kind
    this.isStream = section.isStream
    return true
  }

  #section(
    bytes: Buffer,
    from: number,
    end: number,
    dropped: FieldTable | null,
    known: KnownAnswers | null,
    refusesCookie: RefusesCookie,
  ): AnswerSection {
    const found = known?.find(bytes, from, end) ?? null
    if (found !== null && found.dropped === dropped) return found
    const section = new AnswerSection(this.#table, dropped, refusesCookie)
    if (section.read(bytes, from, end)) known?.learn(bytes, from, end, section)
    return section
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

/** Head of a request to an upstream, with its framing. `bodyBytes` is a length or -1 for chunked; `upgrade` offers a WebSocket. */
export function requestMessage(request: ForwardRequest, bodyBytes: number, upgrade = false): string {
  const head = `${request.method} ${request.target} HTTP/1.1\r\nHost: ${request.host}\r\n${request.fields}`
  if (upgrade) return `${head}Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n`
  if (bodyBytes > 0) return `${head}Content-Length: ${bodyBytes}\r\n\r\n`
  if (bodyBytes < 0) return `${head}Transfer-Encoding: chunked\r\n\r\n`
  // RFC 9110 8.6: methods that expect a body say that there is none
  const expectsBody = request.method === 'POST' || request.method === 'PUT' || request.method === 'PATCH'
  return expectsBody ? `${head}Content-Length: 0\r\n\r\n` : `${head}\r\n`
}

/** Reasons of the status codes that are registered (RFC 9110 15 and the IANA registry). */
const REASONS: Readonly<Record<number, string>> = {
  100: 'Continue',
  101: 'Switching Protocols',
  102: 'Processing',
  103: 'Early Hints',
  200: 'OK',
  201: 'Created',
  202: 'Accepted',
  203: 'Non-Authoritative Information',
  204: 'No Content',
  205: 'Reset Content',
  206: 'Partial Content',
  207: 'Multi-Status',
  208: 'Already Reported',
  226: 'IM Used',
  300: 'Multiple Choices',
  301: 'Moved Permanently',
  302: 'Found',
  303: 'See Other',
  304: 'Not Modified',
  305: 'Use Proxy',
  307: 'Temporary Redirect',
  308: 'Permanent Redirect',
  400: 'Bad Request',
  401: 'Unauthorized',
  402: 'Payment Required',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  406: 'Not Acceptable',
  407: 'Proxy Authentication Required',
  408: 'Request Timeout',
  409: 'Conflict',
  410: 'Gone',
  411: 'Length Required',
  412: 'Precondition Failed',
  413: 'Content Too Large',
  414: 'URI Too Long',
  415: 'Unsupported Media Type',
  416: 'Range Not Satisfiable',
  417: 'Expectation Failed',
  421: 'Misdirected Request',
  422: 'Unprocessable Content',
  423: 'Locked',
  424: 'Failed Dependency',
  425: 'Too Early',
  426: 'Upgrade Required',
  428: 'Precondition Required',
  429: 'Too Many Requests',
  431: 'Request Header Fields Too Large',
  451: 'Unavailable For Legal Reasons',
  500: 'Internal Server Error',
  501: 'Not Implemented',
  502: 'Bad Gateway',
  503: 'Service Unavailable',
  504: 'Gateway Timeout',
  505: 'HTTP Version Not Supported',
  506: 'Variant Also Negotiates',
  507: 'Insufficient Storage',
  508: 'Loop Detected',
  511: 'Network Authentication Required',
}

const LINES: readonly string[] = Array.from(
  { length: 600 },
  (_, status) => `HTTP/1.1 ${status} ${REASONS[status] ?? ''}\r\n`,
)

/** Status line of an answer, with the registered reason: what an upstream wrote there is not passed on. `status` is 100 to 599. */
export function statusLine(status: number): string {
  return LINES[status]!
}

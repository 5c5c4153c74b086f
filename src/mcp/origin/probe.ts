/**
 * Finds out the protocol revision of an origin, and reads its catalogue.
 *
 * 1. `server/discover` decides the era. A discovery result, or an error that only modern servers send, means modern. 401,
 *    403, 5xx and a missing response decide nothing. Any other response leads to `initialize` (2026-07-28, basic/versioning).
 * 2. A probe leaves no session at the origin.
 * 3. The catalogue is bounded. Items beyond a limit are left out and named.
 * 4. A list that cannot be read is named; the other lists stay usable. If no list can be read, the probe has found nothing.
 */
import { type Clock, toTime } from '../../base/clock.ts'
import type { Plain } from '../../base/json/storable.ts'
import { RUNNER_ERROR } from '../../base/net/address.ts'
import { hasUnseen, isDeceptive, printable } from '../../base/text/visible.ts'
import { type CapabilityType, KEY_OF } from '../../model/mcp/capability.ts'
import {
  type Catalogue,
  type CatalogueState,
  EMPTY_CATALOGUE,
  type Verdict,
} from '../../model/mcp/capability-drift.ts'
import { findingsOf } from '../../model/mcp/listed-item.ts'
import type { OriginProbed, ProbeStep } from '../../model/mcp/origin.ts'
import { RPC } from '../protocol/answer.ts'
import { readJson } from '../protocol/json.ts'
import {
  isLegacyVersion,
  isMembers,
  LEGACY_VERSIONS,
  type Members,
  MODERN_VERSIONS,
} from '../protocol/message.ts'
import { type OriginReply, readReply } from './answer.ts'
import {
  endSession,
  initializeRequest,
  mirroredFault,
  type OriginAnswer,
  type OriginRequest,
  type OwnName,
  originNotification,
  originRequest,
  type SendToOrigin,
} from './envelope.ts'
import { askOverSse, openSse, SseSession, type SseTools } from './sse-session.ts'

/** Items of one type that are kept. */
const ITEMS_MAX = 2000
/** Bytes of the JSON of one item. */
const ITEM_BYTES_MAX = 1024 * 1024
/** Of all items of an origin. */
const CATALOGUE_BYTES_MAX = 16 * 1024 * 1024
/** Pages of one list that are read. */
const PAGES_MAX = 200
const NAME_CHARS_MAX = 128
const URI_CHARS_MAX = 2048
const INSTRUCTIONS_CHARS_MAX = 8000
/** Of the JSON of the declared capabilities. */
const CAPABILITIES_CHARS_MAX = 64 * 1024
const WARNINGS_MAX = 100
/** Catalogues are read again after a day, whatever their origin says. */
const TTL_MS_MAX = 24 * 60 * 60_000
/** After so long no further page is asked for, milliseconds. */
const PROBE_MS_MAX = 2 * 60_000

const UNSUPPORTED_VERSION = -32022
const MODERN_ERRORS: ReadonlySet<number> = new Set([-32020, -32021, UNSUPPORTED_VERSION])

const LISTS: readonly (readonly [CapabilityType, capability: string, method: string, member: string])[] = [
  ['tools', 'tools', 'tools/list', 'tools'],
  ['prompts', 'prompts', 'prompts/list', 'prompts'],
  ['resources', 'resources', 'resources/list', 'resources'],
  ['resource_templates', 'resources', 'resources/templates/list', 'resourceTemplates'],
]

export interface ProbeTools {
  readonly send: SendToOrigin
  readonly clock: Clock
  readonly own: OwnName
  /** How a stream is read there; absent where none is looked for. */
  readonly sse?: SseTools
}

/** What a list came to. */
interface Listed {
  readonly type: CapabilityType
  readonly method: string
  readonly items: readonly Plain[]
  readonly last: Asked
  /** Why it cannot be read; null where it was. */
  readonly error: string | null
  /** The origin says that it has no such method. */
  readonly isAbsent: boolean
  readonly warnings: readonly string[]
}

type Asked = { readonly reply: OriginReply; readonly answer: OriginAnswer; readonly latencyMs: number }

/** Never rejects. */
export async function probeOrigin(tools: ProbeTools): Promise<OriginProbed> {
  return new Probe(tools).run()
}

class Probe {
  readonly #tools: ProbeTools
  readonly #steps: ProbeStep[] = []
  readonly #warnings: string[] = []
  #id = 0
  #session: string | null = null
  /** At an origin of HTTP+SSE. */
  #stream: SseSession | null = null
  #ttlMs: number | null = null
  #bytes = 0
  /** Of the last step. */
  #isOutage = false
  /** Some step was answered with 401. */
  #needsSignIn = false
  readonly #startedAt: number

  constructor(tools: ProbeTools) {
    this.#tools = tools
    this.#startedAt = tools.clock.monotonic()
  }

  async run(): Promise<OriginProbed> {
    try {
      return await this.#run()
    } finally {
      this.#stream?.close()
    }
  }

  async #run(): Promise<OriginProbed> {
    const verdict = await this.#verdict()
    if (verdict === null) return this.#nothing()
    const lists = await this.#catalogue(verdict)
    if (this.#session !== null) await this.#tools.send(endSession(verdict.version, this.#session))
    if (lists === null) return this.#nothing()
    const { catalogue, unread } = lists
    const found: CatalogueState = {
      verdict,
      catalogue,
      warnings: this.#warnings,
      ttl_ms: this.#ttlMs,
      ...(unread.length === 0 ? {} : { unread }),
    }
    return { steps: this.#steps, found }
  }

  #nothing(): OriginProbed {
    const needsSignIn = this.#needsSignIn ? ({ needsSignIn: true } as const) : {}
    return { steps: this.#steps, found: null, isOutage: this.#isOutage, ...needsSignIn }
  }

  async #verdict(): Promise<Verdict | null> {
    const version = MODERN_VERSIONS[0]
    const speaker = { info: { ...this.#tools.own }, capabilities: {} }
    const discover = (): Promise<Asked> =>
      this.#ask((id) => originRequest(version, null, id, 'server/discover', {}, speaker))
    let discovered = await discover()
    const supported = supportedIn(discovered.reply)
    // A server may refuse the first request to say which revisions it speaks
    if (supported?.includes(version) === true) discovered = await discover()
    else if (supported?.some(isLegacyVersion) === true) return this.#initialize()
    const { reply } = discovered
    // A server that answers any method with some result has not said that it knows this one
    if (reply.kind === 'result' && Array.isArray(reply.result['supportedVersions'])) {
      const isServed = reply.result['supportedVersions'].includes(version)
      this.#took('discover', discovered, isServed ? null : 'it supports no revision that Postern supports')
      if (!isServed) return null
      return this.#toVerdict('modern', version, reply.result)
    }
    if (reply.kind === 'error' && MODERN_ERRORS.has(reply.error.code)) {
      this.#took(
        'discover',
        discovered,
        `it refused the request: ${reply.error.code} ${shown(reply.error.message)}`,
      )
      return null
    }
    const { answer } = discovered
    const saysNothing = !answer.ok || answer.status === 401 || answer.status === 403 || answer.status >= 500
    if (saysNothing && reply.kind !== 'result') {
      this.#took('discover', discovered, reasonOf(reply))
      return null
    }
    return this.#initialize()
  }

  async #initialize(): Promise<Verdict | null> {
    const ask = (): Promise<Asked> =>
      this.#ask((id) => initializeRequest(id, LEGACY_VERSIONS[0], this.#tools.own, {}))
    let asked = await ask()
    if (NO_STREAMABLE_HTTP.has(statusOf(asked.answer)) && asked.reply.kind !== 'result') {
      const opened = await this.#openStream()
      if (opened === null) return null
      // Without a stream, the server is as wrong as it seemed
      if (opened) asked = await ask()
    }
    const { reply, answer } = asked
    if (reply.kind !== 'result') {
      this.#took('initialize', asked, reasonOf(reply))
      return null
    }
    const version = reply.result['protocolVersion']
    if (typeof version !== 'string' || !isLegacyVersion(version)) {
      this.#took('initialize', asked, 'it supports no revision that Postern supports')
      return null
    }
    this.#took('initialize', asked, null)
    this.#session = this.#stream === null ? sessionIn(answer) : null
    const at = this.#stream === null ? {} : { at: this.#stream.at }
    const initialized = originNotification(version, this.#session, 'notifications/initialized', {})
    await this.#tools.send({ ...initialized, ...at })
    return this.#toVerdict('legacy', version, reply.result)
  }

  /** Looks for a server of HTTP+SSE. Null: there is one that cannot be used. */
  async #openStream(): Promise<boolean | null> {
    const { sse, clock } = this.#tools
    if (sse === undefined) return false
    const startedAt = clock.monotonic()
    const opened = await openSse(sse)
    const latencyMs = Math.round((clock.monotonic() - startedAt) * 10) / 10
    if (opened instanceof SseSession) {
      this.#stream = opened
      this.#steps.push({ step: 'sse', ok: true, latency_ms: latencyMs, status: 200, error: null })
      return true
    }
    const { isStream, reason, status } = opened
    if (status === 401) this.#needsSignIn = true
    if (!isStream) return false
    this.#steps.push({ step: 'sse', ok: false, latency_ms: latencyMs, status, error: shown(reason) })
    return null
  }

  #toVerdict(era: Verdict['era'], version: string, result: Members): Verdict {
    const info =
      era === 'legacy' ? result['serverInfo'] : metaOf(result)['io.modelcontextprotocol/serverInfo']
    const text = (value: unknown): string =>
      typeof value === 'string' ? printable(value).slice(0, NAME_CHARS_MAX) : ''
    const server = isMembers(info) ? { name: text(info['name']), version: text(info['version']) } : NAMELESS
    const { capabilities, instructions } = result
    if (typeof instructions === 'string' && isDeceptive(instructions))
      this.#warn('its instructions have characters that people do not see')
    const isFit = isMembers(capabilities) && JSON.stringify(capabilities).length <= CAPABILITIES_CHARS_MAX
    return {
      era,
      version,
      transport: this.#stream === null ? 'streamable_http' : 'http_sse',
      server,
      capabilities: !isFit ? {} : this.#stream === null ? capabilities : withoutTasks(capabilities),
      instructions: typeof instructions === 'string' ? instructions.slice(0, INSTRUCTIONS_CHARS_MAX) : '',
      at: toTime(this.#tools.clock.now()),
    }
  }

  /** Null when no list that the origin says to have can be read, or when it asks for a sign-in first. */
  async #catalogue(verdict: Verdict): Promise<{
    readonly catalogue: Catalogue
    /** Lists that may be there, and were not read. */
    readonly unread: readonly CapabilityType[]
  } | null> {
    const { version, capabilities } = verdict
    const declared = LISTS.filter(([, capability]) => (capabilities[capability] ?? null) !== null)
    const lists: Listed[] = []
    // One that never answers holds up no other; a stream of HTTP+SSE hears one answer at a time
    if (this.#stream === null)
      lists.push(...(await Promise.all(declared.map((list) => this.#list(version, ...list)))))
    else for (const list of declared) lists.push(await this.#list(version, ...list))
    const catalogue: Record<CapabilityType, readonly Plain[]> = { ...EMPTY_CATALOGUE }
    const unread: CapabilityType[] = []
    for (const { type, method, items, last, error, isAbsent, warnings } of lists) {
      this.#took(type, last, error)
      for (const warning of warnings) this.#warn(warning)
      if (error === null) catalogue[type] = items
      else if (isAbsent) this.#warn(`${method} is declared, but does not exist: ${error}`)
      else {
        this.#warn(`${method} cannot be read, so its last result is used: ${error}`)
        unread.push(type)
      }
    }
    const hasAny = lists.length === 0 || lists.some(({ error }) => error === null)
    return hasAny && !this.#needsSignIn ? { catalogue, unread } : null
  }

  async #list(
    version: string,
    type: CapabilityType,
    _capability: string,
    method: string,
    member: string,
  ): Promise<Listed> {
    const items = new Map<string, Plain>()
    const warnings: string[] = []
    const warn = (warning: string): void => {
      if (warnings.length < WARNINGS_MAX) warnings.push(warning)
    }
    const cursors = new Set<string>()
    let cursor: string | undefined
    let latencyMs = 0
    let last: Asked
    for (let page = 0; ; page++) {
      const params = cursor === undefined ? {} : { cursor }
      const speaker = { info: { ...this.#tools.own }, capabilities: {} }
      const asked = await this.#ask((id) =>
        originRequest(version, this.#session, id, method, params, speaker),
      )
      latencyMs += asked.latencyMs
      last = { ...asked, latencyMs }
      const { reply } = asked
      const isAbsent = reply.kind === 'error' && reply.error.code === RPC.methodNotFound
      // A server that declares resources need not have templates
      if (isAbsent && type === 'resource_templates') break
      const given = reply.kind === 'result' ? reply.result[member] : undefined
      // An empty list, as some languages write it
      const listed = given === null ? [] : given
      if (given === null) warn(`${method} answers null, which counts as an empty list`)
      if (reply.kind !== 'result' || !Array.isArray(listed)) {
        const error = reply.kind === 'result' ? `its answer has no ${member}` : reasonOf(reply)
        return { type, method, items: [], last, error, isAbsent, warnings }
      }
      this.#keepTtl(reply.result['ttlMs'])
      for (const item of listed as readonly unknown[]) this.#take(type, item, items, warn)
      const next = reply.result['nextCursor']
      if (typeof next !== 'string') break
      const isLate = this.#tools.clock.monotonic() - this.#startedAt > PROBE_MS_MAX
      if (cursors.has(next) || page + 1 >= PAGES_MAX || items.size >= ITEMS_MAX || isLate) {
        warn(`${method}: pages after number ${page + 1} are not read`)
        break
      }
      cursors.add(next)
      cursor = next
    }
    const all = [...items.values()]
    for (const finding of findingsOf(type, all)) warn(finding)
    return { type, method, items: all, last, error: null, isAbsent: false, warnings }
  }

  #keepTtl(ttlMs: unknown): void {
    if (typeof ttlMs !== 'number' || !(ttlMs >= 0)) return
    this.#ttlMs = Math.min(this.#ttlMs ?? TTL_MS_MAX, ttlMs)
  }

  #take(
    type: CapabilityType,
    item: unknown,
    items: Map<string, Plain>,
    warn: (warning: string) => void,
  ): void {
    const fault = itemFault(type, item, items)
    const json = fault === null ? JSON.stringify(item) : ''
    const bytes = Buffer.byteLength(json)
    const tooLarge =
      bytes > ITEM_BYTES_MAX
        ? 'is longer than 1 MB'
        : this.#bytes + bytes > CATALOGUE_BYTES_MAX
          ? 'does not fit into the 16 MB of a catalogue'
          : null
    const reason = fault ?? tooLarge
    if (reason !== null) {
      const name = isMembers(item) ? shown(identifierOf(type, item)) : ''
      warn(`${type} "${name}" is left out: it ${reason}`)
      return
    }
    const known = item as Plain
    if (hidesText(json)) warn(`${type} "${shown(identifierOf(type, known))}" has text that people do not see`)
    this.#bytes += bytes
    items.set(identifierOf(type, known), known)
  }

  #warn(warning: string): void {
    if (this.#warnings.length < WARNINGS_MAX) this.#warnings.push(warning)
  }

  async #ask(make: (id: number) => OriginRequest): Promise<Asked> {
    const { send, clock } = this.#tools
    const id = ++this.#id
    const startedAt = clock.monotonic()
    const stream = this.#stream
    let answer: OriginAnswer = NO_ANSWER
    const sent: SendToOrigin = async (request) => {
      answer = await send(request)
      return answer
    }
    const reply =
      stream === null
        ? readReply(await sent(make(id)), id, false)
        : await askOverSse(stream, sent, make(id), id, this.#tools.sse!.waitMs)
    return {
      reply,
      answer,
      latencyMs: Math.round((clock.monotonic() - startedAt) * 10) / 10,
    }
  }

  #took(step: ProbeStep['step'], { answer, latencyMs }: Asked, error: string | null): void {
    const status = answer.ok ? answer.status : null
    this.#isOutage = error !== null && (answer.ok ? answer.status >= 500 : answer.isUnreachable === true)
    if (error !== null && status === 401) this.#needsSignIn = true
    this.#steps.push({ step, ok: error === null, latency_ms: latencyMs, status, error })
  }
}

/** The revisions that an error of an unsupported version names (2026-07-28, basic/versioning); null for any other reply. */
function supportedIn(reply: OriginReply): readonly string[] | null {
  if (reply.kind !== 'error' || reply.error.code !== UNSUPPORTED_VERSION || !isMembers(reply.error.data))
    return null
  const { supported } = reply.error.data
  return Array.isArray(supported) ? supported.filter((version) => typeof version === 'string') : null
}

/** What servers of HTTP+SSE answer to a POST that looks for Streamable HTTP (2025-11-25, transports: backwards compatibility). */
const NO_STREAMABLE_HTTP: ReadonlySet<number | null> = new Set([400, 404, 405])
const NO_ANSWER: OriginAnswer = { ok: false, reason: 'no answer came' }

function statusOf(answer: OriginAnswer): number | null {
  return answer.ok ? answer.status : null
}

/** Sessions over HTTP+SSE last for a call, and no task outlives its session. */
function withoutTasks({ tasks, ...rest }: Members): Members {
  return rest
}

const NAMELESS = { name: '', version: '' }

function metaOf(result: Members): Members {
  const meta = result['_meta']
  return isMembers(meta) ? meta : {}
}

/** Why an item of a list cannot be taken, as the end of a sentence about it; null when it can. */
function itemFault(type: CapabilityType, item: unknown, items: ReadonlyMap<string, Plain>): string | null {
  if (!isMembers(item)) return 'is no object'
  const name = identifierOf(type, item)
  if (name === '') return 'has no name'
  if (name.length > (type === 'tools' || type === 'prompts' ? NAME_CHARS_MAX : URI_CHARS_MAX))
    return 'has too long a name'
  if (hasUnseen(name)) return 'has a name with characters that people do not see'
  if (items.has(name)) return 'is listed twice'
  if (items.size >= ITEMS_MAX) return `is beyond the first ${ITEMS_MAX}`
  return type === 'tools' ? mirroredFault(item['inputSchema']) : null
}

function reasonOf(reply: Exclude<OriginReply, { kind: 'result' }>): string {
  if (reply.kind === 'none') return shown(reply.reason)
  if (reply.kind === 'session_gone') return 'it answered 404'
  // A sentence for operators
  if (reply.error.code === RUNNER_ERROR) return shown(reply.error.message).replace(/\.$/, '')
  return `it refused the request: ${reply.error.code} ${shown(reply.error.message)}`
}

/** The id of the session that an answer to `initialize` opens; null for a server without sessions. */
export function sessionIn(answer: OriginAnswer): string | null {
  const id = answer.ok ? answer.header('mcp-session-id') : undefined
  return id !== undefined && /^[!-~]{1,512}$/.test(id) ? id : null
}

/** Text of an origin as people may see it: short, and without characters that change what stands around it. */
function shown(text: string): string {
  return printable(text).slice(0, 200)
}

/** Control characters and half characters are escapes in JSON. @param json as JSON.stringify writes it */
function hidesText(json: string): boolean {
  return isDeceptive(json) || /(?<!\\)(?:\\\\)*\\[bfu]/.test(json)
}

/** The name by which an item of a list is known at its origin; empty for an item without one. */
function identifierOf(type: CapabilityType, item: Plain): string {
  const value = item[KEY_OF[type]]
  return typeof value === 'string' ? value : ''
}

/** Names that an error tells. */
const TOLD_MAX = 20

export interface EntryProbeTools extends ProbeTools {
  readonly entry: string
  /** Where the settings say that the runner is, for people; null where they name none. */
  readonly runner: string | null
  /** Asks the runner for its entries. Never rejects. */
  readonly entries: () => Promise<OriginAnswer>
}

/** Never rejects. */
export async function probeEntry(tools: EntryProbeTools): Promise<OriginProbed> {
  const { clock, entry } = tools
  const startedAt = clock.monotonic()
  const answer = tools.runner === null ? null : await tools.entries()
  const entries = answer === null ? null : entriesIn(answer)
  const error = faultOf(tools, answer, entries)
  const step: ProbeStep = {
    step: 'entries',
    ok: error === null,
    latency_ms: Math.round((clock.monotonic() - startedAt) * 10) / 10,
    status: answer?.ok === true ? answer.status : null,
    error,
  }
  if (error !== null) return { steps: [step], found: null }
  const { steps, found } = await probeOrigin(tools)
  const isPerUser = entries!.some(({ name, instance }) => name === entry && instance === 'per_user')
  return {
    steps: [step, ...steps],
    found: found && isPerUser ? { ...found, verdict: { ...found.verdict, per_user: true } } : found,
  }
}

function faultOf(
  { runner, entry }: EntryProbeTools,
  answer: OriginAnswer | null,
  entries: readonly Members[] | null,
): string | null {
  if (answer === null) return 'POSTERN_RUNNER is not set'
  if (!answer.ok)
    return `the runner at ${runner} does not answer (${answer.reason}); start it with postern runner`
  if (answer.status === 401) return 'the runner does not know the token of POSTERN_RUNNER_TOKEN_FILE'
  if (entries === null) return `what answers at ${runner} is no runner`
  const names = entries.map(({ name }) => String(name))
  if (names.includes(entry)) return null
  const told = names.slice(0, TOLD_MAX).map((name) => printable(name).slice(0, 63))
  const offer = told.length === 0 ? 'no other' : told.join(', ') + (names.length > TOLD_MAX ? ', ...' : '')
  return `the runner offers no entry "${entry}", but ${offer}`
}

/** What `GET /entries` of a runner lists; null for the answer of something else. */
function entriesIn(answer: OriginAnswer): readonly Members[] | null {
  if (!answer.ok || answer.status !== 200 || answer.truncated) return null
  const read = readJson(answer.body)
  const entries = read.ok && isMembers(read.value) ? read.value['entries'] : null
  return Array.isArray(entries) ? (entries as readonly unknown[]).filter(isMembers) : null
}

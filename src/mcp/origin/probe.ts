/**
 * Finds out how an origin is spoken to and what it lists.
 *
 * 1. The era is found by `server/discover`: a discovery result, or an error that only modern servers give, means modern; 401, 403,
 *    5xx and no answer mean nothing at all; anything else leads to `initialize` (2026-07-28, basic/versioning).
 * 2. A probe leaves no session at the origin.
 * 3. What the origin lists is bounded; what goes beyond is left out and named.
 */
import type { Clock } from '../../base/clock.ts'
import { toTime } from '../../base/clock.ts'
import type { Plain } from '../../base/plain.ts'
import { printable } from '../../base/visible.ts'
import { type CapabilityType, KEY_OF } from '../../model/capability.ts'
import type { Catalogue } from '../../model/capability-drift.ts'
import type { CatalogueState, Verdict } from '../../model/catalogue.ts'
import type { OriginProbed, ProbeStep } from '../../model/origin-probe.ts'
import { isMembers, type Members } from '../protocol/message.ts'
import { isLegacyVersion, LEGACY_VERSIONS, MODERN_VERSIONS } from '../protocol/versions.ts'
import { type OriginReply, readReply } from './answer.ts'
import { endSession, initializeRequest, type OwnName, originNotification, originRequest } from './envelope.ts'
import { mirroredFault } from './mirrored-params.ts'
import type { OriginAnswer, OriginRequest, SendToOrigin } from './send.ts'

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

const MODERN_ERRORS: ReadonlySet<number> = new Set([-32020, -32021, -32022])

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
  #ttlMs: number | null = null
  #bytes = 0

  constructor(tools: ProbeTools) {
    this.#tools = tools
  }

  async run(): Promise<OriginProbed> {
    const verdict = await this.#verdict()
    if (verdict === null) return { steps: this.#steps, found: null }
    const catalogue = await this.#catalogue(verdict)
    if (this.#session !== null) await this.#tools.send(endSession(verdict.version, this.#session))
    if (catalogue === null) return { steps: this.#steps, found: null }
    const found: CatalogueState = { verdict, catalogue, warnings: this.#warnings, ttl_ms: this.#ttlMs }
    return { steps: this.#steps, found }
  }

  async #verdict(): Promise<Verdict | null> {
    const version = MODERN_VERSIONS[0]
    const speaker = { info: { ...this.#tools.own }, capabilities: {} }
    const discovered = await this.#ask((id) =>
      originRequest(version, null, id, 'server/discover', {}, speaker),
    )
    const { reply } = discovered
    if (reply.kind === 'result') {
      const versions = reply.result['supportedVersions']
      const isServed = Array.isArray(versions) && versions.includes(version)
      this.#took('discover', discovered, isServed ? null : 'it names no revision that Postern speaks')
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
    if (saysNothing) {
      this.#took('discover', discovered, reasonOf(reply))
      return null
    }
    return this.#initialize()
  }

  async #initialize(): Promise<Verdict | null> {
    const asked = await this.#ask((id) => initializeRequest(id, LEGACY_VERSIONS[0], this.#tools.own, {}))
    const { reply, answer } = asked
    if (reply.kind !== 'result') {
      this.#took('initialize', asked, reasonOf(reply))
      return null
    }
    const version = reply.result['protocolVersion']
    if (typeof version !== 'string' || !isLegacyVersion(version)) {
      this.#took('initialize', asked, 'it names no revision that Postern speaks')
      return null
    }
    this.#took('initialize', asked, null)
    this.#session = sessionIn(answer)
    await this.#tools.send(originNotification(version, this.#session, 'notifications/initialized', {}))
    return this.#toVerdict('legacy', version, reply.result)
  }

  #toVerdict(era: Verdict['era'], version: string, result: Members): Verdict {
    const info =
      era === 'legacy' ? result['serverInfo'] : metaOf(result)['io.modelcontextprotocol/serverInfo']
    const text = (value: unknown): string => (typeof value === 'string' ? value.slice(0, NAME_CHARS_MAX) : '')
    const server = isMembers(info) ? { name: text(info['name']), version: text(info['version']) } : NAMELESS
    const { capabilities, instructions } = result
    return {
      era,
      version,
      transport: 'streamable_http',
      server,
      capabilities: isMembers(capabilities) ? capabilities : {},
      instructions: typeof instructions === 'string' ? instructions.slice(0, INSTRUCTIONS_CHARS_MAX) : '',
      at: toTime(this.#tools.clock.now()),
    }
  }

  /** Null when a list that the origin says to have cannot be read. */
  async #catalogue(verdict: Verdict): Promise<Catalogue | null> {
    const lists: Partial<Record<CapabilityType, readonly Plain[]>> = {}
    for (const [type, capability, method, member] of LISTS) {
      if (verdict.capabilities[capability] === undefined) {
        lists[type] = []
        continue
      }
      const items = await this.#list(verdict.version, type, method, member)
      if (items === null) return null
      lists[type] = items
    }
    return lists as Catalogue
  }

  async #list(
    version: string,
    type: CapabilityType,
    method: string,
    member: string,
  ): Promise<readonly Plain[] | null> {
    const items = new Map<string, Plain>()
    const cursors = new Set<string>()
    let cursor: string | undefined
    let latencyMs = 0
    let last: Asked | null = null
    for (let page = 0; ; page++) {
      const params = cursor === undefined ? {} : { cursor }
      const speaker = { info: { ...this.#tools.own }, capabilities: {} }
      const asked = await this.#ask((id) =>
        originRequest(version, this.#session, id, method, params, speaker),
      )
      latencyMs += asked.latencyMs
      last = { ...asked, latencyMs }
      const { reply } = asked
      // A server that declares resources need not have templates
      if (reply.kind === 'error' && reply.error.code === -32601 && type === 'resource_templates') break
      const listed = reply.kind === 'result' ? reply.result[member] : undefined
      if (reply.kind !== 'result' || !Array.isArray(listed)) {
        this.#took(type, last, reply.kind === 'result' ? `its answer has no ${member}` : reasonOf(reply))
        return null
      }
      this.#keepTtl(reply.result['ttlMs'])
      for (const item of listed as readonly unknown[]) this.#take(type, item, items)
      const next = reply.result['nextCursor']
      if (typeof next !== 'string') break
      if (cursors.has(next) || page + 1 >= PAGES_MAX || items.size >= ITEMS_MAX) {
        this.#warnings.push(`${method}: pages after number ${page + 1} are not read`)
        break
      }
      cursors.add(next)
      cursor = next
    }
    this.#took(type, last, null)
    return [...items.values()]
  }

  #keepTtl(ttlMs: unknown): void {
    if (typeof ttlMs !== 'number' || !(ttlMs >= 0)) return
    this.#ttlMs = this.#ttlMs === null ? ttlMs : Math.min(this.#ttlMs, ttlMs)
  }

  #take(type: CapabilityType, item: unknown, items: Map<string, Plain>): void {
    const fault = itemFault(type, item, items)
    const bytes = fault === null ? Buffer.byteLength(JSON.stringify(item)) : 0
    const tooLarge =
      bytes > ITEM_BYTES_MAX
        ? 'is longer than 1 MB'
        : this.#bytes + bytes > CATALOGUE_BYTES_MAX
          ? 'does not fit into the 16 MB of a catalogue'
          : null
    const reason = fault ?? tooLarge
    if (reason !== null) {
      const name = isMembers(item) ? shown(identifierOf(type, item)) : ''
      if (this.#warnings.length < 100) this.#warnings.push(`${type} "${name}" is left out: it ${reason}`)
      return
    }
    this.#bytes += bytes
    const known = item as Plain
    items.set(identifierOf(type, known), known)
  }

  async #ask(make: (id: number) => OriginRequest): Promise<Asked> {
    const { send, clock } = this.#tools
    const id = ++this.#id
    const startedAt = clock.monotonic()
    const answer = await send(make(id))
    return {
      reply: readReply(answer, id, false),
      answer,
      latencyMs: Math.round((clock.monotonic() - startedAt) * 10) / 10,
    }
  }

  #took(step: ProbeStep['step'], { answer, latencyMs }: Asked, error: string | null): void {
    const status = answer.ok ? answer.status : null
    this.#steps.push({ step, ok: error === null, latency_ms: latencyMs, status, error })
  }
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
  if (items.has(name)) return 'is listed twice'
  if (items.size >= ITEMS_MAX) return `is beyond the first ${ITEMS_MAX}`
  return type === 'tools' ? mirroredFault(item['inputSchema']) : null
}

function reasonOf(reply: Exclude<OriginReply, { kind: 'result' }>): string {
  if (reply.kind === 'none') return shown(reply.reason)
  if (reply.kind === 'session_gone') return 'it answered 404'
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

/** The name by which an item of a list is known at its origin; empty for an item without one. */
function identifierOf(type: CapabilityType, item: Plain): string {
  const value = item[KEY_OF[type]]
  return typeof value === 'string' ? value : ''
}

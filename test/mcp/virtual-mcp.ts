import assert from 'node:assert/strict'
import type { z } from 'zod'
import { type Clock, createClock } from '../../src/base/clock.ts'
import { createRequestIds } from '../../src/base/ids.ts'
import type { Connections } from '../../src/gateway/forward/connections.ts'
import type { Gateway } from '../../src/gateway/gateway.ts'
import type { Parking } from '../../src/mcp/virtual/input/parking.ts'
import type { OriginSessions } from '../../src/mcp/virtual/sessions/sessions.ts'
import {
  createOriginProbe,
  createOriginWatch,
  type OriginWatch,
} from '../../src/mcp/virtual/streams/watched-origins.ts'
import { approvedOf, type Catalogue } from '../../src/model/mcp/capability-drift.ts'
import { type OriginNews, type OriginProbed, OriginSpec } from '../../src/model/mcp/origin.ts'
import { VirtualMcpSpec } from '../../src/model/mcp/virtual-mcp.ts'
import type { OriginSessionPool } from '../../src/shared-state/ports/origin-sessions.ts'
import { compileCatalogue, compileOrigin, compileVirtualMcp } from '../../src/snapshot/compile/mcp.ts'
import type { Fragment } from '../../src/snapshot/fragments.ts'
import type { CallerMemory } from '../../src/wire/caller-memory.ts'
import { client, profile, token } from '../gateway/fragments.ts'
import type { Served } from '../gateway/serve.ts'
import { serveVirtualMcps } from '../gateway/virtual-door.ts'
import { originSessions } from '../support/origin-sessions.ts'
import { parkingOf, type SharedParking } from '../support/parking.ts'

/** A gateway of one thread with the virtual MCP `desk`. */
export interface VirtualMcp extends AsyncDisposable {
  readonly served: Served
  /** Probes an origin with the same timeouts. Never rejects. @param as null for no account */
  probe(url: string, as?: string | null): Promise<OriginProbed>
  /** Has its origins watched. */
  watch(): OriginWatch
  /** What was heard of their lists, and that they failed; by id of the origin. */
  readonly news: (readonly [origin: string, news: OriginNews | 'failed'])[]
  /** The fragments of its origins, catalogues and of itself. */
  readonly fragments: readonly Fragment[]
  readonly url: string
  /** Of a client that may call it. */
  readonly headers: { readonly authorization: string }
  /** Of an agent that acts for that person. */
  headersOf(person: string): { readonly authorization: string }
  /** Stops having sessions at origins, as the stop of a thread does. */
  closeSessions(): Promise<void>
  /** Gives up the calls that wait for their clients, as the stop of a thread does. */
  closeParking(): Promise<void>
  /** How many wait. */
  parked(): number
  /** Publishes it anew, with other members of its spec. */
  publish(changed: Record<string, unknown>): void
  /** Takes the virtual MCP from the client that may call it. */
  unassign(): void
  /** Of another client that may call it. */
  readonly otherHeaders: { readonly authorization: string }
  /** Gives it to the client that may not call it. */
  assignStranger(): void
  /** Of a client that may not. */
  readonly strangerHeaders: { readonly authorization: string }
}

/** MCP servers to put behind it, by slug. */
export type Origins = Readonly<Record<string, string>>

const NO_NAMES = { tools: [], prompts: [], resources: [], resource_templates: [] }

/** What differs from the defaults. */
export interface VirtualMcpOptions {
  /** Of all origins. */
  readonly timeouts?: z.input<typeof OriginSpec>['timeouts']
  readonly sessions?: OriginSpec['sessions']
  /** Sessions at origins; without a pool, this gateway alone has them. */
  readonly pool?: OriginSessionPool
  /** Of those sessions, and of calls that wait for their clients. */
  readonly clock?: Clock
  /** Calls that wait for their clients; without it, this gateway alone has them. */
  readonly shared?: SharedParking
  /** What the thread may keep for callers. */
  readonly memory?: CallerMemory
  /** How often the engine looks for what has lasted too long. */
  readonly sweepMs?: number
  /** How Postern proves itself at all origins. */
  readonly auth_mode?: OriginSpec['auth_mode']
  /** What is sent in modes with accounts. */
  readonly connections?: Connections
  /** Whose account the origins are probed with, in modes with accounts; without it they are asked as nobody. */
  readonly probeAs?: string
  /** People whom the virtual MCP is shared with; each has a token of an agent. */
  readonly people?: readonly string[]
}

/** Probes the origins with the usual timeouts, as saving them does, and starts a virtual MCP over all of them that passes everything. */
export async function startVirtualMcp(
  urls: Origins,
  {
    pool,
    clock,
    shared,
    memory,
    sweepMs,
    connections,
    probeAs,
    people = [],
    ...options
  }: VirtualMcpOptions = {},
): Promise<VirtualMcp> {
  let sessions: OriginSessions | null = null
  let parking: Parking | null = null
  let parked = 0
  const [known, second, stranger] = [token('tok_known'), token('tok_second'), token('tok_stranger')]
  const personal = new Map(people.map((person) => [person, token(`tok_${person}`, {}, 'ht')]))
  let updated: (origin: string, uris: readonly string[]) => void = () => {}
  let watch: OriginWatch | null = null
  /** One thread stands for all. */
  function watchOf(gateway: Gateway): OriginWatch {
    if (watch !== null) return watch
    watch = createOriginWatch({
      gateway,
      own: { name: 'postern', version: '0' },
      requestIds: createRequestIds(createClock()),
      clock: createClock(),
      streamWaits: { first: 20, last: 100 },
      news: (origin, news) => void desk.news.push([origin, news]),
      failed: (origin) => void desk.news.push([origin, 'failed']),
      updated: (origin, uris) => updated(origin, uris),
    })
    watch.take(() => true)
    return watch
  }
  const profiles = (slug: string, { fragment }: typeof known) => [
    profile(slug, { auth: 'token', tokens: [fragment] }),
  ]
  const served = await serveVirtualMcps(
    () => [
      client('acme', { virtual_mcps: ['vmc_desk'], profiles: profiles('key', known) }),
      client('brook', { virtual_mcps: ['vmc_desk'], profiles: profiles('brook-key', second) }),
      client('other', { profiles: profiles('other-key', stranger) }),
      ...agentsOf(personal),
    ],
    {
      ...(memory === undefined ? {} : { memory }),
      ...(sweepMs === undefined ? {} : { sweepMs }),
      ...(connections === undefined ? {} : { connections }),
    },
    (gateway) => {
      sessions = originSessions(gateway, clock, pool)
      parking = parkingOf(gateway, clock, shared, (calls) => {
        parked = calls
      })
      return {
        sharedWatch: {
          want: (origin, uris) => watchOf(gateway).want(origin, uris),
          onUpdated(listener) {
            updated = listener
          },
        },
        sessions,
        parking,
        stale: (origin: string) => void desk.news.push([origin, 'changed']),
      }
    },
  )
  const originOf = (slug: string, url: string, members: typeof options = options) => ({
    id: `ori_${slug}`,
    slug,
    spec: OriginSpec.parse({ name: slug, url, ...members }),
  })
  // No test is about the time of this probe, and a machine may be busy
  const { timeouts: _, ...patient } = options
  function probe(
    origin: ReturnType<typeof originOf>,
    as: string | null | undefined = probeAs,
  ): Promise<OriginProbed> {
    const unprobed = compileOrigin(origin, null)
    const own = { name: 'postern', version: '0' }
    return createOriginProbe({ gateway: served.gateway, runner: null, clock: createClock(), own })(
      unprobed,
      as ?? undefined,
    )
  }
  const fragments: Fragment[] = []
  const origins = new Map<string, { slug: string; catalogue: Catalogue; instructions: string }>()
  for (const [slug, url] of Object.entries(urls)) {
    const origin = originOf(slug, url)
    const { steps, found } = await probe(originOf(slug, url, patient))
    assert.ok(found !== null, JSON.stringify(steps))
    fragments.push(compileOrigin(origin, found), compileCatalogue(origin, found))
    origins.set(origin.id, {
      slug,
      catalogue: found.catalogue,
      instructions: found.verdict.instructions,
    })
  }
  const approved = Object.fromEntries(
    [...origins].map(([id, { catalogue, instructions }]) => [id, approvedOf(catalogue, instructions)]),
  )
  const compiled = (changed: Record<string, unknown>): Fragment => {
    const members = [...origins.keys()].map((origin) => ({ origin }))
    const all_users = people.length > 0
    const spec = VirtualMcpSpec.parse({ name: 'Desk', members, all_users, ...changed })
    const virtualMcp = { id: 'vmc_desk', slug: 'desk', spec }
    return compileVirtualMcp({ virtualMcp, origins, names: NO_NAMES, approved })
  }
  fragments.push(compiled({}))
  served.apply(fragments)
  const desk: VirtualMcp = {
    served,
    news: [],
    watch: () => watchOf(served.gateway),
    probe: (url, as) => probe(originOf('probed', url), as),
    fragments,
    url: `http://localhost:${served.port}/mcp/desk`,
    headers: { authorization: `Bearer ${known.text}` },
    publish: (changed) => void served.apply([compiled(changed)]),
    unassign: () => void served.apply([client('acme', { profiles: profiles('key', known) })]),
    otherHeaders: { authorization: `Bearer ${second.text}` },
    assignStranger: () =>
      void served.apply([
        client('other', { virtual_mcps: ['vmc_desk'], profiles: profiles('other-key', stranger) }),
      ]),
    headersOf: (person) => ({ authorization: `Bearer ${personal.get(person)!.text}` }),
    closeSessions: async () => sessions?.close(),
    closeParking: async () => parking?.close(),
    parked: () => parked,
    strangerHeaders: { authorization: `Bearer ${stranger.text}` },
    [Symbol.asyncDispose]() {
      watch?.close()
      return served.close()
    },
  }
  return desk
}

/** People, and an agent with a binding for each of them. @param tokens by id of the person */
function agentsOf(tokens: ReadonlyMap<string, ReturnType<typeof token>>): readonly Fragment[] {
  if (tokens.size === 0) return []
  const bindings = [...tokens].map(([user, { fragment }]) =>
    profile(`as-${user}`, {
      auth: 'token',
      tokens: [fragment],
      binding: { virtual_mcp: 'vmc_desk', user },
    }),
  )
  const host: Fragment = {
    kind: 'host',
    id: 'hst_agent',
    slug: 'agent',
    name: 'Agent',
    active: true,
    bindings,
  }
  return [
    host,
    ...[...tokens.keys()].map((id): Fragment => ({ kind: 'person', id, slug: id, active: true, groups: [] })),
  ]
}

import assert from 'node:assert/strict'
import type { z } from 'zod'
import { createClock } from '../../src/base/clock.ts'
import { createRequestIds } from '../../src/base/ids.ts'
import type { Exchange } from '../../src/gateway/exchange.ts'
import { FIELD_RULES } from '../../src/gateway/fields.ts'
import { createRunningCalls } from '../../src/mcp/http/running.ts'
import { probeOrigin } from '../../src/mcp/origin/probe.ts'
import { createVirtualDoor } from '../../src/mcp/virtual/door.ts'
import { toOriginAnswer } from '../../src/mcp/virtual/origin-call.ts'
import { approvedOf, type Catalogue } from '../../src/model/capability-drift.ts'
import { OriginSpec } from '../../src/model/origin.ts'
import type { OriginProbed } from '../../src/model/origin-probe.ts'
import { VirtualMcpSpec } from '../../src/model/virtual-mcp.ts'
import { createThreadEvents } from '../../src/shared-state/memory/events.ts'
import { compileCatalogue, compileOrigin, compileVirtualMcp } from '../../src/snapshot/compile/mcp.ts'
import type { Fragment } from '../../src/snapshot/fragments.ts'
import { client, profile, token } from '../gateway/fragments.ts'
import { type Served, serve } from '../gateway/serve.ts'
import { createSessionMemory } from '../support/session-memory.ts'

/** A gateway of one thread with the virtual MCP `desk`. */
export interface VirtualMcp extends AsyncDisposable {
  readonly served: Served
  /** Probes an origin with the same timeouts. Never rejects. */
  probe(url: string): Promise<OriginProbed>
  /** The fragments of its origins, catalogues and of itself. */
  readonly fragments: readonly Fragment[]
  readonly url: string
  /** Of a client that may call it. */
  readonly headers: { readonly authorization: string }
  /** Publishes it anew, with other members of its spec. */
  publish(changed: Record<string, unknown>): void
  /** Takes the virtual MCP from the client that may call it. */
  unassign(): void
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
}

/** Probes the origins, as saving them does, and starts a virtual MCP over all of them that passes everything. */
export async function startVirtualMcp(urls: Origins, options: VirtualMcpOptions = {}): Promise<VirtualMcp> {
  const [known, stranger] = [token('tok_known'), token('tok_stranger')]
  const events = createThreadEvents(() => {})
  let door: ReturnType<typeof createVirtualDoor<Exchange>> | null = null
  const profiles = (slug: string, { fragment }: typeof known) => [
    profile(slug, { auth: 'token', tokens: [fragment] }),
  ]
  const served: Served = await serve(
    () => [
      client('acme', { virtual_mcps: ['vmc_desk'], profiles: profiles('key', known) }),
      client('other', { profiles: profiles('other-key', stranger) }),
    ],
    {
      reserved(incoming, _exchange, gateway) {
        door ??= createVirtualDoor<Exchange>({
          gateway,
          sealKey: new Uint8Array(32).fill(7),
          ...createSessionMemory(),
          running: createRunningCalls(events),
          events,
          requestIds: createRequestIds(createClock()),
          origin: `http://localhost:${served.port}`,
          allowsOrigin: (origin) => /^http:\/\/localhost(:\d+)?$/.test(origin),
          corsLines: () => '',
          version: '0.0.0',
          clock: createClock(),
          requestId: (from) => from.state!.requestId,
          taken: [...FIELD_RULES.take, ...FIELD_RULES.peek],
          fault: (error) => assert.fail(String(error)),
          isPersonal: gateway.isPersonal,
        })
        door(incoming)
      },
    },
  )
  const originOf = (slug: string, url: string) => ({
    id: `ori_${slug}`,
    slug,
    spec: OriginSpec.parse({ name: slug, url, ...options }),
  })
  function probe(origin: ReturnType<typeof originOf>): Promise<OriginProbed> {
    const unprobed = compileOrigin(origin, null)
    return probeOrigin({
      send: async (request) => toOriginAnswer(await served.gateway.askOrigin(unprobed, request)),
      clock: createClock(),
      own: { name: 'postern', version: '0' },
    })
  }
  const fragments: Fragment[] = []
  const origins = new Map<string, { slug: string; catalogue: Catalogue }>()
  for (const [slug, url] of Object.entries(urls)) {
    const origin = originOf(slug, url)
    const { steps, found } = await probe(origin)
    assert.ok(found !== null, JSON.stringify(steps))
    fragments.push(compileOrigin(origin, found), compileCatalogue(origin, found))
    origins.set(origin.id, { slug, catalogue: found.catalogue })
  }
  const approved = Object.fromEntries([...origins].map(([id, { catalogue }]) => [id, approvedOf(catalogue)]))
  const compiled = (changed: Record<string, unknown>): Fragment => {
    const members = [...origins.keys()].map((origin) => ({ origin }))
    const spec = VirtualMcpSpec.parse({ name: 'Desk', members, ...changed })
    const virtualMcp = { id: 'vmc_desk', slug: 'desk', spec }
    return compileVirtualMcp({ virtualMcp, origins, names: NO_NAMES, approved })
  }
  fragments.push(compiled({}))
  served.apply(fragments)
  return {
    served,
    probe: (url) => probe(originOf('probed', url)),
    fragments,
    url: `http://localhost:${served.port}/mcp/desk`,
    headers: { authorization: `Bearer ${known.text}` },
    publish: (changed) => void served.apply([compiled(changed)]),
    unassign: () => void served.apply([client('acme', { profiles: profiles('key', known) })]),
    strangerHeaders: { authorization: `Bearer ${stranger.text}` },
    [Symbol.asyncDispose]: () => served.close(),
  }
}

import assert from 'node:assert/strict'
import { createClock } from '../../src/base/clock.ts'
import { probeOrigin } from '../../src/mcp/origin/probe.ts'
import { toOriginAnswer } from '../../src/mcp/virtual/origin-call.ts'
import { approvedOf, type Catalogue } from '../../src/model/capability-drift.ts'
import { OriginSpec } from '../../src/model/origin.ts'
import { VirtualMcpSpec } from '../../src/model/virtual-mcp.ts'
import { compileCatalogue, compileOrigin, compileVirtualMcp } from '../../src/snapshot/compile/mcp.ts'
import type { Fragment } from '../../src/snapshot/fragments.ts'
import { client, profile, token } from '../gateway/fragments.ts'
import type { Served } from '../gateway/serve.ts'
import { serveVirtualMcps } from '../gateway/virtual-door.ts'

/** A gateway of one thread with the virtual MCP `desk`. */
export interface VirtualMcp extends AsyncDisposable {
  readonly served: Served
  readonly url: string
  /** Of a client that may call it. */
  readonly headers: { readonly authorization: string }
  /** Of a client that may not. */
  readonly strangerHeaders: { readonly authorization: string }
}

/** MCP servers to put behind it, by slug. */
export type Origins = Readonly<Record<string, string>>

const NO_NAMES = { tools: [], prompts: [], resources: [], resource_templates: [] }

/** Probes the origins, as saving them does, and starts a virtual MCP over all of them that passes everything. */
export async function startVirtualMcp(urls: Origins): Promise<VirtualMcp> {
  const [known, stranger] = [token('tok_known'), token('tok_stranger')]
  const profiles = (slug: string, { fragment }: typeof known) => [
    profile(slug, { auth: 'token', tokens: [fragment] }),
  ]
  const served: Served = await serveVirtualMcps(() => [
    client('acme', { virtual_mcps: ['vmc_desk'], profiles: profiles('key', known) }),
    client('other', { profiles: profiles('other-key', stranger) }),
  ])
  const fragments: Fragment[] = []
  const origins = new Map<string, { slug: string; catalogue: Catalogue }>()
  for (const [slug, url] of Object.entries(urls)) {
    const origin = { id: `ori_${slug}`, slug, spec: OriginSpec.parse({ name: slug, url }) }
    const unprobed = compileOrigin(origin, null)
    const { steps, found } = await probeOrigin({
      send: async (request) => toOriginAnswer(await served.gateway.askOrigin(unprobed, request)),
      clock: createClock(),
      own: { name: 'postern', version: '0' },
    })
    assert.ok(found !== null, JSON.stringify(steps))
    fragments.push(compileOrigin(origin, found), compileCatalogue(origin, found))
    origins.set(origin.id, { slug, catalogue: found.catalogue })
  }
  const members = [...origins.keys()].map((origin) => ({ origin }))
  const spec = VirtualMcpSpec.parse({ name: 'Desk', members })
  const approved = Object.fromEntries([...origins].map(([id, { catalogue }]) => [id, approvedOf(catalogue)]))
  const virtualMcp = { id: 'vmc_desk', slug: 'desk', spec }
  served.apply([...fragments, compileVirtualMcp({ virtualMcp, origins, names: NO_NAMES, approved })])
  return {
    served,
    url: `http://localhost:${served.port}/mcp/desk`,
    headers: { authorization: `Bearer ${known.text}` },
    strangerHeaders: { authorization: `Bearer ${stranger.text}` },
    [Symbol.asyncDispose]: () => served.close(),
  }
}

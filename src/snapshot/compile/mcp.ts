import type { CatalogueState } from '../../model/catalogue.ts'
import { EMPTY_CATALOGUE } from '../../model/catalogue.ts'
import type { OriginSpec } from '../../model/origin.ts'
import { UpstreamSpec } from '../../model/upstream.ts'
import type { VirtualMcpSpec } from '../../model/virtual-mcp.ts'
import type { CatalogueFragment, OriginFragment, VirtualMcpFragment } from '../fragments.ts'
import type { Desired } from './compile.ts'
import { compileUpstream } from './upstream.ts'

/** An origin. @param found what the last probe has found; null before the first */
export function compileOrigin(
  { id, slug, spec }: Desired<OriginSpec>,
  found: CatalogueState | null,
): OriginFragment {
  const url = spec.url === null ? null : new URL(spec.url)
  return {
    kind: 'origin',
    id,
    slug,
    name: spec.name,
    served_by: spec.kind,
    active: spec.active,
    collection: spec.kind === 'collection' ? spec.collection : null,
    upstream: url === null ? null : compileUpstream(upstreamOf(spec, url)),
    target: url === null ? '' : url.pathname + url.search,
    credential: spec.credential,
    policy: spec.policy,
    verdict: found && {
      version: found.verdict.version,
      capabilities: JSON.stringify(found.verdict.capabilities),
      instructions: found.verdict.instructions,
    },
  }
}

function upstreamOf({ timeouts, pool_max, tls }: OriginSpec, { origin }: URL): UpstreamSpec {
  return UpstreamSpec.parse({ targets: [{ url: origin }], timeouts, pool_max, tls })
}

/** The catalogue of an origin as its last probe has found it. */
export function compileCatalogue(
  { id, slug }: Desired<OriginSpec>,
  found: CatalogueState | null,
): CatalogueFragment {
  return { kind: 'catalogue', id, slug, json: JSON.stringify(found?.catalogue ?? EMPTY_CATALOGUE) }
}

/** A published virtual MCP; of its members those that are active. */
export function compileVirtualMcp({ id, slug, spec }: Desired<VirtualMcpSpec>): VirtualMcpFragment {
  const { name, description, instructions, members, prefix, policy } = spec
  return {
    kind: 'virtual_mcp',
    id,
    slug,
    name,
    description,
    instructions,
    members: members.filter(({ active }) => active).map(({ origin }) => ({ origin })),
    prefix,
    policy,
  }
}

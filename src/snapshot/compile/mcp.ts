/** Compiles origins, catalogues and virtual MCPs, with the public names of capabilities. */
import { toMs } from '../../base/clock.ts'
import { UpstreamSpec } from '../../model/api/upstream.ts'
import type { CapabilityRules } from '../../model/mcp/capability.ts'
import {
  type Approved,
  approvedOf,
  type Catalogue,
  type CatalogueState,
  EMPTY_CATALOGUE,
} from '../../model/mcp/capability-drift.ts'
import type { OriginSpec } from '../../model/mcp/origin.ts'
import { assignNames, assignUris, type PublicNames, prefixesOf } from '../../model/mcp/public-names.ts'
import type { VirtualMcpSpec } from '../../model/mcp/virtual-mcp.ts'
import { basesOf } from '../find/capability-uris.ts'
import type { CatalogueFragment, OriginFragment, VirtualMcpFragment } from '../fragments.ts'
import { type Offer, offeredBy } from '../offer/endpoint-catalogue.ts'
import { rulesOf } from './capability-rules.ts'
import type { Desired } from './compile.ts'
import { compileUpstream } from './upstream.ts'

/** An origin. @param found what the last probe has found; null before the first */
export function compileOrigin(
  { id, slug, spec }: Desired<OriginSpec>,
  found: CatalogueState | null,
): OriginFragment {
  const isStdio = spec.kind === 'stdio'
  const url = isStdio ? entryUrl(spec) : spec.url === null ? null : new URL(spec.url)
  return {
    kind: 'origin',
    id,
    slug,
    name: spec.name,
    served_by: spec.kind,
    active: spec.active,
    collection: spec.kind === 'collection' ? spec.collection : null,
    upstream: url && { ...compileUpstream(upstreamOf(spec, url)), ...(isStdio ? { runner: true } : {}) },
    total_ms: toMs(spec.timeouts.total),
    target: url === null ? '' : url.pathname + url.search,
    ...(isStdio ? { parameters: spec.parameters } : {}),
    credential: spec.credential,
    ...connectionOf(spec),
    policy: spec.policy,
    ...(spec.sessions === 'shared' ? { shares_sessions: true } : {}),
    verdict: found && {
      version: found.verdict.version,
      ...(found.verdict.transport === 'http_sse' ? { transport: 'http_sse' } : {}),
      capabilities: JSON.stringify(found.verdict.capabilities),
      instructions: found.verdict.instructions,
      ...(found.verdict.per_user === true ? { per_user: true } : {}),
    },
  }
}

/** Specs stored by earlier versions have no mode. */
function connectionOf({ auth_mode = 'static' }: Partial<OriginSpec>): Pick<OriginFragment, 'connection'> {
  if (auth_mode === 'static') return {}
  return { connection: auth_mode === 'shared_oauth' ? 'shared' : 'user' }
}

/** An entry of the runner. Each process knows from its settings where its runner is, so the host stands for none (RFC 6761 section 6.4). */
function entryUrl({ entry }: OriginSpec): URL {
  return new URL(`http://runner.invalid/entries/${entry}`)
}

/** An origin that is down is answered for at once: few calls come, so that few failures must be enough. */
const BREAKER = { errors: 50, requests: 5, window: '30s', open: '5s' }

function upstreamOf({ timeouts, pool_max, tls }: OriginSpec, { origin }: URL): UpstreamSpec {
  const { total: _, ...each } = timeouts
  return UpstreamSpec.parse({
    targets: [{ url: origin }],
    timeouts: each,
    pool_max,
    tls,
    breaker: BREAKER,
  })
}

/** The catalogue of an origin as its last probe has found it; of one of kind `collection`, what its endpoints are now. */
export function compileCatalogue(
  { id, slug, spec }: Desired<OriginSpec>,
  found: CatalogueState | null,
  offer: Offer | null = null,
): CatalogueFragment {
  if (spec.kind === 'collection') {
    const { catalogue, endpoints } =
      offer === null ? { catalogue: EMPTY_CATALOGUE, endpoints: null } : offeredBy(offer, true)
    const behind = endpoints === null ? {} : { endpoints: JSON.stringify(endpoints) }
    return { kind: 'catalogue', id, slug, json: JSON.stringify(catalogue), ...behind }
  }
  const catalogue = found?.catalogue ?? EMPTY_CATALOGUE
  const hashes = JSON.stringify(approvedOf(catalogue))
  return { kind: 'catalogue', id, slug, json: JSON.stringify(catalogue), hashes }
}

/** An origin as names are made of it. */
export interface NamedSource {
  readonly slug: string
  readonly catalogue: Catalogue
  /** What its server gives for models to read; absent without. */
  readonly instructions?: string
  /** Of kind `collection`: nothing of it drifts, so nothing is held back. */
  readonly isOwn?: boolean
}

/** What a virtual MCP is compiled from. */
export interface VirtualMcpSource {
  readonly virtualMcp: Desired<VirtualMcpSpec>
  /** Its origins as they are stored, by id; what they list is empty before their first probe. */
  readonly origins: ReadonlyMap<string, NamedSource>
  /** Names that were given before, by type. */
  readonly names: PublicNames
  /** Hashes of approved items, by id of the origin. */
  readonly approved: Readonly<Record<string, Approved>>
}

/** Of a member before its first catalogue, which is approved with the change that stores it. */
const NOTHING_APPROVED: Approved = { tools: {}, prompts: {}, resources: {}, resource_templates: {} }

/** A published virtual MCP; of its members those that are active. */
export function compileVirtualMcp({
  virtualMcp: { id, slug, spec },
  origins,
  names,
  approved,
}: VirtualMcpSource): VirtualMcpFragment {
  const { name, description, instructions, mcp_view, prefix, policy } = spec
  // Specs stored by earlier versions lack them
  const { teams = [], all_users = false } = spec
  const members = membersOf(spec, origins, names)
  return {
    kind: 'virtual_mcp',
    id,
    slug,
    name,
    description,
    instructions,
    mcp_view,
    members: members
      .filter(({ isActive }) => isActive)
      .map((member) => ({
        origin: member.id,
        prefix: member.prefix,
        rules: member.rules,
        approved: origins.get(member.id)?.isOwn === true ? null : (approved[member.id] ?? NOTHING_APPROVED),
      })),
    names: namesOf(members, names, prefix),
    policy,
    ...(teams.length === 0 ? {} : { teams }),
    ...(all_users ? { all_users } : {}),
  }
}

/** All public names of a virtual MCP: those that were given before, and those of what its origins list since. */
export function publicNamesOf({ virtualMcp: { spec }, origins, names }: VirtualMcpSource): PublicNames {
  return namesOf(membersOf(spec, origins, names), names, spec.prefix)
}

interface NamedOrigin {
  readonly id: string
  /** One that is switched off keeps its names. */
  readonly isActive: boolean
  readonly prefix: string
  readonly rules: CapabilityRules
  readonly catalogue: Catalogue
  readonly isOwn?: boolean
}

function membersOf(
  { members }: VirtualMcpSpec,
  origins: VirtualMcpSource['origins'],
  names: PublicNames,
): readonly NamedOrigin[] {
  const known = members
    .filter(({ origin }) => origins.has(origin))
    .map(({ origin, active, capability_policy }) => ({
      id: origin,
      ...origins.get(origin)!,
      isActive: active,
      capability_policy,
    }))
  const prefixes = prefixesOf(known, names)
  return known.map(({ id, isActive, catalogue, isOwn = false, capability_policy }, index) => ({
    id,
    isOwn,
    isActive,
    prefix: prefixes[index]!,
    rules: rulesOf(capability_policy),
    catalogue,
  }))
}

/** The names of everything that the origins list now; those that were given before stay. */
function namesOf(
  members: readonly NamedOrigin[],
  existing: PublicNames,
  mode: VirtualMcpSpec['prefix'],
): PublicNames {
  const named = (type: 'tools' | 'prompts') =>
    members.map(({ id, prefix, rules, catalogue, isOwn = false }) => ({
      id,
      prefix,
      items: basesOf(type, rules, catalogue[type]),
      isOwn,
    }))
  const located = members.map(({ id, prefix, rules, catalogue }) => ({
    id,
    prefix,
    resources: basesOf('resources', rules, catalogue.resources),
    resource_templates: basesOf('resource_templates', rules, catalogue.resource_templates),
  }))
  return {
    tools: assignNames('tools', existing.tools, named('tools'), mode),
    prompts: assignNames('prompts', existing.prompts, named('prompts'), mode),
    ...assignUris(existing, located),
    ...prefixesFor(members, existing),
  }
}

/** A member that has been alone has had no prefix. */
function prefixesFor(members: readonly NamedOrigin[], { prefixes }: PublicNames): Partial<PublicNames> {
  if (members.length <= 1 && prefixes === undefined) return {}
  return { prefixes: Object.fromEntries(members.map(({ id, prefix }) => [id, prefix])) }
}

import type { Opener } from '../../vault/opener.ts'
import { toClosedBeside, toEndpointRules } from '../find/endpoint-rules.ts'
import { limitKeyOf } from '../find/limit-key.ts'
import { ALL_METHODS, methodBits } from '../find/methods.ts'
import { toNetworks } from '../find/network.ts'
import type { ClientFragment, ProfileFragment } from '../fragments.ts'
import type { LinkedClient, LinkedProfile, LinkedToken } from '../linked/client.ts'
import { linkCertificates } from './certificates.ts'
import { lineOf } from './header-line.ts'
import { shared } from './shared.ts'
import { linkVerify } from './verify.ts'

/** Many clients have the same assignments and the same networks. */
const assignmentsOf = shared((ids: readonly string[]): ReadonlySet<string> => new Set(ids))
const networksOf = shared(toNetworks)

const NONE: readonly string[] = []

const AUTH_TYPES: ReadonlySet<string> = new Set(['none', 'token', 'jwt', 'oidc', 'mtls'])

/** Links a client with its profiles and tokens. Throws a RangeError that names what is wrong. */
export function linkClient(fragment: ClientFragment, opener: Opener): LinkedClient {
  const profiles = new Map<string, LinkedProfile>()
  const tokens: LinkedToken[] = []
  const verifying: LinkedProfile[] = []
  const bound: LinkedProfile[] = []
  const unproved: LinkedProfile[] = []
  const open = fragment.profiles.filter((profile) => profile.auth === 'none')
  const active = open.filter((profile) => profile.active)
  const fitting = new Set(active.length > 0 ? active : open)
  const { slug, name, active: isActive, valid_until, policy } = fragment
  const client: { -readonly [K in keyof LinkedClient]: LinkedClient[K] } = {
    kind: 'client',
    id: fragment.id,
    fragment: { slug, name, active: isActive, valid_until, policy },
    collections: assignmentsOf(fragment.collections),
    virtualMcps: assignmentsOf(fragment.virtual_mcps ?? NONE),
    profiles,
    lone: null,
    unproved,
    tokens,
    verifying,
    bound,
    key: limitKeyOf(`client:${fragment.id}`),
  }
  for (const profile of fragment.profiles) {
    const linked = linkProfile(client, profile, opener)
    if (profiles.has(profile.id) || profiles.has(profile.slug))
      throw new RangeError(`two profiles of client ${fragment.slug} are called ${profile.slug}`)
    profiles.set(profile.id, linked)
    profiles.set(profile.slug, linked)
    if (linked.verifier !== null) verifying.push(linked)
    if (linked.certificates !== null) bound.push(linked)
    for (const token of profile.tokens) {
      if (token.lookup.length !== 12 || token.hash.length !== 43)
        throw new RangeError(`token ${token.id} is damaged`)
      tokens.push({ fragment: token, profile: linked })
    }
    if (fitting.has(profile)) unproved.push(linked)
  }
  if (unproved.length === 1) client.lone = unproved[0]!
  return client
}

function linkProfile(client: LinkedClient, fragment: ProfileFragment, open: Opener): LinkedProfile {
  if (!AUTH_TYPES.has(fragment.auth))
    throw new RangeError(`profile ${String(fragment.slug)} has an unknown type`)
  const { collections, endpoints, allowed_methods, ip_allowlist, slug } = fragment
  const { name, active, auth, policy, forward_identity, mcp_search, mcp_view, agent_sign_in } = fragment
  const rules = toEndpointRules(endpoints.allow, endpoints.deny)
  return {
    id: fragment.id,
    fragment: { slug, name, active, auth, policy, forward_identity, mcp_search, mcp_view, agent_sign_in },
    client,
    methods: allowed_methods.length === 0 ? ALL_METHODS : methodBits(allowed_methods),
    networks: ip_allowlist.length === 0 ? null : networksOf(ip_allowlist),
    collections:
      collections === null
        ? client.collections
        : assignmentsOf(collections.filter((id) => client.collections.has(id))),
    endpoints: rules,
    binding: fragment.binding ?? null,
    closedBeside: rules === null ? null : toClosedBeside(rules),
    identityLines: fragment.forward_identity
      ? lineOf('X-Postern-Client', client.fragment.slug) + lineOf('X-Postern-Profile', slug)
      : '',
    verifier: linkVerify(fragment, open),
    certificates: linkCertificates(fragment),
    key: limitKeyOf(`profile:${fragment.id}`),
  }
}

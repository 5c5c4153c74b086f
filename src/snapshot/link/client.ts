import { createSecretKey } from 'node:crypto'
import {
  type Certificate,
  type Crl,
  readCertificate,
  readCrl,
  readPem,
} from '../../base/crypto/certificate.ts'
import { keyFits, readJwk, TRIED_MAX } from '../../base/crypto/jws.ts'
import { toRule } from '../../base/crypto/jwt.ts'
import { Lru } from '../../base/memory/lru.ts'
import type { Opener } from '../../vault/vault.ts'
import { limitKeyOf } from '../find/limit-key.ts'
import { ALL_METHODS, methodBits } from '../find/methods.ts'
import { toNetworks } from '../find/network.ts'
import { toClosedBeside, toEndpointRules } from '../find/offered-endpoints.ts'
import type { ClientFragment, ProfileFragment, VerifyFragment } from '../fragments.ts'
import type {
  LinkedCertificates,
  LinkedClient,
  LinkedProfile,
  LinkedToken,
  LinkedVerifier,
  Specificity,
  VerifyKey,
} from '../linked-types/client.ts'
import { lineOf } from './headers.ts'

/** Different lists that are remembered for each kind of value. */
const LISTS_MAX = 256

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

/**
 * What `make` makes of a list, the same value for lists with the same items: many clients have the same assignments and
 * networks, and each value made once saves memory for each of them. Forgets the list that was not asked for longest.
 * @param make pure; an error is passed on and not remembered
 */
function shared<T>(make: (items: readonly string[]) => T): (items: readonly string[]) => T {
  const made = new Lru<string, { readonly value: T }>(LISTS_MAX)
  return (items) => {
    const key = JSON.stringify(items)
    const known = made.get(key)
    if (known !== undefined) return known.value
    const value = make(items)
    made.set(key, { value })
    return value
  }
}

/** Links how signed tokens of a profile are judged. Throws a RangeError that names what is wrong. */
function linkVerify({ id, slug, verify }: ProfileFragment, open: Opener): LinkedVerifier | null {
  if (verify === null) return null
  const { keys } = verify
  const own =
    keys.from === 'secrets'
      ? keys.secrets.map(
          ({ id: secret, lookup, sealed, retires_at }): VerifyKey => ({
            id: secret,
            kid: lookup,
            alg: null,
            key: createSecretKey(open(sealed, id, secret).reveal(), 'utf8'),
            retiresAt: retires_at,
            isGone: false,
          }),
        )
      : keys.from === 'profile'
        ? keys.keys.map(
            ({ jwk, retires_at }): VerifyKey => ({
              ...readJwk(jwk),
              retiresAt: retires_at,
              isGone: false,
            }),
          )
        : null
  if (own !== null && own.length > TRIED_MAX)
    throw new RangeError(`profile ${slug} has more than ${TRIED_MAX} keys`)
  const kids = (own ?? []).flatMap(({ kid }) => kid ?? [])
  if (new Set(kids).size !== kids.length) throw new RangeError(`two keys of profile ${slug} have one kid`)
  for (const key of own ?? [])
    if (!verify.algs.some((alg) => keyFits(key.key, alg)))
      throw new RangeError(`the algorithms of profile ${slug} leave out its key ${key.id}`)
  return {
    fragment: verify,
    algs: new Set(verify.algs),
    keys: own,
    source: keys.from === 'jwks' || keys.from === 'discovery' ? `${keys.from} ${keys.url}` : '',
    match: verify.match.map(toRule),
    required: verify.required_claims.map(toRule),
    specificity: specificityOf(verify),
  }
}

function specificityOf({ audience, match, required_claims, required_scopes }: VerifyFragment): Specificity {
  const claimsOf = (rules: VerifyFragment['match']): Set<string> => new Set(rules.map(({ claim }) => claim))
  const named = audience === null ? 0 : 1
  return {
    selectors: named + claimsOf(match).size,
    exact: named + claimsOf(match.filter(({ glob }) => glob === null)).size,
    requirements: claimsOf(required_claims).size + new Set(required_scopes).size,
  }
}

/** Alternatives in one binding. */
const AUTHORITIES_MAX = 8

/** Links what certificates of a profile are judged by. Throws a RangeError that names what is wrong. */
function linkCertificates({ auth, certificates }: ProfileFragment): LinkedCertificates | null {
  if (certificates === undefined) {
    if (auth === 'mtls') throw new RangeError('a profile of type mtls has no bindings')
    return null
  }
  return {
    bindings: certificates.bindings.map(({ id, name, ca, retires_at }) => ({
      id,
      name,
      authorities: readAuthorities(ca),
      retiresAt: retires_at,
    })),
    crls: certificates.crl === null ? null : readCrls(certificates.crl),
    softFail: certificates.soft_fail,
  }
}

/** Authorities in a PEM text. Throws an Error that says what is wrong with it. */
export function readAuthorities(pem: string): Certificate[] {
  const authorities = readPem(pem, 'CERTIFICATE').map(readCertificate)
  if (authorities.length > AUTHORITIES_MAX) throw new RangeError(`contains more than ${AUTHORITIES_MAX}`)
  for (const { ca, fault } of authorities) {
    if (ca === null) throw new RangeError('contains a certificate that may not issue others')
    if (fault !== '') throw new RangeError(`contains a certificate that cannot be used: ${fault}`)
  }
  return authorities
}

/** Revocation lists in a PEM text. Throws an Error that says what is wrong with it. */
export function readCrls(pem: string): Crl[] {
  return readPem(pem, 'X509 CRL').map(readCrl)
}

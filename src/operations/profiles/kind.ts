import { z } from 'zod'
import { toMs } from '../../base/clock.ts'
import type { Certificate } from '../../base/crypto/certificate.ts'
import { keyFits, readJwk } from '../../base/crypto/jws.ts'
import { type FieldError, refuse } from '../../base/refusal.ts'
import {
  CREDENTIAL_STATES,
  type JwtAuth,
  KEY_ALGS,
  type MtlsAuth,
  type OidcAuth,
  type ProfileCredentialState,
  ProfileSpec,
  SECRET_ALGS,
} from '../../model/access/profile.ts'
import { HTTP_METHODS } from '../../model/http-names.ts'
import { NOUNS } from '../../model/resource-types.ts'
import { readAuthorities, readCrls } from '../../snapshot/link/client.ts'
import { isSigningSecret } from '../../store/ports/config.ts'
import type { Fields, Resource } from '../../store/ports/resource.ts'
import type { OperationContext } from '../engine/context.ts'
import type { Kind, Self } from '../engine/kind.ts'
import { viewSchema } from '../engine/kind-schema.ts'
import { booleanFilter } from '../engine/lists.ts'
import { createOf, type Making, putOf, standardOf, toggleOf } from '../engine/standard.ts'
import { refuseUsed } from '../engine/standard-delete.ts'
import { issue, issuesOf, keyStates, shownToken, toState } from './tokens.ts'
import { profileWarnings } from './warnings.ts'

/** What get and list show of the credentials of a profile. */
const currentProfileShape = {
  credential_state: z
    .enum([...CREDENTIAL_STATES, 'none'])
    .optional()
    .describe('State of its longest valid credential; none if Postern stores none. Shown by get and list'),
  credential_expires_at: z
    .string()
    .nullable()
    .optional()
    .describe('Expiry of this credential; null: never, or unknown. Shown by get and list'),
}

/** The best first. */
const ORDER = CREDENTIAL_STATES

/** How the credentials of profiles are now, by id of the profile. */
async function currentProfiles(
  profiles: readonly Resource<'profiles'>[],
  { reader, clock }: OperationContext,
) {
  const now = clock.now()
  const tokens = Map.groupBy(await reader.tokensOf(profiles.map(({ id }) => id)), ({ profile }) => profile)
  return new Map(
    profiles.map((profile) => {
      const issued = issuesOf(profile)
      const ownTokens = (tokens.get(profile.id) ?? []).filter(
        (token) => issued !== null && isSigningSecret(token) === (issued === 'secret'),
      )
      // Stored by the schema of this type
      const keys = keyStates(profile.spec['auth'] as ProfileSpec['auth'], now)
      const best = bestOf([...ownTokens.map((token) => toState(token, now)), ...keys])
      const shown = {
        credential_state: best?.state ?? ('none' as const),
        credential_expires_at: best?.expires_at ?? null,
      }
      return [profile.id, shown] as const
    }),
  )
}

/** Of two in one state, the one that lasts longer. */
function bestOf(states: readonly ProfileCredentialState[]): ProfileCredentialState | undefined {
  const lasts = ({ expires_at }: ProfileCredentialState): number =>
    expires_at === null ? Number.POSITIVE_INFINITY : Date.parse(expires_at)
  return states.toSorted(
    (a, b) => ORDER.indexOf(a.state) - ORDER.indexOf(b.state) || (lasts(b) > lasts(a) ? 1 : -1),
  )[0]
}

export const profileKind: Kind<'profiles'> = {
  type: 'profiles',
  noun: NOUNS.profiles,
  prefix: 'pro',
  group: 'manage_profiles',
  about: 'A profile is one way in which a client authenticates, with its own limits.',
  tools: 'Profiles: how a client authenticates (token, JWT, mTLS) and what it may call. Rotates tokens.',
  example: { client: 'acme', name: 'Live', auth: { type: 'token' } },
  spec: ProfileSpec,
  view: viewSchema(ProfileSpec, currentProfileShape),
  columns: ['slug', 'client', 'name', 'auth.type', 'active', 'credential_state', 'policy', 'updated_at'],
  sections: {
    info: ['client', 'name', 'slug', 'description', 'tags', 'active'],
    authentication: ['auth', 'forward_identity', 'agent_sign_in'],
    access: ['allowed_methods', 'ip_allowlist', 'collections', 'endpoints'],
    limits: ['policy'],
    mcp: ['mcp_search', 'mcp_view'],
  },
  refs: [
    { field: 'collections', type: 'collections', many: true },
    { field: 'policy', type: 'policies' },
    { field: 'users', type: 'users', many: true, within: 'agent_sign_in' },
    { field: 'teams', type: 'teams', many: true, within: 'agent_sign_in' },
    { field: 'introspection_credential', type: 'credentials', within: 'auth' },
  ],
  staged: false,
  filters: {
    active: booleanFilter,
    collections: z.string().max(130).describe('Id or slug of a collection'),
    policy: z.string().max(130).describe('Id or slug of the policy'),
  },
  check,
  // Where tokens are looked up: by its own URL or that of its issuer
  sentTo: ({ auth }) => {
    const { issuer, introspection_url } = auth as Fields
    return [issuer ?? null, introspection_url ?? null]
  },
  asks: (spec) => {
    const { auth } = spec
    if (auth.type === 'jwt') return [{ pointer: '/auth/jwks_url', url: auth.jwks_url }]
    if (auth.type !== 'oidc') return []
    return [
      { pointer: '/auth/issuer', url: auth.issuer },
      { pointer: '/auth/introspection_url', url: auth.introspection_url },
    ]
  },
  current: currentProfiles,
  warn: profileWarnings,
}

const TAG = /^tag:[a-z0-9][a-z0-9-]{0,62}$/
const ID = /^prx_[0-9a-z]{26}$/
const CALL = new RegExp(`^(${HTTP_METHODS.join('|')}) /`)

/** An entry of an unknown form would silently allow or deny nothing. */
async function check(fields: ProfileSpec, _self: Self, context: OperationContext): Promise<void> {
  // Parsed by the exact schema, then references became ids, which are strings too.
  const { endpoints, auth } = fields
  const errors: FieldError[] = await authFaults(auth, context)
  for (const list of ['allow', 'deny'] as const)
    for (const [index, entry] of endpoints[list].entries())
      if (!TAG.test(entry) && !ID.test(entry) && !CALL.test(entry))
        errors.push({
          pointer: `/endpoints/${list}/${index}`,
          reason: 'must be an endpoint id, tag:<tag>, or METHOD /path',
        })
  if (errors.length > 0)
    throw refuse('input_invalid', { detail: `${errors[0]!.pointer}: ${errors[0]!.reason}.`, errors })
}

const issuing: Making<Resource<'profiles'>> = {
  output: shownToken,
  revealsOnce: true,
  made: (profile, _input, context) => issue(profile, context),
}

export const profileOperations = {
  ...standardOf(profileKind, refuseUsed),
  create: createOf(profileKind, issuing),
  put: putOf(profileKind, issuing),
  toggle: toggleOf(profileKind),
}

const SKEW_MAX_MS = 5 * 60_000
/** A token that lives longer is a credential of its own; use a profile of type token. */
const LIFETIME_MAX_MS = 30 * 86_400_000
/** Types of credentials that say who asks the introspection endpoint. */
const INTROSPECTING: readonly string[] = ['basic', 'bearer']

/** What is wrong with settings that each are well formed; pointers lead into the profile. */
async function authFaults(auth: ProfileSpec['auth'], context: OperationContext): Promise<FieldError[]> {
  if (auth.type === 'mtls') return certificateFaults(auth)
  if (auth.type === 'jwt') return [...skewFaults(auth), ...jwtFaults(auth)]
  return auth.type === 'oidc' ? [...skewFaults(auth), ...(await oidcFaults(auth, context))] : []
}

const at = (pointer: string, reason: string): FieldError => ({ pointer: `/auth/${pointer}`, reason })

function certificateFaults({ bindings, revocation }: MtlsAuth): FieldError[] {
  const faults: FieldError[] = []
  const authorities: Certificate[] = []
  for (const [index, { ca }] of bindings.entries()) {
    try {
      authorities.push(...readAuthorities(ca))
    } catch (error) {
      faults.push(at(`bindings/${index}/ca`, faultOf(error)))
    }
  }
  if (revocation.crl === null) return faults
  try {
    for (const crl of readCrls(revocation.crl)) {
      const issuers = authorities.filter(({ subject }) => subject === crl.issuer)
      if (issuers.length > 0 && !issuers.some(({ x509 }) => crl.isSignedBy(x509.publicKey)))
        faults.push(at('revocation/crl', 'contains a list that its authority has not signed'))
    }
  } catch (error) {
    faults.push(at('revocation/crl', faultOf(error)))
  }
  return faults
}

function faultOf(error: unknown): string {
  return error instanceof Error ? error.message : 'cannot be read'
}

function skewFaults({ skew }: JwtAuth | OidcAuth): FieldError[] {
  return toMs(skew) > SKEW_MAX_MS ? [at('skew', 'at most 5m')] : []
}

function jwtFaults(auth: JwtAuth): FieldError[] {
  const { mode, keys, jwks_url, audience, algs } = auth
  const faults: FieldError[] = []
  if (toMs(auth.max_lifetime) > LIFETIME_MAX_MS) faults.push(at('max_lifetime', 'at most 30d'))
  const admitted: readonly string[] = mode === 'secret' ? SECRET_ALGS : KEY_ALGS
  for (const [index, alg] of algs.entries())
    if (!admitted.includes(alg))
      faults.push(at(`algs/${index}`, `mode ${mode} allows ${admitted.join(', ')}`))
  if (mode !== 'secret' && audience === null)
    faults.push(at('audience', `required in mode ${mode}, because the issuer also signs tokens for others`))
  if (mode === 'keys' && keys.length === 0) faults.push(at('keys', 'mode keys needs at least one key'))
  if (mode !== 'keys' && keys.length > 0) faults.push(at('keys', `not for mode ${mode}`))
  if (mode === 'jwks_url' && jwks_url === null) faults.push(at('jwks_url', 'required in mode jwks_url'))
  if (mode !== 'jwks_url' && jwks_url !== null)
    faults.push(at('jwks_url', `mode ${mode} does not fetch keys`))
  const kids = new Set<string>()
  for (const [index, jwk] of keys.entries()) {
    try {
      const { id, key } = readJwk(jwk)
      if (kids.has(id)) faults.push(at(`keys/${index}`, 'another key has the same kid'))
      if (algs.length > 0 && !algs.some((alg) => keyFits(key, alg)))
        faults.push(at(`keys/${index}`, 'algs does not contain its algorithm'))
      kids.add(id)
    } catch (error) {
      faults.push(at(`keys/${index}`, faultOf(error)))
    }
  }
  return faults
}

async function oidcFaults(auth: OidcAuth, context: OperationContext): Promise<FieldError[]> {
  const { introspection_credential: id, introspection_url } = auth
  if (id === null)
    return introspection_url === null
      ? []
      : [at('introspection_url', 'needs introspection_credential, with which Postern authenticates')]
  const credential = await context.whole.byId('credentials', id)
  const type = (credential?.spec['auth'] as { type?: string } | undefined)?.type ?? ''
  return INTROSPECTING.includes(type)
    ? []
    : [at('introspection_credential', 'must be a credential of type basic or bearer')]
}

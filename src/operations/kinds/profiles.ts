import { z } from 'zod'
import { type FieldError, refuse } from '../../base/refusal.ts'
import { ProfileSpec } from '../../model/access/profile.ts'
import { HTTP_METHODS } from '../../model/http-names.ts'
import { NOUNS } from '../../model/resource-types.ts'
import type { Fields, Resource } from '../../store/ports/resource.ts'
import type { OperationContext } from '../engine/context.ts'
import type { Kind, Self } from '../engine/kind.ts'
import { viewSchema } from '../engine/kind-schema.ts'
import { booleanFilter } from '../engine/lists.ts'
import { createOf, type Making, putOf, standardOf, toggleOf } from '../engine/standard.ts'
import { refuseUsed } from '../engine/standard-delete.ts'
import { authFaults } from '../profiles/auth-faults.ts'
import { currentProfileShape, currentProfiles } from '../profiles/current.ts'
import { issue, shownToken } from '../profiles/issue.ts'
import { profileWarnings } from '../profiles/warnings.ts'

export const profileKind: Kind<'profiles'> = {
  type: 'profiles',
  noun: NOUNS.profiles,
  prefix: 'pro',
  group: 'manage_profiles',
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
  parent: { field: 'client', type: 'clients' },
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

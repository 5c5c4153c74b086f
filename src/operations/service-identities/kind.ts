import { z } from 'zod'
import { CLIENT_SECRET } from '../../access/accounts.ts'
import { canonicalJson } from '../../base/json/canonical.ts'
import { ServiceIdentitySpec, TrustRuleSpec } from '../../model/access/access.ts'
import { confidential } from '../../model/annotations.ts'
import { Ref, Slug, Time } from '../../model/members.ts'
import { NOUNS } from '../../model/resource-types.ts'
import type { Fields } from '../../store/ports/resource.ts'
import type { OperationContext } from '../engine/context.ts'
import { about, define } from '../engine/define.ts'
import type { Kind, Self } from '../engine/kind.ts'
import { viewSchema } from '../engine/kind-schema.ts'
import { booleanFilter } from '../engine/lists.ts'
import { standardOf, toggleOf } from '../engine/standard.ts'
import { demandHoldsOf } from '../grants/kind.ts'

/** A program that administers Postern: a pipeline, a script, a service. Grants give it permissions, and trust rules identify it. */
export const serviceIdentityKind: Kind<'service_identities'> = {
  type: 'service_identities',
  noun: NOUNS.service_identities,
  prefix: 'svc',
  group: 'manage_access',
  about: 'Machines are service identities: programs that call the management API, such as a pipeline.',
  example: { name: 'CI' },
  spec: ServiceIdentitySpec,
  view: viewSchema(ServiceIdentitySpec, {
    secret_issued_at: Time.nullable()
      .optional()
      .describe('Time at which its client secret was issued; null: it has none. Shown by get and list'),
  }),
  columns: ['slug', 'name', 'active', 'secret_issued_at', 'updated_at'],
  sections: {
    info: ['name', 'slug', 'description', 'tags', 'active'],
    authentication: ['keys'],
  },
  refs: [],
  staged: false,
  filters: { active: booleanFilter },
  current: async (identities, { reader }) => {
    const secrets = await reader.secretsOf(identities.map(({ id }) => id))
    const issued = new Map(
      secrets.flatMap(({ owner, field, updated_at }) =>
        field === CLIENT_SECRET ? [[owner, updated_at]] : [],
      ),
    )
    return new Map(identities.map(({ id }) => [id, { secret_issued_at: issued.get(id) ?? null }]))
  },
  check: judge,
}

/** Whoever holds the private key is it; and who lets it in again, or by another proof, could be who has that. */
async function judge(fields: Fields, { id }: Self, context: OperationContext): Promise<void> {
  // The schema of this kind has parsed both.
  const spec = fields
  const before = (await context.whole.byId('service_identities', id))?.spec
  const isRevived = spec.active && before?.active === false
  const isProvedElse = canonicalJson(spec.keys) !== canonicalJson(before?.keys ?? [])
  if (isRevived || isProvedElse) await demandHoldsOf(id, context)
}

export const serviceIdentityOperations = {
  ...standardOf(serviceIdentityKind),
  toggle: toggleOf(serviceIdentityKind, ({ id }, context) => demandHoldsOf(id, context)),
}

/** Which tokens of workloads stand for a service identity, so that pipelines store no secret. */
export const trustRuleKind: Kind<'trust_rules'> = {
  type: 'trust_rules',
  noun: NOUNS.trust_rules,
  prefix: 'tru',
  group: 'manage_access',
  about: 'A trust rule accepts tokens of another issuer, such as a CI system, for a service identity.',
  example: {
    service_identity: 'ci',
    name: 'Releases',
    issuer: 'https://token.actions.githubusercontent.com',
    audience: 'https://gateway.example.com/management/v1',
    conditions: [{ claim: 'repository', equals: 'acme/orders' }],
  },
  spec: TrustRuleSpec,
  view: viewSchema(TrustRuleSpec),
  columns: ['slug', 'service_identity', 'issuer', 'audience', 'updated_at'],
  sections: {
    info: ['name', 'slug', 'description', 'tags'],
    token: ['service_identity', 'issuer', 'jwks_url', 'audience', 'conditions'],
  },
  refs: [],
  staged: false,
  filters: {},
  asks: (spec) => {
    const { issuer, jwks_url } = spec
    return [
      // Beside a URL for its keys it is a name that tokens have
      { pointer: '/issuer', url: jwks_url === null ? issuer : null },
      { pointer: '/jwks_url', url: jwks_url },
    ]
  },
  check: (_spec, self, context) => demandHoldsOf(self.parent!, context),
}

export const trustRuleOperations = standardOf(trustRuleKind)

/** A secret by which a service identity gets tokens; the one before ends. */
export const issueSecret = define({
  resource: serviceIdentityKind.type,
  action: 'issue_secret',
  effect: 'act',
  tool: 'issue_service_identity_secret',
  group: serviceIdentityKind.group,
  summary:
    'Create the client secret of a service identity (client_credentials). The previous secret stops working',
  input: z.strictObject({ id: Ref }),
  output: z.object({
    id: z.string().describe('client_id; the slug also works as client_id'),
    slug: Slug,
    client_secret: confidential('secret', z.string()).optional().describe('Shown only in this response'),
  }),
  permission: `${serviceIdentityKind.type}:update`,
  refuses: ['not_found', 'revision_conflict', 'idempotency_conflict', 'secret_already_shown'],
  revealsOnce: true,
  columns: ['id', 'slug', 'client_secret'],
  ...about(serviceIdentityKind),
  handle: async ({ id }, context) => {
    const identity = await context.change.act(serviceIdentityKind.type, id)
    // A holder of the secret acts with all permissions of the service identity
    await demandHoldsOf(identity.id, context)
    const secret = await context.change.secrets.issueClientSecret(identity)
    return {
      id: identity.id,
      slug: identity.slug,
      ...(secret === undefined ? {} : { client_secret: secret }),
    }
  },
})

import { z } from 'zod'
import { confidential } from '../../model/annotations.ts'
import { Ref, Slug } from '../../model/members.ts'
import { about, define } from '../engine/define.ts'
import { serviceIdentityKind } from '../kinds/service-identities.ts'
import { demandHoldsOf } from './authority.ts'

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

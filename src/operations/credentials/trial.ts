import { z } from 'zod'
import { refuse } from '../../base/refusal.ts'
import { confidential } from '../../model/annotations.ts'
import { type CredentialTest, isFetched } from '../../model/api/credential.ts'
import { Ref } from '../../model/members.ts'
import type { CredentialFragment } from '../../snapshot/fragments.ts'
import type { Resource } from '../../store/ports/resource.ts'
import type { OperationContext } from '../engine/context.ts'
import type { CredentialTrial } from '../engine/ports.ts'
import { getRef } from '../engine/refs.ts'

/** Where a credential is tried. */
export const trialInput = {
  collection: Ref.optional().describe('Published collection whose upstream is called with it'),
  path: z
    .string()
    .max(2048)
    .regex(/^\/[!-~]*$/, 'a path such as /health')
    .default('/')
    .describe('Path for the GET request, below the path of the upstream'),
  subject_token: confidential(
    'secret',
    z
      .string()
      .max(16_384)
      .regex(/^[!-~]+$/, 'a token'),
  )
    .optional()
    .describe("For token_exchange: a caller's token to exchange; not stored"),
}

interface Where {
  readonly collection?: string | undefined
  readonly path: string
}

/**
 * The place of a call: in the collection that was named, else, where a call is the only way to know, in the first
 * published one that uses the credential. Null for no call.
 */
export async function placeOf(
  credential: Resource,
  type: CredentialFragment['type'],
  { collection, path }: Where,
  context: OperationContext,
): Promise<CredentialTrial['at']> {
  if (collection !== undefined) {
    const named = await getRef(context.reader, 'collections', collection)
    if (!isCallable(named))
      throw refuse('configuration_invalid', {
        detail: `The collection "${named.slug}" is not published, or has no upstream.`,
        errors: [{ pointer: '/collection', reason: 'must be published and have an upstream' }],
      })
    // A secret goes to who has it already, or with the right to give it to others
    const users = await sendersOf(credential, context)
    if (!users.some(({ id, parent }) => id === named.id || parent === named.id))
      await context.demand('credentials:use', credential)
    return { collection: named.id, target: path }
  }
  if (isFetched(type)) return null
  for (const user of await sendersOf(credential, context)) {
    const id = user.type === 'proxies' ? user.parent : user.type === 'collections' ? user.id : null
    const used = id === null ? undefined : await context.reader.byId('collections', id)
    if (used !== undefined && isCallable(used)) return { collection: used.id, target: path }
  }
  return null
}

/** What sends it to the upstream of a collection. A node of a workflow sends it elsewhere. */
async function sendersOf({ id }: Resource, { reader }: OperationContext): Promise<readonly Resource[]> {
  const users = await reader.usersOf(id)
  return users.filter(({ spec, draft }) => spec['credential'] === id || draft?.['credential'] === id)
}

function isCallable({ status, spec }: Resource): boolean {
  return status === 'published' && spec['upstream'] != null
}

/** Makes the trial. Refuses with not_ready where nobody can. */
export async function tried(trial: CredentialTrial, context: OperationContext): Promise<CredentialTest> {
  if (context.options.dryRun === true)
    throw refuse('input_invalid', {
      detail: 'This operation makes real calls, so it has no dry run.',
      errors: [{ pointer: '/dry_run', reason: 'not for this operation' }],
    })
  try {
    return await context.credentials.test(trial)
  } catch (error) {
    throw refuse('not_ready', {
      detail: `The trial cannot be made now: ${error instanceof Error ? error.message : 'unknown reason'}.`,
    })
  }
}

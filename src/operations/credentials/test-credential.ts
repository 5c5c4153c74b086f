import { z } from 'zod'
import { refuse } from '../../base/refusal.ts'
import { CredentialTest, isFetched } from '../../model/api/credential.ts'
import { Ref } from '../../model/members.ts'
import { compileResource } from '../../snapshot/compile/compile-resource.ts'
import type { CredentialFragment } from '../../snapshot/fragments.ts'
import { about, define } from '../engine/define.ts'
import { credentialKind } from './kind.ts'
import { placeOf, trialInput, tried } from './rotate.ts'

export const testCredential = define({
  resource: 'credentials',
  action: 'test',
  effect: 'act',
  without: ['dry_run'],
  tool: 'test_credential',
  group: credentialKind.group,
  summary: 'Test a credential with a real call to its token endpoint or to an upstream',
  input: z.strictObject({ id: Ref, ...trialInput }),
  output: z.object({ id: z.string(), slug: z.string(), ...CredentialTest.shape }),
  permission: 'credentials:test',
  refuses: ['not_found', 'configuration_invalid', 'revision_conflict', 'idempotency_conflict', 'not_ready'],
  idempotent: true,
  columns: ['steps.step', 'steps.ok', 'steps.latency_ms', 'steps.status', 'steps.error'],
  ...about(credentialKind),
  prepare: async (input, context) => {
    const { id, slug, ...credential } = await context.find('credentials', input.id)
    // A credential compiles to one fragment, of itself.
    const fragment = (await compileResource(context.whole, { type: 'credentials', id }))
      .put[0] as CredentialFragment
    const at = await placeOf({ id, slug, ...credential }, fragment.type, input, context)
    if (at === null && !isFetched(fragment.type))
      throw refuse('configuration_invalid', {
        detail: `No published collection uses "${slug}": give a target for the test.`,
        errors: [{ pointer: '/collection', reason: 'required' }],
      })
    if (fragment.type === 'token_exchange' && input.subject_token === undefined)
      throw refuse('configuration_invalid', {
        detail: 'A test of a token exchange needs the token of a caller.',
        errors: [{ pointer: '/subject_token', reason: 'required' }],
      })
    const subjectToken = input.subject_token ?? null
    return { id, slug, ...(await tried({ fragment, secrets: {}, at, subjectToken }, context)) }
  },
  handle: async (tested, { change }) => {
    await change.act('credentials', tested.id)
    change.finding = tested.summary
    return tested
  },
})

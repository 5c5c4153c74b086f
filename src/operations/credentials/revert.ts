import { z } from 'zod'
import { refuse } from '../../base/refusal.ts'
import { previousUntil } from '../../model/api/credential.ts'
import { Ref } from '../../model/members.ts'
import { about, define } from '../engine/define.ts'
import { getRef } from '../engine/refs.ts'
import { viewOf } from '../engine/views.ts'
import { replaceResource } from '../engine/write-resource.ts'
import { credentialKind } from './kind.ts'

export const revertCredential = define({
  resource: 'credentials',
  action: 'revert',
  effect: 'act',
  tool: 'revert_credential',
  group: credentialKind.group,
  summary: 'Undo a rotation during its overlap; the newer secret is deleted',
  input: z.strictObject({ id: Ref }),
  output: credentialKind.view,
  permission: 'credentials:rotate',
  refuses: ['not_found', 'configuration_invalid', 'revision_conflict', 'idempotency_conflict'],
  columns: ['slug', 'auth.type', 'revision'],
  ...about(credentialKind),
  handle: async ({ id }, context) => {
    const { change, reader } = context
    const credential = await change.act('credentials', id)
    const now = context.clock.now()
    const kept = (await reader.secretsOf([credential.id])).find(
      ({ field }) => (previousUntil(field) ?? 0) > now,
    )
    const text = kept && (await change.secrets.open(credential, kept.field))
    if (text === undefined)
      throw refuse('configuration_invalid', {
        detail: `"${credential.slug}" was not rotated, or the overlap has passed: there is nothing to go back to.`,
        errors: [{ pointer: '/id', reason: 'nothing to go back to' }],
      })
    const spec = credentialKind.spec.parse({ ...credential.spec, ...JSON.parse(text) })
    await replaceResource(context, credentialKind, credential, spec)
    return viewOf(reader, credentialKind, await getRef(reader, 'credentials', credential.id))
  },
})

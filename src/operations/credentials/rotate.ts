import { z } from 'zod'
import { toTime } from '../../base/clock.ts'
import { toInputInvalid } from '../../base/json/field-errors.ts'
import { type FieldError, refuse } from '../../base/refusal.ts'
import {
  type CredentialAuth,
  CredentialSpec,
  isFetched,
  previousField,
  secretFieldsOf,
} from '../../model/api/credential.ts'
import { isReference } from '../../model/api/credential-facts.ts'
import { Overlap, overlapMsOf, Ref, Time } from '../../model/members.ts'
import { compileCredential } from '../../snapshot/compile/compile.ts'
import type { Fields, Resource } from '../../store/ports/resource.ts'
import type { OperationContext } from '../engine/context.ts'
import { about, define } from '../engine/define.ts'
import { patchSchema } from '../engine/patch-schema.ts'
import { splitSecrets } from '../engine/resource-secrets.ts'
import { viewOf } from '../engine/views.ts'
import { mergePatch, patchResource } from '../engine/write-resource.ts'
import { credentialKind } from './kind.ts'
import { placeOf, trialInput, tried } from './trial.ts'

// The loosened form of an object is one, or nothing
const AuthPatch = z.nonoptional(patchSchema(CredentialSpec)['auth'] as z.ZodType<Fields | undefined>)

export const rotateCredential = define({
  resource: 'credentials',
  action: 'rotate',
  effect: 'act',
  tool: 'rotate_credential',
  group: credentialKind.group,
  summary:
    'Test a new secret and replace the current one with it. If the upstream refuses the new secret during the overlap, the previous one is used',
  input: z.strictObject({
    id: Ref,
    auth: AuthPatch.describe('The new secret, and settings that change with it, such as {"token":"…"}'),
    overlap: Overlap.default('1h').describe('Time for which the current secret stays usable: 0s to 30d'),
    expires_at: Time.nullable().default(null).describe('Expiry of the new secret, if known'),
    untested: z.boolean().default(false).describe('Replace without a test'),
    ...trialInput,
  }),
  output: credentialKind.view.extend({
    tested: z.boolean().describe('False if no test target is known or the test was skipped'),
    previous_until: z.string().nullable(),
  }),
  permission: 'credentials:rotate',
  refuses: ['not_found', 'configuration_invalid', 'revision_conflict', 'idempotency_conflict', 'not_ready'],
  columns: ['slug', 'auth.type', 'tested', 'previous_until'],
  ...about(credentialKind),
  prepare: async (input, context) => {
    const credential = await context.find('credentials', input.id)
    const next = nextOf(credential, input.auth)
    const isWanted = !input.untested && context.options.dryRun !== true
    const tested = isWanted && (await isTested(credential, next, input, context))
    return { ...input, revision: credential.revision, tested }
  },
  handle: async ({ id, auth, expires_at, overlap, revision, tested }, context) => {
    const { change } = context
    const credential = await change.act('credentials', id)
    if (credential.revision !== revision)
      throw refuse('revision_conflict', {
        detail: `"${credential.slug}" was changed meanwhile. Rotate again.`,
      })
    const before = { auth: await withSecret(credential, context), expires_at: credential.spec['expires_at'] }
    const stored = await patchResource(context, credentialKind, credential, { auth, expires_at })
    const overlapMs = overlapMsOf(overlap)
    const until = overlapMs === 0 ? null : context.clock.now() + overlapMs
    if (until !== null) await change.secrets.set(stored, previousField(until), JSON.stringify(before), 'none')
    const view = await viewOf(
      context.reader,
      credentialKind,
      (await context.whole.byId('credentials', credential.id))!,
    )
    return { ...view, tested, previous_until: until === null ? null : toTime(until) }
  },
})

/** What the credential is to be, parsed. Refuses what is no new secret of its type. */
function nextOf({ slug, spec }: Resource, patch: Fields): CredentialAuth {
  const auth = spec['auth'] as CredentialAuth & Fields
  const fault = (detail: string, error: FieldError) =>
    refuse('configuration_invalid', { detail, errors: [error] })
  if (patch['type'] !== undefined && patch['type'] !== auth.type)
    throw fault('A rotation cannot change the type; update the credential.', {
      pointer: '/auth/type',
      reason: `must be ${auth.type}`,
    })
  for (const field of secretFieldsOf(auth)) {
    if (isReference(auth[field]))
      throw fault(`The ${field} of "${slug}" is read elsewhere: change it there.`, {
        pointer: '/id',
        reason: 'its secret is read from an outside source',
      })
    if (patch[field] === undefined)
      throw fault(`Give the new ${field}.`, { pointer: `/auth/${field}`, reason: 'required' })
  }
  const parsed = CredentialSpec.pick({ auth: true }).safeParse({ auth: mergePatch(auth, patch) })
  if (!parsed.success) throw toInputInvalid(parsed.error)
  return parsed.data.auth
}

/** False when nothing says where to try it. Refuses when it does not work. */
async function isTested(
  credential: Resource,
  next: CredentialAuth,
  where: z.output<z.ZodObject<typeof trialInput>>,
  context: OperationContext,
): Promise<boolean> {
  const at = await placeOf(credential, next.type, where, context)
  const subjectToken = where.subject_token ?? null
  if (next.type === 'token_exchange' ? subjectToken === null : at === null && !isFetched(next.type))
    return false
  const { spec, secrets } = splitSecrets(credentialKind, { auth: next })
  // The parsed settings without their secrets
  const auth = spec['auth'] as CredentialAuth
  const fragment = compileCredential({ id: credential.id, slug: credential.slug, spec: { auth } }, {})
  const trial = { fragment, secrets: Object.fromEntries(secrets), at, subjectToken }
  const { ok, summary } = await tried(trial, context)
  if (!ok)
    throw refuse('configuration_invalid', {
      detail: `Nothing was changed. ${summary} Say where to try it, or rotate with untested.`,
      errors: [{ pointer: '/auth', reason: summary }],
    })
  return true
}

/** The settings of a credential with its secrets in their places. */
async function withSecret({ spec, ...credential }: Resource, context: OperationContext): Promise<Fields> {
  const auth = { ...(spec['auth'] as Fields) }
  for (const field of secretFieldsOf(spec['auth'] as CredentialAuth))
    auth[field] = await context.change.secrets.open({ spec, ...credential }, field)
  return auth
}

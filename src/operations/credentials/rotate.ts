import { z } from 'zod'
import { permits } from '../../access/roles.ts'
import { toMs, toTime } from '../../base/clock.ts'
import { toInputInvalid } from '../../base/json/fault.ts'
import { type FieldError, refuse } from '../../base/refusal.ts'
import { confidential, unit } from '../../model/annotations.ts'
import {
  type CredentialAuth,
  CredentialSpec,
  type CredentialTest,
  isFetched,
  previousField,
  previousUntil,
  secretFieldsOf,
} from '../../model/api/credential.ts'
import { isReference } from '../../model/api/credential-facts.ts'
import { Duration, Overlap, overlapMsOf, Ref, Slug, Time } from '../../model/members.ts'
import { compileCredential } from '../../snapshot/compile/compile.ts'
import type { CredentialFragment } from '../../snapshot/fragments.ts'
import { isSigningSecret, type StoredSecret } from '../../store/ports/config.ts'
import type { Fields, Resource } from '../../store/ports/resource.ts'
import type { OperationContext } from '../engine/context.ts'
import { about, define } from '../engine/define.ts'
import { patchSchema } from '../engine/kind-schema.ts'
import { fromCursor, page, pageOf, toCursor } from '../engine/lists.ts'
import type { CredentialTrial } from '../engine/ports.ts'
import { getRef } from '../engine/refs.ts'
import { splitSecrets } from '../engine/resource-secrets.ts'
import { viewOf } from '../engine/views.ts'
import { mergePatch, patchResource, replaceResource } from '../engine/write-resource.ts'
import { issuesOf, keyStates, toMinute, toState } from '../profiles/tokens.ts'
import {
  credentialKind,
  expiryOf,
  judge,
  lastTestOf,
  rotationDueAt,
  STATES,
  secretChangedAt,
} from './kind.ts'

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
      detail: `The test cannot run now: ${error instanceof Error ? error.message : 'unknown reason'}.`,
    })
  }
}

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
        detail: `"${credential.slug}" was changed during the rotation. Rotate again.`,
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
      throw fault(`The ${field} of "${slug}" is read from an external source: change it there.`, {
        pointer: '/id',
        reason: 'its secret is read from an external source',
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
      detail: `Nothing was changed. ${summary} Give a target for the test, or rotate with untested.`,
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
        detail: `"${credential.slug}" was not rotated, or the overlap has passed: it cannot be reverted.`,
        errors: [{ pointer: '/id', reason: 'cannot be reverted' }],
      })
    const spec = credentialKind.spec.parse({ ...credential.spec, ...JSON.parse(text) })
    await replaceResource(context, credentialKind, credential, spec)
    return viewOf(reader, credentialKind, await getRef(reader, 'credentials', credential.id))
  },
})

const USERS_MAX = 100

export const getCredentialState = define({
  resource: 'credentials',
  action: 'state',
  effect: 'read',
  tool: 'get_credential_state',
  group: credentialKind.group,
  summary: 'Show the state of a credential: expiry, last use, last test and users of it; never the secret',
  input: z.strictObject({ id: Ref }),
  output: z.object({
    id: z.string(),
    slug: z.string(),
    type: z.string(),
    state: z
      .enum(STATES)
      .describe(
        'unresolved: a secret cannot be read from its source; failing: the last test failed; expiring: within 7 days',
      ),
    reason: z.string().nullable().describe('Cause of the state unresolved or failing'),
    expires_at: z.string().nullable(),
    secret_changed_at: z.string().nullable().describe('null if it is read from an external source'),
    rotation_due_at: z
      .string()
      .nullable()
      .describe('Time at which its secret reaches the age rotate_every; null if not set or unknown'),
    previous_until: z
      .string()
      .nullable()
      .describe('End of the overlap in which the previous secret is used if the current one is refused'),
    last_used_at: z.string().nullable().describe('Time of the last call with it, to the minute'),
    last_test: z.object({ time: z.string(), summary: z.string() }).nullable(),
    used_by: z.array(z.string()).describe('Such as collections/orders'),
  }),
  permission: 'credentials:read',
  refuses: ['not_found'],
  columns: ['slug', 'type', 'state', 'reason', 'expires_at', 'last_used_at'],
  ...about(credentialKind),
  handle: async (input, context) => {
    const credential = await context.find('credentials', input.id)
    const { id, slug, spec } = credential
    // Stored by the schema of this type.
    const auth = spec['auth'] as CredentialAuth
    const expires = expiryOf(spec)
    const secrets = await context.reader.secretsOf([id])
    const test = await lastTestOf(id, context)
    const users = await context.reader.usersOf(id)
    return {
      id,
      slug,
      type: auth.type,
      ...judge(credential, test, context),
      expires_at: expires,
      secret_changed_at: secretChangedAt(credential, secrets),
      rotation_due_at: rotationDueAt(credential, secrets),
      previous_until: previousEnd(secrets, context.clock.now()),
      last_used_at: toMinute((await context.credentials.uses()).get(id) ?? null),
      last_test: test === undefined ? null : { time: test.time, summary: test.detail ?? '' },
      used_by: users.slice(0, USERS_MAX).map(nameOf),
    }
  },
})

/** When what it was before a rotation ends; null when there is nothing, or it has ended. */
function previousEnd(secrets: readonly StoredSecret[], now: number): string | null {
  const ends = secrets.map(({ field }) => previousUntil(field)).find((until) => until !== null && until > now)
  return ends === undefined || ends === null ? null : toTime(ends)
}

const nameOf = ({ type, slug }: Resource): string => `${type}/${slug}`

const DAY_MS = 86_400_000
/** What is old where nobody says another age. */
const OLD_MS = 90 * DAY_MS
/** A list of all that may be read. */
const ALL = 1_000_000

const Stale = z.object({
  type: z.enum(['profile', 'credential']),
  ref: z.string().describe('The profile or credential, such as acme:live'),
  credential_id: z.string().nullable().describe('For a profile: the token, secret, key or binding'),
  why: z
    .array(z.enum(['due', 'old', 'expiring', 'expired']))
    .min(1)
    .describe('due: older than its rotate_every'),
  since: z.string().nullable().describe('Time at which it was issued or last changed; null if unknown'),
  age_days: z.int().meta(unit('days')).nullable(),
  expires_at: z.string().nullable(),
})
type Stale = z.infer<typeof Stale>

export const listStaleCredentials = define({
  resource: 'credentials',
  action: 'stale',
  effect: 'read',
  tool: 'list_stale_credentials',
  group: credentialKind.group,
  summary: 'List credentials of profiles and upstreams that are old or about to expire',
  input: z.strictObject({
    ...page,
    older_than: Duration.optional().describe(
      'Age from which a credential is old. Default: rotate_every of the credential, or 90d',
    ),
    expiring_within: Duration.default('7d').describe(
      'Time before expiry from which a credential counts as expiring',
    ),
    tag: Slug.optional().describe('Only resources with the tag, or resources of a client with the tag'),
  }),
  output: pageOf(Stale),
  permission: 'credentials:read',
  refuses: [],
  columns: ['type', 'ref', 'why', 'age_days', 'expires_at', 'credential_id'],
  subject: () => ({ type: credentialKind.noun, id: null, slug: null }),
  handle: async ({ limit, cursor, older_than, expiring_within, tag }, context) => {
    const now = context.clock.now()
    const bounds = {
      now,
      oldMs: older_than === undefined ? null : toMs(older_than),
      soonMs: toMs(expiring_within),
    }
    const all = [...(await ofProfiles(bounds, tag, context)), ...(await ofCredentials(bounds, tag, context))]
    // Oldest first; without a known age last
    all.sort((a, b) => (b.age_days ?? -1) - (a.age_days ?? -1) || (a.ref < b.ref ? -1 : 1))
    const from = cursor === undefined ? 0 : Number(fromCursor(cursor, /^[0-9]{1,7}$/))
    const to = from + limit
    return { items: all.slice(from, to), next_cursor: all.length > to ? toCursor(String(to)) : null }
  },
})

interface Bounds {
  readonly now: number
  /** Null where that was not asked for. */
  readonly oldMs: number | null
  readonly soonMs: number
}

/** Those that work and are not about to end by a rotation. */
async function ofProfiles(bounds: Bounds, tag: string | undefined, context: OperationContext) {
  // Who may not read profiles gets what they may read.
  if (!permits(context.principal, 'profiles:read')) return []
  const { reader, whole } = context
  const profiles = await reader.list({ type: 'profiles', limit: ALL })
  const clients = new Map((await whole.all('clients')).map((client) => [client.id, client]))
  const tokens = Map.groupBy(await reader.tokensOf(profiles.map(({ id }) => id)), ({ profile }) => profile)
  return profiles.flatMap((profile) => {
    const client = clients.get(profile.parent!)!
    if (tag !== undefined && !hasTag(profile, tag) && !hasTag(client, tag)) return []
    const issued = issuesOf(profile)
    const ownTokens = (tokens.get(profile.id) ?? []).filter(
      (token) => issued !== null && isSigningSecret(token) === (issued === 'secret'),
    )
    const states = [
      ...ownTokens.map((token) => toState(token, bounds.now)),
      ...keyStates(profile.spec['auth'], bounds.now),
    ].filter(({ state }) => state === 'valid' || state === 'expiring_soon')
    return states.flatMap(({ id, created_at, expires_at }) =>
      staleOf('profile', `${client.slug}:${profile.slug}`, id, created_at, expires_at, bounds),
    )
  })
}

async function ofCredentials(bounds: Bounds, tag: string | undefined, { reader }: OperationContext) {
  const credentials = await reader.list({ type: 'credentials', limit: ALL })
  const secrets = Map.groupBy(await reader.secretsOf(credentials.map(({ id }) => id)), ({ owner }) => owner)
  return credentials.flatMap((credential) => {
    if (tag !== undefined && !hasTag(credential, tag)) return []
    const ownSecrets = secrets.get(credential.id) ?? []
    const since = secretChangedAt(credential, ownSecrets)
    const due = rotationDueAt(credential, ownSecrets)
    return staleOf('credential', credential.slug, null, since, expiryOf(credential.spec), bounds, due)
  })
}

function hasTag({ spec }: Resource, tag: string): boolean {
  return (spec['tags'] as readonly string[]).includes(tag)
}

function staleOf(
  type: Stale['type'],
  ref: string,
  credential_id: string | null,
  since: string | null,
  expires_at: string | null,
  { now, oldMs, soonMs }: Bounds,
  due: string | null = null,
): Stale[] {
  const age = since === null ? null : now - Date.parse(since)
  const left = expires_at === null ? Number.POSITIVE_INFINITY : Date.parse(expires_at) - now
  const why: Stale['why'] = []
  if (due !== null && Date.parse(due) <= now) why.push('due')
  const bound = oldMs ?? (due === null ? OLD_MS : Number.POSITIVE_INFINITY)
  if (age !== null && age >= bound) why.push('old')
  if (left <= soonMs) why.push(left <= 0 ? 'expired' : 'expiring')
  if (why.length === 0) return []
  const age_days = age === null ? null : Math.floor(age / DAY_MS)
  return [{ type, ref, credential_id, why, since, age_days, expires_at }]
}

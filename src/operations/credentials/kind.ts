import { z } from 'zod'
import { toMs, toTime } from '../../base/clock.ts'
import { certificatesOf } from '../../base/crypto/certificate.ts'
import { refuse } from '../../base/refusal.ts'
import type { AuditEntry } from '../../model/access/audit.ts'
import { type CredentialAuth, CredentialSpec, secretFieldsOf } from '../../model/api/credential.ts'
import { isReference, tellsFailure } from '../../model/api/credential-facts.ts'
import { SecretState } from '../../model/api/secret.ts'
import { EXPIRES_SOON_MS } from '../../model/bounds.ts'
import { NOUNS } from '../../model/resource-types.ts'
import { clientKeyFault, keyOf } from '../../snapshot/link/credential.ts'
import type { StoredSecret } from '../../store/ports/config.ts'
import type { Fields, Resource } from '../../store/ports/resource.ts'
import type { OperationContext } from '../engine/context.ts'
import type { Kind, Self, Warning } from '../engine/kind.ts'
import { viewSchema } from '../engine/kind-schema.ts'
import { calledBy } from '../engine/refs.ts'
import { standardOf } from '../engine/standard.ts'
import { refuseUsed } from '../engine/standard-delete.ts'
import { toMinute } from '../profiles/tokens.ts'

export const STATES = ['ok', 'unresolved', 'expired', 'failing', 'expiring'] as const

/** What get and list show of how a credential is. */
const currentCredentialShape = {
  state: z.enum(STATES).optional().describe('State, as in credentials.state. Shown by get and list'),
  ends_at: z
    .string()
    .nullable()
    .optional()
    .describe('The earlier of expires_at and the expiry of its certificate. Shown by get and list'),
  rotation_due_at: z
    .string()
    .nullable()
    .optional()
    .describe('Time at which its secret reaches the age rotate_every. Shown by get and list'),
  last_used_at: z
    .string()
    .nullable()
    .optional()
    .describe('Last call with it, to the minute. Shown by get and list'),
}

/** How credentials are now, by id. Of one alone its last test is looked up, of many among the last thousand. */
async function currentCredentials(credentials: readonly Resource[], context: OperationContext) {
  const uses = await context.credentials.uses()
  const rotated = credentials.filter(({ spec }) => spec['rotate_every'] != null).map(({ id }) => id)
  const secrets = rotated.length === 0 ? [] : await context.reader.secretsOf(rotated)
  const byOwner = Map.groupBy(secrets, ({ owner }) => owner)
  const [only] = credentials
  const tests =
    credentials.length === 1 && only !== undefined
      ? new Map([[only.id, await lastTestOf(only.id, context)]])
      : await lastTests(context)
  return new Map(
    credentials.map((credential) => {
      const { state } = judge(credential, tests.get(credential.id), context)
      const shown = {
        state,
        ends_at: expiryOf(credential.spec),
        rotation_due_at: rotationDueAt(credential, byOwner.get(credential.id) ?? []),
        last_used_at: toMinute(uses.get(credential.id) ?? null),
      }
      return [credential.id, shown] as const
    }),
  )
}

const TESTS = { resource_type: NOUNS.credentials, operation: 'credentials.test', outcome: 'ok' }
/** Tests that a list looks back. */
const TESTS_MAX = 1000

/** The last time that a credential was tried. */
export async function lastTestOf(id: string, { whole }: OperationContext): Promise<AuditEntry | undefined> {
  return (await whole.auditEntries({ ...TESTS, limit: 1, resource: id })).items[0]
}

/** The last time that each credential was tried, by id. */
async function lastTests({ whole }: OperationContext): Promise<ReadonlyMap<string, AuditEntry>> {
  const { items } = await whole.auditEntries({ ...TESTS, limit: TESTS_MAX })
  // Newest first
  return new Map(
    items.toReversed().flatMap((entry) => (entry.resource.id === null ? [] : [[entry.resource.id, entry]])),
  )
}

/** How a credential is at the moment, and why it is not well. */
export function judge(
  { id, spec, revision }: Resource,
  test: AuditEntry | undefined,
  { credentials, clock }: OperationContext,
): { readonly state: (typeof STATES)[number]; readonly reason: string | null } {
  const fault = credentials.faultOf(id)
  if (fault !== null) return { state: 'unresolved', reason: fault }
  const expires = expiryOf(spec)
  const left = expires === null ? Number.POSITIVE_INFINITY : Date.parse(expires) - clock.now()
  if (left <= 0) return { state: 'expired', reason: null }
  // Of what the credential is now
  const finding = test?.revision_after === revision ? (test.detail ?? '') : ''
  if (tellsFailure(finding)) return { state: 'failing', reason: finding }
  return { state: left <= EXPIRES_SOON_MS ? 'expiring' : 'ok', reason: null }
}

const tokenClientView = {
  token_url: z.string(),
  client_id: z.string(),
  auth_method: z.string(),
  client_secret: SecretState.optional(),
  private_key: SecretState.optional(),
  key_id: z.string().optional(),
  assertion_audience: z.string().optional(),
  scopes: z.array(z.string()),
  audience: z.string().optional(),
}

/** As it is read: secret fields are states. */
const AuthView = z.discriminatedUnion('type', [
  z.object({ type: z.literal('basic'), username: z.string(), password: SecretState }),
  z.object({
    type: z.literal('api_key'),
    key: SecretState,
    in: z.enum(['header', 'query']),
    name: z.string(),
    prefix: z.string(),
  }),
  z.object({ type: z.literal('bearer'), token: SecretState }),
  z.object({ type: z.literal('oauth2_client_credentials'), ...tokenClientView }),
  z.object({ type: z.literal('token_exchange'), ...tokenClientView, subject_token_type: z.string() }),
  z.object({
    type: z.literal('jwt_bearer'),
    token_url: z.string(),
    issuer: z.string(),
    subject: z.string().optional(),
    audience: z.string().optional(),
    private_key: SecretState,
    key_id: z.string().optional(),
    scopes: z.array(z.string()),
  }),
  z.object({
    type: z.literal('aws_sigv4'),
    region: z.string(),
    service: z.string(),
    access_key_id: z.string(),
    secret_access_key: SecretState,
    payload: z.string(),
  }),
  z.object({
    type: z.literal('mtls'),
    client_cert_pem: z.string(),
    client_key_pem: SecretState,
    ca_cert_pem: z.string().nullable().optional(),
    not_after: z.string().describe('Expiry of the certificate'),
  }),
])

function keyFault(pem: string): string | null {
  try {
    keyOf(pem)
    return null
  } catch (error) {
    return (error as RangeError).message
  }
}

export const credentialKind: Kind<'credentials'> = {
  type: 'credentials',
  noun: NOUNS.credentials,
  prefix: 'crd',
  group: 'manage_credentials',
  about: 'A credential authenticates the gateway at an upstream. Callers never see it.',
  tools:
    'Credentials: secrets that the gateway sends to upstreams. Tests, rotates and lists stale ones. With `profile`, `rotate` rotates a profile token.',
  example: { name: 'Orders key', auth: { type: 'bearer', token: 'the-secret' } },
  spec: CredentialSpec,
  view: viewSchema(CredentialSpec.omit({ auth: true }), { auth: AuthView, ...currentCredentialShape }),
  columns: ['slug', 'name', 'auth.type', 'state', 'ends_at', 'last_used_at', 'updated_at'],
  sections: {
    info: ['name', 'slug', 'description', 'tags'],
    authentication: ['auth'],
    rotation: ['expires_at', 'rotate_every'],
  },
  refs: [],
  staged: false,
  filters: {},
  check: answersStayApart,
  // Where it is sent, and who may say to be that
  sentTo: ({ auth }) => {
    const { token_url, ca_cert_pem } = auth as Fields
    return [token_url ?? null, ca_cert_pem ?? null]
  },
  asks: ({ auth }) => [{ pointer: '/auth/token_url', url: (auth as { token_url?: string }).token_url }],
  secretFault: (field, text, spec) => {
    const auth = spec['auth'] as CredentialAuth
    if (auth.type === 'mtls') return clientKeyFault(auth.client_cert_pem, text)
    return field === 'private_key' ? keyFault(text) : null
  },
  derived: (spec) => {
    const ends = notAfter(spec['auth'] as CredentialAuth)
    return ends === null ? {} : { not_after: ends }
  },
  current: currentCredentials,
  warn: async (credential, context) => [
    ...(await warnOfExpiry(credential, context)),
    ...warnOfUnknownAge(credential),
  ],
  secrets: (spec) => secretFieldsOf(spec['auth'] as CredentialAuth),
}

export const credentialOperations = standardOf(credentialKind, refuseUsed)

/** When the certificate of a credential ends; null for one without. */
function notAfter(auth: CredentialAuth): string | null {
  if (auth.type !== 'mtls') return null
  return certificatesOf(auth.client_cert_pem)[0]!.validToDate.toISOString()
}

/** When a credential ends, by what is said of it and by its certificate; null where neither is known. */
export function expiryOf(spec: Fields): string | null {
  const said = (spec['expires_at'] as string | null | undefined) ?? null
  const ends = notAfter(spec['auth'] as CredentialAuth)
  if (said === null || ends === null) return said ?? ends
  return Date.parse(said) < Date.parse(ends) ? said : ends
}

/** Warns of certificates that have ended or soon will. */
async function warnOfExpiry({ spec }: Resource, { clock }: OperationContext): Promise<Warning[]> {
  const auth = spec['auth'] as CredentialAuth
  const ends = notAfter(auth)
  if (auth.type !== 'mtls' || ends === null) return []
  const { ca_cert_pem } = auth
  return [
    ...endWarnings('/auth/client_cert_pem', ends, clock.now()),
    ...(ca_cert_pem == null ? [] : certificatesOf(ca_cert_pem)).flatMap(({ validToDate }) =>
      endWarnings('/auth/ca_cert_pem', validToDate.toISOString(), clock.now()),
    ),
  ]
}

/** A warning where a certificate has ended, or soon will. @param ends as ISO 8601. */
export function endWarnings(pointer: string, ends: string, now: number): Warning[] {
  const left = Date.parse(ends) - now
  if (left > EXPIRES_SOON_MS) return []
  return [
    { pointer, reason: left <= 0 ? `the certificate ended at ${ends}` : `the certificate ends at ${ends}` },
  ]
}

/** When the secret of a credential was set; null for one that is read elsewhere: nobody knows here when it changed. */
export function secretChangedAt({ id, spec }: Resource, secrets: readonly StoredSecret[]): string | null {
  const fields = secretFieldsOf(spec['auth'] as CredentialAuth)
  return secrets.find(({ owner, field }) => owner === id && fields.includes(field))?.updated_at ?? null
}

/** When a credential is to be rotated next; null where that is not said, or not known. */
export function rotationDueAt(credential: Resource, secrets: readonly StoredSecret[]): string | null {
  const every = credential.spec['rotate_every'] as string | null | undefined
  const since = secretChangedAt(credential, secrets)
  return every == null || since === null ? null : toTime(Date.parse(since) + toMs(every))
}

/** Warns where nobody can say when a rotation is due. */
function warnOfUnknownAge({ spec }: Resource): Warning[] {
  const auth = spec['auth'] as CredentialAuth & Fields
  if (spec['rotate_every'] == null || !secretFieldsOf(auth).some((field) => isReference(auth[field])))
    return []
  return [
    {
      pointer: '/rotate_every',
      reason: 'its secret is read from an external source, so Postern does not know when to rotate it',
    },
  ]
}

/**
 * An upstream that is called in the name of each caller gives each its own answers: where a credential of type
 * token_exchange is used, they cannot be kept for a client or for everyone. Judged from either end: the credential,
 * the collection that uses it, and the proxy.
 */

/** For a credential that is about to have these fields. */
async function answersStayApart(fields: Fields, self: Self, context: OperationContext): Promise<void> {
  if (typeOf(fields) !== 'token_exchange') return
  const { whole } = context
  for (const user of await whole.usersOf(self.id)) {
    if (user.type === 'collections')
      await refuseSharing(context, await whole.all('proxies', user.id), 'inherit', '/auth/type')
    else if (user.type === 'proxies') await refuseSharing(context, [user], self.id, '/auth/type')
  }
}

/** For a collection. */
export async function collectionKeepsApart(
  { credential }: { readonly credential: string | null },
  self: Self,
  context: OperationContext,
): Promise<void> {
  if (credential !== null && (await exchanges(credential, context)))
    await refuseSharing(context, await context.whole.all('proxies', self.id), 'inherit', '/credential')
}

/** For a proxy. */
export async function proxyKeepsApart(
  spec: { readonly credential: string; readonly cache?: unknown },
  self: Self,
  context: OperationContext,
): Promise<void> {
  if (!isShared(spec.cache) || self.parent === null) return
  const collection = await context.whole.byId('collections', self.parent)
  const id = spec.credential === 'inherit' ? collection?.spec['credential'] : spec.credential
  if (typeof id === 'string' && id !== 'none' && (await exchanges(id, context)))
    throw refusal('this proxy', '/cache/scope')
}

async function exchanges(id: string, { whole }: OperationContext): Promise<boolean> {
  const credential = await whole.byId('credentials', id)
  return credential !== undefined && typeOf(credential.spec) === 'token_exchange'
}

function typeOf(spec: Fields): unknown {
  return (spec['auth'] as Fields)['type']
}

function isShared(cache: unknown): boolean {
  const scope = (cache as Fields | null | undefined)?.['scope']
  return scope === 'client' || scope === 'shared'
}

/** @param credential what a proxy has in its own `credential` when the rule is about it. */
async function refuseSharing(
  { reader }: OperationContext,
  proxies: readonly Resource[],
  credential: string,
  pointer: string,
): Promise<void> {
  const sharing = proxies.find(({ spec }) => spec['credential'] === credential && isShared(spec['cache']))
  if (sharing !== undefined) throw refusal(await calledBy(reader, sharing), pointer)
}

function refusal(proxy: string, pointer: string) {
  return refuse('configuration_invalid', {
    detail: `With a credential of type token_exchange, each caller gets its own responses, but ${proxy} caches them for other callers. Set the scope of its cache to profile.`,
    errors: [{ pointer, reason: `${proxy} caches responses for other callers` }],
  })
}

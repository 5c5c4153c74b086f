import { z } from 'zod'
import type { AuditEntry } from '../../model/access/audit.ts'
import { type CredentialAuth, CredentialSpec, secretFieldsOf } from '../../model/api/credential.ts'
import { tellsFailure } from '../../model/api/credential-facts.ts'
import { SecretState } from '../../model/api/secret.ts'
import { EXPIRES_SOON_MS } from '../../model/bounds.ts'
import { NOUNS } from '../../model/resource-types.ts'
import { clientKeyFault, keyOf } from '../../snapshot/link/credential.ts'
import type { Fields, Resource } from '../../store/ports/resource.ts'
import type { OperationContext } from '../engine/context.ts'
import type { Kind } from '../engine/kind.ts'
import { viewSchema } from '../engine/kind-schema.ts'
import { standardOf } from '../engine/standard.ts'
import { refuseUsed } from '../engine/standard-delete.ts'
import { toMinute } from '../profiles/tokens.ts'
import { expiryOf, notAfter, rotationDueAt, warnOfExpiry, warnOfUnknownAge } from './expiry.ts'
import { answersStayApart } from './shared-answers.ts'

export const STATES = ['ok', 'unresolved', 'expired', 'failing', 'expiring'] as const

/** What get and list show of how a credential is. */
const currentCredentialShape = {
  state: z.enum(STATES).optional().describe('State, as in credentials.state. Shown by get and list'),
  ends_at: z
    .string()
    .nullable()
    .optional()
    .describe('The earlier of expires_at and the end of its certificate. Shown by get and list'),
  rotation_due_at: z
    .string()
    .nullable()
    .optional()
    .describe('When its secret is as old as rotate_every says. Shown by get and list'),
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
    not_after: z.string().describe('When the certificate ends'),
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

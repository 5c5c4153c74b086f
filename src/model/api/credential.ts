import { z } from 'zod'
import { DURATION_PATTERN, toMs } from '../../base/clock.ts'
import { unit } from '../annotations.ts'
import { Description, Duration, HeaderName, Name, Slug, secureUrl, Tags, Time } from '../members.ts'
import { PemInput, SecretInput } from './secret.ts'
import { CertificatesPem } from './upstream.ts'

/** Where tokens are fetched. */
const TokenUrl = secureUrl('https://id.example.com/oauth/token').describe(
  'Token endpoint: https, or http on this machine',
)

const Visible = z
  .string()
  .min(1)
  .max(512)
  .regex(/^[!-~]+$/, 'visible ASCII without spaces')

const AwsName = z
  .string()
  .max(64)
  .regex(/^[a-z0-9-]+$/, 'lower-case letters, digits and hyphens')

const AuthMethod = z
  .enum(['client_secret_basic', 'client_secret_post', 'private_key_jwt'])
  .default('client_secret_basic')
  .describe(
    'Client authentication at the token endpoint: the secret in a header or in the form, or a signed assertion',
  )

const Scopes = z
  .array(
    z
      .string()
      .min(1)
      .max(256)
      .regex(/^[!#-[\]-~]+$/, 'a scope without spaces (RFC 6749)'),
  )
  .max(50)
  .default([])

/** Who issued a token, whom it is about, whom it is for. */
const Party = z
  .string()
  .min(1)
  .max(1024)
  .regex(/^[!-~]+$/, 'visible ASCII without spaces')

/** Each signs by the algorithm of its own: RS256, PS256, ES256, ES384 and EdDSA. */
const SIGNING_KEYS = 'RSA, RSA-PSS, P-256, P-384 or Ed25519'

/** How Postern asks a token endpoint. */
const tokenClient = {
  token_url: TokenUrl,
  client_id: Visible,
  auth_method: AuthMethod,
  client_secret: SecretInput.optional().describe('For client_secret_basic and client_secret_post'),
  private_key: PemInput.optional().describe(`For private_key_jwt: a private key in PEM (${SIGNING_KEYS})`),
  key_id: Visible.optional().describe('For private_key_jwt: `kid` of the assertion'),
  assertion_audience: Party.optional().describe(
    'For private_key_jwt: `aud` of the assertion, such as the issuer of the authorization server. Default: token_url',
  ),
  scopes: Scopes,
  audience: Party.optional().describe('Value of the parameter `audience`, if set'),
}

/** The secret that the method needs is there, and no other. */
function tokenClientFault(auth: {
  readonly auth_method: string
  readonly client_secret?: unknown
  readonly private_key?: unknown
}): { readonly field: 'client_secret' | 'private_key'; readonly reason: string } | null {
  const [wanted, other] =
    auth.auth_method === 'private_key_jwt'
      ? (['private_key', 'client_secret'] as const)
      : (['client_secret', 'private_key'] as const)
  if (auth[wanted] === undefined) return { field: wanted, reason: `required for ${auth.auth_method}` }
  if (auth[other] !== undefined) return { field: other, reason: `not for ${auth.auth_method}` }
  return null
}

function checkTokenClient(context: z.core.ParsePayload<Parameters<typeof tokenClientFault>[0]>): void {
  const fault = tokenClientFault(context.value)
  if (fault !== null)
    context.issues.push({ code: 'custom', message: fault.reason, path: [fault.field], input: context.value })
}

/** What is sent to the upstream. Secret fields are those of {@link secretFieldsOf}. */
export const CredentialAuth = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('basic').describe('RFC 7617'),
    username: z
      .string()
      .min(1)
      .max(256)
      .regex(/^[!-9;-~]([ -9;-~]*[!-9;-~])?$/, 'visible ASCII without a colon'),
    password: SecretInput,
  }),
  z
    .strictObject({
      type: z.literal('api_key').describe('A key in a header or query parameter'),
      key: SecretInput,
      in: z.enum(['header', 'query']).default('header'),
      name: z
        .string()
        .min(1)
        .max(128)
        .optional()
        .describe('Name of the header (default: Authorization) or of the query parameter'),
      prefix: z
        .string()
        .max(64)
        .regex(/^[ -~]*$/)
        .optional()
        .describe(
          'Prefix of the key, such as "Token ". Default: "Bearer " in Authorization, otherwise empty',
        ),
    })
    .overwrite((auth) => {
      const name = auth.name ?? (auth.in === 'header' ? 'Authorization' : undefined)
      const isBearer = auth.in === 'header' && name?.toLowerCase() === 'authorization'
      return {
        ...auth,
        ...(name !== undefined && { name }),
        prefix: auth.prefix ?? (isBearer ? 'Bearer ' : ''),
      }
    })
    .refine((auth) => auth.name !== undefined, { error: 'required in a query', path: ['name'] })
    .refine((auth) => auth.in === 'query' || HeaderName.safeParse(auth.name).success, {
      error: 'not a header name that may be set',
      path: ['name'],
    }),
  z.strictObject({
    type: z.literal('bearer').describe('RFC 6750'),
    token: SecretInput,
  }),
  z
    .strictObject({
      type: z
        .literal('oauth2_client_credentials')
        .describe(
          'RFC 6749 section 4.4: Postern fetches tokens, caches them until they expire, and sends them as bearer tokens',
        ),
      ...tokenClient,
    })
    .check(checkTokenClient),
  z
    .strictObject({
      type: z
        .literal('token_exchange')
        .describe("RFC 8693: Postern exchanges the caller's token for a token of the upstream"),
      ...tokenClient,
      subject_token_type: z
        .enum(['access_token', 'jwt', 'id_token'])
        .default('access_token')
        .describe('Value of `subject_token_type` at the token endpoint'),
    })
    .check(checkTokenClient),
  z.strictObject({
    type: z
      .literal('jwt_bearer')
      .describe(
        'RFC 7523 section 2.1: Postern signs an assertion, exchanges it for tokens and sends them as bearer tokens',
      ),
    token_url: TokenUrl,
    issuer: Party.describe('`iss` of the assertion: the identifier of Postern at the authorization server'),
    subject: Party.optional().describe(
      '`sub` of the assertion: the principal of the tokens. Default: the issuer',
    ),
    audience: Party.optional().describe(
      '`aud` of the assertion: the authorization server. Default: token_url',
    ),
    private_key: PemInput.describe(`Private key that signs the assertion, in PEM (${SIGNING_KEYS})`),
    key_id: Visible.optional().describe('`kid` of the assertion'),
    scopes: Scopes,
  }),
  z.strictObject({
    type: z.literal('aws_sigv4').describe('AWS Signature Version 4: each request is signed'),
    region: AwsName.describe('Such as eu-central-1'),
    service: AwsName.describe('Such as s3, execute-api or dynamodb'),
    access_key_id: z
      .string()
      .max(128)
      .regex(/^[A-Za-z0-9]+$/, 'letters and digits'),
    secret_access_key: SecretInput,
    payload: z
      .enum(['signed', 'unsigned'])
      .default('signed')
      .describe(
        'signed: buffers the request body, up to max_body; unsigned: streams it, for services that allow this, such as s3',
      ),
  }),
  z.strictObject({
    type: z
      .literal('mtls')
      .describe('A client certificate (RFC 8446 section 4.4.2), sent to https upstreams that request one'),
    client_cert_pem: CertificatesPem.describe(
      'The certificate in PEM, followed by its intermediate certificates',
    ),
    client_key_pem: PemInput.describe('Its private key in PEM, without a password'),
    ca_cert_pem: CertificatesPem.nullable()
      .default(null)
      .describe(
        'Certificate authorities in PEM that Postern trusts for these upstreams, unless the upstream sets `ca`',
      ),
  }),
])
export type CredentialAuth = z.output<typeof CredentialAuth>
export type CredentialType = CredentialAuth['type']

/** Settings of a credential as they are stored and parsed, as far as the choice of secrets goes. */
interface AuthLike {
  readonly type: CredentialAuth['type']
  readonly auth_method?: unknown
}

/** The fields that hold secrets: sealed or referenced, and never shown. */
export function secretFieldsOf(auth: AuthLike): readonly string[] {
  switch (auth.type) {
    case 'basic':
      return ['password']
    case 'api_key':
      return ['key']
    case 'bearer':
      return ['token']
    case 'oauth2_client_credentials':
    case 'token_exchange':
      return [auth.auth_method === 'private_key_jwt' ? 'private_key' : 'client_secret']
    case 'jwt_bearer':
      return ['private_key']
    case 'aws_sigv4':
      return ['secret_access_key']
    case 'mtls':
      return ['client_key_pem']
  }
}

const PREVIOUS = 'previous@'

/** Under this name a credential keeps, sealed, what it was before a rotation. The time is milliseconds since the epoch. */
export function previousField(until: number): string {
  return PREVIOUS + new Date(until).toISOString()
}

/** Until when what is kept under the name counts; null for the name of a present secret. */
export function previousUntil(field: string): number | null {
  return field.startsWith(PREVIOUS) ? Date.parse(field.slice(PREVIOUS.length)) : null
}

const ROTATE_MS_MAX = 3650 * 86_400_000

export const CredentialSpec = z.strictObject({
  name: Name,
  slug: Slug.optional().describe('Default: derived from the name'),
  description: Description.default(''),
  tags: Tags.default([]),
  auth: CredentialAuth.describe('Authentication at the upstream, such as {"type":"bearer","token":"…"}'),
  expires_at: Time.nullable()
    .default(null)
    .describe('Expiry of the secret, if known. The state warns before it'),
  rotate_every: Duration.refine(
    (text) => !DURATION_PATTERN.test(text) || toMs(text) <= ROTATE_MS_MAX,
    'at most 3650d',
  )
    .nullable()
    .default(null)
    .describe('Maximum age of the secret, such as 60d. The state and the list of stale credentials use it'),
})
export type CredentialSpec = z.output<typeof CredentialSpec>

/** True for types whose tokens are fetched from an endpoint before a call. */
export function isFetched(type: CredentialType): boolean {
  return type === 'oauth2_client_credentials' || type === 'token_exchange' || type === 'jwt_bearer'
}

const CredentialStep = z.object({
  step: z
    .enum(['secret', 'token', 'call'])
    .describe('Steps of the test: read and decrypt the secret, fetch a token, call the upstream'),
  ok: z.boolean(),
  latency_ms: z.number().meta(unit('ms')),
  status: z.int().nullable().describe('HTTP status of the upstream response'),
  error: z.string().nullable().describe('Cause of the failure, without secrets'),
})
export type CredentialStep = z.infer<typeof CredentialStep>

/** What came of trying a credential; the steps end with the first that failed. */
export const CredentialTest = z.object({
  ok: z.boolean(),
  summary: z.string(),
  steps: z.array(CredentialStep),
})
export type CredentialTest = z.infer<typeof CredentialTest>

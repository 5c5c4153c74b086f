import { z } from 'zod'
import { type CredentialAuth, CredentialSpec, secretFieldsOf } from '../../model/api/credential.ts'
import { SecretState } from '../../model/api/secret.ts'
import { NOUNS } from '../../model/resource-types.ts'
import { clientKeyFault, keyOf } from '../../snapshot/link/credential.ts'
import type { Fields } from '../../store/ports/resource.ts'
import { currentCredentialShape, currentCredentials } from '../credentials/current.ts'
import { notAfter, warnOfExpiry } from '../credentials/expiry.ts'
import { warnOfUnknownAge } from '../credentials/rotation-due.ts'
import { answersStayApart } from '../credentials/shared-answers.ts'
import type { Kind } from '../engine/kind.ts'
import { viewSchema } from '../engine/kind-schema.ts'
import { standardOf } from '../engine/standard.ts'
import { refuseUsed } from '../engine/standard-delete.ts'

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
  spec: CredentialSpec,
  view: viewSchema(CredentialSpec.omit({ auth: true }), { auth: AuthView, ...currentCredentialShape }),
  columns: ['slug', 'name', 'auth.type', 'state', 'ends_at', 'last_used_at', 'updated_at'],
  sections: {
    info: ['name', 'slug', 'description', 'tags'],
    authentication: ['auth'],
    rotation: ['expires_at', 'rotate_every'],
  },
  parent: null,
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

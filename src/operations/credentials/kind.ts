import { z } from 'zod'
import { NOUNS } from '../../model/common.ts'
import { type CredentialAuth, CredentialSpec, SECRET_FIELDS, SecretState } from '../../model/credential.ts'
import { type Kind, viewSchema } from '../kind.ts'

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
])

export const credentialKind: Kind = {
  type: 'credentials',
  noun: NOUNS.credentials,
  prefix: 'crd',
  group: 'manage_credentials',
  spec: CredentialSpec,
  view: viewSchema(CredentialSpec.omit({ auth: true }), { auth: AuthView }),
  columns: ['slug', 'name', 'auth.type', 'revision', 'updated_at'],
  parent: null,
  refs: [],
  staged: false,
  filters: {},
  secrets: (spec) => SECRET_FIELDS[(spec['auth'] as CredentialAuth).type],
}

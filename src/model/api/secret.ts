import { z } from 'zod'
import { confidential } from '../annotations.ts'

const EnvName = z
  .string()
  .max(128)
  .regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'the name of an environment variable')
const FileName = z
  .string()
  .max(128)
  .regex(/^[A-Za-z0-9_][A-Za-z0-9._-]*$/, 'the name of a file in the secrets directory, without a path')
const VaultPath = z
  .string()
  .max(512)
  .regex(
    /^[A-Za-z0-9_][A-Za-z0-9._-]*(\/[A-Za-z0-9_][A-Za-z0-9._-]*)*\/data(\/[A-Za-z0-9_][A-Za-z0-9._-]*)+$/,
    'the path of a secret of version 2 with its data segment, such as secret/data/orders',
  )

/** Where a secret is read instead of being stored. */
export const SecretReference = z.union([
  z.strictObject({ env: EnvName.describe('Environment variable of the process, such as SECRET_ORDERS') }),
  z.strictObject({ file: FileName.describe('File in the secrets directory') }),
  z.strictObject({
    vault: z
      .strictObject({
        path: VaultPath.describe('Such as secret/data/orders'),
        field: z.string().min(1).max(128).describe('Member of the secret'),
      })
      .describe('A secret of HashiCorp Vault or OpenBao, KV version 2'),
  }),
])
export type SecretReference = z.infer<typeof SecretReference>

/** A secret as it was written: a text to seal, or where it is read. */
export type SecretSource = { readonly value: string } | SecretReference

const TEXT_MAX = 16_384

/** What a header or a form can carry. */
function isSecretText(text: string): boolean {
  return text.length <= TEXT_MAX && /^[!-~]([ -~]*[!-~])?$/.test(text)
}

/** A text with line breaks, such as a key or a certificate in PEM (RFC 7468). */
function isPemText(text: string): boolean {
  return text.length <= TEXT_MAX && /^\s*-----BEGIN [A-Z0-9 ]+-----[\t\r\n -~]+-----\s*$/.test(text)
}

const secretInput = (fits: (text: string) => boolean, form: string) =>
  confidential(
    'secret',
    z
      .union([
        z.string().min(1).max(TEXT_MAX),
        z.strictObject({ value: z.string().min(1).max(TEXT_MAX) }),
        SecretReference,
      ])
      .transform((input): SecretSource => (typeof input === 'string' ? { value: input } : input))
      .refine((source) => !('value' in source) || fits(source.value), form)
      .describe(
        'Secret, never shown again: the text, or its source: {"env": name}, {"file": name}, {"vault": {"path", "field"}}',
      ),
  )

/** A secret as it is written. */
export const SecretInput = secretInput(isSecretText, 'visible ASCII without line breaks or outer spaces')

/** The same for a key or certificate in PEM. */
export const PemInput = secretInput(isPemText, 'PEM text: -----BEGIN …----- to -----END …-----')

/** A secret as it is read: where it comes from, never what it is. */
export const SecretState = z.object({
  set: z.boolean(),
  source: z.enum(['value', 'env', 'file', 'vault']),
  reference: z.string().optional().describe('Name or path of the source'),
  last4: z.string().optional().describe('Last characters, only for long stored secrets'),
  updated_at: z.string(),
})
export type SecretState = z.infer<typeof SecretState>

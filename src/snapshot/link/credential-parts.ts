import type { CredentialType } from '../../model/api/credential.ts'
import { isReference } from '../../model/api/credential-facts.ts'
import type { SecretReference } from '../../model/api/secret.ts'

/** Settings of a credential as fragments hold them, and where its secrets are read. */
export function partsOf(auth: { readonly type: CredentialType }): {
  readonly type: CredentialType
  readonly settings: Readonly<Record<string, string>>
  readonly references: Readonly<Record<string, SecretReference>>
} {
  const { type, ...rest }: { type: CredentialType } & Readonly<Record<string, unknown>> = { ...auth }
  const settings: Record<string, string> = {}
  const references: Record<string, SecretReference> = {}
  for (const [name, value] of Object.entries(rest)) {
    if (isReference(value)) references[name] = value
    else if (value != null) settings[name] = Array.isArray(value) ? value.join(' ') : String(value)
  }
  return { type, settings, references }
}

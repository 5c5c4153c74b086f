import type { SecretReference } from './secret.ts'

/** True for a member of stored settings that says where a secret is read. */
export function isReference(value: unknown): value is SecretReference {
  return (
    typeof value === 'object' && value !== null && ('env' in value || 'file' in value || 'vault' in value)
  )
}

/** A reference as people name it: `env SECRET_ORDERS`. */
export function referenceText(reference: SecretReference): string {
  if ('env' in reference) return reference.env
  if ('file' in reference) return reference.file
  return `${reference.vault.path}#${reference.vault.field}`
}

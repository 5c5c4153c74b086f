import type { CredentialStep, CredentialTest } from './credential.ts'
import type { SecretReference } from './secret.ts'

const FAILED = 'It failed at the '

/** True for the summary of a test that failed. */
export function tellsFailure(summary: string): boolean {
  return summary.startsWith(FAILED)
}

/** The result of steps that were taken in order. */
export function toCredentialTest(steps: readonly CredentialStep[]): CredentialTest {
  const failed = steps.find(({ ok }) => !ok)
  const called = steps.find(({ step }) => step === 'call')
  const summary =
    failed !== undefined
      ? `${FAILED}${failed.step}: ${failed.error}.`
      : called !== undefined
        ? answered(called.status)
        : steps.some(({ step }) => step === 'token')
          ? 'It works: the token endpoint issued a token.'
          : 'Its secret can be read; no call was made.'
  return { ok: failed === undefined, summary, steps: [...steps] }
}

/** 401, 403 and 5xx are failures; what is left from 400 up says little about the credential. */
function answered(status: number | null): string {
  if (status !== null && status >= 400)
    return `The upstream did not refuse it, but answered ${status}. Test it with a path that exists at the upstream.`
  return `It works: the upstream answered ${status}.`
}

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

import { z } from 'zod'

const CredentialStep = z.object({
  step: z
    .enum(['secret', 'token', 'call'])
    .describe('The secret is read and opened, a token is fetched, the upstream is called'),
  ok: z.boolean(),
  latency_ms: z.number(),
  status: z.int().nullable().describe('Of the answer of the upstream'),
  error: z.string().nullable().describe('What failed, without secrets'),
})
export type CredentialStep = z.infer<typeof CredentialStep>

/** What came of trying a credential; the steps end with the first that failed. */
export const CredentialTest = z.object({
  ok: z.boolean(),
  summary: z.string(),
  steps: z.array(CredentialStep),
})
export type CredentialTest = z.infer<typeof CredentialTest>

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
          ? 'It works: the token endpoint gave a token.'
          : 'Its secret can be read; no call was made.'
  return { ok: failed === undefined, summary, steps: [...steps] }
}

/** 401, 403 and 5xx are failures; what is left from 400 up says little about the credential. */
function answered(status: number | null): string {
  if (status !== null && status >= 400)
    return `It was not refused, but the upstream answered ${status}: a path that exists there says more.`
  return `It works: the upstream answered ${status}.`
}

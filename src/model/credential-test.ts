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

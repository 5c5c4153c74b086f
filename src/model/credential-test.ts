import { z } from 'zod'
import { unit } from './annotations.ts'

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

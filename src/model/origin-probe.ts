import { z } from 'zod'
import { unit } from './annotations.ts'
import type { CatalogueState } from './catalogue.ts'

/** One request of a probe, or several of one list. */
export const ProbeStep = z.object({
  step: z.enum([
    'entries',
    'discover',
    'initialize',
    'sse',
    'tools',
    'prompts',
    'resources',
    'resource_templates',
  ]),
  ok: z.boolean(),
  latency_ms: z.number().meta(unit('ms')),
  status: z.int().nullable().describe('HTTP status; null when no response came'),
  error: z.string().nullable().describe('What came back in the place of what was expected'),
})
export type ProbeStep = z.infer<typeof ProbeStep>

/** What a probe of an origin came to. `found` is null when it could not be spoken to. */
export interface OriginProbed {
  readonly steps: readonly ProbeStep[]
  readonly found: CatalogueState | null
  /** The server cannot be reached, or fails (5xx). */
  readonly isOutage?: boolean
  /** The server wants to know who asks (401): its catalogue is read with the account of a person, or of all callers. */
  readonly needsSignIn?: true
}

import { z } from 'zod'

/** The types of capabilities, as lists name them. */
export const CAPABILITY_TYPES = ['tools', 'prompts', 'resources', 'resource_templates'] as const
export type CapabilityType = (typeof CAPABILITY_TYPES)[number]

/** Name of the part of an origin's state that {@link CatalogueState} is. */
export const CATALOGUE = 'catalogue'

/** One capability as its origin lists it (2026-07-28, server/tools, server/prompts, server/resources). */
export type CatalogueItem = Readonly<Record<string, unknown>>

/** What an origin lists, each type in the order of the origin. */
export type Catalogue = Readonly<Record<CapabilityType, readonly CatalogueItem[]>>

/** How an origin is spoken to. */
const Verdict = z.object({
  era: z.enum(['modern', 'legacy']),
  version: z.string().describe('Revision of the protocol'),
  transport: z.enum(['streamable_http', 'http_sse']),
  server: z.object({ name: z.string(), version: z.string() }),
  capabilities: z.record(z.string(), z.json()).describe('As the server declares them'),
  instructions: z.string(),
  at: z.string().describe('When the probe has found it out'),
})
type Verdict = z.infer<typeof Verdict>

/** What the last probe of an origin has found. */
export interface CatalogueState {
  readonly verdict: Verdict
  readonly catalogue: Catalogue
  /** What was left out of the catalogue, as sentences. */
  readonly warnings: readonly string[]
  /** Time for which the origin says that its lists hold, milliseconds; null where it says nothing. */
  readonly ttl_ms: number | null
}

export const EMPTY_CATALOGUE: Catalogue = { tools: [], prompts: [], resources: [], resource_templates: [] }

/** The name by which an item of a type is known at its origin: `uri`, `uriTemplate` or `name`. */
export function identifierOf(type: CapabilityType, item: CatalogueItem): string {
  const member = type === 'resources' ? 'uri' : type === 'resource_templates' ? 'uriTemplate' : 'name'
  const value = item[member]
  return typeof value === 'string' ? value : ''
}

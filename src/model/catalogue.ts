import type { CapabilityType } from './capability.ts'
import type { Catalogue } from './capability-drift.ts'

/** Name of the part of an origin's state that {@link CatalogueState} is. */
export const CATALOGUE = 'catalogue'

/** How an origin is spoken to. */
export interface Verdict {
  readonly era: 'modern' | 'legacy'
  /** Revision of the protocol. */
  readonly version: string
  readonly transport: 'streamable_http' | 'http_sse'
  readonly server: { readonly name: string; readonly version: string }
  /** As the server declares them: JSON. */
  readonly capabilities: Readonly<Record<string, unknown>>
  readonly instructions: string
  /** Of kind stdio: the runner has a process per user. */
  readonly per_user?: true
  /** When the probe has found it out (RFC 3339). */
  readonly at: string
}

/** What the last probe of an origin has found. */
export interface CatalogueState {
  readonly verdict: Verdict
  readonly catalogue: Catalogue
  /** What was left out of the catalogue, as sentences. */
  readonly warnings: readonly string[]
  /** Lists that could not be read, while others could: what was known of them before is kept. Absent for none. */
  readonly unread?: readonly CapabilityType[]
  /** Time for which the origin says that its lists hold, milliseconds; null where it says nothing. */
  readonly ttl_ms: number | null
}

export const EMPTY_CATALOGUE: Catalogue = { tools: [], prompts: [], resources: [], resource_templates: [] }

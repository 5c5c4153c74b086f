/** Words for what MCP servers offer. No schemas: gateway threads read this too. */

/** The types of capabilities, as a policy names them. */
export const CAPABILITY_TYPES = ['tools', 'prompts', 'resources', 'resource_templates'] as const
export type CapabilityType = (typeof CAPABILITY_TYPES)[number]

/**
 * What an administrator approves of an origin: its capabilities, its instructions, and the metadata of capabilities whose approval was
 * stored by a version that did not hash metadata.
 */
export const DRIFT_TYPES = [...CAPABILITY_TYPES, 'instructions', 'metadata'] as const
export type DriftType = (typeof DRIFT_TYPES)[number]

/** Hints of tools in `annotations`. */
export const HINTS = ['readOnlyHint', 'destructiveHint', 'idempotentHint', 'openWorldHint'] as const
export type Hint = (typeof HINTS)[number]

/** What a tool says by leaving a hint out (MCP 2025-11-25, ToolAnnotations). */
export const HINT_DEFAULTS: Readonly<Record<Hint, boolean>> = {
  readOnlyHint: false,
  destructiveHint: true,
  idempotentHint: false,
  openWorldHint: true,
}

/** Members that globs look at. */
export type MatchField = 'name' | 'uri' | 'title' | 'description'

/** Variables of the condition of a policy entry, with their types in CEL. */
export const CAPABILITY_VARIABLES = {
  /** Of a tool or a prompt as the caller gave them; of a resource its `uri`. */
  arguments: 'map<string, dyn>',
  client: { id: 'string', slug: 'string' },
  profile: { id: 'string', slug: 'string' },
  /** Members that the verified token does not give are absent. */
  user: { id: 'string', groups: 'list<string>', roles: 'list<string>' },
  claims: 'map<string, dyn>',
} as const

/** The member that names an item at its server. */
export const KEY_OF: Readonly<Record<CapabilityType, 'name' | 'uri' | 'uriTemplate'>> = {
  tools: 'name',
  prompts: 'name',
  resources: 'uri',
  resource_templates: 'uriTemplate',
}

/** Terms for what MCP servers offer. No schemas, because gateway threads load this file too. */
import type { Program } from '../../base/expression/expression.ts'
import type { Parameter } from '../api/proxy.ts'
import type { HttpMethod } from '../members.ts'

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

// A capability policy as gateway threads get it: plain JSON, with expressions that are read already.

/** A type without a member passes whole. */
export interface CapabilityRules
  extends Readonly<Partial<Record<CapabilityType, readonly CapabilityRule[]>>> {
  readonly pin: 'strict' | 'warn' | 'off'
  readonly new_items: 'hide' | 'show'
}

export interface CapabilityRule {
  readonly match: CapabilityMatch
  readonly effect: 'allow' | 'deny'
  /** Null: for all callers. */
  readonly subjects: CapabilitySubjects | null
  /** Null: always. */
  readonly when: Program | null
  readonly projection: Projection | null
}

export type CapabilityMatch =
  | { readonly exact: string }
  | { readonly glob: string; readonly on: MatchField | 'key' }
  | { readonly annotation: Hint; readonly is: boolean }

/** Ids of clients, profiles and teams; the others as claims have them. */
export type CapabilitySubjects = Readonly<
  Partial<Record<'clients' | 'profiles' | 'users' | 'teams' | 'groups' | 'roles', readonly string[]>>
>

export interface Projection {
  readonly name?: string
  readonly title?: string
  readonly description?: string
  readonly annotations?: Readonly<Record<string, string | number | boolean | readonly string[]>>
  readonly fixed?: Readonly<Record<string, unknown>>
  readonly hidden?: readonly string[]
}

/** What is left of the capabilities of a virtual MCP, by public names. A type without a member is whole. */
export type CapabilitySelection = Readonly<Partial<Record<CapabilityType, readonly CapabilityMatch[]>>>

/** Where an argument goes, and how it is written where that is not the default. */
export type ArgumentPlace = readonly [
  place: 'path' | 'query' | 'headers' | 'cookies',
  name: string,
  form?: Pick<Parameter, 'style' | 'explode' | 'content_type'>,
]

/** How a capability of an origin of kind `collection` is called: one endpoint with one method. */
export interface OfferedEndpoint {
  /** Id. */
  readonly proxy: string
  readonly method: HttpMethod
  /** Where arguments go in the request, by their names; the argument `body` is the body. */
  readonly places: Readonly<Record<string, ArgumentPlace>>
  readonly hasBody: boolean
  /** Media type of the body; absent for `application/json`. */
  readonly bodyType?: string
  /** What of the body is given as base64: all of it, or these fields of a form; absent for nothing. */
  readonly base64?: true | readonly string[]
}

/** The endpoints behind a catalogue, by type and by what the catalogue calls the item. */
export type OfferedEndpoints = Readonly<Record<CapabilityType, Readonly<Record<string, OfferedEndpoint>>>>

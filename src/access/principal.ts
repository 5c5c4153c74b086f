/** The principal: the authenticated caller of an operation, with its grants. */
import type { ROLES } from '../model/access/access.ts'

/**
 * Who is asking a management surface. Whatever proves it (an access token, or the token of a workload), the rest of
 * Postern sees only this.
 */
export interface Principal {
  readonly id: string
  readonly type: 'user' | 'service' | 'system'
  readonly name: string
  /** `access_token`, `local_token`, … for the audit. */
  readonly authMethod: string
  readonly grants: readonly Grant[]
  /** What it could do if what proved it were not narrowed to less; absent when it is not. */
  readonly unnarrowed?: readonly Grant[]
  /** Milliseconds since the epoch, or null for never. */
  readonly expiresAt: number | null
  /** The scopes of an OAuth token, separated by spaces, where it is one that bounds what the account may do. */
  readonly scopes?: string
}

/** A role given to a principal, over everything or within a scope. What a principal may do is the union of its grants. */
export interface Grant {
  readonly role: Role | CustomRole
  /** Absent for everything. */
  readonly scope?: Scope
}

/** A role that was made here: exactly these permissions. */
export interface CustomRole {
  /** Absent for what two roles have in common. */
  readonly slug?: string
  readonly permissions: ReadonlySet<string>
}

/** What a grant is narrowed to; an empty list narrows nothing. All that are not empty must fit. */
export interface Scope {
  /** Resource parts of permissions, such as `proxies` or `audit`. */
  readonly types: readonly string[]
  /** Verb parts of permissions. */
  readonly verbs: readonly string[]
  /**
   * Ids of collections: these themselves, and what belongs to them. Also ids of virtual MCPs, and for those who lead teams ids of
   * teams.
   */
  readonly collections: readonly string[]
  /** Tags of resources, or of what they belong to. */
  readonly tags: readonly string[]
}

export type Role = (typeof ROLES)[number]

/** `resource:verb`, such as `collections:publish`. */
export type Permission = `${string}:${string}`

/** What an operation touches, as scopes see it. */
export interface Touched {
  /** Id of the collection it is, or belongs to, or of the virtual MCP or team that it is; null for what is of none. */
  readonly collection: string | null
  /** Its tags and those of what it belongs to. */
  readonly tags: readonly string[]
}

/**
 * Who is asking a management surface. Whatever proves it (an access token now, sessions and workload identities
 * beside it), the rest of Postern sees only this.
 */
export interface Principal {
  readonly id: string
  readonly type: 'user' | 'service' | 'system'
  readonly name: string
  /** `access_token`, `local_token`, … for the audit. */
  readonly authMethod: string
  readonly grants: readonly Grant[]
  /** Milliseconds since the epoch, or null for never. */
  readonly expiresAt: number | null
}

/** A role given to a principal. A scope that narrows it to resource types, collections or tags belongs here. */
interface Grant {
  readonly role: Role
}

export const ROLES = ['viewer', 'modifier', 'auditor', 'admin'] as const
export type Role = (typeof ROLES)[number]

/** `resource:verb`, such as `collections:publish`. */
export type Permission = `${string}:${string}`

/** What an operation touches, for grants that are narrower than everything. */
export interface Touched {
  readonly type: string
  /** The collection it is, or belongs to. */
  readonly collection?: string
  readonly tags?: readonly string[]
}

/** A capability policy as gateway threads get it: plain JSON, with expressions that are read already. */
import type { Program } from '../base/expression/expression.ts'
import type { CapabilityType, Hint, MatchField } from './capability.ts'

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

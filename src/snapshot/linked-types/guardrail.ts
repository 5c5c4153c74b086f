import type { Chain, Leg, Rule } from '../../guardrails/rule.ts'
import type { GuardedRoute, LinkedCollection, LinkedProxy, LinkedServer } from './collection.ts'

export interface LinkedGuardrail {
  readonly kind: 'guardrail'
  readonly id: string
  readonly order: number
  readonly everywhere: boolean
  /** Ids. */
  readonly collections: ReadonlySet<string>
  readonly proxies: ReadonlySet<string>
  readonly virtualMcps: ReadonlySet<string>
  readonly origins: ReadonlySet<string>
  readonly legs: ReadonlySet<Leg>
  /** Null for one that cannot be used. */
  readonly rule: Rule | null
  /** Who is asked; null for what gateway threads find themselves. */
  readonly server: LinkedServer | null
  /** Differs for guardrails that differ in anything. */
  readonly hash: string
  /** Set when the fragment is broken: calls in its scope are refused with 503. */
  readonly fault: string | null
}

/** All guardrails of one place, in the order in which they act. */
export interface PlacedGuardrails {
  /** Null for a leg without a rule. */
  readonly request: Chain | null
  readonly response: Chain | null
  /**
   * Differs for rules that may leave another answer, and is empty without any: a kept answer is given again only under the rules that it
   * was kept under.
   */
  readonly hash: string
  /** Why calls are refused; null when they are not. */
  readonly fault: string | null
}

/** The guardrails of MCP messages between one virtual MCP and one origin, in the order in which they act. */
export interface McpGuardrails {
  /** Null for a leg without a rule. */
  readonly request: Chain | null
  readonly response: Chain | null
  readonly list: Chain | null
  /** Why messages are refused; null when they are not. */
  readonly fault: string | null
}

/** Finds the guardrails of a place. */
export interface GuardrailIndex {
  /** Null where none applies. The same object for the same place. */
  of(collection: string, proxy: string): PlacedGuardrails | null
  /**
   * Other routes of the collection that a lenient server may read a path of the proxy as, and that have guardrails which the proxy has
   * not.
   */
  beside(collection: LinkedCollection, proxy: LinkedProxy): readonly GuardedRoute[]
  /**
   * Null where none applies.
   * @param virtualMcp id; empty for a call that comes through none @param isInner calls meet the rules for all places elsewhere: those of
   *   the endpoint that is called, or of the request whose workflow calls
   */
  ofMcp(virtualMcp: string, origin: string, isInner: boolean): McpGuardrails | null
}

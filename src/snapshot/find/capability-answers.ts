/** The types of answers about capabilities. `capabilities.ts` keeps their invariants. */
import type { Plain } from '../../base/json/plain.ts'
import type { CapabilityType } from '../../model/mcp/capability.ts'
import type { CapabilityKey, Held } from '../../model/mcp/capability-drift.ts'
import type { Caller } from './capability-caller.ts'
import type { Visible } from './capability-view.ts'
import type { SpellingFault } from './declared-names.ts'

export interface VisibleList {
  readonly items: readonly Visible[]
  /** JSON of the array that a list result has. */
  readonly json: string
  /** Estimated tokens of {@link json}. */
  readonly tokens: number
}

/** The answer for what is hidden and for what does not exist. */
export const UNKNOWN = Object.freeze({ kind: 'unknown' } as const)
export type Unknown = typeof UNKNOWN

/** The item is listed for the caller, but not for these arguments. */
interface RefusedArguments {
  readonly kind: 'refused'
  readonly item: Visible
  readonly reason: string
}

/** The item is listed for the caller, but an argument is another spelling of a declared one. */
interface MisspeltArguments extends SpellingFault {
  readonly kind: 'misspelt'
}

export type Admission =
  | Unknown
  | RefusedArguments
  | MisspeltArguments
  | { readonly kind: 'admitted'; readonly item: Visible; readonly arguments: Plain }

export type ReadAdmission =
  | Unknown
  | RefusedArguments
  /** The id of the member, what the URI is there, and the item that admits it: a resource or a template; null for neither. */
  | {
      readonly kind: 'admitted'
      readonly member: string
      readonly uri: string
      readonly item: CapabilityKey | null
    }

/** Which rule decides about an item for a caller, before the arguments of a call are known. */
export interface Explanation {
  readonly shown: boolean
  readonly because: 'passes_all' | 'rule' | 'no_rule' | 'held' | 'unknown' | 'invalid'
  /** Place of the rule in the list of its type. */
  readonly rule: number | null
  readonly held: Held | null
  /** As of `findingOf`; null for an item that fits the specification. */
  readonly finding: string | null
}

export interface Capabilities {
  /** What the caller sees of a type; the same object for callers that see the same. */
  visible(caller: Caller, type: CapabilityType): VisibleList
  /** What the caller sees under a public name; null for nothing. */
  find(caller: Caller, type: CapabilityType, name: string): Visible | null
  /** Whether the caller may call a tool or get a prompt with these arguments, and the arguments to send. */
  call(caller: Caller, type: 'tools' | 'prompts', name: string, given: Plain): Admission
  /**
   * Whether the caller may ask for values of an argument of a prompt, or of a variable of a template. It is judged as a call with these
   * arguments, and a template as a read of the URI that they make.
   * @param given all arguments that the caller gives, with the one that is completed
   */
  complete(caller: Caller, type: 'prompts' | 'resource_templates', name: string, given: Plain): Admission
  /** Whether the caller may read or subscribe to a URI: a listed resource, or one of a template. */
  read(caller: Caller, uri: string): ReadAdmission
  /**
   * The public URI for a URI of a member, as it stands in contents, links and notifications.
   * @param isQuick leaves out the templates, which take longest: what is not listed then gets a prefix where there are several members
   */
  publicUri(member: string, uri: string, isQuick?: boolean): string
  explain(caller: Caller, type: CapabilityType, name: string): Explanation
  /** The same for clients of revisions before 2026-07-28; the same object where no item differs. */
  readonly legacy: Capabilities
}

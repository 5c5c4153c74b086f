/** Callers as a capability policy sees them, and the rules of a policy that concern callers. */
import { claimOf } from '../../base/crypto/jwt.ts'
import { type Expression, toExpression, UNDECIDED } from '../../base/expression/expression.ts'
import type { Plain } from '../../base/json/storable.ts'
import {
  CAPABILITY_VARIABLES,
  type CapabilityRule,
  type CapabilitySubjects,
  type CapabilityType,
} from '../../model/mcp/capability.ts'
import type { CapabilityKey, Held } from '../../model/mcp/capability-drift.ts'
import type { Visible } from './capability-view.ts'
import type { SpellingFault } from './declared-names.ts'
import type { CallerAccess } from './offered-endpoints.ts'

/** Who asks, with everything proven. */
export interface Caller {
  readonly client: { readonly id: string; readonly slug: string }
  readonly profile: { readonly id: string; readonly slug: string }
  /** Subject of the verified token; null without one. */
  readonly user: string | null
  /** Set for a person who has signed in: what is known of `user`. */
  readonly person?: SignedInPerson
  /** Claims of the verified token as JSON gives them: lists as lists, since their items may have commas. */
  readonly claims: Plain
  /** By which endpoints of collections it reaches; absent or null, as in a preview of a policy, for none. */
  readonly access?: CallerAccess | null
}

/** A user who has signed in here. */
export interface SignedInPerson {
  readonly slug: string
  /** Groups of the identity provider. */
  readonly groups: readonly string[]
  /** Ids of teams, with those above them. */
  readonly teams: readonly string[]
}

/** The claims that have the groups and roles of a user; a name with dots is a path. */
export interface SubjectClaims {
  readonly groups: string
  readonly roles: string
}

/** Whether a rule applies. `maybe`: that depends on the arguments of the call. */
type Fit = 'yes' | 'no' | 'maybe'

/** The condition of a rule; without arguments it answers as far as the caller decides. */
export type Condition = (caller: Caller, given?: Plain) => Fit

/** What rules ask about a caller, found out once for all of them. */
interface Facts {
  readonly groups: readonly string[] | null
  readonly roles: readonly string[] | null
  /** Variables of conditions but for the arguments. */
  readonly values: Plain
}

/** The facts about callers; kept as long as the caller is. */
export type FactsOf = (caller: Caller) => Facts

export function factsBy(claims: SubjectClaims): FactsOf {
  const known = new WeakMap<Caller, Facts>()
  return (caller) => {
    let facts = known.get(caller)
    if (facts === undefined) {
      facts = factsOf(caller, claims)
      known.set(caller, facts)
    }
    return facts
  }
}

/**
 * The condition of a rule; null for a rule that applies to every call. What cannot be decided counts against the caller: an allow
 * rule does not apply, a deny rule does.
 * @throws RangeError for an expression that is no program.
 */
export function toCondition({ effect, subjects, when }: CapabilityRule, factsOf: FactsOf): Condition | null {
  if (subjects === null && when === null) return null
  const fitsSubject = subjects === null ? null : toSubjectFit(subjects, factsOf)
  const expression = when === null ? null : toExpression(when, VARIABLES)
  const failed = effect === 'deny'
  return (caller, given) => {
    if (fitsSubject !== null && !(fitsSubject(caller) ?? failed)) return 'no'
    if (expression === null) return 'yes'
    return decided(expression, { ...factsOf(caller).values, arguments: given ?? UNDECIDED }, failed)
  }
}

const VARIABLES = Object.keys(CAPABILITY_VARIABLES)

function decided(expression: Expression, values: Plain, failed: boolean): Fit {
  switch (expression.decide(values)) {
    case 'holds':
      return 'yes'
    case 'fails_to_hold':
      return 'no'
    case 'undecided':
      return 'maybe'
    default:
      return failed ? 'yes' : 'no'
  }
}

function factsOf({ client, profile, user, claims, person }: Caller, names: SubjectClaims): Facts {
  const groups = person?.groups ?? textsIn(claims, names.groups)
  const roles = textsIn(claims, names.roles)
  const known = {
    ...(user === null ? {} : { id: user }),
    ...(person === undefined ? {} : { slug: person.slug }),
    ...(groups === null ? {} : { groups }),
    ...(roles === null ? {} : { roles }),
  }
  return { groups, roles, values: { client, profile, user: known, claims } }
}

/** True for one of the subjects, null where that is not known. */
function toSubjectFit(
  { clients, profiles, users, teams, groups, roles }: CapabilitySubjects,
  factsOf: FactsOf,
): (caller: Caller) => boolean | null {
  const sets: readonly [ReadonlySet<string>, (caller: Caller) => readonly string[] | null][] = [
    [new Set(clients), ({ client }) => [client.id]],
    [new Set(profiles), ({ profile }) => [profile.id]],
    [new Set(users), namesOf],
    [new Set(teams), ({ person }) => person?.teams ?? null],
    [new Set(groups), (caller) => factsOf(caller).groups],
    [new Set(roles), (caller) => factsOf(caller).roles],
  ]
  const asked = sets.filter(([names]) => names.size > 0)
  return (caller) => {
    let isKnown = true
    for (const [names, of] of asked) {
      const values = of(caller)
      if (values === null) isKnown = false
      else if (values.some((value) => names.has(value))) return true
    }
    return isKnown ? false : null
  }
}

/** By what rules name a user: people who have signed in here by slug too. */
function namesOf({ user, person }: Caller): readonly string[] | null {
  if (user === null) return null
  return person === undefined ? [user] : [user, person.slug]
}

/** A claim that is a text or a list of texts; null for any other, and for none. */
function textsIn(claims: Plain, name: string): readonly string[] | null {
  const value = claimOf(claims, name)
  if (typeof value === 'string') return [value]
  return Array.isArray(value) && value.every((one) => typeof one === 'string') ? value : null
}

// The types of answers about capabilities. `capabilities.ts` keeps their invariants.

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
  /** True for an item that its caller would see, were it approved. */
  isHeld(caller: Caller, type: CapabilityType, name: string): boolean
  /** The same for clients of revisions before 2026-07-28; the same object where no item differs. */
  readonly legacy: Capabilities
}

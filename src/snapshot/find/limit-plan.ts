/** The limits of one profile at one proxy, computed once for a snapshot. */
import type { Attachment } from '../../model/api/policy.ts'
import type { LinkedLimit, LinkedPolicy, LinkedProfile } from '../linked-types/client.ts'
import type { LinkedCollection, LinkedProxy } from '../linked-types/collection.ts'
import type { CalledThrough } from '../linked-types/mcp.ts'
import { chosenKeyOf, counterKeyOf, type LimitKey, limitKeyOf, within } from './limit-key.ts'
import { networkOf } from './network.ts'

/** A limit at one place of attachment, with the key of its counter. */
export interface PlannedLimit {
  readonly limit: LinkedLimit
  readonly attachedTo: Attachment
  /** `policy/limit`, as records name it. */
  readonly name: string
  /** Of the counter; while {@link isKeyed}, of the one for requests that lack what it is keyed by. */
  readonly low: number
  readonly high: number
  /** The counter depends on the request: its address, a claim, a header or the tool of an agent. */
  readonly isKeyed: boolean
  /** Where such a value counts. */
  readonly place: LimitKey
  /** The client, which has its share of the places for such values. Neither 0 nor 1, which have meanings of their own. */
  readonly owner: number
}

/** Everything about the limits of one profile at one proxy that does not depend on the request. */
export interface LimitPlan {
  /** In the order in which they are looked at: profile, client, collection, proxy, then what an endpoint is called through. */
  readonly limits: readonly PlannedLimit[]
  /** Indexes of those whose counter depends on the request. */
  readonly keyed: readonly number[]
  /** Indexes of those that are shown to callers: all that can refuse. */
  readonly shown: readonly number[]
  /** Two shown limits have one name: only the tighter of them is shown. */
  readonly hasTwins: boolean
  /** The RateLimit-Policy line; empty when nothing is shown. */
  readonly policyLine: string
  readonly hasXLines: boolean
  /** Something is to be done about a limit when the answer has ended. */
  readonly holds: boolean
  readonly observes: boolean
  /**
   * Why every call is refused: a policy is named but not there, since it could not be linked, or it refuses while Valkey cannot be
   * reached. No limit at all would be the wrong answer.
   */
  readonly closed: { readonly code: 'route_unavailable' | 'not_ready'; readonly reason: string } | null
}

/** What a plan looks up in a snapshot. */
interface Policies {
  readonly policies: ReadonlyMap<string, LinkedPolicy>
}

/** Plans that are kept for one snapshot; beyond, all are made anew. */
const PLANS_MAX = 10_000

export interface LimitPlans {
  /** @param through of a call through a virtual MCP over the collection; else null */
  of(
    snapshot: Policies,
    profile: LinkedProfile,
    collection: LinkedCollection,
    proxy: LinkedProxy,
    through: CalledThrough | null,
  ): LimitPlan
  /** Of a call that a workflow makes: the limits of the route to its origin alone. */
  ofStep(snapshot: Policies, profile: LinkedProfile, route: LinkedCollection): LimitPlan
}

/** The plans of one snapshot. */
export function createLimitPlans(): LimitPlans {
  const plans = new Map<LinkedProfile, Map<LinkedProxy, LimitPlan>>()
  const plansThrough = new Map<CalledThrough, typeof plans>()
  const plansOfSteps = new Map<LinkedProfile, Map<LinkedCollection, LimitPlan>>()
  let count = 0

  function makeRoom(): void {
    if (++count <= PLANS_MAX) return
    plans.clear()
    plansThrough.clear()
    plansOfSteps.clear()
    count = 1
  }

  function make(
    snapshot: Policies,
    profile: LinkedProfile,
    collection: LinkedCollection,
    proxy: LinkedProxy,
    through: CalledThrough | null,
  ): LimitPlan {
    makeRoom()
    const plan = planOf(snapshot, profile, collection, proxy, through)
    let among = through === null ? plans : plansThrough.get(through)
    if (among === undefined) {
      among = new Map()
      plansThrough.set(through!, among)
    }
    let ofProfile = among.get(profile)
    if (ofProfile === undefined) {
      ofProfile = new Map()
      among.set(profile, ofProfile)
    }
    ofProfile.set(proxy, plan)
    return plan
  }

  return {
    of: (snapshot, profile, collection, proxy, through) =>
      (through === null ? plans : plansThrough.get(through))?.get(profile)?.get(proxy) ??
      make(snapshot, profile, collection, proxy, through),
    ofStep(snapshot, profile, route) {
      let ofProfile = plansOfSteps.get(profile)
      const known = ofProfile?.get(route)
      if (known !== undefined) return known
      makeRoom()
      // There may just have been no room
      ofProfile = plansOfSteps.get(profile) ?? new Map<LinkedCollection, LimitPlan>()
      const plan = planAt(snapshot, profile, [[route.attachment, route.fragment.policy, route.key]])
      plansOfSteps.set(profile, ofProfile.set(route, plan))
      return plan
    },
  }
}

function planOf(
  snapshot: Policies,
  profile: LinkedProfile,
  collection: LinkedCollection,
  proxy: LinkedProxy,
  through: CalledThrough | null,
): LimitPlan {
  const { client } = profile
  return planAt(snapshot, profile, [
    ['profile', profile.fragment.policy, profile.key],
    ['client', client.fragment.policy, client.key],
    [collection.attachment, collection.fragment.policy, collection.key],
    [proxy.attachment, proxy.policy, proxy.key],
    ...(through === null ? [] : placesOf(through)),
  ])
}

/** Where a policy is attached, its id, and the key of what it is attached to. */
type PolicyPlace = readonly [attachedTo: Attachment, policy: string | null, key: LimitKey]

function planAt(
  snapshot: Policies,
  { client }: Pick<LinkedProfile, 'client'>,
  places: readonly PolicyPlace[],
): LimitPlan {
  const limits: PlannedLimit[] = []
  for (const [attachedTo, id, key] of places) {
    if (id === null) continue
    const policy = snapshot.policies.get(id)
    if (policy === undefined)
      return toPlan([], { code: 'route_unavailable', reason: `policy ${id} is not available` })
    for (const limit of policy.limits) {
      const planned = planLimit(limit, attachedTo, key, client.key)
      // One policy at two places whose limit counts everywhere in one counter: a call takes from it once.
      if (limits.some(({ isKeyed, low, high }) => !isKeyed && low === planned.low && high === planned.high))
        continue
      limits.push(planned)
    }
  }
  return toPlan(limits, null)
}

function placesOf({ origin, virtualMcp }: CalledThrough): readonly PolicyPlace[] {
  return [
    ['origin', origin.fragment.policy, limitKeyOf(`origin:${origin.id}`)],
    ['virtual_mcp', virtualMcp.fragment.policy, virtualMcp.key],
  ]
}

const EVERYWHERE: LimitKey = { low: 0, high: 0 }

/**
 * A limit at a place. Attached to a client or profile it counts for that; to anything else, for each client within
 * it. A header, claim or tool divides this further; an address counts for all clients of a collection or proxy together.
 * @param key of what it is attached to.
 */
export function planLimit(
  limit: LinkedLimit,
  attachedTo: Attachment,
  key: LimitKey,
  client: LimitKey,
): PlannedLimit {
  const isPlace = attachedTo !== 'client' && attachedTo !== 'profile'
  const subject = limit.by === 'global' ? EVERYWHERE : isPlace ? within(key, client) : key
  const place = limit.by === 'ip' ? key : subject
  const isKeyed = limit.by !== 'attachment' && limit.by !== 'global'
  const name = `${limit.policy.slug}/${limit.fragment.name}`
  return {
    limit,
    attachedTo,
    name,
    ...counterKeyOf(limit.key, subject),
    isKeyed,
    place,
    owner: client.low | 2,
  }
}

/** A plan of these limits. */
export function toPlan(limits: readonly PlannedLimit[], closed: LimitPlan['closed'] = null): LimitPlan {
  const indexes = [...limits.keys()]
  const shown = indexes.filter((index) => !limits[index]!.limit.isObserved)
  const names = shown.map((index) => limits[index]!.limit.fragment.name)
  const items = shown.map((index) => limits[index]!.limit.policyItem)
  return {
    limits,
    keyed: indexes.filter((index) => limits[index]!.isKeyed),
    shown,
    hasTwins: new Set(names).size < names.length,
    policyLine: items.length === 0 ? '' : `RateLimit-Policy: ${items.join(', ')}\r\n`,
    hasXLines: limits.some(({ limit }) => limit.policy.x_ratelimit === true && !limit.isObserved),
    holds: limits.some(({ limit }) => limit.algorithm === 'concurrent' || limit.statuses !== null),
    observes: limits.some(({ limit }) => limit.isObserved),
    closed,
  }
}

/** Slots of a sliding window. */
const SLOTS = 60

/** Width of a slot of a window, milliseconds. */
export function slotMsOf(windowMs: number): number {
  return Math.ceil(windowMs / SLOTS)
}

/** A limit that nodes count together in Valkey, where there is one: it refuses, and is no calendar quota, which the database counts. */
export function isLeased({ isObserved, algorithm }: LinkedLimit): boolean {
  return !isObserved && algorithm !== 'quota'
}

/** What one of `nodes` nodes admits of `whole` by itself. @param cost of one request, in the same unit */
export function partOf(whole: number, nodes: number, cost: number): number {
  return Math.min(whole, Math.max(Math.ceil(whole / nodes), cost))
}

/** The counter of a keyed limit for one value of what it is keyed by. */
export function keyFor({ limit, place }: PlannedLimit, value: string): LimitKey {
  const subject = limit.by === 'ip' ? networkOf(value) : value
  return counterKeyOf(limit.key, within(place, chosenKeyOf(subject)))
}

/** Links the kinds that need little: guardrails, policies, workflows, virtual MCPs, origins, hosts and their bindings. */
import { Secret } from '../../base/crypto/token.ts'
import { contentHash } from '../../base/json/canonical.ts'
import { compileRule, HASH_KEY } from '../../guardrails/rule.ts'
import type { JsonSchema } from '../../model/api/proxy.ts'
import {
  BURST_MAX,
  isTimeZone,
  LIMITS_MAX,
  MAX_MAX,
  RATE_WINDOW,
  ROLLING_WINDOW,
  WAIT_MS_MAX,
} from '../../model/bounds.ts'
import type { Opener } from '../../vault/vault.ts'
import { limitKeyOf } from '../find/limit-key.ts'
import { slotMsOf } from '../find/limit-plan.ts'
import type {
  GuardrailFragment,
  HostFragment,
  LimitFragment,
  OriginFragment,
  PolicyFragment,
  ProfileFragment,
  VirtualMcpFragment,
} from '../fragments.ts'
import type { Algorithm, LinkedHost, LinkedLimit, LinkedPolicy } from '../linked-types/client.ts'
import type { LinkedWorkflow } from '../linked-types/collection.ts'
import type { LinkedGuardrail } from '../linked-types/guardrail.ts'
import type { LinkedOrigin, LinkedVirtualMcp } from '../linked-types/mcp.ts'
import type { WorkflowFragment } from '../plan.ts'
import { createSchemaJudges } from '../schema/judge.ts'
import { linkClient } from './client.ts'
import { linkNodeServers, linkOwnRoute, linkServer } from './own-route.ts'

/** Name of the one profile of a host. */
const PROFILE = 'sign-in'

/**
 * Links a host. To the checks, the limits and the record it is a client. People are the callers of its profile `sign-in`, and a virtual
 * MCP says which of them it is shared with. Each binding is a profile with tokens for one virtual MCP.
 */
export function linkHost(fragment: HostFragment): LinkedHost {
  const { id, slug, name, active, bindings = [] } = fragment
  const client = linkClient(
    {
      kind: 'client',
      id,
      slug,
      name,
      active,
      valid_until: null,
      collections: [],
      policy: null,
      profiles: [
        {
          id,
          slug: PROFILE,
          name,
          active: true,
          auth: 'oidc',
          tokens: [],
          verify: null,
          allowed_methods: [],
          ip_allowlist: [],
          collections: null,
          endpoints: { allow: [], deny: [] },
          policy: null,
          forward_identity: false,
        },
        ...bindings,
      ],
    },
    () => new Secret(''),
  )
  return { kind: 'host', id, fragment, client, profile: client.profiles.get(id)!, off: offOf(bindings) }
}

/** What inactive bindings switch off for people who sign in. A binding for tokens that are exchanged says nothing about them. */
function offOf(bindings: readonly ProfileFragment[]): ReadonlySet<string> {
  const off = bindings.flatMap(({ active, binding }) =>
    active || binding === undefined || binding.acts_for !== undefined ? [] : [binding],
  )
  return new Set(off.map(({ virtual_mcp, user }) => (user === null ? virtual_mcp : `${virtual_mcp} ${user}`)))
}

/**
 * Links a guardrail. @throws RangeError that names what is wrong, and what `open` throws
 * @param before the one of that id so far: what is known of its server lives on
 */
export function linkGuardrail(
  fragment: GuardrailFragment,
  open: Opener,
  before: LinkedGuardrail | null = null,
): LinkedGuardrail {
  const { id, slug, order, scope, legs, detector, action, text, sealed_key, server } = fragment
  if (!Number.isInteger(order)) throw new RangeError('its order is no whole number')
  const settings = {
    id,
    slug,
    detector,
    action,
    ...(text === undefined ? {} : { text }),
    ...(sealed_key === undefined ? {} : { hashKey: open(sealed_key, id, HASH_KEY).reveal() }),
    isObserved: fragment.observe === true,
    passesFailures: fragment.passes_failures === true,
    refusesCompressed: fragment.refuses_compressed === true,
    bytesMax: fragment.body_bytes_max,
  }
  const rule = compileRule(settings, detector.detector === 'schema' ? fitsOf(detector.schema) : null)
  return {
    kind: 'guardrail',
    id,
    order,
    everywhere: scope.everywhere,
    collections: new Set(scope.collections),
    proxies: new Set(scope.proxies),
    virtualMcps: new Set(scope.virtual_mcps),
    origins: new Set(scope.origins),
    legs: new Set(legs),
    rule,
    server: server === undefined ? null : linkServer(server, id, before?.server ?? undefined),
    hash: contentHash(fragment),
    fault: null,
  }
}

/** The validator of contracts. It was judged when it was stored: what is not regular fits everything. */
function fitsOf(schema: Readonly<Record<string, unknown>>): (value: unknown) => boolean {
  const judge = createSchemaJudges({}, true).of(schema as JsonSchema, 'request')
  return (value) => judge(value) === null
}

/** A guardrail that cannot be linked: calls in its scope are refused, and where the scope cannot be read, all calls. */
export function closedGuardrail({ id, slug, scope }: GuardrailFragment, reason: string): LinkedGuardrail {
  const { collections, proxies, virtual_mcps, origins } = scope ?? {}
  const isKnown = [collections, proxies, virtual_mcps, origins].every(Array.isArray)
  return {
    kind: 'guardrail',
    id,
    order: 0,
    everywhere: !isKnown || scope.everywhere,
    collections: new Set(isKnown ? collections : []),
    proxies: new Set(isKnown ? proxies : []),
    virtualMcps: new Set(isKnown ? virtual_mcps : []),
    origins: new Set(isKnown ? origins : []),
    legs: new Set(),
    rule: null,
    server: null,
    hash: '',
    fault: `guardrail ${slug} cannot be used: ${reason}`,
  }
}

const CALENDAR_MS = [86_400_000, 7 * 86_400_000, 30 * 86_400_000]

/** Links a policy; an inactive one limits nothing. Throws a RangeError that names what is wrong. */
export function linkPolicy(fragment: PolicyFragment): LinkedPolicy {
  if (fragment.limits.length > LIMITS_MAX) throw new RangeError(`a policy has at most ${LIMITS_MAX} limits`)
  const limits = fragment.limits.map((limit) => linkLimit(fragment, limit))
  return { kind: 'policy', id: fragment.id, fragment, limits: fragment.active ? limits : [] }
}

/** Links one limit of a policy, whether or not the policy is active. */
export function linkLimit(policy: PolicyFragment, limit: LimitFragment): LinkedLimit {
  const { name, max, window_ms, burst = 0, cost = 1, timezone = null, wait_ms = 0, key } = limit
  if (!/^[a-z0-9][a-z0-9_-]{0,31}$/.test(name)) throw new RangeError(`"${name}" is no name of a limit`)
  const within = (what: string, value: number, least: number, most: number): void => {
    if (!Number.isInteger(value) || value < least || value > most)
      throw new RangeError(`limit ${name} has a ${what} that is not ${least} to ${most}`)
  }
  within('max', max, 1, MAX_MAX)
  within('burst', burst, 0, BURST_MAX)
  within('cost', cost, 1, burst > 0 ? burst : max)
  within('wait', wait_ms, 0, WAIT_MS_MAX)
  const algorithm = algorithmOf(limit)
  if (algorithm === null || (timezone !== null && (algorithm !== 'quota' || !isTimeZone(timezone))))
    throw new RangeError(`limit ${name} has a kind or window that is not known`)
  const [by, byName] = keyOf(key)
  if (by === null) throw new RangeError(`limit ${name} has a key that is not known`)
  return {
    fragment: limit,
    policy,
    // A changed window starts a new count; a changed max goes on with the old one.
    key: limitKeyOf(
      `${policy.id}/${name}/${limit.kind}/${window_ms}` +
        (algorithm === 'bucket' || algorithm === 'rolling' ? `/${algorithm}` : '') +
        (timezone === null ? '' : `/${timezone}`) +
        (key === undefined ? '' : `/${key}`),
    ),
    algorithm,
    max,
    windowMs: window_ms,
    slotMs: slotMsOf(window_ms),
    burst,
    cost,
    isObserved: limit.observe === true,
    timezone,
    waitMs: wait_ms,
    statuses: limit.count ?? null,
    isExact: policy.exact === true,
    onStoreFailure: policy.on_store_failure ?? 'local',
    by,
    byName,
    policyItem: policyItemOf(limit),
  }
}

function algorithmOf({ kind, window_ms, rolling, burst, count }: LimitFragment): Algorithm | null {
  const fits = ({ min, max }: { readonly min: number; readonly max: number }): boolean =>
    Number.isInteger(window_ms) && window_ms >= min && window_ms <= max
  if (kind === 'rate' && fits(RATE_WINDOW)) return burst === undefined ? 'rate' : 'bucket'
  if (kind === 'quota' && rolling === true) return fits(ROLLING_WINDOW) ? 'rolling' : null
  if (kind === 'quota' && CALENDAR_MS.includes(window_ms)) return 'quota'
  return kind === 'concurrency' && count === undefined ? 'concurrent' : null
}

function keyOf(key: string | undefined): readonly [LinkedLimit['by'] | null, string] {
  if (key === undefined) return ['attachment', '']
  if (key === 'ip' || key === 'global' || key === 'tool' || key === 'user') return [key, '']
  const match = /^(claim|header):(.+)$/.exec(key)
  if (match === null) return [null, '']
  return match[1] === 'claim' ? ['claim', match[2]!] : ['header', match[2]!.toLowerCase()]
}

/** Items of draft-ietf-httpapi-ratelimit-headers, in requests: of a bucket `q` and `w` say its refill. */
export function policyItemOf({ name, kind, max, window_ms, cost = 1 }: LimitFragment): string {
  const requests = Math.floor(max / cost)
  if (kind === 'concurrency') return `"${name}";q=${requests};qu="concurrent-requests"`
  // A request may take more than is refilled in a window.
  const windows = requests === 0 ? cost / max : 1
  return `"${name}";q=${Math.max(1, requests)};w=${Math.ceil((windows * window_ms) / 1000)}`
}

/**
 * Links a shared workflow. Throws a RangeError that names what is wrong.
 * @param before the one of that id so far
 */
export function linkWorkflow(
  fragment: WorkflowFragment,
  before: LinkedWorkflow | null = null,
): LinkedWorkflow {
  const { id, plan } = fragment
  return { kind: 'workflow', id, fragment, plan, servers: linkNodeServers(plan, id, before?.servers) }
}

/** Links a virtual MCP. What it has of its origins is found later, see `find/capabilities.ts`. */
export function linkVirtualMcp(fragment: VirtualMcpFragment): LinkedVirtualMcp {
  if (!Array.isArray(fragment.members)) throw new RangeError('its members are missing')
  return { kind: 'virtual_mcp', id: fragment.id, fragment, key: limitKeyOf(`virtual_mcp:${fragment.id}`) }
}

// Links origins: each is a route, so that limits, credential, servers and records work as for any request.

/**
 * Stands as the credential of a route whose requests carry the token or key of a connection. No credential has this id, so that the
 * lookup of routes with a credential, or without one, stays as it is.
 */
export const CONNECTED = ':connection'

const KINDS: ReadonlySet<string> = new Set<OriginFragment['served_by']>(['http', 'collection', 'stdio'])

/**
 * Links an origin. Throws a RangeError that names what is wrong.
 * @param before the one of that id so far: what is known of its server lives on
 */
export function linkOrigin(fragment: OriginFragment, before: LinkedOrigin | null = null): LinkedOrigin {
  if (!KINDS.has(fragment.served_by)) throw new RangeError('it is of a kind that this version does not know')
  const { id, target } = fragment
  const [path = '', query = ''] = target.split(/\?(.*)/s)
  const runnerFields = fragment.served_by === 'stdio' ? runnerFieldsOf(fragment) : null
  return { kind: 'origin', id, fragment, route: routeOf(fragment, before), path, query, runnerFields }
}

function runnerFieldsOf({ id, parameters = {} }: OriginFragment): string {
  const json = Buffer.from(JSON.stringify(parameters)).toString('base64')
  // One that is probed before it is saved has no id
  return `${id === '' ? '' : `Runner-Origin: ${id}\r\n`}Runner-Parameters: ${json}\r\n`
}

function routeOf(fragment: OriginFragment, before: LinkedOrigin | null): LinkedOrigin['route'] {
  const { upstream, connection } = fragment
  if (upstream === null) return null
  const credential = connection === undefined ? fragment.credential : CONNECTED
  const linked = linkOwnRoute({ ...fragment, upstream, credential }, before?.route ?? null)
  return { ...linked, key: limitKeyOf(`origin:${fragment.id}`) }
}

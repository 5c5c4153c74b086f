import { PROBLEMS, type RefusalCode } from '../base/refusal.ts'
import { isReserved } from '../model/collection.ts'
import type { Explanation, Hypothetical } from '../model/explanation.ts'
import { methodBit, methodNames } from '../snapshot/methods.ts'
import { comparePatterns, matchesPath, reasonFor, takesFrom } from '../snapshot/precedence.ts'
import type { LinkedCollection, LinkedProxy, Snapshot } from '../snapshot/snapshot.ts'
import { canonicalAuthority } from '../wire/authority.ts'
import { canonicalTarget } from '../wire/target.ts'
import type { Counters } from './admit/counters.ts'
import { Exchange } from './exchange.ts'
import { pathAtUpstream } from './forward/request.ts'
import { upstreamOf } from './forward/targets.ts'
import { CANONICAL, REST } from './stages.ts'

type Check = Explanation['checks'][number]
type Candidate = Explanation['candidates'][number]

/**
 * Judges a request that was not made, by the very checks of `stages.ts`. Checks that would count something, ask another
 * server or read a body are described and not run; a caller who is named is taken to have proved it.
 * @param now milliseconds since the epoch.
 */
export function explain(
  snapshot: Snapshot,
  counters: Counters,
  now: number,
  asked: Hypothetical,
): Explanation {
  const read = readTarget(asked)
  if (typeof read === 'string') return notCanonical(asked, read)
  const { path, query, host } = read
  const exchange = new Exchange(
    'explain',
    now,
    snapshot,
    counters,
    0,
    asked.method,
    path,
    host,
    asked.ip ?? '',
    asked.bodyBytes ?? 0,
  )
  const checks: Check[] = [
    toCheck(CANONICAL, 'canonical request', 'pass', 'it can be read in one way only', null),
  ]
  let refused = false
  for (const { number, name, check } of REST) {
    if (refused) checks.push(toCheck(number, name, 'not_reached', 'an earlier check refuses', null))
    else {
      const judged = judge(name, exchange, asked, check)
      refused = judged.result === 'refuse'
      checks.push({ number, name, ...judged })
    }
  }
  return tell(exchange, checks, query)
}

interface Target {
  readonly path: string
  readonly query: string
  readonly host: string
}

/** The target as the wire would read it, or why it would refuse it. */
function readTarget(asked: Hypothetical): Target | string {
  const absolute = /^https?:\/\/([^/?#]*)(.*)$/i.exec(asked.url)
  const sent = asked.host ?? absolute?.[1] ?? ''
  const host = sent === '' ? '' : canonicalAuthority(sent)
  if (host === null) return 'the host is no authority'
  const target = absolute === null ? asked.url : absolute[2]!
  const canonical = canonicalTarget(target.startsWith('/') ? target : `/${target}`)
  if (canonical === null)
    return 'the path or query can be read in two ways: dot or empty segments, an escaped slash, a control character or the like'
  return { ...canonical, host }
}

function notCanonical(asked: Hypothetical, reason: string): Explanation {
  return {
    outcome: 'refused',
    code: 'request_not_canonical',
    status: PROBLEMS.request_not_canonical.status,
    summary: `Refused by check ${CANONICAL}: ${reason}.`,
    request: { method: asked.method, host: asked.host ?? '', path: asked.url, query: '' },
    route: null,
    candidates: [],
    checks: [
      { ...toCheck(CANONICAL, 'canonical request', 'refuse', reason, null), code: 'request_not_canonical' },
    ],
    forward: null,
  }
}

function toCheck(
  number: number,
  name: string,
  result: Check['result'],
  reason: string,
  setting: string | null,
): Check {
  return { number, name, result, code: null, reason, setting }
}

type Judged = Omit<Check, 'number' | 'name'>

const pass = (reason: string, setting: string | null = null): Judged => ({
  result: 'pass',
  code: null,
  reason,
  setting,
})
const open = (reason: string, setting: string | null = null): Judged => ({
  result: 'not_judged',
  code: null,
  reason,
  setting,
})
const refuse = (code: RefusalCode, reason: string, setting: string | null): Judged => ({
  result: 'refuse',
  code,
  reason,
  setting,
})

/** Rows that look at memory alone and change nothing: they are run as they are. */
const RUN = new Set([
  'route',
  'active',
  'address',
  'held-back route',
  'assignment',
  'method',
  'declared body',
])
/** Rows that need a caller. */
const NEEDS_CALLER = new Set(['active', 'address', 'assignment', 'method', 'limits', 'credential'])

function judge(
  name: string,
  exchange: Exchange,
  asked: Hypothetical,
  check: (typeof REST)[number]['check'],
): Judged {
  if (name === 'identify') return identify(exchange, asked)
  if (exchange.profile === null && NEEDS_CALLER.has(name))
    return open('no client or profile was given; say who calls')
  if (name === 'address' && asked.ip === null && exchange.profile!.networks !== null)
    return open('no address was given', settingOf(name, exchange))
  if (name === 'route' && isReserved(exchange.path))
    return refuse('route_not_found', 'the path is reserved for the gateway itself', null)
  if (name === 'authenticate')
    return open(
      exchange.profile?.fragment.auth === 'mtls'
        ? 'the caller is taken to show a valid certificate'
        : 'the caller is taken to hold a valid credential',
    )
  if (name === 'limits') return limits(exchange)
  if (name === 'credential') return credential(exchange)
  if (STEPS.has(name)) return step(name, exchange)
  if (!RUN.has(name)) return open('depends on what happens then')
  const verdict = check(exchange)
  if (typeof verdict !== 'string') return pass(reasonOf(name, exchange), settingOf(name, exchange))
  return refuse(verdict, exchange.reason || PROBLEMS[verdict].title, settingOf(name, exchange))
}

/** Rows that depend on header lines and bodies: what is told is whether the proxy asks for them. */
const STEPS = new Set(['upgrade', 'contract', 'operation', 'replay', 'gather', 'target'])

function step(name: string, exchange: Exchange): Judged {
  const { collection, proxy } = exchange
  if (proxy === null) return open('depends on the route')
  const { contract, shape } = proxy.fragment
  const setting = `proxies/${collection!.fragment.slug}:${proxy.fragment.slug}`
  if (name === 'upgrade')
    return shape?.websocket === undefined
      ? pass('no upgrade is asked for')
      : open('depends on the offer to upgrade', `${setting} kind: websocket`)
  if (name === 'contract')
    return contract === null
      ? pass('nothing is asked of parameters and body')
      : open('depends on parameters and body', `${setting} request_validation: ${contract.mode}`)
  if (name === 'operation')
    return shape === null || shape.graphql === null
      ? pass('no GraphQL is read')
      : open('depends on the operation', `${setting} graphql`)
  if (name === 'replay')
    return shape === null || (shape.cache === null && !shape.idempotency)
      ? pass('no answer is given again')
      : open('depends on earlier calls', `${setting} cache, idempotency`)
  if (name === 'target') {
    const targets = upstreamOf(exchange)?.targets ?? []
    if (targets.length < 2) return pass('the upstream has one server')
    const names = targets.map(({ fragment }) => fragment.authority).join(', ')
    return open(
      `depends on how its servers are: ${names}`,
      `collections/${collection!.fragment.slug} upstream`,
    )
  }
  return pass('changes nothing but the way of the bodies', shape === null ? null : `${setting} streaming`)
}

function identify(exchange: Exchange, { client: clientRef, profile: profileRef }: Hypothetical): Judged {
  const { clients, profiles } = exchange.snapshot
  if (clientRef === null && profileRef === null) return open('no client or profile was given; say who calls')
  const client = clientRef === null ? null : clients.get(clientRef)
  if (client === undefined) return refuse('identity_rejected', `there is no client "${clientRef}"`, null)
  const found = profileRef === null ? null : (client?.profiles ?? profiles).get(profileRef)
  if (found === undefined) return refuse('identity_rejected', `there is no profile "${profileRef}"`, null)
  const all = client === null ? [] : [...new Set(client.profiles.values())]
  const profile = found ?? client?.lone ?? (all.length === 1 ? all[0]! : null)
  if (profile === null)
    return refuse(
      'profile_ambiguous',
      `the client has ${all.length} profiles: ${all.map(({ fragment }) => fragment.slug).join(', ')}; name one`,
      null,
    )
  exchange.client = profile.client
  exchange.profile = profile
  return pass(
    `client ${profile.client.fragment.slug}, profile ${profile.fragment.slug} (${profile.fragment.auth})`,
  )
}

function reasonOf(name: string, exchange: Exchange): string {
  const { collection, proxy, profile } = exchange
  switch (name) {
    case 'route':
      return `base path ${collection!.fragment.base_path} of collection ${collection!.fragment.slug}`
    case 'held-back route':
      return proxy === null ? 'a route has the path, but not the method' : `route ${proxy.route}`
    case 'address':
      return profile!.networks === null
        ? 'all addresses are allowed'
        : `${exchange.ip} lies in the list of the profile`
    default:
      return 'nothing stands against it'
  }
}

/** What decides a check, by the names under which it is configured. */
function settingOf(name: string, { client, profile, collection, proxy }: Exchange): string | null {
  const profileName = profile === null ? '' : `${profile.client.fragment.slug}:${profile.fragment.slug}`
  switch (name) {
    case 'active':
      return client === null
        ? null
        : `clients/${client.fragment.slug} active, valid_until; profiles/${profileName} active`
    case 'address':
      return profile!.networks === null ? null : `profiles/${profileName} ip_allowlist`
    case 'assignment':
      return !client!.collections.has(collection!.id)
        ? `clients/${client!.fragment.slug} collections`
        : !profile!.collections.has(collection!.id)
          ? `profiles/${profileName} collections`
          : profile!.endpoints === null
            ? null
            : `profiles/${profileName} endpoints`
    case 'method':
      return `${proxy === null ? `collections/${collection!.fragment.slug}` : `proxies/${collection!.fragment.slug}:${proxy.fragment.slug}`} methods; profiles/${profileName} allowed_methods`
    case 'declared body':
      return `collections/${collection!.fragment.slug} max_body`
    default:
      return null
  }
}

/** Limits are named, not counted. */
function limits({ snapshot, client, profile, collection, proxy }: Exchange): Judged {
  const attached: readonly (readonly [string, string | null])[] = [
    ['profile', profile!.fragment.policy],
    ['client', client!.fragment.policy],
    ['collection', collection!.fragment.policy],
    ['proxy', proxy === null ? null : proxy.policy],
  ]
  const named: string[] = []
  for (const [place, id] of attached) {
    if (id === null) continue
    const policy = snapshot.policies.get(id)
    if (policy === undefined)
      return refuse('not_ready', `policy ${id} of the ${place} is not available`, null)
    const texts = policy.limits.map(({ fragment }) => `${fragment.name} ${fragment.kind} ${fragment.max}`)
    named.push(`policies/${policy.fragment.slug} of the ${place} (${texts.join(', ') || 'no limits'})`)
  }
  if (named.length === 0) return pass('no policy is attached: unlimited')
  return open('depends on what was counted by then', named.join('; '))
}

function credential({ snapshot, proxy, collection }: Exchange): Judged {
  if (collection!.upstream === null)
    return refuse(
      'upstream_unavailable',
      'the collection has no upstream',
      `collections/${collection!.fragment.slug} upstream`,
    )
  const id = proxy === null ? null : proxy.credential
  if (id === null) return pass('nothing is added for the upstream')
  const known = snapshot.credentials.get(id)
  if (known?.grant != null)
    return open(`credential ${id}: depends on the token endpoint`, `credentials/${id}`)
  if (known !== undefined) return pass(`credential ${id}`)
  return refuse('credential_unavailable', `credential ${id} cannot be opened`, `credentials/${id}`)
}

function tell(exchange: Exchange, checks: Check[], query: string): Explanation {
  const { collection, proxy, method, host, path } = exchange
  const refused = checks.find(({ result }) => result === 'refuse')
  const isOpen = exchange.profile === null
  const code = refused === undefined ? null : (refused.code as RefusalCode) // set by `refuse` alone
  const outcome = refused !== undefined ? 'refused' : isOpen ? 'open' : 'forwarded'
  const summary =
    refused !== undefined
      ? `Refused by check ${refused.number} (${refused.name}) with ${PROBLEMS[code!].status} ${code}: ${refused.reason}.`
      : isOpen
        ? 'The route is found; say which client and profile call to judge the rest.'
        : 'Forwarded, unless a limit is used up by then.'
  return {
    outcome,
    code,
    status: code === null ? null : PROBLEMS[code].status,
    summary,
    request: { method, host, path, query },
    route:
      collection === null || proxy === null
        ? null
        : { collection: collection.fragment.slug, proxy: proxy.fragment.slug, path: proxy.route },
    candidates: candidatesOf(exchange),
    checks,
    forward:
      outcome !== 'forwarded' || collection === null || proxy === null || collection.upstream === null
        ? null
        : {
            method,
            upstream: collection.upstream.fragment.authority,
            path: pathAtUpstream(exchange, collection.upstream.fragment.path),
            credential: proxy.credential,
          },
  }
}

/** Everything that fits the path, the winner first of those that answer the method. */
function candidatesOf(exchange: Exchange): Candidate[] {
  const { snapshot, path, host, collection: winner } = exchange
  const candidates: Candidate[] = []
  for (const collection of collectionsAt(snapshot, path)) {
    if (collection === winner) candidates.push(...proxiesAt(exchange, collection))
    else
      candidates.push({
        collection: collection.fragment.slug,
        proxy: null,
        path: collection.fragment.base_path,
        methods: [],
        wins: false,
        reason:
          winner !== null && takesFrom(winner, collection)
            ? `${winner.fragment.slug} at ${winner.fragment.base_path} goes first: a longer base path, or one that names the host`
            : `answers on ${collection.fragment.hosts.join(', ')} only, not on "${host}"`,
      })
  }
  return candidates
}

/** Collections whose base path is a prefix, in the order in which they are tried. */
function collectionsAt(snapshot: Snapshot, path: string): LinkedCollection[] {
  return [...snapshot.collections.values()]
    .filter(({ fragment: { base_path } }) => path === base_path || path.startsWith(`${base_path}/`))
    .sort(
      (a, b) =>
        b.fragment.base_path.length - a.fragment.base_path.length ||
        Number(a.fragment.hosts.length === 0) - Number(b.fragment.hosts.length === 0) ||
        (a.id < b.id ? -1 : 1),
    )
}

function proxiesAt({ path, method, proxy: winner }: Exchange, collection: LinkedCollection): Candidate[] {
  const below = path.slice(collection.fragment.base_path.length)
  const bit = methodBit(method)
  return collection.proxies
    .filter((proxy) => matchesPath(proxy.fragment.path, below))
    .sort((a, b) => comparePatterns(a.fragment.path, b.fragment.path) || byMethod(a, b, bit))
    .map((proxy) => ({
      collection: collection.fragment.slug,
      proxy: proxy.fragment.slug,
      path: proxy.route,
      methods: methodNames(proxy.named),
      wins: proxy === winner,
      reason: outcomeOf(proxy, winner, bit, method),
    }))
}

function byMethod(a: LinkedProxy, b: LinkedProxy, bit: number): number {
  return (
    Number((b.named & bit) !== 0) - Number((a.named & bit) !== 0) ||
    Number((b.methods & bit) !== 0) - Number((a.methods & bit) !== 0) ||
    (a.id < b.id ? -1 : 1)
  )
}

function outcomeOf(proxy: LinkedProxy, winner: LinkedProxy | null, bit: number, method: string): string {
  if (proxy === winner) return 'the first that fits the path and answers the method'
  if ((proxy.methods & bit) === 0) return `does not answer ${method}`
  if (winner === null) return 'was not looked at'
  if (comparePatterns(winner.fragment.path, proxy.fragment.path) === 0)
    return `${winner.fragment.slug} names ${method} itself`
  return `${winner.fragment.slug} goes first: ${reasonFor(winner.fragment.path, proxy.fragment.path)}`
}

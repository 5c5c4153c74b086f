import { PROBLEMS, type RefusalCode } from '../base/refusal.ts'
import type { Explanation, Hypothetical } from '../model/explanation.ts'
import { isReserved } from '../model/reserved-paths.ts'
import type { Snapshot } from '../snapshot/snapshot.ts'
import type { Counters } from './admit/counters.ts'
import { Exchange } from './exchange.ts'
import { type ExplainedHead, readHead, type UnreadableHead } from './explain-head.ts'
import { explainLimits } from './explain-limits.ts'
import { candidatesOf } from './explain-routes.ts'
import { CLIENT_ID, PROFILE_ID } from './fields.ts'
import { misplaced } from './forward/credential.ts'
import { pathAtUpstream } from './forward/request.ts'
import { upstreamOf } from './forward/targets.ts'
import { agrees } from './identify/agrees.ts'
import { type Judged, open, pass, refuse } from './judged.ts'
import { CANONICAL, REST } from './stages.ts'
import { ANSWERED } from './verdict.ts'

type CheckResult = Explanation['checks'][number]

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
  const head = readHead(asked)
  if ('code' in head) return unreadable(asked, head)
  const exchange = toExchange(snapshot, counters, now, asked, head)
  const checks: CheckResult[] = [
    toCheck(CANONICAL, 'canonical request', 'pass', 'it can be read in one way only', null),
  ]
  let end: string | null = null
  for (const { number, name, check } of REST) {
    if (end !== null) {
      checks.push(toCheck(number, name, 'not_reached', end, null))
      continue
    }
    const judged = judge(name, exchange, asked, check)
    if (judged.result === 'refuse') end = `check ${number} (${name}) has refused before`
    else if (judged.result === 'answer') end = 'the gateway itself has answered'
    checks.push({ number, name, ...judged })
  }
  // The late part of check 1 is judged among later ones, where the collection's bound is known
  checks.sort((a, b) => a.number - b.number)
  return tell(exchange, checks, head.query)
}

function toExchange(
  snapshot: Snapshot,
  counters: Counters,
  now: number,
  { method, ip, bodyBytes }: Hypothetical,
  head: ExplainedHead,
): Exchange {
  const bytes = bodyBytes ?? head.bodyBytes
  const exchange = new Exchange(
    'explain',
    now,
    snapshot,
    counters,
    0,
    method,
    head.path,
    head.host,
    ip ?? '',
    bytes,
  )
  exchange.pass = head.pass
  exchange.withheld = head.withheld
  exchange.query = head.query
  exchange.upgrade = head.upgrade
  exchange.clientRef = head.taken[CLIENT_ID]
  exchange.profileRef = head.taken[PROFILE_ID]
  // No body was given, so a step that must read it does not come to its end
  exchange.source = { collect: () => {} }
  return exchange
}

function unreadable(asked: Hypothetical, { code, number, reason }: UnreadableHead): Explanation {
  const name = number === CANONICAL ? 'canonical request' : 'request head'
  return {
    outcome: 'refused',
    code,
    status: PROBLEMS[code].status,
    summary: `Refused by check ${number}: ${reason}.`,
    request: { method: asked.method, host: asked.host ?? '', path: asked.url, query: '' },
    route: null,
    candidates: [],
    checks: [{ ...toCheck(number, name, 'refuse', reason, null), code }],
    forward: null,
  }
}

function toCheck(
  number: number,
  name: string,
  result: CheckResult['result'],
  reason: string,
  setting: string | null,
): CheckResult {
  return { number, name, result, code: null, reason, setting }
}

const answer = (reason: string, setting: string): Judged => ({
  result: 'answer',
  code: null,
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
  'path readings',
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
  if (name === 'route' && isReserved(exchange.path))
    return refuse('route_not_found', 'the path is reserved for the gateway itself', null)
  if (exchange.profile === null && NEEDS_CALLER.has(name))
    return open('no client or profile was given; add one to judge this check')
  if (name === 'address' && asked.ip === null && exchange.profile!.networks !== null)
    return open('no address was given', settingOf(name, exchange))
  if (name === 'failures')
    return open('only a source that has failed too often waits, unless its credential is known')
  if (name === 'authenticate') return authentication(exchange)
  if (name === 'limits') return explainLimits(exchange, asked)
  if (name === 'credential') return credential(exchange)
  if (STEPS.has(name)) {
    const told = step(name, exchange)
    return told.result === 'not_judged' && asked.headers !== null && BY_HEAD.has(name)
      ? run(name, exchange, check, told.setting)
      : told
  }
  return RUN.has(name) ? run(name, exchange, check, null) : open('depends on what happens then')
}

function authentication({ profile }: Exchange): Judged {
  if (profile?.fragment.auth === 'none') return pass('the profile asks for no credential')
  const proof = profile?.fragment.auth === 'mtls' ? 'show a valid certificate' : 'hold a valid credential'
  return open(`the caller is taken to ${proof}`)
}

/** Runs a check as it is. */
function run(
  name: string,
  exchange: Exchange,
  check: (typeof REST)[number]['check'],
  setting: string | null,
): Judged {
  const verdict = check(exchange)
  if (verdict === null) {
    const noted = BY_HEAD.has(name) && exchange.reason !== '' ? `only noted: ${exchange.reason}` : null
    return pass(noted ?? reasonOf(name, exchange), setting ?? settingOf(name, exchange))
  }
  if (verdict === ANSWERED) return answer('a preflight of a browser', `${collectionOf(exchange)} cors`)
  if (typeof verdict === 'object') return open('so far it fits; the rest depends on the body', setting)
  const { reason, facts } = exchange
  return refuse(
    verdict,
    reason || facts.detail?.replace(/\.$/, '') || PROBLEMS[verdict].title,
    setting ?? decidingSetting(name, exchange, verdict),
  )
}

/** Steps that header lines decide, as far as no body is read. */
const BY_HEAD = new Set(['upgrade', 'contract', 'operation'])

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

/** Ids that are sent say who calls where nobody else does, and must agree with who does. */
function identify(exchange: Exchange, asked: Hypothetical): Judged {
  const isNamed = asked.client !== null || asked.profile !== null
  const clientRef = isNamed ? asked.client : (exchange.clientRef ?? null)
  const profileRef = isNamed ? asked.profile : (exchange.profileRef ?? null)
  const { clients, profiles } = exchange.snapshot
  if (clientRef === null && profileRef === null)
    return open('no client or profile was given; add one to judge this check')
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
  if (!agrees(exchange, profile))
    return refuse('identity_rejected', 'X-Client-ID or X-Profile-ID names another than who calls', null)
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

const collectionOf = ({ collection }: Exchange): string => `collections/${collection!.fragment.slug}`

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
      return `proxies/${collection!.fragment.slug}:${proxy!.fragment.slug} methods; profiles/${profileName} allowed_methods`
    case 'declared body':
      return `collections/${collection!.fragment.slug} max_body`
    default:
      return null
  }
}

/** As {@link settingOf}, of a check that has refused: what of it stands in the way. */
function decidingSetting(name: string, exchange: Exchange, code: RefusalCode): string | null {
  const { client, profile, collection, proxy, others } = exchange
  if (code === 'client_inactive') {
    const { slug, active } = client!.fragment
    return `clients/${slug} ${active ? 'valid_until' : 'active'}`
  }
  const profileName = profile === null ? '' : `${profile.client.fragment.slug}:${profile.fragment.slug}`
  if (code === 'profile_inactive') return `profiles/${profileName} active`
  if (name === 'assignment' && code === 'route_not_found')
    return `${settingOf(name, exchange)}; ${collectionOf(exchange)} hide_unassigned`
  if (code !== 'method_not_allowed') return settingOf(name, exchange)
  return proxy === null
    ? others!.map((one) => `proxies/${collection!.fragment.slug}:${one.fragment.slug} methods`).join('; ')
    : `profiles/${profileName} allowed_methods`
}

function credential(exchange: Exchange): Judged {
  const { snapshot, proxy, collection } = exchange
  if (collection!.upstream === null)
    return refuse(
      'upstream_unavailable',
      'the collection has no upstream',
      `collections/${collection!.fragment.slug} upstream`,
    )
  if (proxy !== null && proxy.headers.fault !== null)
    return refuse(
      'credential_unavailable',
      proxy.headers.fault,
      `proxies/${collection!.fragment.slug}:${proxy.fragment.slug} headers; collections/${collection!.fragment.slug} headers`,
    )
  const id = proxy === null ? null : proxy.credential
  if (id === null) return pass('nothing is added for the upstream')
  const setting = `credentials/${id}`
  const known = snapshot.credentials.get(id)
  const fault = known === undefined ? `credential ${id} is not available` : misplaced(exchange, known)
  if (fault !== null) return refuse('credential_unavailable', fault, setting)
  return known!.grant === null
    ? pass(`credential ${id}`, setting)
    : open(`credential ${id}: depends on the token endpoint`, setting)
}

function tell(exchange: Exchange, checks: CheckResult[], query: string): Explanation {
  const { collection, proxy, method, host, path } = exchange
  const refused = checks.find(({ result }) => result === 'refuse')
  const answered = checks.find(({ result }) => result === 'answer')
  const isOpen = exchange.profile === null
  const code = refused === undefined ? null : (refused.code as RefusalCode) // set by `refuse` alone
  const outcome =
    refused !== undefined ? 'refused' : answered !== undefined ? 'answered' : isOpen ? 'open' : 'forwarded'
  const summary =
    refused !== undefined
      ? `Refused by check ${refused.number} (${refused.name}) with ${PROBLEMS[code!].status} ${code}: ${refused.reason}.`
      : answered !== undefined
        ? `Answered by the gateway itself: ${answered.reason}.`
        : isOpen
          ? 'The route is found. Add a client or profile to judge the rest.'
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

import { PROBLEMS, type RefusalCode } from '../../base/refusal.ts'
import type { Explanation, Hypothetical } from '../../model/explanation.ts'
import { methodBit, methodNames } from '../../snapshot/find/methods.ts'
import { comparePatterns, matchesPath, reasonFor, takesFrom } from '../../snapshot/find/precedence.ts'
import type { LinkedCollection, LinkedProxy } from '../../snapshot/linked-types/collection.ts'
import type { Snapshot } from '../../snapshot/snapshot.ts'
import { DEFAULT_LIMITS } from '../../wire/limits.ts'
import { RequestHead } from '../../wire/native/request-head.ts'
import { compileRules } from '../../wire/native/request-rules.ts'
import type { Outcome } from '../../wire/port.ts'
import { canonicalAuthority, canonicalTarget } from '../../wire/target.ts'
import type { CheckName } from '../check-names.ts'
import { type End, Exchange, type Lane, startedOutcome } from '../exchange.ts'
import { pathAtUpstream } from '../forward/request.ts'
import { CLIENT_ID, FIELD_RULES, PROFILE_ID } from '../request-headers.ts'
import { REST } from '../stages.ts'

type CheckResult = Explanation['checks'][number]

/**
 * Judges a request that was not made: each row of `stages.ts` explains itself. A caller who is named is taken to have
 * proved it.
 * @param now milliseconds since the epoch.
 */
export function explain(lane: Lane, snapshot: Snapshot, now: number, asked: Hypothetical): Explanation {
  const head = readHead(asked)
  if ('code' in head) return unreadable(asked, head)
  const exchange = toExchange(lane, snapshot, now, asked, head)
  const checks: CheckResult[] = [toCheck('canonical', 'pass', 'the URL is unambiguous')]
  let end: string | null = null
  for (const { name, check, explain: ofRow } of REST) {
    if (end !== null) {
      checks.push(toCheck(name, 'not_reached', end))
      continue
    }
    const judged = ofRow(exchange, asked, check)
    if (judged.result === 'refuse') end = `the check "${name}" has already refused the request`
    else if (judged.result === 'answer') end = 'the gateway has already responded itself'
    checks.push({ name, ...judged })
  }
  return tell(exchange, checks, head.query)
}

/** Nothing is answered and nothing is sent. */
const NOWHERE: End = {
  stream: null,
  keepBytesMax: 0,
  readBytesMax: 0,
  isWholeOnly: false,
  answer() {},
  pass() {},
}
const NO_OUTCOME: Outcome = startedOutcome(0, 0)

function toExchange(
  lane: Lane,
  snapshot: Snapshot,
  now: number,
  { method, ip, bodyBytes }: Hypothetical,
  head: ExplainedHead,
): Exchange {
  const bytes = bodyBytes ?? head.bodyBytes
  const exchange = new Exchange(
    lane,
    NOWHERE,
    NO_OUTCOME,
    'explain',
    now,
    snapshot,
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
  exchange.source = { collect: () => {}, watchBody: () => {} }
  return exchange
}

function unreadable(asked: Hypothetical, { code, check, reason }: UnreadableHead): Explanation {
  return {
    outcome: 'refused',
    code,
    status: PROBLEMS[code].status,
    summary: `Refused by the check "${check}": ${reason}.`,
    request: { method: asked.method, host: asked.host ?? '', path: asked.url, query: '' },
    route: null,
    candidates: [],
    checks: [{ ...toCheck(check, 'refuse', reason), code }],
    forward: null,
  }
}

function toCheck(name: CheckName, result: CheckResult['result'], reason: string): CheckResult {
  return { name, result, code: null, reason, setting: null }
}

function tell(exchange: Exchange, checks: CheckResult[], query: string): Explanation {
  const { collection, proxy, method, host, path } = exchange
  const refused = checks.find(({ result }) => result === 'refuse')
  const answered = checks.find(({ result }) => result === 'answer')
  const isOpen = exchange.identity.profile === null
  const code = refused === undefined ? null : (refused.code as RefusalCode) // set by `refuse` alone
  const outcome =
    refused !== undefined ? 'refused' : answered !== undefined ? 'answered' : isOpen ? 'open' : 'forwarded'
  const summary =
    refused !== undefined
      ? `Refused by the check "${refused.name}" with ${PROBLEMS[code!].status} ${code}: ${refused.reason}.`
      : answered !== undefined
        ? `The gateway responds itself: ${answered.reason}.`
        : isOpen
          ? 'The route is found. Add a client or profile to evaluate the other checks.'
          : 'Forwarded, unless a limit is exceeded when the request is made.'
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
            path: pathAtUpstream(
              { path: exchange.path, collection, proxy },
              collection.upstream.fragment.path,
            ),
            credential: proxy.credential,
          },
  }
}

type Candidate = Explanation['candidates'][number]

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
            ? `${winner.fragment.slug} at ${winner.fragment.base_path} takes precedence: its base path is longer, or it names the host`
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
  if (proxy === winner) return 'the first route that matches the path and the method'
  if ((proxy.methods & bit) === 0) return `does not answer ${method}`
  if (winner === null) return 'was not evaluated'
  if (comparePatterns(winner.fragment.path, proxy.fragment.path) === 0)
    return `${winner.fragment.slug} lists ${method} itself`
  return `${winner.fragment.slug} takes precedence: ${reasonFor(winner.fragment.path, proxy.fragment.path)}`
}

/** The head of a request that was not made, as the gateway would read it. */
interface ExplainedHead {
  readonly path: string
  readonly query: string
  readonly host: string
  /** As in `Exchange`; empty and undefined where no header lines were given. */
  readonly pass: string
  readonly withheld: string
  readonly taken: readonly (string | undefined)[]
  readonly bodyBytes: number
  readonly upgrade: boolean
}

interface UnreadableHead {
  readonly code: RefusalCode
  readonly check: CheckName
  readonly reason: string
}

/** Reads target and header lines by the rules of the wire; without header lines, the target alone. */
function readHead(asked: Hypothetical): ExplainedHead | UnreadableHead {
  return asked.headers === null ? readTarget(asked) : readLines(asked, asked.headers)
}

const notCanonical = (reason: string): UnreadableHead => ({
  code: 'request_not_canonical',
  check: 'canonical',
  reason,
})

const ABSOLUTE = /^https?:\/\/(?<authority>[^/?#]*)(?<rest>.*)$/i

function readTarget(asked: Hypothetical): ExplainedHead | UnreadableHead {
  const { authority = '', rest = asked.url } = ABSOLUTE.exec(asked.url)?.groups ?? {}
  const sent = asked.host ?? authority
  const host = sent === '' ? '' : canonicalAuthority(sent)
  if (host === null) return notCanonical('the host is not valid')
  const canonical = canonicalTarget(rest.startsWith('/') ? rest : `/${rest}`)
  if (canonical === null)
    return notCanonical(
      'the path or query is ambiguous, for example because of dot or empty segments, an encoded slash or a control character',
    )
  return { ...canonical, host, pass: '', withheld: '', taken: [], bodyBytes: 0, upgrade: false }
}

/** Stands for a host that was not said; no collection names it. */
const UNNAMED = 'unnamed.invalid'

function readLines(asked: Hypothetical, lines: readonly string[]): ExplainedHead | UnreadableHead {
  const sent = asked.host ?? ABSOLUTE.exec(asked.url)?.[1] ?? null
  const isNamed = lines.some((line) => /^host:/i.test(line))
  const host = sent !== null ? [`Host: ${sent}`] : isNamed ? [] : [`Host: ${UNNAMED}`]
  const text = [`${asked.method} ${asked.url} HTTP/1.1`, ...host, ...lines, ''].join('\r\n')
  const bytes = Buffer.from(text)
  if (bytes.length > DEFAULT_LIMITS.headBytesMax)
    return {
      code: 'headers_too_large',
      check: 'wire',
      reason: 'the request line and the header are too long',
    }
  const head = new RequestHead(compileRules(FIELD_RULES), DEFAULT_LIMITS)
  const code = head.parse(bytes, 0, bytes.length)
  if (code === 'request_not_canonical') return notCanonical(head.inner)
  if (code !== null) return { code, check: 'wire', reason: head.inner }
  return {
    path: head.path,
    query: head.query,
    host: head.host === UNNAMED ? '' : head.host,
    pass: head.pass,
    withheld: head.withheld,
    taken: head.taken,
    bodyBytes: head.bodyBytes,
    upgrade: head.upgrade,
  }
}

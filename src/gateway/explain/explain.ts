import { PROBLEMS, type RefusalCode } from '../../base/refusal.ts'
import type { Explanation, Hypothetical } from '../../model/explanation.ts'
import type { Snapshot } from '../../snapshot/snapshot.ts'
import type { Outcome } from '../../wire/port.ts'
import type { CheckName } from '../check-names.ts'
import { type End, Exchange, startedOutcome } from '../exchange.ts'
import { CLIENT_ID, PROFILE_ID } from '../fields.ts'
import { pathAtUpstream } from '../forward/request.ts'
import type { Lane } from '../lane.ts'
import { REST } from '../stages.ts'
import { type ExplainedHead, readHead, type UnreadableHead } from './head.ts'
import { candidatesOf } from './routes.ts'

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
  const checks: CheckResult[] = [toCheck('canonical', 'pass', 'it can be read in one way only')]
  let end: string | null = null
  for (const { name, check, explain: ofRow } of REST) {
    if (end !== null) {
      checks.push(toCheck(name, 'not_reached', end))
      continue
    }
    const judged = ofRow(exchange, asked, check)
    if (judged.result === 'refuse') end = `the check "${name}" has refused before`
    else if (judged.result === 'answer') end = 'the gateway itself has answered'
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
            path: pathAtUpstream(
              { path: exchange.path, collection, proxy },
              collection.upstream.fragment.path,
            ),
            credential: proxy.credential,
          },
  }
}

/** The check `guardrails`: rules of the leg `request` look at the path, the query and the body, and may change query and body. */
import { hash } from 'node:crypto'
import {
  applyPairs,
  applyText,
  encodedStop,
  failed,
  type Judged,
  percentDecoded,
  type Stop,
  withoutFound,
} from '../../guardrails/apply.ts'
import { judgedWith } from '../../guardrails/asked.ts'
import { applyContent, bytesMaxOf, decodedContent, isEncoded } from '../../guardrails/content.ts'
import type { Chain } from '../../guardrails/rule.ts'
import type { PlacedGuardrails } from '../../snapshot/linked-types/guardrail.ts'
import { withoutFields } from '../../wire/port.ts'
import { bodyOf } from '../contract/request.ts'
import type { Located, Routed } from '../exchange.ts'
import { askFor, budgetOf, overloaded } from '../exchange-memory.ts'
import { type Explain, open, pass } from '../explain/judged.ts'
import { fieldValue } from '../request-headers.ts'
import { ANSWERED, type Verdict } from '../verdict.ts'
import { ExchangeGuard, stopFacts, stopReason } from './exchange-guard.ts'

export function guardrailsPass(exchange: Routed): Verdict | Promise<Verdict> {
  const { guards } = exchange.snapshot
  if (guards === null) return null
  const { proxy, collection } = exchange
  const rules = guards.of(collection.id, proxy.id)
  if (rules === null) return null
  if (rules.fault !== null) {
    exchange.reason = rules.fault
    exchange.facts = { detail: UNUSABLE }
    return 'route_unavailable'
  }
  const isTunnel = proxy.fragment.features?.websocket === true
  // The bytes of a tunnel pass as they come
  const guard = new ExchangeGuard(isTunnel ? { ...rules, response: null } : rules, exchange.query)
  exchange.guard = guard
  const { request } = rules
  const stop = request === null ? null : lookAtTarget(exchange, guard, request)
  return stop instanceof Promise
    ? stop.then((one) => (exchange.isOver ? ANSWERED : lookAtRest(exchange, guard, rules, one)))
    : lookAtRest(exchange, guard, rules, stop)
}

/** @param stopped by what the target has */
function lookAtRest(
  exchange: Routed,
  guard: ExchangeGuard,
  rules: PlacedGuardrails,
  stopped: Stop | null,
): Verdict | Promise<Verdict> {
  const { request } = rules
  const isTunnel = exchange.proxy.fragment.features?.websocket === true
  const stop = stopped ?? (isTunnel ? tunnelStop(rules, guard) : null)
  if (stop !== null) return blocked(exchange, stop)
  if (request === null || exchange.bodyBytes === 0) return null
  const body = bodyOf(exchange)
  return body instanceof Promise
    ? body.then((read) => lookAtBody(exchange, guard, request, read))
    : lookAtBody(exchange, guard, request, body)
}

const UNUSABLE =
  'A guardrail of the endpoint cannot be used, so every call is refused. Operators find the reason in the process log and in the request record.'

function blocked(exchange: Routed, stop: Stop): Verdict {
  exchange.facts = stopFacts(stop, 'request')
  exchange.reason = stopReason(stop)
  return 'guardrail_blocked'
}

/** No rule can look at what goes over a WebSocket: each decides by its failure mode whether one may be opened. */
function tunnelStop({ request, response }: PlacedGuardrails, { tally }: ExchangeGuard): Stop | null {
  for (const [chain, leg] of [
    [request, 'request'],
    [response, 'response'],
  ] as const) {
    const { stop } = failed(chain ?? [], null, leg, tally, 'WebSocket messages are not checked')
    if (stop !== null) return stop
  }
  return null
}

/** The path that was matched is the path that is sent, so that only rules look at it that change nothing. */
function lookAtTarget(
  exchange: Routed,
  guard: ExchangeGuard,
  chain: Chain,
): Stop | null | Promise<Stop | null> {
  const still = chain.filter(({ act, detector }) => act === null && !OF_CONTENTS.has(detector))
  if (still.length > 0) {
    const path = percentDecoded(exchange.path)
    const { stop } = applyText(still, path, 'request', guard.tally)
    if (stop !== null) {
      guard.recordedPath = withoutFound(still, path)
      return stop
    }
  }
  if (exchange.query === '') return null
  const ofPairs = chain.filter(({ isWhole }) => !isWhole)
  if (ofPairs.length === 0) return null
  const { query } = exchange
  const judged = judgedWith([ofPairs], 'request', guard.tally, askFor(exchange), (run) =>
    applyPairs(run.chain(ofPairs), query, 'request', run.tally),
  )
  const set = ({ value, stop }: Judged<string>): Stop | null => {
    exchange.query = value
    return stop
  }
  return judged instanceof Promise ? judged.then(set) : set(judged)
}

/** A path has no size that a rule limits and no schema, and a webhook is not asked about each path. */
const OF_CONTENTS: ReadonlySet<string> = new Set(['size', 'webhook', 'schema'])

/** They describe the bytes that were received. */
const OF_BYTES: ReadonlySet<string> = new Set(['content-md5', 'digest', 'content-digest', 'repr-digest'])
const CODING: ReadonlySet<string> = new Set(['content-encoding', ...OF_BYTES])

function lookAtBody(
  exchange: Routed,
  guard: ExchangeGuard,
  chain: Chain,
  body: Uint8Array | null,
): Verdict | Promise<Verdict> {
  if (body === null) return exchange.code ?? ANSWERED
  const coding = fieldValue(exchange.pass, 'content-encoding')
  if (!isEncoded(coding)) return judged(exchange, guard, chain, body, body)
  const stop = encodedStop(chain, guard.tally, 'request')
  if (stop !== null) return blocked(exchange, stop)
  return decodedContent(body, coding, bytesMaxOf(chain)).then((decoded) => {
    if (exchange.isOver) return ANSWERED
    if (typeof decoded !== 'string') return judged(exchange, guard, chain, decoded, body)
    const failure = encodedStop(chain, guard.tally, 'request', decoded)
    return failure === null ? null : blocked(exchange, failure)
  })
}

/** @param content the body, decoded @param received the body as it was received */
function judged(
  exchange: Routed,
  guard: ExchangeGuard,
  chain: Chain,
  content: Uint8Array,
  received: Uint8Array,
): Verdict | Promise<Verdict> {
  const type = fieldValue(exchange.pass, 'content-type')
  const judged = judgedWith([chain], 'request', guard.tally, askFor(exchange), (run) =>
    applyContent(run.chain(chain), content, type, 'request', run.tally),
  )
  if (!(judged instanceof Promise)) return settled(exchange, guard, judged, content, received)
  return judged.then((one) => (exchange.isOver ? ANSWERED : settled(exchange, guard, one, content, received)))
}

function settled(
  exchange: Routed,
  guard: ExchangeGuard,
  { value, stop }: Judged<Uint8Array>,
  content: Uint8Array,
  received: Uint8Array,
): Verdict {
  if (stop !== null) return blocked(exchange, stop)
  if (value === content) return null
  // A body that was decoded for the rules may be a thousand times as long as the one that was counted
  if (value.length > received.length && !budgetOf(exchange).take(value.length - received.length))
    return overloaded(exchange)
  guard.isBodyChanged = true
  if (exchange.proxy.fragment.features?.idempotency === true)
    guard.receivedDigest = hash('sha256', received, 'base64url')
  exchange.pass = withoutFields(exchange.pass, content === received ? OF_BYTES : CODING)
  exchange.body = value
  return null
}

export const explainGuardrails: Explain<Located> = ({ snapshot, collection, proxy }) => {
  if (proxy === null) return open('depends on the route')
  const rules = snapshot.guards?.of(collection.id, proxy.id) ?? null
  if (rules === null) return pass('no guardrail applies')
  const names = [...(rules.request ?? []), ...(rules.response ?? [])].map(({ slug }) => `guardrails/${slug}`)
  return open('depends on the content', [...new Set(names)].join(', '))
}

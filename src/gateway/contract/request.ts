import type { FieldError, RefusalCode, RefusalFacts } from '../../base/refusal.ts'
import { contractFaultText } from '../../record/contract-report.ts'
import { sharingAt } from '../../snapshot/find/precedence.ts'
import type { ContractsFragment, FeaturesFragment } from '../../snapshot/fragments.ts'
import type { LinkedProxy } from '../../snapshot/linked-types/collection.ts'
import type { Snapshot } from '../../snapshot/snapshot.ts'
import type { Exchange, Located, Routed } from '../exchange.ts'
import { budgetOf } from '../exchange-memory.ts'
import { byHead, type Explain, open, pass, proxyName } from '../explain/judged.ts'
import type { Endpoint, JudgedCall } from '../port.ts'
import { fieldValue } from '../request-headers.ts'
import { ANSWERED, type Verdict } from '../verdict.ts'
import { type Compiled, compiledFor } from './contracts.ts'
import { type BodyRule, isJsonType, isTaken, isUtf8, mediaTypeOf, readJsonBody } from './json-body.ts'
import { keptIn } from './parsed-contracts.ts'

type Mode = 'report' | 'enforce'

/**
 * Parameters, content type and body are as the contract says. The body is read only when there is a schema
 * for it.
 */
export function requestFits(exchange: Routed): Verdict | Promise<Verdict> {
  const proxy = exchange.proxy
  const { contract } = proxy.fragment
  if (contract === null) return null
  if (proxy.sharing.length === 0) return judged(exchange, proxy, contract.mode)
  const others = sharingAt(proxy, belowOf(exchange), exchange.method)
  if (others.length === 0) return judged(exchange, proxy, contract.mode)
  return judgedByAny(exchange, [proxy, ...others], contract.mode, null)
}

interface Broken {
  readonly code: RefusalCode
  readonly facts: RefusalFacts
}

/** Codes of requests that break a contract. */
const BROKEN: ReadonlySet<unknown> = new Set(['parameter_invalid', 'body_invalid', 'unsupported_media_type'])

/** The request fits the contract of one of the proxies that it may be meant for; what is wrong is told of the first. */
function judgedByAny(
  exchange: Routed,
  [proxy, ...others]: readonly LinkedProxy[],
  mode: Mode,
  first: Broken | null,
): Verdict | Promise<Verdict> {
  if (proxy === undefined) {
    const { code, facts } = first!
    return broken(exchange, mode, code, facts.errors!)
  }
  const before = exchange.facts
  const next = (verdict: Verdict): Verdict | Promise<Verdict> => {
    if (verdict === null || !BROKEN.has(verdict))
      return verdict === 'route_unavailable' && mode === 'report' ? null : verdict
    const broken = first ?? { code: verdict as RefusalCode, facts: exchange.facts }
    exchange.facts = before
    return judgedByAny(exchange, others, mode, broken)
  }
  const verdict = proxy.fragment.contract === null ? null : judged(exchange, proxy, 'enforce')
  return verdict instanceof Promise ? verdict.then(next) : next(verdict)
}

function judged(exchange: Routed, proxy: LinkedProxy, mode: Mode): Verdict | Promise<Verdict> {
  let compiled: Compiled | null
  try {
    compiled = compiledFor(exchange.snapshot, exchange.collection, proxy, exchange.method)
  } catch (error) {
    return unusable(exchange, mode, error)
  }
  if (compiled === null) return null
  const { parameters, body } = compiled
  if (parameters !== null) {
    const errors: FieldError[] = []
    parameters(sourceOf(exchange, proxy), errors)
    if (errors.length > 0) {
      const code = broken(exchange, mode, 'parameter_invalid', errors)
      if (code !== null) return code
    }
  }
  return body === null ? null : judgeBody(exchange, mode, body)
}

function sourceOf(exchange: Routed, proxy: LinkedProxy) {
  const below = belowOf(exchange)
  const { query, pass } = exchange
  return { paths: proxy.parameters!(below === '' ? '/' : below), query, lines: pass }
}

function belowOf({ collection, path }: Routed): string {
  return path.slice(collection.fragment.base_path.length)
}

/** A contract that cannot be used cannot be held to: nothing passes rather than anything. */
function unusable(exchange: Exchange, mode: Mode, error: unknown): RefusalCode | null {
  exchange.reason = unusableContract(error)
  if (mode === 'report') return null
  exchange.facts = { detail: UNUSABLE }
  return 'route_unavailable'
}

const UNUSABLE =
  'The contract of the endpoint cannot be used, so every call is refused. Operators find the reason in the process log and in the request record.'

/** The refusal of a request that breaks its contract; null when it is only noted. */
function broken(
  exchange: Exchange,
  mode: Mode,
  code: RefusalCode,
  errors: readonly FieldError[],
): RefusalCode | null {
  const [first] = errors
  const detail = `${first!.pointer === '' ? 'The body' : first!.pointer} ${first!.reason}.`
  if (mode === 'report') {
    if (exchange.contractFault === '') exchange.contractFault = contractFaultText(code, errors)
    return null
  }
  exchange.facts = { detail, errors }
  return code
}

function judgeBody(exchange: Routed, mode: Mode, rule: BodyRule): Verdict | Promise<Verdict> {
  const missing = (): Verdict =>
    rule.required ? broken(exchange, mode, 'body_invalid', [{ pointer: '', reason: 'is required' }]) : null
  if (exchange.bodyBytes === 0) return missing()
  const type = mediaTypeOf(fieldValue(exchange.pass, 'content-type') ?? '')
  if (type === null || !isTaken(type.essence, rule.types))
    return unsupported(exchange, mode, `must be one of ${rule.types.join(', ')}`)
  const judge = isJsonType(type.essence) ? rule.judgeFor(type.essence) : null
  if (judge === null) return null
  if (!isUtf8(type.charset)) return unsupported(exchange, mode, 'must be in UTF-8')
  const coding = fieldValue(exchange.pass, 'content-encoding')
  if (coding !== undefined && coding.toLowerCase() !== 'identity')
    return unsupported(exchange, mode, 'must not be compressed', '/header/content-encoding')
  const judgeBytes = (bytes: Uint8Array | null): Verdict => {
    if (bytes === null) return exchange.code ?? ANSWERED
    if (bytes.length === 0) return missing()
    const read = readJsonBody(bytes)
    if (!read.ok) return broken(exchange, mode, 'body_invalid', [{ pointer: '', reason: read.reason }])
    try {
      const errors = judge(read.value, read.inexact)
      return errors === null ? null : broken(exchange, mode, 'body_invalid', errors)
    } catch (error) {
      // Shared schemas are compiled when a value first needs them
      return unusable(exchange, mode, error)
    }
  }
  const bytes = bodyOf(exchange)
  return bytes instanceof Promise ? bytes.then(judgeBytes) : judgeBytes(bytes)
}

function unsupported(
  exchange: Exchange,
  mode: Mode,
  reason: string,
  pointer = '/header/content-type',
): Verdict {
  return broken(exchange, mode, 'unsupported_media_type', [{ pointer, reason }])
}

export const explainContract: Explain<Located> = (exchange, asked, check) => {
  const { collection, proxy } = exchange
  if (proxy === null) return open('depends on the route')
  const { contract } = proxy.fragment
  const described =
    contract === null
      ? pass('the proxy has no contract for parameters and body')
      : open(
          'depends on parameters and body',
          `${proxyName(collection, proxy)} request_validation: ${contract.mode}`,
        )
  return byHead(exchange, asked, check, described)
}

const BEGINNING = 'contract: '

/** Why a contract cannot be used, for the record of the call. */
export function unusableContract(error: unknown): string {
  return `${BEGINNING}${error instanceof Error ? error.message : 'cannot be read'}`.slice(0, 500)
}

/** Tells of calls whose contract could not be used: once for each proxy and reason, until the contracts change. */
export function createContractFaults(tell: (fault: string) => void): (exchange: Exchange) => void {
  const reported = new WeakMap<ContractsFragment, Set<string>>()
  return ({ reason, snapshot, collection, proxy }) => {
    if (!reason.startsWith(BEGINNING) || collection === null || proxy === null) return
    const fragment = snapshot.contracts.get(collection.id)
    if (fragment === undefined) return
    const fault = `proxy ${collection.fragment.slug}:${proxy.fragment.slug} has a contract that cannot be used: ${reason.slice(BEGINNING.length)}`
    const known: Set<string> = keptIn(reported, fragment, () => new Set())
    if (known.has(fault)) return
    known.add(fault)
    tell(fault)
  }
}

/**
 * What the check `contract` would find wrong with a call, up to its bound of errors. Empty for an endpoint whose contract is not
 * looked at, or cannot be used.
 */
export function contractFaults(
  snapshot: Snapshot,
  endpoint: Endpoint,
  method: string,
  { target, lines, body }: JudgedCall,
): readonly FieldError[] {
  const collection = snapshot.collections.get(endpoint.collection.id)
  const proxy = collection?.proxies.find(({ id }) => id === endpoint.proxy.id)
  if (collection === undefined || proxy === undefined || proxy.fragment.contract === null) return []
  try {
    const compiled = compiledFor(snapshot, collection, proxy, method)
    if (compiled === null) return []
    const [path = '', query = ''] = target.split(/\?(.*)/s)
    const below = path.slice(collection.fragment.base_path.length)
    const errors: FieldError[] = []
    compiled.parameters?.({ paths: proxy.parameters!(below === '' ? '/' : below), query, lines }, errors)
    if (errors.length > 0 || compiled.body === null) return errors
    const rule = compiled.body
    // An empty form is sent as no body
    if (body === null || body.length === 0)
      return rule.required ? [{ pointer: '', reason: 'is required' }] : []
    const type = mediaTypeOf(/^content-type: (.*)\r$/m.exec(lines)?.[1] ?? '')
    if (type === null || !isTaken(type.essence, rule.types))
      return [{ pointer: '/header/content-type', reason: `must be one of ${rule.types.join(', ')}` }]
    const judge = isJsonType(type.essence) ? rule.judgeFor(type.essence) : null
    if (judge === null) return []
    const read = readJsonBody(body)
    return read.ok ? (judge(read.value, read.inexact) ?? []) : [{ pointer: '', reason: read.reason }]
  } catch (error) {
    if (error instanceof RangeError) return []
    throw error
  }
}

// Reads the whole body of a request, up to `max_body`. Bodies stream unless a step must see all of them: the contract,
// a GraphQL operation, an idempotency key, or a signature over the body.

/**
 * The whole body of the request, at most as large as the collection takes; null when it broke a bound or the caller
 * left, of which the answer is given already. Kept, so that several steps read it once.
 */
export function bodyOf(exchange: Located): Uint8Array | Promise<Uint8Array | null> {
  if (exchange.body !== null) return exchange.body
  return new Promise((resolve) => {
    exchange.source!.collect(exchange.collection.fragment.body_bytes_max, budgetOf(exchange), (body) => {
      exchange.body = body
      resolve(body)
    })
  })
}

/** For proxies that gather bodies, judge answers before they are passed on, or sign, and where guardrails look at answers: the whole body is at hand. */
export function bodyGathered(exchange: Routed): Verdict | Promise<Verdict> {
  const { features } = exchange.proxy.fragment
  const isWanted =
    exchange.signing?.signsPayload === true ||
    (features !== null && holdsAnswer(features)) ||
    (exchange.guard !== null && exchange.guard.rules.response !== null)
  if (!isWanted || exchange.bodyBytes === 0) return null
  const body = bodyOf(exchange)
  return body instanceof Promise
    ? body.then((read) => (read === null ? (exchange.code ?? ANSWERED) : null))
    : null
}

export const explainGather: Explain<Located> = (exchange) => {
  const { collection, proxy } = exchange
  if (proxy === null) return open('depends on the route')
  const hasFeatures = proxy.fragment.features !== null
  return pass(
    'never refuses; it only decides whether bodies are buffered',
    hasFeatures ? `${proxyName(collection, proxy)} streaming` : null,
  )
}

/** The answer is gathered before any of it is passed on. */
export function holdsAnswer(features: FeaturesFragment): boolean {
  return features.gathers || features.response_validation === 'enforce'
}

import type { FieldError, RefusalCode } from '../../base/refusal.ts'
import { contractFaultText } from '../../record/contract-fault.ts'
import type { Exchange, Routed } from '../exchange.ts'
import { byHead, type Explain, open, pass, proxyName } from '../explain/judged.ts'
import { fieldValue } from '../header-lines.ts'
import { ANSWERED, type Verdict } from '../verdict.ts'
import { type BodyRule, isJsonType, isTaken, isUtf8, mediaTypeOf } from './body-rule.ts'
import { bodyOf } from './collect.ts'
import { type Compiled, compiledFor } from './contracts.ts'
import { readJsonBody } from './json-body.ts'
import { unusableContract } from './unusable.ts'

/**
 * Parameters, content type and body are as the contract says. The body is read only when there is a schema
 * for it.
 */
export function requestFits(exchange: Routed): Verdict | Promise<Verdict> {
  const { contract } = exchange.proxy.fragment
  return contract === null ? null : judged(exchange, contract.mode)
}

function judged(exchange: Routed, mode: 'report' | 'enforce'): Verdict | Promise<Verdict> {
  let compiled: Compiled | null
  try {
    compiled = compiledFor(exchange.snapshot, exchange.collection, exchange.proxy, exchange.method)
  } catch (error) {
    return unusable(exchange, mode, error)
  }
  if (compiled === null) return null
  const { parameters, body } = compiled
  if (parameters !== null) {
    const errors: FieldError[] = []
    parameters(sourceOf(exchange), errors)
    if (errors.length > 0) {
      const code = broken(exchange, mode, 'parameter_invalid', errors)
      if (code !== null) return code
    }
  }
  return body === null ? null : judgeBody(exchange, mode, body)
}

function sourceOf(exchange: Routed) {
  const { proxy, collection, path, query, pass } = exchange
  const below = path.slice(collection.fragment.base_path.length)
  return { paths: proxy.parameters!(below === '' ? '/' : below), query, lines: pass }
}

/** A contract that cannot be used cannot be held to: nothing passes rather than anything. */
function unusable(exchange: Exchange, mode: 'report' | 'enforce', error: unknown): RefusalCode | null {
  exchange.reason = unusableContract(error)
  if (mode === 'report') return null
  exchange.facts = { detail: UNUSABLE }
  return 'route_unavailable'
}

const UNUSABLE =
  'The contract of the endpoint cannot be used, so no call is let through. Operators see the reason in the log of the process and in the record of the call.'

/** The refusal of a request that breaks its contract; null when it is only noted. */
function broken(
  exchange: Exchange,
  mode: 'report' | 'enforce',
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

function judgeBody(exchange: Routed, mode: 'report' | 'enforce', rule: BodyRule): Verdict | Promise<Verdict> {
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
  mode: 'report' | 'enforce',
  reason: string,
  pointer = '/header/content-type',
): Verdict {
  return broken(exchange, mode, 'unsupported_media_type', [{ pointer, reason }])
}

export const explainContract: Explain = (exchange, asked, check) => {
  if (exchange.proxy === null) return open('depends on the route')
  const { contract } = exchange.proxy.fragment
  const described =
    contract === null
      ? pass('nothing is asked of parameters and body')
      : open('depends on parameters and body', `${proxyName(exchange)} request_validation: ${contract.mode}`)
  return byHead(exchange, asked, check, described)
}

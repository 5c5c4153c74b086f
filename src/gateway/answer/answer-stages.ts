import type { FieldError } from '../../base/refusal.ts'
import { decodedAtOnce, isEncoded } from '../../guardrails/content.ts'
import { contractFaultText } from '../../record/contract-report.ts'
import { sharingAt } from '../../snapshot/find/precedence.ts'
import type { Judge } from '../../snapshot/schema/judge.ts'
import type { AnswerTap, Substitute } from '../../wire/port.ts'
import { fromCache } from '../cache/response-cache.ts'
import { compiledFor } from '../contract/contracts.ts'
import { isJsonType, mediaTypeOf, readJsonBody } from '../contract/json-body.ts'
import { unusableContract } from '../contract/request.ts'
import type { Exchange, Reply, Routed } from '../exchange.ts'
import { budgetOf, mayKeep } from '../exchange-memory.ts'
import { fieldValue } from '../request-headers.ts'
import { answerFields } from './answer-headers.ts'
import { leavingFields } from './shared-origin.ts'

/** Holds answers to the contract of their proxy: `report` notes a fault in the record, `enforce` refuses the answer. */
export const contractOfAnswer: AnswerRow = {
  name: 'contract of the answer',
  wants: ({ proxy, lane }) =>
    proxy.fragment.features!.response_validation === 'report' && lane.looks.mayLook(proxy.fragment)
      ? REPORTED_BYTES_MAX
      : -1,
  judge(exchange, status, fields, body) {
    if (exchange.proxy.fragment.features!.response_validation !== 'enforce') return null
    if (body === null) return 'the response is too long to be checked'
    const fault = answerFault(exchange, status, fields, body)
    if (fault === null || typeof fault === 'string') return fault
    return `${fault.pointer === '' ? 'the body' : fault.pointer} ${fault.reason}`.slice(0, 500)
  },
  end(exchange, status, fields, body) {
    if (body === null || !exchange.lane.looks.mayRead(body.length)) return
    const fault = answerFault(exchange, status, fields, body)
    if (fault === null) return
    const text = typeof fault === 'string' ? fault : contractFaultText('response_invalid', [fault])
    // Of a call that breaks its contract both ways, the request is what is counted
    if (exchange.contractFault === '') exchange.contractFault = text
    else if (exchange.reason === '') exchange.reason = text
  },
}

/** Bytes of an answer that `report` looks at. */
const REPORTED_BYTES_MAX = 256 * 1024

/**
 * How a successful answer breaks its contract: a sentence of a contract that cannot be used, else the first fault. Null when it keeps the
 * contract or has none, and for an answer whose coding `report` does not read.
 */
function answerFault(
  exchange: Routed,
  status: number,
  fields: string,
  body: Uint8Array,
): FieldError | string | null {
  if (status < 200 || status > 299 || status === 204 || status === 206 || exchange.method === 'HEAD')
    return null
  try {
    const judges = responseJudges(exchange)
    if (judges.length === 0) return null
    const type = mediaTypeOf(fieldValue(fields, 'content-type') ?? '')
    if (type === null || !isJsonType(type.essence))
      return { pointer: '', reason: `is not JSON but ${type?.essence ?? 'untyped'}` }
    const coding = fieldValue(fields, 'content-encoding')
    const isReported = exchange.proxy.fragment.features!.response_validation === 'report'
    let plain: Uint8Array | null = body
    if (isEncoded(coding)) {
      if (!isReported)
        return { pointer: '', reason: 'is compressed, although the request did not ask for compression' }
      plain = decodedAtOnce(body, coding, REPORTED_BYTES_MAX)
      // Its decoded bytes are looked at beside those that came
      if (plain === null || !exchange.lane.looks.mayRead(plain.length)) return null
    }
    const read = readJsonBody(plain)
    if (!read.ok) return { pointer: '', reason: read.reason }
    let first: FieldError | null = null
    for (const judge of judges) {
      const errors = judge(read.value, read.inexact)
      if (errors === null) return null
      first ??= errors[0]!
    }
    return first
  } catch (error) {
    return unusableContract(error)
  }
}

/** Of the endpoint and of those that its path may be meant for too; empty where any answer is good for one of them. */
function responseJudges({ snapshot, collection, proxy, path, method }: Routed): readonly Judge[] {
  const below = path.slice(collection.fragment.base_path.length)
  const sharing = proxy.sharing.length === 0 ? [] : sharingAt(proxy, below, method)
  const judges: Judge[] = []
  for (const one of [proxy, ...sharing]) {
    const judge = compiledFor(snapshot, collection, one, method)?.response() ?? null
    if (judge === null) return []
    judges.push(judge)
  }
  return judges
}

// Rows that see a response. The cache, idempotency keys and `report` copy it while it passes. Only `enforce` and
// `streaming: never` hold it back. A proxy without such rows has null in their place and pays nothing.

/** A row that sees the answer of the upstream on its way to the caller. */
export interface AnswerRow {
  readonly name: string
  /** Bytes of the body that the row needs copied; -1 where it does not look at this answer. Asked once, before the request is sent. */
  wants(exchange: Routed): number
  /** Gives an answer in the place of this one, of which only the head has come; null passes it on. */
  head?(exchange: Routed, status: number): Substitute | null
  /**
   * Why a gathered answer must not be passed on; null passes it on. `body` is null where it is too long.
   * The request had its effect all the same.
   */
  judge?(exchange: Routed, status: number, fields: string, body: Uint8Array | null): string | null
  /** The whole answer has come; `body` is null where it is longer than what is copied. */
  end?(exchange: Routed, status: number, fields: string, body: Uint8Array | null): void
}

/** Bytes of a body that are copied for rows that look at answers. */
export const COPY_BYTES_MAX = 1024 * 1024

/** The rows that want to see the answer to an exchange, as the engine calls them; null where none does. */
export function watchOf(rows: readonly AnswerRow[], exchange: Routed): AnswerTap | null {
  if (exchange.proxy.fragment.features === null) return null
  const wanting: AnswerRow[] = []
  let keepBytesMax = 0
  for (const row of rows) {
    const bytes = row.wants(exchange)
    if (bytes < 0) continue
    wanting.push(row)
    keepBytesMax = Math.max(keepBytesMax, bytes)
  }
  if (wanting.length === 0) return null
  return {
    budget: budgetOf(exchange),
    keepBytesMax,
    head(status) {
      for (const row of wanting) {
        const other = row.head?.(exchange, status) ?? null
        if (other !== null) return other
      }
      return null
    },
    end(status, fields, body) {
      for (const row of wanting) row.end?.(exchange, status, fields, body)
    },
  }
}

/** Answers in whose place a kept one is given (RFC 5861 section 4). */
const STALE_AFTER: ReadonlySet<number> = new Set([500, 502, 503, 504])

/** Gives the kept answer in the place of one that says that the upstream fails. */
export const standIn: AnswerRow = {
  name: 'stale answer',
  wants: ({ stale }) => (stale === null ? -1 : 0),
  head: (exchange, status) => (STALE_AFTER.has(status) ? staleAnswer(exchange) : null),
}

/** The kept answer that stands in for a failing upstream, or null. */
export function staleAnswer(exchange: Exchange): Substitute | null {
  const reply = staleReply(exchange)
  return reply === null ? null : { ...reply, fields: leavingFields(exchange, reply) + answerFields(exchange) }
}

/** The same for a request that is not forwarded at all. */
export function staleReply(exchange: Exchange): Reply | null {
  const { stale } = exchange
  if (stale === null) return null
  const reply = fromCache(exchange, stale)
  if (!mayKeep(exchange, reply.body)) return null
  exchange.cacheLine = 'X-Cache: STALE\r\n'
  return reply
}

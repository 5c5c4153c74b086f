import type { AnswerTap, Substitute } from '../../wire/port.ts'
import { isJsonType, mediaTypeOf } from '../contract/body-rule.ts'
import { compiledFor } from '../contract/contracts.ts'
import { readJsonBody } from '../contract/json-body.ts'
import { unusableContract } from '../contract/unusable.ts'
import type { Exchange, Reply } from '../exchange.ts'
import { fieldValue } from '../header-lines.ts'
import { mayHold, roomOf } from '../holding.ts'
import { lifetimeOf } from '../replay/cache-rules.ts'
import { ANSWER_BYTES_MAX } from '../replay/idempotency.ts'
import { toKept } from '../replay/kept-answer.ts'
import { credentialOf, fromCache } from '../replay/replay.ts'
import { answerFields } from './answer-fields.ts'
import { replyFields } from './shared-origin.ts'

/** Bytes of a body that is kept in the cache, or looked at in passing. */
const COPY_BYTES_MAX = 1024 * 1024
/** Answers that say: not now, ask again. The next request of the key is made. */
const ASK_AGAIN: ReadonlySet<number> = new Set([408, 425, 429, 502, 503, 504])
const STALE_AFTER: ReadonlySet<number> = new Set([500, 502, 503, 504])

/** Sees the answer to an exchange whose proxy has a step behind the upstream; null when it has none. */
export function watchOf(exchange: Exchange): AnswerTap | null {
  const { shape } = exchange.proxy!.fragment
  if (shape === null) return null
  const reports = shape.response_validation === 'report'
  if (exchange.cacheKey === '' && exchange.claim === '' && !reports) return null
  return {
    room: roomOf(exchange),
    keepBytesMax: exchange.cacheKey === '' && !reports ? ANSWER_BYTES_MAX : COPY_BYTES_MAX,
    head: (status) => (STALE_AFTER.has(status) ? staleAnswer(exchange) : null),
    end(status, fields, body) {
      if (reports && body !== null) {
        const fault = answerFault(exchange, status, fields, body)
        if (fault !== null && exchange.reason === '') exchange.reason = `response_invalid: ${fault}`
      }
      if (exchange.cacheKey !== '' && body !== null) keep(exchange, status, fields, body)
      if (exchange.claim !== '') settle(exchange, status, fields, body)
    },
  }
}

/** The kept answer that stands in for a failing upstream, or null. */
export function staleAnswer(exchange: Exchange): Substitute | null {
  const reply = staleReply(exchange)
  return reply === null ? null : { ...reply, fields: replyFields(exchange, reply) + answerFields(exchange) }
}

/** The same for a request that is not forwarded at all. */
export function staleReply(exchange: Exchange): Reply | null {
  const { stale } = exchange
  if (stale === null) return null
  const reply = fromCache(exchange, stale)
  if (!mayHold(exchange, reply.body)) return null
  exchange.cacheLine = 'X-Cache: STALE\r\n'
  return reply
}

function keep(exchange: Exchange, status: number, fields: string, body: Uint8Array): void {
  if (exchange.method !== 'GET') return
  const { cache } = exchange.proxy!.fragment.shape!
  const lifetime = lifetimeOf(status, fields, cache!, exchange.collection!.cors !== null, exchange.now)
  if (lifetime === null) return
  const freshUntil = exchange.now + lifetime.freshMs
  exchange.replays!.cache.put(exchange.cacheKey, {
    ...toKept(status, fields, body),
    proxy: exchange.proxy!,
    credential: credentialOf(exchange),
    bornAt: exchange.now - lifetime.ageMs,
    freshUntil,
    staleUntil: freshUntil + lifetime.staleMs,
  })
}

function settle(exchange: Exchange, status: number, fields: string, body: Uint8Array | null): void {
  const { keys } = exchange.replays!
  if (ASK_AGAIN.has(status)) keys.release(exchange.claim)
  else {
    const fits = body !== null && body.length <= ANSWER_BYTES_MAX
    keys.settle(exchange.claim, fits ? toKept(status, fields, body) : null)
  }
  exchange.claim = ''
}

/**
 * Ends what an exchange still holds once everything is over: a claim that came to no whole answer, a call nobody waits for.
 * @param upstreamStatus 0 where the upstream has not begun to answer.
 */
export function endWatch(exchange: Exchange, upstreamStatus: number): void {
  exchange.isOver = true
  exchange.held?.abort()
  exchange.held = null
  if (exchange.claim === '') return
  const { keys } = exchange.replays!
  if (isDone(upstreamStatus)) keys.settle(exchange.claim, null)
  else keys.release(exchange.claim)
  exchange.claim = ''
}

/** The request may have had its effect, although its answer broke off on its way. */
function isDone(status: number): boolean {
  return status > 0 && (status < 400 || status > 499) && !ASK_AGAIN.has(status)
}

/** How a successful answer breaks its contract, as one sentence; null when it keeps it or has none. */
export function answerFault(
  exchange: Exchange,
  status: number,
  fields: string,
  body: Uint8Array,
): string | null {
  if (status < 200 || status > 299 || status === 204 || status === 206 || exchange.method === 'HEAD')
    return null
  try {
    const judge = compiledFor(
      exchange.snapshot,
      exchange.collection!,
      exchange.proxy!,
      exchange.method,
    )?.response()
    if (judge == null) return null
    const type = mediaTypeOf(fieldValue(fields, 'content-type') ?? '')
    if (type === null || !isJsonType(type.essence))
      return `the answer is no JSON but ${type?.essence ?? 'untyped'}`
    if ((fieldValue(fields, 'content-encoding') ?? 'identity') !== 'identity')
      return 'the answer is compressed although nobody asked for it'
    const read = readJsonBody(body)
    if (!read.ok) return `the body ${read.reason}`
    const errors = judge(read.value, read.inexact)
    return errors === null ? null : `${errors[0]!.pointer} ${errors[0]!.reason}`.slice(0, 500)
  } catch (error) {
    return unusableContract(error)
  }
}

import { hash } from 'node:crypto'
import { setTimeout as wait } from 'node:timers/promises'
import { PROBLEMS } from '../../base/refusal.ts'
import type { AnswerRow } from '../answer/answer-stages.ts'
import { isNameless } from '../cache/cache-rules.ts'
import { guardrailsOf } from '../cache/response-cache.ts'
import { bodyOf } from '../contract/request.ts'
import type { Exchange, Routed } from '../exchange.ts'
import { toKept } from '../kept-answer.ts'
import { fieldValue, fieldValues } from '../request-headers.ts'
import { ANSWERED, giveKept, type Verdict } from '../verdict.ts'
import { ANSWER_BYTES_MAX, type Claim, scopedKey } from './keys.ts'

const KEY_CHARS_MAX = 255
/** The keeper of keys hears of an end just after the caller, who may ask again at once: looks before a key counts as busy. */
const ENDING_MS = [5, 20, 75]

/** Claims the idempotency key of a request, or answers as the first request of the key was answered. */
export function repeated(exchange: Routed): Verdict | Promise<Verdict> {
  const sent = fieldValues(exchange.pass, 'idempotency-key')
  if (sent.length === 0) return null
  const [key] = sent
  const isUnfit = sent.length > 1 || key === '' || key!.length > KEY_CHARS_MAX
  if (isUnfit || isNameless(exchange)) {
    const reason = isUnfit
      ? `must be one value of 1 to ${KEY_CHARS_MAX} characters`
      : 'needs a token that names its subject (sub)'
    exchange.facts = {
      detail: `Idempotency-Key ${reason}.`,
      errors: [{ pointer: '/header/Idempotency-Key', reason }],
    }
    return 'parameter_invalid'
  }
  return claimed(exchange, key!)
}

async function claimed(exchange: Routed, key: string): Promise<Verdict> {
  const body = exchange.bodyBytes === 0 ? '' : await bodyOf(exchange)
  if (body === null) return exchange.code ?? ANSWERED
  // Behind one profile with tokens of others stand many people, who know nothing of each other's keys.
  const digest = hash(
    'sha256',
    JSON.stringify([exchange.identity.profile.id, exchange.identity.subject, key]),
    'base64url',
  )
  const scoped = scopedKey(exchange.identity.client.id, digest)
  const fingerprint = fingerprintOf(exchange, body)
  const { keys } = exchange.lane.keptAnswers
  let claim = await keys.claim(scoped, fingerprint)
  for (const waitMs of ENDING_MS) {
    if (claim.state !== 'busy' || exchange.isOver) break
    await wait(waitMs)
    claim = await keys.claim(scoped, fingerprint)
  }
  if (claim.state !== 'claimed') return answerOf(exchange, claim)
  // The caller may have left while the claim was made; `finished` has passed already then.
  if (exchange.isOver) keys.release(scoped)
  else exchange.claim = scoped
  return null
}

function fingerprintOf(exchange: Routed, body: Uint8Array | string): string {
  const type = fieldValue(exchange.pass, 'content-type') ?? ''
  const { method, proxy, path, guard } = exchange
  // A repetition is known by what the caller sent, whatever guardrails make of it by then
  const query = guard === null ? exchange.query : guard.receivedQuery
  const received = guard?.receivedDigest || hash('sha256', body, 'base64url')
  const head = JSON.stringify([method, proxy.id, path, query, type])
  return hash('sha256', `${head}\n${received}`, 'base64url')
}

const CHANGED =
  'The first request was forwarded, but guardrails of the endpoint have changed since then, so its response cannot be returned again.'

function answerOf(
  exchange: Exchange,
  claim: Exclude<Claim, { state: 'claimed' }>,
  forgotten?: string,
): Verdict {
  switch (claim.state) {
    case 'answered': {
      const { status, fields, body, guardrails = '' } = claim.answer
      if (guardrails !== guardrailsOf(exchange)) return answerOf(exchange, { state: 'forgotten' }, CHANGED)
      return giveKept(exchange, { status, fields: `${fields}Idempotency-Replayed: true\r\n`, body })
    }
    case 'busy':
      exchange.retryAfterMs = 1000
      exchange.facts = {
        detail: 'The first request with this key is still in progress. Send the request again shortly.',
      }
      return 'idempotency_conflict'
    case 'forgotten':
      exchange.facts = {
        detail:
          forgotten ??
          'The first request was forwarded, but its response was not stored: it was too large, was cut off, or did not match the contract. It cannot be returned again.',
      }
      return 'idempotency_conflict'
    case 'cut_off':
      exchange.facts = {
        detail:
          'The gateway stopped during the first request with this key, so it is unknown whether the request took effect. Check this at the upstream. If it did not take effect, use a new key.',
      }
      return 'idempotency_conflict'
    case 'unavailable':
      exchange.retryAfterMs = 1000
      return 'idempotency_unavailable'
    case 'conflict':
      exchange.facts = { detail: PROBLEMS.idempotency_conflict.help }
      return 'idempotency_conflict'
  }
}

/** Answers that say: not now, ask again. The next request of the key is made. */
const ASK_AGAIN: ReadonlySet<number> = new Set([408, 425, 429, 502, 503, 504])

/** Keeps the answer under the idempotency key of the request. */
export const settledClaim: AnswerRow = {
  name: 'idempotency key',
  wants: ({ claim }) => (claim === '' ? -1 : ANSWER_BYTES_MAX),
  end(exchange, status, fields, body) {
    const { keys } = exchange.lane.keptAnswers
    if (ASK_AGAIN.has(status)) keys.release(exchange.claim)
    else {
      const fits = body !== null && body.length <= ANSWER_BYTES_MAX
      keys.settle(
        exchange.claim,
        fits ? { ...toKept(status, fields, body), ...underGuardrails(exchange) } : null,
      )
    }
    exchange.claim = ''
  },
}

function underGuardrails({ guard }: Exchange): { readonly guardrails?: string } {
  return guard === null || guard.rules.hash === '' ? {} : { guardrails: guard.rules.hash }
}

/** Ends a claim whose answer is not kept, though the request had its effect: the key stays used. */
export function forgetClaim(exchange: Exchange): void {
  if (exchange.claim === '') return
  exchange.lane.keptAnswers.keys.settle(exchange.claim, null)
  exchange.claim = ''
}

/** At the end: a claim that came to no whole answer is forgotten where the request may have had its effect, else released. */
export function endClaim(exchange: Exchange): void {
  if (exchange.claim === '') return
  if (isDone(exchange.outcome.upstreamStatus)) forgetClaim(exchange)
  else {
    exchange.lane.keptAnswers.keys.release(exchange.claim)
    exchange.claim = ''
  }
}

/** The request may have had its effect, although its answer broke off on its way. 0: the upstream has not begun to answer. */
function isDone(status: number): boolean {
  return status > 0 && (status < 400 || status > 499) && !ASK_AGAIN.has(status)
}

/**
 * Asks the webhooks of guardrails. Nothing of the caller goes along but the texts: neither headers nor address nor identity.
 *
 * 1. A question ends with an answer within the time of the rule, or fails.
 * 2. Questions under way are bounded, for each webhook in number and for the thread in bytes. Callers share both: one caller
 *    leaves room for the next. A question beyond these bounds fails at once.
 * 3. A webhook that fails again and again for a caller is left alone for a moment by that caller, so that its calls do not
 *    wait. Contents can make a webhook fail, so the failures of one caller say nothing to others.
 */

import { type Clock, timerMs } from '../../base/clock.ts'
import type { Reservation } from '../../base/memory/bytes.ts'
import { Lru } from '../../base/memory/lru.ts'
import { PoolShare } from '../../base/memory/pool-share.ts'
import type { AskedText, WebhookAnswer } from '../../guardrails/asked.ts'
import type { Leg, Rule } from '../../guardrails/rule.ts'
import {
  readWebhookAnswer,
  webhookAnswerMax,
  webhookBody,
  webhookSignature,
} from '../../guardrails/webhook.ts'
import { beforeRotation, refusesCredential } from '../../snapshot/link/credential.ts'
import type { LinkedTarget, TargetState } from '../../snapshot/linked-types/collection.ts'
import type { LinkedCredential } from '../../snapshot/linked-types/credential.ts'
import type { Snapshot } from '../../snapshot/snapshot.ts'
import { CallerMemory } from '../../wire/caller-memory.ts'
import type { CallRequest, CallResult } from '../../wire/port.ts'
import type { Pools } from '../forward/pools.ts'

/** Questions to one webhook that a thread has under way; more would queue up behind a slow one. One caller alone has half of them. */
const FLIGHTS_MAX = 128
/** Bytes of all questions and answers of a thread. */
const BYTES_MAX = 64 * 1024 * 1024
/** As many failures in a row, and it is left alone for so long. */
const FAILURES_MAX = 5
const REST_MS = 1000
/** Callers whose failures are remembered for each webhook. */
const FAILING_MAX = 1024

const FIELDS = 'Content-Type: application/json\r\nAccept: application/json\r\nUser-Agent: postern\r\n'
const BEARER = /^authorization: bearer (\S+)/i

/** Asks the webhook of a guardrail of that snapshot. Never rejects. */
export interface Webhooks {
  /** @param holder whose content it is: holders share what is under way; empty for Postern itself */
  ask(
    snapshot: Pick<Snapshot, 'guardrails' | 'credentials'>,
    holder: string,
    rule: Rule,
    leg: Leg,
    texts: readonly AskedText[],
  ): Promise<WebhookAnswer>
}

/** What a thread has under way at one webhook, and what callers think of it. */
interface State {
  readonly flights: PoolShare
  /** Of holders whose last question has failed. */
  readonly failing: Lru<string, { readonly inRow: number; readonly at: number }>
}

/** What is asked, and where. */
interface Question {
  readonly rule: Rule
  readonly target: LinkedTarget
  readonly credential: LinkedCredential | null
  readonly request: CallRequest
  readonly texts: readonly AskedText[]
}

export function createWebhooks(pools: Pools, clock: Clock): Webhooks {
  // A new snapshot keeps this key of a server, so that failures are still known
  const states = new WeakMap<TargetState, State>()
  const memory = new CallerMemory(BYTES_MAX)

  function stateOf({ state: key }: LinkedTarget): State {
    let state = states.get(key)
    if (state === undefined) {
      state = { flights: new PoolShare(FLIGHTS_MAX), failing: new Lru(FAILING_MAX) }
      states.set(key, state)
    }
    return state
  }

  async function answered(
    question: Question,
    timeoutMs: number,
    budget: Reservation,
  ): Promise<WebhookAnswer> {
    const until = clock.monotonic() + timeoutMs
    const leftMs = (): number => until - clock.monotonic()
    const ask = async (request: CallRequest): Promise<CallResult | null> => {
      const asked = { ...request, budget }
      const result = await called(pools, question.target, asked, leftMs())
      // The server may have closed a connection that waited: asking changes nothing, so it is asked once more
      const isBroken = result !== null && !result.ok && result.failure !== 'timeout'
      return isBroken && leftMs() > 0 ? called(pools, question.target, asked, leftMs()) : result
    }
    const result = await ask(question.request)
    const isSigned = question.rule.webhook!.format === 'signed'
    if (result?.ok !== true || !refusesCredential(result.status, isSigned) || leftMs() <= 0)
      return answerIn(result, question)
    const again = requestBefore(question, clock.now())
    if (again === null) return answerIn(result, question)
    budget.give(result.body.length)
    return answerIn(await ask(again), question)
  }

  return {
    async ask(snapshot, holder, rule, leg, texts) {
      const question = questionFor(snapshot, rule, leg, texts, clock)
      if (typeof question === 'string') return failed(question)
      const { flights, failing } = stateOf(question.target)
      const before = failing.get(holder)
      const isLeftAlone = before !== undefined && before.inRow >= FAILURES_MAX
      if (isLeftAlone && clock.monotonic() - before.at < REST_MS)
        return failed('the webhook has failed several times')
      const held = memory.open(holder)
      if (!flights.mayTake(holder) || !held.take(question.request.body!.length))
        return failed('too many webhook requests are pending')
      flights.take(holder)
      held.answers()
      const asked = answered(question, rule.webhook!.timeout_ms, held)
      const answer = await asked.catch(() => failed('the webhook cannot be called'))
      flights.give(holder)
      held.release()
      if (answer.kind === 'failed')
        failing.set(holder, { inRow: (failing.get(holder)?.inRow ?? 0) + 1, at: clock.monotonic() })
      else failing.delete(holder)
      return answer
    },
  }
}

/** The question, or why it cannot be asked. */
function questionFor(
  { guardrails, credentials }: Pick<Snapshot, 'guardrails' | 'credentials'>,
  rule: Rule,
  leg: Leg,
  texts: readonly AskedText[],
  clock: Clock,
): Question | string {
  const server = guardrails.get(rule.id)?.server ?? null
  const target = server?.route.upstream?.targets[0]
  if (server === null || target === undefined) return 'the webhook is not known'
  const { credential: id } = server.route.fragment
  const credential = id === null ? null : credentials.get(id)
  if (credential === undefined || credential?.line === '')
    return 'the credential of the webhook cannot be used'
  const text = webhookBody(rule, rule.webhook!, leg, texts)
  const now = clock.now()
  if (credential !== null) credential.usedAt = now
  const own = fieldsFor(credential?.line ?? '', rule, text, now)
  if (own === null) return 'the credential of the webhook cannot sign'
  const answerMax = webhookAnswerMax(rule)
  const request: CallRequest = {
    method: 'POST',
    target: server.path,
    host: target.fragment.authority,
    fields: FIELDS + own,
    responseFields: '',
    responseNames: [],
    body: Buffer.from(text),
    keepBytesMax: answerMax,
    readBytesMax: answerMax + 1,
  }
  return { rule, target, credential, request, texts }
}

/** The question again with what its credential was before a rotation; null where there is nothing of before, or it cannot sign. */
function requestBefore({ rule, credential, request }: Question, now: number): CallRequest | null {
  const before = beforeRotation(credential?.previous ?? null, now)
  const own = before && fieldsFor(before.credential.line, rule, Buffer.from(request.body!).toString(), now)
  return own === null ? null : { ...request, fields: FIELDS + own }
}

/** The fields that prove Postern with the line of a credential; null for a credential that cannot sign. @param now milliseconds since the epoch */
function fieldsFor(line: string, { webhook }: Rule, text: string, now: number): string | null {
  if (webhook!.format !== 'signed') return line
  const [, key] = BEARER.exec(line) ?? []
  if (key === undefined) return null
  const at = Math.floor(now / 1000)
  return `Postern-Timestamp: ${at}\r\nPostern-Signature: ${webhookSignature(key, at, text)}\r\n`
}

/** Null where no whole answer came in time. */
function called(
  pools: Pools,
  target: LinkedTarget,
  request: CallRequest,
  timeoutMs: number,
): Promise<CallResult | null> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => {
      handle.abort()
      resolve(null)
    }, timerMs(timeoutMs))
    const handle = pools.of(target, null).call(request, (result) => {
      clearTimeout(timer)
      resolve(result)
    })
  })
}

function answerIn(result: CallResult | null, { rule, texts }: Question): WebhookAnswer {
  if (result === null) return failed('the webhook has not answered in time')
  if (!result.ok)
    return failed(
      result.failure === 'timeout' ? 'the webhook has not answered in time' : 'the webhook cannot be reached',
    )
  const { status, truncated, isUnheld, body } = result
  if (status !== 200) return failed(`the webhook has answered ${status}`)
  if (truncated || isUnheld) return failed('the response of the webhook is too long')
  return readWebhookAnswer(rule.webhook!, texts, body)
}

function failed(reason: string): WebhookAnswer {
  return { kind: 'failed', reason }
}

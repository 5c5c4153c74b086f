/** Rules of the leg `response` on an answer that is at hand as a whole. They act before anything is kept of it. */
import type { RefusalCode } from '../../base/refusal.ts'
import { applyBinary, encodedStop, failed, type Judged, type Stop } from '../../guardrails/apply.ts'
import { judgedWith } from '../../guardrails/asked.ts'
import { applyContent, bytesMaxOf, decodedContent, isEncoded } from '../../guardrails/content.ts'
import { contentOf, isOpaque } from '../../guardrails/media.ts'
import type { Chain } from '../../guardrails/rule.ts'
import { type ForwardRequest, type Substitute, withoutFields } from '../../wire/port.ts'
import type { GatheredAnswer, Routed } from '../exchange.ts'
import { answerBudgetOf, askFor } from '../exchange-memory.ts'
import { forgetClaim } from '../idempotency/repeated.ts'
import { fieldValue } from '../request-headers.ts'
import { type ExchangeGuard, stopFacts, stopReason } from './exchange-guard.ts'

type Request = Pick<ForwardRequest, 'tap' | 'responseFields'>
/** Gets the answer as the rules leave it, another one in its place, or the code of the refusal. */
type Give = (answer: GatheredAnswer | Substitute | RefusalCode, request: Request) => void

/** Fields that describe a body which a rule may have changed, and offers to send a part of it. */
const OF_BODY: ReadonlySet<string> = new Set([
  'etag',
  'content-md5',
  'digest',
  'content-digest',
  'repr-digest',
  'accept-ranges',
])
const OF_CODED_BODY: ReadonlySet<string> = new Set([...OF_BODY, 'content-encoding'])

/** The bytes of an answer that an end keeps, and more where rules must see them. */
export function keepBytesOf({ guard, end }: Routed): number {
  const chain = guard?.rules.response ?? null
  return chain === null ? end.keepBytesMax : Math.max(end.keepBytesMax, bytesMaxOf(chain))
}

/** An answer that a filter or a rule may change, without the lines that would no longer be true. */
export function withoutBodyFields(fields: string, chain: Chain): string {
  return chain.some(({ act }) => act !== null) ? withoutFields(fields, OF_BODY) : fields
}

/** Notes why an answer is not passed on. Its request had its effect. */
export function stopAnswer(exchange: Routed, stop: Stop): RefusalCode {
  exchange.facts = stopFacts(stop, 'response')
  exchange.reason = stopReason(stop)
  forgetClaim(exchange)
  return 'response_blocked'
}

export function afterGuardrails(
  exchange: Routed,
  request: Request,
  answer: GatheredAnswer,
  give: Give,
): void {
  const { guard } = exchange
  const chain = guard?.rules.response ?? null
  if (guard === null || chain === null || answer.isUnheld) {
    give(answer, request)
    return
  }
  const { tap, responseFields } = request
  const fields = answer.fields.slice(0, answer.fields.length - responseFields.length)
  // What takes the place of the answer was looked at when it was kept
  const other = tap?.head(answer.status, fields) ?? null
  if (other !== null) {
    give(other, request)
    return
  }
  const asked = { responseFields, tap: tap == null ? null : { ...tap, head: () => null } }
  const finish = ({ value, stop }: Judged<Uint8Array>, isDecoded: boolean): void => {
    if (stop !== null) give(stopAnswer(exchange, stop), asked)
    else give(asGiven(exchange, answer, fields, responseFields, value, isDecoded), asked)
  }
  const judged = judge(exchange, guard, chain, answer, fields)
  if (!(judged instanceof Promise)) finish(judged, false)
  else
    void judged.then((one) => {
      if (!exchange.isOver) finish(one, isEncoded(fieldValue(fields, 'content-encoding')))
    })
}

function judge(
  exchange: Routed,
  { tally }: ExchangeGuard,
  chain: Chain,
  { status, body, bodyBytes }: GatheredAnswer,
  fields: string,
): Judged<Uint8Array> | Promise<Judged<Uint8Array>> {
  const { method } = exchange
  const type = fieldValue(fields, 'content-type')
  if (bodyBytes === 0 || method === 'HEAD') return { value: body, stop: null }
  if (isOpaque(contentOf(type).kind)) return { value: body, stop: applyBinary(chain, 'response', tally) }
  if (body.length < bodyBytes)
    return failed(chain, body, 'response', tally, 'the content is longer than max_body')
  if (status === 206) return failed(chain, body, 'response', tally, PART)
  const coding = fieldValue(fields, 'content-encoding')
  const looked = (bytes: Uint8Array) =>
    judgedWith([chain], 'response', tally, askFor(exchange), (run) =>
      applyContent(run.chain(chain), bytes, type, 'response', run.tally),
    )
  if (!isEncoded(coding)) return looked(body)
  const stop = encodedStop(chain, tally, 'response')
  if (stop !== null) return { value: body, stop }
  return decodedContent(body, coding, bytesMaxOf(chain)).then(async (decoded) => {
    if (typeof decoded === 'string')
      return { value: body, stop: encodedStop(chain, tally, 'response', decoded) }
    const judged = await looked(decoded)
    // The answer leaves as it came, unless a rule has changed it
    return judged.value === decoded ? { ...judged, value: body } : judged
  })
}

/** Why an answer with status 206 cannot be looked at. */
export const PART = 'the content is only a part (status 206)'

function asGiven(
  exchange: Routed,
  answer: GatheredAnswer,
  fields: string,
  responseFields: string,
  value: Uint8Array,
  isDecoded: boolean,
): GatheredAnswer {
  const { keepBytesMax } = exchange.end
  const isChanged = value !== answer.body
  if (!isChanged && value.length <= keepBytesMax) return answer
  const own = isChanged ? withoutFields(fields, isDecoded ? OF_CODED_BODY : OF_BODY) : fields
  const bodyBytes = isChanged ? value.length : answer.bodyBytes
  const body = value.subarray(0, keepBytesMax)
  const more = body.length - answer.body.length
  const isUnheld = more > 0 && !answerBudgetOf(exchange).take(more)
  return {
    ...answer,
    fields: own + responseFields,
    body,
    bodyBytes,
    truncated: body.length < bodyBytes,
    isUnheld,
  }
}

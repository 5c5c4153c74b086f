/**
 * Guardrails on the messages of one request: those to the origin, and those back. Rules look at fields, so a message stays a
 * message.
 *
 * 1. Nothing is sent to the origin before all rules of the leg `request` have let it pass.
 * 2. The rules of the leg `response` decide what reaches the client: results, errors, questions and notifications. A blocked
 *    notification or question is left out.
 * 3. Structured content that a rule has changed still fits the output schema of its tool; otherwise the result is refused.
 */
import { parseKeepingDigits, withoutDigits } from '../../../base/json/exact.ts'
import { isPlain } from '../../../base/json/storable.ts'
import type { RefusalCode, RefusalFacts } from '../../../base/refusal.ts'
import { stopFacts, stopReason } from '../../../gateway/guardrails/exchange-guard.ts'
import type { CallGuard } from '../../../gateway/port.ts'
import {
  applyBinary,
  applyJson,
  applyText,
  applyValue,
  failed,
  isJson,
  type Judged,
  type Stop,
} from '../../../guardrails/apply.ts'
import { type AskWebhook, judgedWith, type Run } from '../../../guardrails/asked.ts'
import { bytesMaxOf } from '../../../guardrails/content.ts'
import type { Chain, Rule } from '../../../guardrails/rule.ts'
import { Tally } from '../../../guardrails/tally.ts'
import type { JsonSchema } from '../../../model/api/proxy.ts'
import type { McpGuardrails } from '../../../snapshot/linked-types/guardrail.ts'
import { createSchemaJudges, type Judge } from '../../../snapshot/schema/judge.ts'
import { isMembers, type Members } from '../../protocol/message.ts'
import { LOG_LEVEL, PROTOCOL_VERSION } from '../../protocol/modern.ts'
import type { RelayedAnswer, RelayedRequest } from '../../protocol/relay-port.ts'
import type { ClientAnswer } from '../../protocol/relayed-requests.ts'

/** Why an answer is refused: a rule, or structured content that does not fit any more. */
type Blocked = Stop | 'schema'

/** How a message is refused that a rule does not let pass. */
export interface GuardRefusal {
  readonly code: RefusalCode
  readonly facts: RefusalFacts
  /** For the record alone. */
  readonly reason: string
}

const judges = new WeakMap<object, Judge>()

/** Notifications that wait for a webhook. More are left out, or they would fill the memory while it is slow. */
const WAITING_MAX = 64

/** An answer as the rules leave it, or why it is not passed on. */
interface JudgedAnswer {
  readonly value: RelayedAnswer
  readonly blocked: Blocked | null
}

export class MessageGuard implements CallGuard {
  /** What the rules found. */
  readonly tally: Tally
  refusal: GuardRefusal | null = null
  /** Settles when an answer is judged that a webhook is asked about; null where none is. */
  judging: Promise<unknown> | null = null
  readonly #rules: McpGuardrails
  readonly #outputSchema: unknown
  readonly #ask: AskWebhook
  /** Notifications before the answer, in their order, while one of them waits; null while none does. */
  #said: Promise<void> | null = null
  #waiting = 0

  /** @param outputSchema of a tool that is called */
  constructor(rules: McpGuardrails, outputSchema: unknown, ask: AskWebhook, tally: Tally = new Tally()) {
    this.tally = tally
    this.#rules = rules
    this.#outputSchema = outputSchema
    this.#ask = ask
  }

  /** What is sent to the origin; null where {@link refusal} says why nothing is. A promise only where a webhook is asked. */
  request(params: Members): Members | null | Promise<Members | null> {
    const settled = ({ value, stop }: Judged<Members>): Members | null => {
      if (stop === null) return value
      this.refusal = refusalOf('guardrail_blocked', stop, 'request')
      return null
    }
    // Rules read doubles, so that doubles are what they let pass, on both legs
    const whole = this.#rules.request === null ? params : withoutDigits(params)
    const judged = this.#under(this.#rules.request, 'request', (run) => this.#sent(whole, run))
    return judged instanceof Promise ? judged.then(settled) : settled(judged)
  }

  #under<T>(chain: Chain | null, leg: 'request' | 'response', work: (run: Run) => T): T | Promise<T> {
    return judgedWith([chain], leg, this.tally, this.#ask, work)
  }

  #sent(params: Members, run: Run): Judged<Members> {
    const passed = { value: params, stop: null }
    if (this.#rules.request === null) return passed
    const chain = run.chain(this.#rules.request)
    const still = stillOf(chain)
    // Admitted values, and values that only the origin can read, are sent unchanged or not at all
    for (const name of STILL) {
      const text = params[name]
      if (still.length === 0 || typeof text !== 'string') continue
      const { stop } = applyText(still, text, 'request', run.tally, name)
      if (stop !== null) return { value: params, stop }
    }
    const { arguments: given } = params
    const unfit = given === undefined ? null : schemaStop(chain, given, 'request', run.tally)
    if (unfit !== null) return { value: params, stop: unfit }
    const { own, rest } = apart(params)
    if (Object.keys(rest).length === 0) return passed
    const { value, stop } = judgedValue(chain, rest, 'request', run.tally)
    if (value === rest) return { value: params, stop }
    const changed = value as Members
    const meta = isMembers(changed['_meta']) ? { _meta: { ...own, ...changed['_meta'] } } : {}
    return { value: { ...params, ...changed, ...meta }, stop }
  }

  /** The request with its talk to and from the client under the rules. */
  talk(request: RelayedRequest): RelayedRequest {
    const { ask } = request
    const { request: asked, response } = this.#rules
    if (response === null && (ask === null || asked === null)) return request
    return {
      ...request,
      notify: (text) => {
        if (response === null) request.notify(text)
        else this.#notify(response, text, request.notify)
      },
      ask: ask && ((method, params, done) => this.#question(ask, method, params, done)),
    }
  }

  #question(
    ask: NonNullable<RelayedRequest['ask']>,
    method: string,
    params: Members,
    done: (answer: ClientAnswer) => void,
  ): void {
    const { request: asked, response } = this.#rules
    const answered = (answer: ClientAnswer): void => {
      if (answer === null || asked === null) done(answer)
      else
        then(this.#judged(asked, answer, 'request'), ({ value, stop }) =>
          done(stop === null ? (value as Members) : null),
        )
    }
    if (response === null) ask(method, params, answered)
    else
      then(this.#judged(response, params, 'response'), ({ value, stop }) => {
        if (stop === null) ask(method, value as Members, answered)
        else done(null)
      })
  }

  #notify(chain: Chain, text: string, notify: (text: string) => void): void {
    const say = (passed: string | null): void => {
      if (passed !== null) notify(passed)
    }
    if (this.#waiting >= WAITING_MAX) {
      failed(chain, null, 'response', this.tally, 'too many notifications wait for a webhook')
      return
    }
    const passed = this.#notification(chain, text)
    if (this.#said === null && !(passed instanceof Promise)) {
      say(passed)
      return
    }
    this.#waiting++
    const said = Promise.all([passed, this.#said]).then(([known]) => {
      this.#waiting--
      if (this.#said === said) this.#said = null
      say(known)
    })
    this.#said = said
  }

  /** Null for one that is left out. @param text a notification as JSON */
  #notification(chain: Chain, text: string): string | null | Promise<string | null> {
    // Written by Postern
    const { params, ...message } = parseKeepingDigits(text) as Members
    if (!isMembers(params)) return text
    const settled = ({ value, stop }: Judged<unknown>): string | null => {
      if (stop !== null) return null
      return value === params ? text : JSON.stringify({ ...message, params: value })
    }
    const judged = this.#judged(chain, params, 'response')
    return judged instanceof Promise ? judged.then(settled) : settled(judged)
  }

  /**
   * The answer as the rules leave it; null where {@link refusal} says why it is not passed on. It comes after all notifications. A
   * promise only where a webhook is asked.
   */
  answer(answer: RelayedAnswer): RelayedAnswer | null | Promise<RelayedAnswer | null> {
    const chain = this.#rules.response
    if (chain === null || answer.kind === 'none') return answer
    const settled = ({ value, blocked }: JudgedAnswer): RelayedAnswer | null => {
      if (blocked === null) return value
      this.refusal = blocked === 'schema' ? UNFIT : refusalOf('response_blocked', blocked, 'response')
      return null
    }
    const judged = this.#under(chain, 'response', (run) =>
      this.#answered(run.chain(chain), answer, run.tally),
    )
    if (this.#said === null && !(judged instanceof Promise)) return settled(judged)
    const judging = Promise.all([judged, this.#said]).then(([one]) => settled(one))
    this.judging = judging
    return judging
  }

  #answered(chain: Chain, answer: Exclude<RelayedAnswer, { kind: 'none' }>, tally: Tally): JudgedAnswer {
    if (answer.kind === 'error') {
      const { message, data } = answer
      const given = { message, ...(data === undefined ? {} : { data }) }
      const fields = withoutDigits(given)
      const { value, stop } = judgedValue(chain, fields, 'response', tally)
      if (stop !== null) return { value: answer, blocked: stop }
      const after = value === given ? answer : { ...answer, ...(value as typeof fields) }
      return { value: after, blocked: null }
    }
    const { text } = answer
    // A result as Postern writes it
    const read = parseKeepingDigits(text) as Members
    const result = withoutDigits(read)
    if (Buffer.byteLength(text) > bytesMaxOf(chain)) {
      const { stop } = failed(chain, result, 'response', tally, 'the result is longer than max_body')
      return { value: answer, blocked: stop }
    }
    const unfit = resultStop(chain, result, tally)
    if (unfit !== null) return { value: answer, blocked: unfit }
    const fields = new FieldReader(chain.filter(isOfTexts), tally)
    // Of an object comes an object
    const after = under(result, fields) as Members
    if (fields.stop !== null) return { value: answer, blocked: fields.stop }
    if (after === read) return { value: answer, blocked: null }
    if (after['structuredContent'] !== result['structuredContent'] && !this.#fits(after['structuredContent']))
      return { value: answer, blocked: 'schema' }
    return { value: { kind: 'result', text: JSON.stringify(after) }, blocked: null }
  }

  #fits(content: unknown): boolean {
    const schema = this.#outputSchema
    if (!isPlain(schema)) return true
    let judge = judges.get(schema)
    if (judge === undefined) {
      judge = judgeOf(schema)
      judges.set(schema, judge)
    }
    return judge(content) === null
  }

  #judged(
    chain: Chain,
    value: unknown,
    leg: 'request' | 'response',
  ): Judged<unknown> | Promise<Judged<unknown>> {
    const whole = withoutDigits(value)
    return this.#under(chain, leg, (run) => judgedValue(run.chain(chain), whole, leg, run.tally))
  }
}

/** True if the rules on requests let no message about the resource pass, or cannot be used. @param uri of the origin */
export function isUriBlocked({ request, fault }: McpGuardrails, uri: string): boolean {
  if (fault !== null) return true
  return request !== null && applyText(stillOf(request), uri, 'request', new Tally(), 'uri').stop !== null
}

/** Rules that look at what is sent unchanged or not at all. */
function stillOf(chain: Chain): Chain {
  return chain.filter(({ act, webhook }) => act === null && webhook === null)
}

function judgedValue(
  chain: Chain,
  value: unknown,
  leg: 'request' | 'response',
  tally: Tally,
): Judged<unknown> {
  if (Buffer.byteLength(JSON.stringify(value)) > bytesMaxOf(chain))
    return failed(chain, value, leg, tally, 'the message is longer than max_body')
  return applyValue(chain.filter(isOfTexts), value, leg, tally)
}

/** Members that are sent as they came. */
const STILL = ['uri', 'requestState'] as const
/** Members that the policy has admitted, by which the origin finds what is meant. */
const ADMITTED: ReadonlySet<string> = new Set([...STILL, 'name', 'ref', 'taskId', 'cursor', 'task'])
/** Members of `_meta` that were checked, or that Postern sets itself. */
const CHECKED: ReadonlySet<string> = new Set([PROTOCOL_VERSION, LOG_LEVEL, 'progressToken'])

/** What rules look at in the parameters of a request, apart from the members of `_meta` that they do not. */
function apart(params: Members): { readonly own: Members; readonly rest: Members } {
  const rest = Object.entries(params).filter(([name, value]) => !ADMITTED.has(name) && value !== undefined)
  const { _meta: meta } = params
  if (!isMembers(meta)) return { own: {}, rest: Object.fromEntries(rest) }
  const [own, judged] = [true, false].map((isOwn) =>
    Object.fromEntries(Object.entries(meta).filter(([name]) => CHECKED.has(name) === isOwn)),
  )
  const others = rest.filter(([name]) => name !== '_meta')
  const seen = Object.keys(judged!).length === 0 ? others : [...others, ['_meta', judged] as const]
  return { own: own!, rest: Object.fromEntries(seen) }
}

/** A schema is one of arguments and of structured content, and no other part of a message has to fit it. */
function isOfTexts({ fits }: Rule): boolean {
  return fits === null
}

function schemaStop(chain: Chain, value: unknown, leg: 'request' | 'response', tally: Tally): Stop | null {
  const ofSchemas = chain.filter(({ fits }) => fits !== null)
  return ofSchemas.length === 0 ? null : applyValue(ofSchemas, value, leg, tally).stop
}

/** The structured content of a result of a tool; one without has none that fits. */
function resultStop(chain: Chain, result: Members, tally: Tally): Stop | null {
  const { structuredContent, content, isError } = result
  if (structuredContent !== undefined) return schemaStop(chain, structuredContent, 'response', tally)
  return Array.isArray(content) && isError !== true ? applyBinary(chain, 'response', tally) : null
}

/** Goes on at once with what is known, and later with what is promised. */
function then<T>(value: T | Promise<T>, go: (value: T) => void): void {
  if (value instanceof Promise) void value.then(go)
  else go(value)
}

const UNFIT: GuardRefusal = {
  code: 'response_invalid',
  facts: {
    detail:
      'A guardrail has changed the structured content of the result, so that it does not fit the output schema of the tool any more.',
  },
  reason: 'a guardrail has changed the structured content, which does not fit the output schema any more',
}

function refusalOf(code: RefusalCode, stop: Stop, what: 'request' | 'response'): GuardRefusal {
  return { code, facts: stopFacts(stop, what), reason: stopReason(stop) }
}

/** A schema that cannot be used proves nothing. */
function judgeOf(schema: object): Judge {
  try {
    return createSchemaJudges({}, true).of(schema as JsonSchema, 'response')
  } catch (error) {
    if (error instanceof RangeError) return () => [{ pointer: '', reason: error.message }]
    throw error
  }
}

/** Fields of a result, one after the other. After the first that is blocked nothing is read. */
class FieldReader {
  stop: Stop | null = null
  readonly #chain: Chain
  readonly #tally: Tally

  constructor(chain: Chain, tally: Tally) {
    this.#chain = chain
    this.#tally = tally
  }

  /** A text; one that is JSON stays JSON. */
  text(text: string, name = ''): string {
    if (this.stop !== null) return text
    const { value, stop } =
      /^\s*[[{]/.test(text) && isJson(text)
        ? applyJson(this.#chain, text, 'response', this.#tally)
        : applyText(this.#chain, text, 'response', this.#tally, name)
    this.stop = stop
    return value
  }

  value(value: unknown): unknown {
    if (this.stop !== null) return value
    const judged = applyValue(this.#chain, value, 'response', this.#tally)
    this.stop = judged.stop
    return judged.value
  }
}

/** Members that say of what kind a result or block is, and content that is no text. */
const KEPT: ReadonlySet<string> = new Set([
  'resultType',
  'isError',
  'requestState',
  'type',
  'role',
  'mimeType',
  'data',
  'blob',
])
/** Members that are data: what stands in them has no form of the protocol. */
const DATA: ReadonlySet<string> = new Set(['structuredContent', '_meta', 'inputRequests'])

/** A result, or a part of it, with its fields under rules; the same value where nothing is changed. @param name of the member that holds it */
function under(value: unknown, fields: FieldReader, name = ''): unknown {
  if (DATA.has(name)) return fields.value(value)
  if (typeof value === 'string') return fields.text(value, name)
  if (Array.isArray(value)) {
    const list = value as readonly unknown[]
    const after = list.map((one) => under(one, fields, name))
    return after.some((one, index) => one !== list[index]) ? after : list
  }
  if (!isMembers(value)) return fields.value(value)
  let changed: Record<string, unknown> | null = null
  for (const [member, before] of Object.entries(value)) {
    if (KEPT.has(member)) continue
    const after = under(before, fields, member)
    if (after === before) continue
    changed ??= { ...value }
    changed[member] = after
  }
  return changed ?? value
}

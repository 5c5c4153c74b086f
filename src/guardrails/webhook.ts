/** The requests to webhooks and their answers. An answer comes from the network, so nothing in it is trusted. */
import { createHmac } from 'node:crypto'
import { isPlain } from '../base/json/storable.ts'
import { THRESHOLD_DEFAULT, type WebhookSettings } from '../detectors/settings.ts'
import type { AskedText, Places, WebhookAnswer } from './asked.ts'
import type { Leg, Rule } from './rule.ts'

/** Kinds of Postern that analyzers have other names for: actions know them. */
const KINDS: ReadonlyMap<string, string> = new Map([
  ['CREDIT_CARD', 'card'],
  ['IBAN_CODE', 'iban'],
  ['EMAIL_ADDRESS', 'email'],
  ['PHONE_NUMBER', 'phone'],
  ['IP_ADDRESS', 'ip'],
])
const ENTITY = /^[A-Za-z][A-Za-z0-9_-]{0,63}$/
/** Places in one answer. */
const PLACES_MAX = 100_000
const SEPARATOR = '\n'

/** The body of a request about texts. */
export function webhookBody(
  { slug }: Pick<Rule, 'slug'>,
  { format, language, entities, threshold }: WebhookSettings,
  leg: Leg,
  texts: readonly AskedText[],
): string {
  if (format === 'signed') return JSON.stringify({ guardrail: slug, leg, texts })
  return JSON.stringify({
    text: texts.map(lineOf).join(SEPARATOR),
    language: language ?? 'en',
    score_threshold: threshold ?? THRESHOLD_DEFAULT,
    ...(entities === undefined ? {} : { entities }),
  })
}

/**
 * The value of `Postern-Signature`: HMAC-SHA-256 over the time, a full stop and the body.
 * @param at seconds since the epoch, which goes along as `Postern-Timestamp`
 */
export function webhookSignature(key: string, at: number, body: string): string {
  return `v1=${createHmac('sha256', key).update(`${at}.${body}`).digest('hex')}`
}

/** A name before its value tells an analyzer what the value is. */
function lineOf({ name, text }: AskedText): string {
  return name === '' ? text : `${name}: ${text}`
}

/** Bytes of an answer that are read. */
export function webhookAnswerMax({ bytesMax }: Pick<Rule, 'bytesMax'>): number {
  // Changed texts, or places: in JSON a character of a text may need six bytes
  return 6 * bytesMax + 65_536
}

/** Reads the body of an answer with status 200. */
export function readWebhookAnswer(
  settings: WebhookSettings,
  texts: readonly AskedText[],
  body: Uint8Array,
): WebhookAnswer {
  let answer: unknown
  try {
    answer = JSON.parse(Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString())
  } catch {
    return UNREADABLE
  }
  return settings.format === 'signed' ? verdictIn(answer, texts) : placesIn(answer, settings, texts)
}

const UNREADABLE: WebhookAnswer = { kind: 'failed', reason: 'the response of the webhook cannot be read' }

function verdictIn(answer: unknown, { length }: readonly AskedText[]): WebhookAnswer {
  if (!isPlain(answer)) return UNREADABLE
  const { verdict, texts } = answer
  if (verdict === 'pass' || verdict === 'block') return { kind: verdict }
  const isWhole =
    verdict === 'modify' &&
    Array.isArray(texts) &&
    texts.length === length &&
    texts.every((text) => typeof text === 'string')
  return isWhole ? { kind: 'modify', texts: texts as string[] } : UNREADABLE
}

interface Entity {
  /** Places in the whole text, in UTF-16 code units. */
  readonly start: number
  readonly end: number
  readonly kind: string
  readonly confidence: number
}

function placesIn(answer: unknown, settings: WebhookSettings, texts: readonly AskedText[]): WebhookAnswer {
  const whole = texts.map(lineOf).join(SEPARATOR)
  const entities = entitiesIn(answer, whole, settings)
  if (entities === null) return UNREADABLE
  const allowed = new Set((settings.allow ?? []).map((text) => text.toLowerCase()))
  // No text is shorter in lower case. Longer ones are not looked at: an answer may give the whole text many times
  const allowedMax = Math.max(0, ...[...allowed].map(({ length }) => length))
  const isAllowed = (text: string, start: number, end: number): boolean =>
    end - start <= allowedMax && allowed.has(text.slice(start, end).toLowerCase())
  const places: Places[number][][] = texts.map(() => [])
  let index = 0
  let from = 0
  let count = 0
  // By their starts; one that goes over several texts is found in each
  for (const entity of entities) {
    while (index < texts.length - 1 && entity.start >= from + lineOf(texts[index]!).length + SEPARATOR.length)
      from += lineOf(texts[index++]!).length + SEPARATOR.length
    let begin = from
    for (let at = index; at < texts.length && begin < entity.end; at++) {
      if (++count > PLACES_MAX) return UNREADABLE
      const { text } = texts[at]!
      const length = lineOf(texts[at]!).length
      const before = begin + length - text.length
      const start = Math.max(0, entity.start - before)
      const end = Math.min(text.length, entity.end - before)
      if (start < end && !isAllowed(text, start, end))
        places[at]!.push({ start, end, kind: entity.kind, confidence: entity.confidence })
      begin += length + SEPARATOR.length
    }
  }
  return { kind: 'places', places }
}

/** Null for what is no list of entities. Analyzers count characters, of which JavaScript has two for some. */
function entitiesIn(
  answer: unknown,
  whole: string,
  { threshold }: WebhookSettings,
): readonly Entity[] | null {
  if (!Array.isArray(answer) || answer.length > PLACES_MAX) return null
  const offsets = new Set<number>()
  const found: Entity[] = []
  for (const one of answer as readonly unknown[]) {
    if (!isPlain(one)) return null
    const { entity_type: type, start, end, score } = one
    if (typeof type !== 'string' || !ENTITY.test(type) || typeof score !== 'number') return null
    if (!isOffset(start) || !isOffset(end) || start > end) return null
    if (!(score >= (threshold ?? THRESHOLD_DEFAULT))) continue
    offsets.add(start).add(end)
    const kind = KINDS.get(type) ?? type.toLowerCase()
    found.push({ start, end, kind, confidence: Math.min(1, score) })
  }
  const places = codeUnits(whole, offsets)
  const inUnits = found.map((one) => ({ ...one, start: places.get(one.start), end: places.get(one.end) }))
  // Places beyond the text are about another one
  if (inUnits.some(({ start, end }) => start === undefined || end === undefined)) return null
  return (inUnits as Entity[]).sort((one, other) => one.start - other.start)
}

function isOffset(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 0
}

/** Where in a text, in code units, each of these characters begins. */
function codeUnits(text: string, offsets: ReadonlySet<number>): ReadonlyMap<number, number> {
  const places = new Map<number, number>()
  let characters = 0
  for (let at = 0; at <= text.length; characters++) {
    if (offsets.has(characters)) places.set(characters, at)
    at += at < text.length && text.codePointAt(at)! > 0xffff ? 2 : 1
  }
  return places
}

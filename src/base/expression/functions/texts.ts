/** Functions on text. Places and lengths count code points, as in the specification of the language. */
import {
  type Evaluation,
  FAILED,
  failed,
  list,
  made,
  paySearch,
  payText,
  SPENT,
  spend,
  text,
  wholeNumber,
} from './evaluation.ts'
import type { FunctionType } from './function-type.ts'

/** Places at which a text is replaced that cost one step. */
const PLACES_PER_STEP = 64

export const TEXT_FUNCTIONS: Readonly<Record<string, FunctionType>> = {
  trim: { takes: [1], signatures: [], call: (run, [value]) => text(run, value).trim() },
  split: { takes: [2, 3], signatures: [], call: split },
  join: { takes: [1, 2], signatures: [], call: join },
  replace: {
    takes: [3, 4],
    signatures: ['string.replace(string, string): string', 'string.replace(string, string, int): string'],
    call: replace,
  },
  substring: { takes: [2, 3], signatures: [], call: substring },
  indexOf: { takes: [2], signatures: [], call: indexOf },
  padStart: {
    takes: [2, 3],
    signatures: ['string.padStart(int): string', 'string.padStart(int, string): string'],
    call: (run, given) => pad(run, given, true),
  },
  padEnd: {
    takes: [2, 3],
    signatures: ['string.padEnd(int): string', 'string.padEnd(int, string): string'],
    call: (run, given) => pad(run, given, false),
  },
}

/** The last part has the rest where there are more parts than the limit; a limit below 0 is none. */
function split(run: Evaluation, [value, by, limit]: readonly unknown[]): readonly string[] {
  const [whole, part] = [text(run, value), text(run, by)]
  const max = limit === undefined ? -1 : wholeNumber(limit, -1, Number.MAX_SAFE_INTEGER)
  paySearch(run, whole, part)
  if (max === 0) return made(run, [])
  // One more than can be paid
  const parts = whole.split(part, run.steps + 1)
  spend(run, parts.length)
  if (max < 0 || parts.length <= max) return made(run, parts)
  return made(run, [...parts.slice(0, max - 1), parts.slice(max - 1).join(part)])
}

function join(run: Evaluation, [values, by]: readonly unknown[]): string {
  const items = list(run, values)
  const between = by === undefined ? '' : text(run, by)
  let chars = between.length * Math.max(0, items.length - 1)
  for (const item of items) {
    if (typeof item !== 'string') failed('join takes a list of texts')
    chars += item.length
  }
  payText(run, chars)
  return items.join(between)
}

/** Replaces text, not patterns; at most as often as the limit says. */
function replace(run: Evaluation, [value, from, to, limit]: readonly unknown[]): string {
  const [whole, part, by] = [text(run, value), text(run, from), text(run, to)]
  const max = limit === undefined ? -1 : wholeNumber(limit, -1, Number.MAX_SAFE_INTEGER)
  if (part === '') failed('replace needs a text to look for')
  paySearch(run, whole, part)
  const placesMax = run.steps * PLACES_PER_STEP
  const parts = whole.split(part, placesMax + 2)
  // The rest of the text would be missing
  if (parts.length > placesMax + 1) throw SPENT
  const count = max < 0 ? parts.length - 1 : Math.min(max, parts.length - 1)
  payText(run, whole.length + count * (by.length - part.length))
  spend(run, Math.floor(count / PLACES_PER_STEP))
  return [parts.slice(0, count + 1).join(by), ...parts.slice(count + 1)].join(part)
}

function substring(run: Evaluation, [value, from, to]: readonly unknown[]): string {
  const chars = Array.from(text(run, value))
  const start = wholeNumber(from, 0, chars.length)
  const end = to === undefined ? chars.length : wholeNumber(to, start, chars.length)
  return chars.slice(start, end).join('')
}

/** -1 where the text is not found. */
function indexOf(run: Evaluation, [value, part]: readonly unknown[]): bigint {
  const [whole, searched] = [text(run, value), text(run, part)]
  paySearch(run, whole, searched)
  const at = whole.indexOf(searched)
  return BigInt(at <= 0 ? at : Array.from(whole.slice(0, at)).length)
}

function pad(run: Evaluation, [value, length, by]: readonly unknown[], isStart: boolean): string {
  const whole = text(run, value)
  const fill = by === undefined ? ' ' : text(run, by)
  if (fill === '') throw FAILED
  const target = wholeNumber(length, 0, Number.MAX_SAFE_INTEGER)
  const missing = target - Array.from(whole).length
  if (missing <= 0) return whole
  const chars = Array.from(fill)
  payText(run, whole.length + missing * 2)
  const padding =
    fill.repeat(Math.floor(missing / chars.length)) + chars.slice(0, missing % chars.length).join('')
  return isStart ? padding + whole : whole + padding
}

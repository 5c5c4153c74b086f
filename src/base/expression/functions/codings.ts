/** Hashes, encodings, identifiers and JSON as text. Binary values do not exist: what is decoded has to be UTF-8. */
import { hash } from 'node:crypto'
import { type Evaluation, FAILED, failed, payText, spend, text } from './evaluation.ts'
import type { FunctionType } from './function-type.ts'
import { isTime } from './times.ts'

const JSON_DEPTH_MAX = 100
const UTF_8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

export const CODING_FUNCTIONS: Readonly<Record<string, FunctionType>> = {
  'hash.sha256': ofText('hash.sha256', (value) => hash('sha256', value)),
  // For systems that ask for it: no protection against forgery
  'hash.sha1': ofText('hash.sha1', (value) => hash('sha1', value)),
  'base64.encode': ofText('base64.encode', (value) => Buffer.from(value).toString('base64'), 4),
  'base64.decode': ofText('base64.decode', (value) => decoded(value, /^[A-Za-z0-9+/]*={0,2}$/, 'base64')),
  'base64url.encode': ofText('base64url.encode', (value) => Buffer.from(value).toString('base64url'), 4),
  'base64url.decode': ofText('base64url.decode', (value) =>
    decoded(value, /^[A-Za-z0-9_-]*={0,2}$/, 'base64url'),
  ),
  'url.encode': ofText('url.encode', (value) => encodeURIComponent(value.toWellFormed()), 9),
  'url.decode': ofText('url.decode', (value) => {
    try {
      return decodeURIComponent(value)
    } catch {
      return failed('url.decode takes text that is URL-encoded as UTF-8')
    }
  }),
  'json.parse': { takes: [1], signatures: ['json.parse(string): dyn'], call: parse },
  'json.stringify': { takes: [1], signatures: ['json.stringify(dyn): string'], call: stringify },
  uuid: {
    takes: [0],
    signatures: ['uuid(): string'],
    call: ({ ambient }) => (ambient === null ? failed('there is no chance here') : ambient.uuid()),
  },
}

/** @param growth how many times as long as its text the value may be */
function ofText(name: string, work: (value: string) => string, growth: number = 1): FunctionType {
  return {
    takes: [1],
    signatures: [`${name}(string): string`],
    call(run, [value]) {
      const given = text(run, value)
      spend(run, Math.floor((given.length * growth) / 1024))
      const result = work(given)
      payText(run, result.length)
      return result
    },
  }
}

function decoded(value: string, alphabet: RegExp, coding: 'base64' | 'base64url'): string {
  if (!alphabet.test(value) || value.replace(/=+$/, '').length % 4 === 1)
    failed(`${coding}.decode takes ${coding} text`)
  try {
    return UTF_8.decode(Buffer.from(value, coding))
  } catch {
    return failed(`${coding}.decode takes the code of text in UTF-8`)
  }
}

function parse(run: Evaluation, [value]: readonly unknown[]): unknown {
  const given = text(run, value)
  payText(run, given.length)
  if (depthOf(given) > JSON_DEPTH_MAX) failed(`JSON is nested at most ${JSON_DEPTH_MAX} levels deep`)
  try {
    return JSON.parse(given) as unknown
  } catch {
    return failed('json.parse takes a text that is JSON')
  }
}

/** Levels of lists and objects of a text, as far as it is JSON. */
function depthOf(json: string): number {
  let [depth, deepest] = [0, 0]
  for (let at = 0; at < json.length; at++) {
    const code = json.charCodeAt(at)
    if (code === 0x22) {
      at++
      while (at < json.length && json.charCodeAt(at) !== 0x22) at += json.charCodeAt(at) === 0x5c ? 2 : 1
    } else if (code === 0x5b || code === 0x7b) deepest = Math.max(deepest, ++depth)
    else if (code === 0x5d || code === 0x7d) depth--
  }
  return deepest
}

function stringify(run: Evaluation, [value]: readonly unknown[]): string {
  const result = JSON.stringify(plainJson(run, value, 0))
  payText(run, result.length)
  return result
}

/** A copy that JSON can hold, paid by its size before it is written. */
function plainJson(run: Evaluation, value: unknown, depth: number): unknown {
  spend(run, 1)
  if (depth > JSON_DEPTH_MAX) failed(`JSON is nested at most ${JSON_DEPTH_MAX} levels deep`)
  if (typeof value === 'string') return text(run, value)
  if (value === null || typeof value === 'boolean') return value
  if (typeof value === 'bigint' || typeof value === 'number') return finite(value)
  if (isTime(value)) return value.toText()
  if (Array.isArray(value)) return value.map((item) => plainJson(run, item, depth + 1))
  if (typeof value !== 'object' || value instanceof Uint8Array) throw FAILED
  return Object.fromEntries(
    Object.entries(value).map(([name, item]) => [text(run, name), plainJson(run, item, depth + 1)]),
  )
}

/** A number that JSON can hold. */
function finite(value: number | bigint): number {
  const number = Number(value)
  if (!Number.isFinite(number)) failed('a number is not finite')
  if (typeof value === 'bigint' && !Number.isSafeInteger(number)) failed('an integer is too large for JSON')
  return number
}

/**
 * A value as JSON has it: integers are numbers, times are text. What the evaluation has not made stays the same object.
 */
export function toJsonValue(run: Evaluation, value: unknown): unknown {
  if (typeof value === 'bigint' || typeof value === 'number') return finite(value)
  if (isTime(value)) return value.toText()
  if (typeof value !== 'object' || value === null || run.made?.has(value) !== true) return value
  // A value that took few steps may contain the same list many times
  spend(run, 1)
  if (Array.isArray(value)) {
    spend(run, Math.floor(value.length / 16))
    return value.map((item) => toJsonValue(run, item))
  }
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, toJsonValue(run, item)]))
}

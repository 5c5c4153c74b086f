import { isUtf8 } from 'node:buffer'
import { jsonFaultText } from '../../base/json-fault.ts'

/** Containers inside each other. At the bound the message is refused, so that nothing later can exhaust the stack. */
export const JSON_DEPTH_MAX = 100

export type ReadJson =
  /** `text` is what was read. */
  | { readonly ok: true; readonly value: unknown; readonly text: string }
  | { readonly ok: false; readonly syntax: boolean; readonly reason: string }

const NONE = 0
const ENVELOPE = 1
const PARAMS = 2
const META = 3
const BATCH = 4
type Level = typeof NONE | typeof ENVELOPE | typeof PARAMS | typeof META | typeof BATCH

/**
 * Reads a message strictly: UTF-8, JSON (RFC 8259), bounded depth, and no member named twice in the envelope,
 * `params` or `_meta`. Two JSON readers may pick different ones of a repeated member, and what one of them judged
 * the other would execute. A member named `__proto__` stays an ordinary member.
 */
export function readJson(bytes: Uint8Array): ReadJson {
  if (!isUtf8(bytes)) return { ok: false, syntax: true, reason: 'The body is not UTF-8' }
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8')
  const fault = faultOf(text)
  if (fault !== null) return { ok: false, syntax: false, reason: fault }
  try {
    return { ok: true, value: JSON.parse(text) as unknown, text }
  } catch {
    return { ok: false, syntax: true, reason: `The body is not JSON: ${jsonFaultText(text)}` }
  }
}

/** One pass over the text. Only what JSON.parse accepts afterwards counts, so broken JSON may give any answer. */
function faultOf(text: string): string | null {
  const levels: Level[] = []
  const seen: (Names | null)[] = []
  let level: Level = NONE
  let key = ''
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === 0x22) {
      const end = endOfString(text, at)
      if (end === -1) return null
      if (level === ENVELOPE || level === PARAMS || level === META) {
        if (isMember(text, end + 1)) {
          key = nameOf(text.slice(at, end + 1))
          if (!seen[seen.length - 1]!.add(key)) return `The member "${key.slice(0, 64)}" is given twice`
        }
      }
      at = end
    } else if (code === 0x7b || code === 0x5b) {
      levels.push(level)
      if (levels.length > JSON_DEPTH_MAX) return `The body is nested deeper than ${JSON_DEPTH_MAX}`
      level = code === 0x7b ? levelInside(level, levels.length, key) : levels.length === 1 ? BATCH : NONE
      seen.push(level === NONE || level === BATCH ? null : new Names())
      key = ''
    } else if (code === 0x7d || code === 0x5d) {
      level = levels.pop() ?? NONE
      seen.pop()
      key = ''
    } else if (code === 0x2c) {
      key = ''
    }
  }
  return null
}

function levelInside(outer: Level, depth: number, key: string): Level {
  if (depth === 1 || outer === BATCH) return ENVELOPE
  if (outer === ENVELOPE && key === 'params') return PARAMS
  if (outer === PARAMS && key === '_meta') return META
  return NONE
}

/** Up to this many names are compared with each other, which costs less than a set of them. */
const FEW_NAMES = 8

/** Names of the members of one object. */
class Names {
  readonly #few: string[] = []
  #many: Set<string> | null = null

  /** False for a name that was added before. */
  add(name: string): boolean {
    const known = this.#many === null ? this.#few.includes(name) : this.#many.has(name)
    if (known) return false
    if (this.#many !== null) this.#many.add(name)
    else if (this.#few.push(name) > FEW_NAMES) this.#many = new Set(this.#few)
    return true
  }
}

/** Strings up to this length are read here, which costs less than to have them searched. */
const SHORT_CHARS = 48

/** Index of the closing quote of the string that opens at `start`, or -1. */
function endOfString(text: string, start: number): number {
  const near = Math.min(text.length, start + SHORT_CHARS)
  let at = start + 1
  for (; at < near; at++) {
    const code = text.charCodeAt(at)
    if (code === 0x22) return at
    // The character after a backslash does not end the string
    if (code === 0x5c) at++
  }
  let end = text.indexOf('"', at)
  while (end !== -1) {
    let slashes = 0
    while (text.charCodeAt(end - 1 - slashes) === 0x5c) slashes++
    if (slashes % 2 === 0) return end
    end = text.indexOf('"', end + 1)
  }
  return -1
}

/** True when the string that ended before `at` names a member. */
function isMember(text: string, at: number): boolean {
  for (let next = at; next < text.length; next++) {
    const code = text.charCodeAt(next)
    if (code === 0x3a) return true
    if (code !== 0x20 && code !== 0x09 && code !== 0x0a && code !== 0x0d) return false
  }
  return false
}

/** The name behind its quotes; escapes are decoded, because `"na\u006de"` is `"name"`. */
function nameOf(quoted: string): string {
  if (!quoted.includes('\\')) return quoted.slice(1, -1)
  try {
    return JSON.parse(quoted) as string
  } catch {
    return quoted
  }
}

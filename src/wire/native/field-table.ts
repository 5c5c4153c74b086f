import { LOWER } from './grammar.ts'

/** What the scan of a header block does with a field of a known name. */
export interface FieldRule {
  /** Lower case. */
  readonly name: string
  readonly bytes: Uint8Array
  /** The value goes to the visitor; else the line is only dropped. */
  readonly visit: boolean
  /** The line is passed on. */
  readonly keep: boolean
  /** Index in the visitor's list of values, or -1. */
  readonly taken: number
  /** Decides where the message ends: no tab may follow the value, since not every parser takes it for space. */
  readonly framing: boolean
  /** Bit of an identity name, or 0. */
  readonly identity: number
}

/** Names whose rules are `framing`. */
export const FRAMING_NAMES: readonly string[] = ['content-length', 'transfer-encoding']

/** Finds the rule of a field name without making a string of it: most names have none. */
export class FieldTable {
  /** Not 0 where {@link find} or {@link hasPrefix} may say yes, by {@link bucketOf}: most names end the search here. */
  readonly flags = new Uint8Array(64 * 32)
  readonly #buckets: (readonly FieldRule[] | undefined)[] = new Array(64 * 32).fill(undefined)
  /** By the low five bits of their first letter. */
  readonly #prefixes: readonly (readonly Uint8Array[])[]

  constructor(rules: readonly FieldRule[], prefixes: readonly string[]) {
    for (const rule of rules) {
      if (rule.bytes.length === 0 || rule.bytes.length > 63)
        throw new RangeError(`field name "${rule.name}" is empty or longer than 63`)
      const bucket = bucketOf(rule.bytes.length, rule.bytes[0]!)
      this.#buckets[bucket] = [...(this.#buckets[bucket] ?? []), rule]
      this.flags[bucket] = 1
    }
    for (const prefix of prefixes)
      for (let length = prefix.length; length < 64; length++)
        this.flags[bucketOf(length, prefix.charCodeAt(0))] = 1
    const bytes = prefixes.map((prefix) => Buffer.from(prefix, 'latin1'))
    this.#prefixes = Array.from({ length: 32 }, (_, first) =>
      bytes.filter((prefix) => (prefix[0]! & 31) === first),
    )
  }

  /** The rule for the name at `from`, `length` bytes long, in any case. */
  find(bytes: Uint8Array, from: number, length: number): FieldRule | undefined {
    if (length > 63) return undefined
    const rules = this.#buckets[bucketOf(length, bytes[from]!)]
    if (rules === undefined) return undefined
    for (const rule of rules) if (startsWith(bytes, from, rule.bytes)) return rule
    return undefined
  }

  /** True when the name at `from` begins with one of the prefixes that are never passed on. */
  hasPrefix(bytes: Uint8Array, from: number, length: number): boolean {
    for (const prefix of this.#prefixes[bytes[from]! & 31]!)
      if (length >= prefix.length && startsWith(bytes, from, prefix)) return true
    return false
  }
}

/** For names shorter than 64. Case does not change the low five bits of a letter. */
export function bucketOf(length: number, first: number): number {
  return (length << 5) | (first & 31)
}

function startsWith(bytes: Uint8Array, from: number, lower: Uint8Array): boolean {
  for (let i = 0; i < lower.length; i++) if (LOWER[bytes[from + i]!] !== lower[i]) return false
  return true
}

/** Longer sections are read anew each time. */
const BYTES_MAX = 4096

/**
 * The field section of an earlier message of the same connection: most peers send the same fields again and again,
 * and to compare bytes is much cheaper than to read them. A section that is never repeated costs little: it is kept
 * after 1, 2, 4, 8... sections in a row that were others.
 */
export class KnownFields<Section> {
  #bytes: DataView | null = null
  #section: Section | null = null
  #misses = 0

  /** What the section in `bytes[from, end)` says, or null when it is not the known one. */
  find(bytes: Buffer, from: number, end: number): Section | null {
    const known = this.#bytes
    if (known !== null && known.byteLength === end - from && isSame(known, viewOf(bytes), from)) {
      this.#misses = 0
      return this.#section
    }
    this.#misses++
    return null
  }

  /** Remembers a section that was not found and has no fault. */
  learn(bytes: Buffer, from: number, end: number, section: Section): void {
    const length = end - from
    if ((this.#misses & (this.#misses - 1)) !== 0 || length < WORD || length > BYTES_MAX) return
    const copy = new Uint8Array(length)
    copy.set(bytes.subarray(from, end))
    this.#bytes = new DataView(copy.buffer)
    this.#section = section
  }
}

/** Bytes that are compared at once. */
const WORD = 4

/** Whether all of `known`, a word at least, stands in `view` at `from`. */
function isSame(known: DataView, view: DataView, from: number): boolean {
  const last = known.byteLength - WORD
  for (let at = 0; at < last; at += WORD) if (known.getInt32(at) !== view.getInt32(from + at)) return false
  // The words before may overlap with this one
  return known.getInt32(last) === view.getInt32(from + last)
}

let viewed: Buffer | null = null
let view = new DataView(new ArrayBuffer(0))

/** Most sections stand in the one buffer that all sockets of a thread are read into. */
function viewOf(bytes: Buffer): DataView {
  if (viewed !== bytes) {
    // No socket is read into shared memory
    view = new DataView(bytes.buffer as ArrayBuffer, bytes.byteOffset, bytes.byteLength)
    viewed = bytes
  }
  return view
}

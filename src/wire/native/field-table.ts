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

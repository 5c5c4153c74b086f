import { bucketOf, type FieldRule, type FieldTable } from './field-table.ts'
import { COLON, CR, HTAB, LF, SP, TOKEN, VALUE } from './grammar.ts'

/** Whoever reads a header block: it sees the fields it has a rule for, and only those. */
export interface FieldVisitor {
  readonly table: FieldTable
  readonly fieldsMax: number
  /** Further names whose lines are dropped; null for none. */
  readonly dropped: FieldTable | null
  /** A field with a rule. False when its value is at fault. */
  field(rule: FieldRule, value: string): boolean
  /** A line that is dropped without being looked at; `name` in lower case. */
  withheld(name: string, line: string): void
  /** What to do with a line whose name has characters besides letters, digits and `-`. The name is lower case. */
  oddName(name: string): typeof PASS | typeof DROP | typeof FAULT
}

/** Verdicts on one line. */
export const PASS = 0
export const DROP = 1
export const FAULT = 2

/** The visitor found a fault, or the block breaks the grammar. */
const FIELDS_BROKEN = 1
export const FIELDS_TOO_MANY = 2
export const FIELDS_REFUSED = 3

/** Lines of the last block that may be passed on, each ending in CRLF. */
let passed = ''

/** See {@link passed}: a string beside a code, without an object for both. */
export function passedFields(): string {
  return passed
}

/**
 * Reads header lines (RFC 9112 5) in `bytes[from, end)`, every one ending in CRLF. `text` is the same bytes as
 * latin1: lines that are passed on are cut from it as whole runs, since most are neighbours.
 * Gives 0 or one of the codes above. No line folding, no space before the colon, no bare CR or LF, no empty name.
 */
export function scanFields(
  bytes: Uint8Array,
  text: string,
  from: number,
  end: number,
  visitor: FieldVisitor,
): number {
  const table = visitor.table
  const flags = table.flags
  const dropped = visitor.dropped
  let left = visitor.fieldsMax
  let at = from
  let run = from
  let kept = ''
  while (at < end) {
    if (left-- === 0) return FIELDS_TOO_MANY
    const line = at
    let kinds = 0
    let kind = TOKEN[bytes[at]!]!
    while (kind !== 0) {
      kinds |= kind
      kind = TOKEN[bytes[++at]!]!
    }
    const length = at - line
    if (length === 0 || bytes[at] !== COLON) return FIELDS_BROKEN
    do at++
    while (bytes[at] === SP || bytes[at] === HTAB)
    const value = at
    while (VALUE[bytes[at]!] === 1) at++
    if (bytes[at] !== CR || bytes[at + 1] !== LF) return FIELDS_BROKEN
    const next = at + 2
    let keep = true
    let isRead = false
    if (length > 63 || flags[bucketOf(length, bytes[line]!)] !== 0) {
      const rule = table.find(bytes, line, length)
      if (rule !== undefined) {
        keep = rule.keep
        if (rule.visit) {
          isRead = true
          let valueEnd = at
          let last = bytes[valueEnd - 1]
          while (valueEnd > value && (last === SP || (last === HTAB && !rule.framing)))
            last = bytes[--valueEnd - 1]
          if (!visitor.field(rule, text.slice(value - from, valueEnd - from))) return FIELDS_REFUSED
        }
      } else keep = !table.hasPrefix(bytes, line, length)
    }
    if (kinds > 1) {
      const verdict = visitor.oddName(nameAt(text, line - from, length))
      if (verdict === FAULT) return FIELDS_REFUSED
      if (verdict === DROP) keep = false
    }
    if (!keep && !isRead)
      visitor.withheld(nameAt(text, line - from, length), text.slice(line - from, next - from))
    if (keep && dropped !== null && dropped.flags[bucketOf(length, bytes[line]!)] !== 0)
      keep = dropped.find(bytes, line, length) === undefined
    if (!keep) {
      if (run < line) kept += text.slice(run - from, line - from)
      run = next
    }
    at = next
  }
  if (at !== end) return FIELDS_BROKEN
  passed = run < end ? kept + text.slice(run - from, end - from) : kept
  return 0
}

function nameAt(text: string, from: number, length: number): string {
  return text.slice(from, from + length).toLowerCase()
}

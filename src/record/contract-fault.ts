/** The contract fault in the reason of a record: what `enforce` would have refused. */
import type { FieldError } from '../base/refusal.ts'

/** Codes by which a request that breaks its contract is refused. */
const CODES = ['parameter_invalid', 'body_invalid', 'unsupported_media_type'] as const
type ContractCode = (typeof CODES)[number]

/** For what a request would have been refused, had its contract been enforced. */
export interface ContractFault {
  readonly code: ContractCode
  /** JSON pointer of the first fault, with `*` in the place of indexes; empty for the whole body. */
  readonly pointer: string
  /** How many faults there are. */
  readonly faults: number
}

const TEXT_MAX = 500
const POINTER_MAX = 200
const FAULT = new RegExp(`^(${CODES.join('|')}): (The body|/\\S*) `)
const MORE = / \(and (\d+) more\)(?:; |$)/

/** What the reason of a record says of a request that was passed on although it breaks its contract. */
export function contractFaultText(code: string, [first, ...more]: readonly FieldError[]): string {
  const place = first!.pointer === '' ? 'The body' : first!.pointer
  const rest = more.length === 0 ? '' : ` (and ${more.length} more)`
  return `${code}: ${place} ${first!.reason}.`.slice(0, TEXT_MAX - rest.length) + rest
}

/** The fault that the reason of a record tells of; null for none. Holds for records of earlier releases too. */
export function contractFaultOf(reason: string): ContractFault | null {
  const found = FAULT.exec(reason)
  if (found === null) return null
  const pointer = found[2] === 'The body' ? '' : found[2]!
  return {
    // One of those that the expression lists.
    code: found[1] as ContractCode,
    pointer: pointer.slice(0, POINTER_MAX).replaceAll(/\/\d+(?=\/|$)/g, '/*'),
    faults: 1 + Number(MORE.exec(reason)?.[1] ?? 0),
  }
}

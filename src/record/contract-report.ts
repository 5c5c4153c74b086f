/** Counts by endpoint and place which calls `enforce` would have refused, for their request or their answer. */
import { type Clock, toTime } from '../base/clock.ts'
import type { FieldError } from '../base/refusal.ts'
import type { RecordBlock, RecordReader } from '../store/ports/records.ts'
import { readBlock } from './block.ts'
import { compileFilter } from './block-filter.ts'
import type { RecordSelection } from './record-selection.ts'

export interface ContractQuestion {
  /** With `from` and `to`. */
  readonly selection: RecordSelection
  /** Groups that are answered. */
  readonly limit: number
}

/** Requests to one endpoint that would have been refused for one place. */
interface ContractGroup {
  readonly method: string
  readonly route: string
  /** Id. */
  readonly proxy: string
  readonly code: string
  readonly pointer: string
  readonly requests: number
  readonly faults: number
  readonly firstMs: number
  readonly lastMs: number
  /** Of the last of them: its id, and the first fault. */
  readonly record: string
  readonly reason: string
}

export interface ContractAnswer {
  /** Most requests first. */
  readonly groups: readonly ContractGroup[]
  /** Groups that there are, answered or not. */
  readonly total: number
  /** Requests that were counted. */
  readonly requests: number
  /** Of these, the ones that would have been refused. */
  readonly wouldRefuse: number
  /** Records that were read. */
  readonly read: number
  /** Not null when reading was ended early: everything from here on was read, and of what is before only a part. */
  readonly completeFrom: string | null
}

const READ_MS = 2000
const READ_ROWS_MAX = 5_000_000
/** Callers choose names of members: more groups than any description has places. */
const GROUPS_MAX = 2000

/** Counts by endpoint and place what would have been refused, newest records first. */
export async function reportContract(
  reader: RecordReader,
  clock: Clock,
  question: ContractQuestion,
): Promise<ContractAnswer> {
  const match = compileFilter(question.selection)
  const deadline = clock.monotonic() + READ_MS
  const groups = new Map<string, { -readonly [Member in keyof ContractGroup]: ContractGroup[Member] }>()
  let [read, requests, wouldRefuse] = [0, 0, 0]
  let completeFrom: string | null = null

  const visit = (block: RecordBlock): boolean => {
    if (read > 0 && (read >= READ_ROWS_MAX || clock.monotonic() > deadline)) {
      completeFrom = toTime(block.maxTimeMs + 1)
      return false
    }
    read += block.rows
    const rows = readBlock(block)
    const fits = match.on(rows)
    if (fits === null) return true
    for (let row = 0; row < rows.count; row++) {
      if (!fits(row)) continue
      requests += rows.requests(row)
      const fault = contractFaultOf(rows.reason(row))
      if (fault === null) continue
      wouldRefuse += rows.requests(row)
      const { id, method, route, proxy, timeMs, reason } = rows.fields(row)
      const key = JSON.stringify([method, route, fault.code, fault.pointer])
      const known = groups.get(key)
      if (known === undefined && groups.size >= GROUPS_MAX) continue
      if (known === undefined)
        groups.set(key, {
          ...{
            method,
            route,
            proxy,
            ...fault,
            requests: 1,
            firstMs: timeMs,
            lastMs: timeMs,
            record: id,
            reason,
          },
        })
      else {
        known.requests++
        known.faults += fault.faults
        known.firstMs = Math.min(known.firstMs, timeMs)
        if (timeMs > known.lastMs) Object.assign(known, { lastMs: timeMs, record: id, reason })
      }
    }
    return true
  }
  await reader.scan(match.range, visit)

  const ordered = [...groups.values()].sort(
    (a, b) => b.requests - a.requests || (`${a.route}${a.pointer}` < `${b.route}${b.pointer}` ? -1 : 1),
  )
  return {
    groups: ordered.slice(0, question.limit),
    total: ordered.length,
    requests,
    wouldRefuse,
    read,
    completeFrom,
  }
}

// The contract fault in the reason of a record: what `enforce` would have refused.

/** Codes by which a call that breaks its contract is refused. */
const CODES = ['parameter_invalid', 'body_invalid', 'unsupported_media_type', 'response_invalid'] as const
type ContractCode = (typeof CODES)[number]

/** For what a call would have been refused, had its contract been enforced. */
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

/** What the reason of a record says of a request or an answer that was passed on although it breaks its contract. */
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

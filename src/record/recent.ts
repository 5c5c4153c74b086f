/**
 * The latest records in the order in which they were stored, for callers that follow them. A list is in the order in which
 * requests began: a slow request would come before records that the follower has already seen.
 *
 * 1. Bytes are bounded. The oldest blocks make room, and a slower reader is told that it missed some.
 * 2. A record is given once. A cursor is the place after the last row that was examined.
 */
import { randomBytes } from 'node:crypto'
import type { RecordBlock } from '../store/ports/records.ts'
import { readBlock } from './block.ts'
import { compileFilter } from './block-filter.ts'
import type { FollowedRecords } from './messages.ts'
import type { RecordFilter } from './record-selection.ts'
import { toRecord } from './search.ts'

/** Of the blocks that are kept. */
const BYTES_MAX = 4 * 1024 * 1024

interface Kept {
  readonly block: RecordBlock
  readonly bytes: number
}

export interface RecentRecords {
  /** Adds blocks that were stored. */
  add(blocks: readonly RecordBlock[]): void
  /** Forgets all: records were deleted. Followers are told that they missed some. */
  clear(): void
  /** Those that fit, of all that were stored after the place `filter.cursor`. Without a cursor, the place is the end. */
  read(filter: RecordFilter): FollowedRecords
  /** As `read`; if nothing fits, waits up to `waitMs` milliseconds for a record that does. */
  follow(filter: RecordFilter, waitMs: number): Promise<FollowedRecords>
}

/** A row of a block, by the number of the block since the start. */
interface Place {
  readonly block: number
  readonly row: number
}

/** @param bytesMax of the blocks that are kept */
export function createRecentRecords(bytesMax = BYTES_MAX): RecentRecords {
  // A place of another process, or of a recorder that died, is none here
  const run = randomBytes(6).toString('hex')
  let kept: Kept[] = []
  /** Number of the first block that is kept. */
  let first = 0
  let bytes = 0
  const waiting = new Set<() => void>()

  const end = (): Place => ({ block: first + kept.length, row: 0 })
  const toCursor = ({ block, row }: Place): string => `${run}.${block}.${row}`
  const parse = (cursor: string): Place | null => {
    const [, of, block, row] = /^([0-9a-f]{12})\.([0-9]{1,15})\.([0-9]{1,9})$/.exec(cursor) ?? []
    const place = { block: Number(block), row: Number(row) }
    return of === run && place.block >= first && place.block <= first + kept.length ? place : null
  }

  const read = (filter: RecordFilter): FollowedRecords => {
    if (filter.cursor == null) return { items: [], next_cursor: toCursor(end()), missed: false }
    const match = compileFilter(filter)
    const from = parse(filter.cursor)
    const items: FollowedRecords['items'] = []
    let { block, row } = from ?? { block: first, row: 0 }
    for (; block < first + kept.length; block++, row = 0) {
      const { block: stored } = kept[block - first]!
      const rows = readBlock(stored)
      const fits = match.on(rows)
      if (fits === null) continue
      for (; row < rows.count; row++) {
        if (!fits(row)) continue
        if (items.length === filter.limit)
          return { items, next_cursor: toCursor({ block, row }), missed: from === null }
        items.push(toRecord({ fields: rows.fields(row), environment: stored.environment }))
      }
    }
    return { items, next_cursor: toCursor(end()), missed: from === null }
  }

  const added = (waitMs: number): Promise<void> =>
    new Promise((done) => {
      const finish = (): void => {
        clearTimeout(timer)
        waiting.delete(finish)
        done()
      }
      const timer = setTimeout(finish, waitMs)
      waiting.add(finish)
    })

  return {
    add(blocks) {
      for (const block of blocks) {
        const size = block.words.length + block.numbers.length + block.text.length
        kept.push({ block, bytes: size })
        bytes += size
      }
      while (bytes > bytesMax && kept.length > 0) {
        bytes -= kept.shift()!.bytes
        first++
      }
      for (const wake of [...waiting]) wake()
    },
    clear() {
      first += kept.length + 1
      kept = []
      bytes = 0
      for (const wake of [...waiting]) wake()
    },
    read,
    async follow(filter, waitMs) {
      const until = performance.now() + waitMs
      for (let page = read(filter); ; page = read({ ...filter, cursor: page.next_cursor })) {
        const left = until - performance.now()
        if (page.items.length > 0 || page.missed || left <= 0) return page
        await added(left)
      }
    },
  }
}

/** Reads the events of a stream from a position on, in the order in which they were stored. */

import type { SinkSpec } from '../model/sink.ts'
import { readBlock } from '../record/block.ts'
import { compileFilter } from '../record/block-filter.ts'
import { toRecord } from '../record/search.ts'
import type { RecordReader } from '../store/ports/records.ts'
import type { AuditPage, Position } from './port.ts'
import type { SinkEvent } from './receiver.ts'

/** Events of one batch, and characters of JSON after which no further event is added. */
const EVENTS_MAX = 500
const CHARS_MAX = 1_000_000
/** Blocks that one step reads, so that a filter that fits nothing still moves the position. */
const BLOCKS_MAX = 64

/** What one step found. */
export interface Found {
  readonly events: readonly SinkEvent[]
  /** After the events. */
  readonly position: Position
  /** Events that are lost for this sink. */
  readonly dropped: number
  /** Records up to this time may be lost for this sink; null for none. */
  readonly missedUntil: number | null
}

export interface Source {
  /** Null when nothing follows yet. */
  next(position: Position): Promise<Found | null>
}

export function createRecordSource(reader: RecordReader, filter: SinkSpec['filter']): Source {
  // Members that are absent are undefined in both
  const match = compileFilter(filter as Parameters<typeof compileFilter>[0])
  return {
    async next(position) {
      const { since } = position
      const store = await reader.identity()
      // Another store: all of it is new
      const isOther = position.store !== undefined && position.store !== store
      let after = isOther ? 0 : (position.after ?? (await reader.placeBefore(since)))
      let block = isOther ? undefined : position.block
      let reached = position.reached ?? since
      const removed = await reader.removedUntil()
      const missedUntil = removed !== null && removed > reached ? removed : null
      if (missedUntil !== null) reached = missedUntil
      const events: SinkEvent[] = []
      let [chars, dropped] = [0, 0]
      const isFull = (): boolean => events.length >= EVENTS_MAX || chars >= CHARS_MAX
      for (let blocks = 0; blocks < BLOCKS_MAX && !isFull(); blocks++) {
        const found = await reader.next(after)
        if (found === undefined) break
        let row = block?.id === found.block.id ? block.rows : 0
        try {
          const rows = readBlock(found.block)
          const fits = match.on(rows)
          for (; fits !== null && row < rows.count && !isFull(); row++) {
            if (rows.timeMs(row) < since || !fits(row)) continue
            const fields = rows.fields(row)
            const json = JSON.stringify(toRecord({ fields, environment: found.block.environment }))
            // A copy: the id is a part of the text of the block, which a batch that waits would keep
            events.push({ id: Buffer.from(fields.id).toString(), time: fields.timeMs, json })
            chars += json.length
          }
          if (fits !== null && row < rows.count) {
            block = { id: found.block.id, rows: row }
            break
          }
        } catch {
          // A damaged block: the rest of the stream is not held up
          dropped += found.block.rows - row
        }
        after = found.place
        block = undefined
        reached = Math.max(reached, found.block.maxTimeMs)
      }
      const next: Position = { since, store, after, reached, ...(block !== undefined && { block }) }
      const isSame = JSON.stringify(next) === JSON.stringify(position)
      return isSame ? null : { events, position: next, dropped, missedUntil }
    },
  }
}

/** @param ask has the main thread read, which owns the configuration store; null while it cannot */
export function createAuditSource(
  ask: (position: Position, count: number) => Promise<AuditPage | null>,
): Source {
  return {
    async next(position) {
      const page = await ask(position, EVENTS_MAX)
      if (page === null || (page.after === position.after && page.removed === 0)) return null
      const events: SinkEvent[] = []
      let chars = 0
      let { after } = page
      for (const { seq, time, json } of page.entries) {
        if (chars >= CHARS_MAX) break
        after = seq
        if (time < position.since) continue
        events.push({ id: String(seq), time, json })
        chars += json.length
      }
      return { events, position: { since: position.since, after }, dropped: page.removed, missedUntil: null }
    },
  }
}

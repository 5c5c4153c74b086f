/**
 * Events of this node for the others, and theirs for this one, as rows of the database.
 * 1. Rows are numbered without gaps in the order of their commits: whoever has seen number n has missed none before it.
 * 2. A notice has the row itself where it is small. After a gap, without notices, and with each heartbeat, rows are read by their numbers.
 * 3. Events may be lost: those of a node that cannot reach the database for long, and those that were deleted after ten minutes.
 * 4. Rows are sealed. Events name sessions, and answers of clients may hold personal data.
 */
import { decrypt, encrypt } from '../../base/crypto/sealing.ts'
import { InLine } from '../../base/threads/in-line.ts'
import type { Event } from '../../shared-state/ports/events.ts'
import type { EventRow, EventTable } from '../../store/ports/nodes.ts'

/** Events that wait for the database at most, and characters of their texts. */
const WAITING_MAX = 10_000
const CHARS_MAX = 16_000_000
/** Characters of the texts of one row, unless a single event is longer. */
const ROW_CHARS = 64_000
/** Rows that are read at once. */
const PAGE = 100
/** What sealed rows are bound to. */
const PLACE = 'node events'
/** How often dropped events are told of, milliseconds. */
const TELL_MS = 60_000

export interface NodeEvents {
  /** Tells the other nodes. Never throws. */
  publish(event: Event): void
  /** A row was committed. */
  committed(row: Omit<EventRow, 'sealed'> & { readonly sealed: Uint8Array | null }): void
  /** Reads what was committed and not heard of. Rejects with StoreUnavailable. */
  catchUp(): Promise<void>
}

export interface NodeEventsParts {
  readonly table: EventTable
  /** 32 bytes. */
  readonly key: Uint8Array
  /** Id of this node. */
  readonly self: () => string
  /** Whether there is anybody to tell. */
  readonly hasOthers: () => boolean
  /** Takes events of other nodes. */
  readonly deliver: (event: Event) => void
  readonly log: (level: 'warn', message: string) => void
}

export function createNodeEvents(parts: NodeEventsParts): NodeEvents {
  const { table, self, deliver, log } = parts
  const waiting: Event[] = []
  let chars = 0
  let isSending = false
  /** Number of the row that was taken last; null before the first reading. */
  let last: number | null = null
  let dropped = 0
  let toldAt = Number.NEGATIVE_INFINITY
  const reading = new InLine(1)

  function drop(count: number, why: string): void {
    dropped += count
    if (performance.now() - toldAt < TELL_MS) return
    log('warn', `${dropped} events of MCP sessions did not reach the other nodes: ${why}.`)
    toldAt = performance.now()
    dropped = 0
  }

  /** As much as one row takes. */
  function nextBatch(): Event[] {
    const batch: Event[] = []
    let size = 0
    while (waiting.length > 0 && (batch.length === 0 || size + waiting[0]!.text.length <= ROW_CHARS)) {
      const event = waiting.shift()!
      size += event.text.length
      batch.push(event)
    }
    chars -= size
    return batch
  }

  async function send(): Promise<void> {
    isSending = true
    try {
      while (waiting.length > 0) {
        const batch = nextBatch()
        await table
          .add(self(), encrypt(parts.key, JSON.stringify(batch), PLACE))
          .catch(() => drop(batch.length, 'the database cannot be used'))
      }
    } finally {
      isSending = false
    }
  }

  function take({ node, sealed }: EventRow): void {
    if (node === self()) return
    let events: readonly Event[]
    try {
      events = JSON.parse(decrypt(parts.key, sealed, PLACE)) as readonly Event[]
    } catch {
      log('warn', `An event of node ${node} cannot be decrypted. Give all nodes the same key file.`)
      return
    }
    for (const event of events) deliver(event)
  }

  /** Rows after the last one, in their order. */
  async function readRest(): Promise<void> {
    const end = await table.last()
    // A database that was set back counts anew
    if (last === null || end < last) last = end
    while (last < end) {
      const rows = await table.after(last, PAGE)
      for (const row of rows) {
        last = row.number
        take(row)
      }
      if (rows.length < PAGE) last = Math.max(last, end)
    }
  }

  return {
    publish(event) {
      if (!parts.hasOthers()) return
      if (waiting.length === WAITING_MAX || chars + event.text.length > CHARS_MAX) {
        drop(1, 'too many wait for the database')
        return
      }
      waiting.push(event)
      chars += event.text.length
      if (!isSending) void send()
    },
    committed(row) {
      void reading
        .run('', async () => {
          last ??= row.number - 1
          if (row.number === last + 1 && row.sealed !== null) {
            last = row.number
            take({ ...row, sealed: row.sealed })
          } else if (row.number > last) await readRest()
        })
        // The next heartbeat reads them
        .catch(() => {})
    },
    catchUp: () => reading.run('', readRest),
  }
}

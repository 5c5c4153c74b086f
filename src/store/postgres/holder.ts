/**
 * Which process has a database: one at a time, until several share it. It is a row with an end by the clock of the server, so that it
 * needs no session, and a process that was killed gives way after {@link HELD_MS}. A process that is started again on the same data
 * directory takes its own place at once.
 */
import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { replaceOwnFile } from '../../base/files.ts'
import { NODE_FILE } from '../ports/places.ts'
import { type PgClient, SCHEMA } from './connection.ts'
import { literal } from './copy-out.ts'

/** How long a process that is not heard of keeps the database, milliseconds. A running one renews it every second or two. */
const HELD_MS = 15_000

/** A process that opens a database. */
export interface Holder {
  readonly id: string
  /** Where it runs, for people. */
  readonly name: string
}

/** The process of a data directory. Its id is kept there; where it cannot be written, the process has a new one. */
export function holderOf(directory: string): Holder {
  const file = join(directory, NODE_FILE)
  const name = hostname()
  try {
    const { id } = JSON.parse(readFileSync(file, 'utf8')) as { id?: unknown }
    if (typeof id === 'string' && /^[0-9a-f-]{36}$/.test(id)) return { id, name }
  } catch {
    // Made anew
  }
  const id = randomUUID()
  try {
    replaceOwnFile(file, `${JSON.stringify({ id })}\n`)
  } catch {
    // The next start has another id, and waits until this one is forgotten
  }
  return { id, name }
}

/** Takes the database, or keeps it. Resolves to null, or to the process that has it. */
export async function take(client: Pick<PgClient, 'query'>, { id, name }: Holder): Promise<Holder | null> {
  // One value, so that the row needs no table of its own: id, end in milliseconds, name
  const { rowCount } = await client.query(
    `insert into ${SCHEMA}.meta as held (name, value) values ('holder', $1 || ' ' || (extract(epoch from clock_timestamp()) * 1000 + ${HELD_MS})::bigint || ' ' || $2)
     on conflict (name) do update set value = excluded.value
     where split_part(held.value, ' ', 1) = $1 or split_part(held.value, ' ', 2)::bigint < extract(epoch from clock_timestamp()) * 1000`,
    [id, name],
  )
  if (rowCount === 1) return null
  const { rows } = await client.query(`select value from ${SCHEMA}.meta where name = 'holder'`)
  const [other = '', , ...rest] = String(rows[0]?.['value'] ?? '').split(' ')
  return { id: other, name: rest.join(' ') }
}

/**
 * A query that gives true where this process has the database, and then keeps it until the transaction ends: another process, which
 * would miss what the transaction commits, takes it no earlier. The lock is shared: transactions of one process do not wait for each other.
 */
export function keeping({ id }: Holder): string {
  return `(select true from ${SCHEMA}.meta where name = 'holder' and split_part(value, ' ', 1) = ${literal(id)} for share)`
}

/** Gives the database back, if this process has it. */
export async function giveBack(client: Pick<PgClient, 'query'>, { id }: Holder): Promise<void> {
  await client.query(`delete from ${SCHEMA}.meta where name = 'holder' and split_part(value, ' ', 1) = $1`, [
    id,
  ])
}

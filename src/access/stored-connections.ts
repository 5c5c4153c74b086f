/** Ends or switches a stored connection inside of a transaction. Callers announce the id that the connection had before. */
import type { Clock } from '../base/clock.ts'
import { newId } from '../base/ids.ts'
import type { ConnectionWriter, StoredConnection } from '../store/ports/connections.ts'

/** Members of a connection that has ended and stays switched off. */
const ENDED = { state: 'refresh_failed', account_label: '', scope: '', sealed: '', expires_at: null } as const

/**
 * Ends a connection, also one without tokens: one that failed to refresh, or one whose tokens are kept in memory alone. A connection
 * that is switched off is kept without tokens, because connecting again would otherwise switch it on.
 * @returns the connection as it was; undefined where there is nothing to end
 */
export async function endStored(
  writer: ConnectionWriter,
  user: string,
  origin: string,
  clock: Clock,
): Promise<StoredConnection | undefined> {
  const found = await writer.one(user, origin)
  if (found === undefined) return undefined
  if (found.active) await writer.remove(user, origin, clock.now())
  else if (found.sealed === '') return undefined
  else await writer.put({ ...found, ...ENDED, id: newId('con', clock), updated_at: clock.now() })
  return found
}

/**
 * Switches a connection off or on, under another id.
 * @returns the connection before and after, the same object where nothing changes; undefined where there is none
 */
export async function switchStored(
  writer: ConnectionWriter,
  user: string,
  origin: string,
  active: boolean,
  clock: Clock,
): Promise<{ readonly before: StoredConnection; readonly after: StoredConnection } | undefined> {
  const before = await writer.one(user, origin)
  if (before === undefined) return undefined
  if (before.active === active) return { before, after: before }
  const after = { ...before, active, id: newId('con', clock), updated_at: clock.now() }
  await writer.put(after)
  return { before, after }
}

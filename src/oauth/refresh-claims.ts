/**
 * Refreshes of tokens that other servers rotate, and registrations there: of all processes that share a store, one does it at a time. A
 * server takes a refresh token once, and may end the grant of one that comes again.
 * 1. A claim is a row with an end, so that no transaction is open while a server answers. A process that ends without giving its claim
 *    back delays the next refresh until that end.
 * 2. A node that has waited for a claim reads the tokens again: another node may have refreshed them.
 */
import { randomUUID } from 'node:crypto'
import { setTimeout } from 'node:timers/promises'
import { type Clock, hasEnded } from '../base/clock.ts'
import type { ConfigStore } from '../store/ports/config.ts'
import type { OAuthReader } from '../store/ports/oauth.ts'

/** Kind of the rows. */
const CLAIM = 'RefreshClaim'
/** How long a claim holds, milliseconds: longer than two requests to a server and storing the answer. */
const HELD_MS = 30_000
/** Between two looks at a claim of another process, milliseconds. */
const LOOK_MS = 50

/** Does work while no other process does work under the same key. Rejects as the work does, and with StoreUnavailable. */
export type AsOnlyOne = <T>(key: string, work: () => Promise<T>) => Promise<T>

/** For a store that no other process writes. */
export const ALWAYS_ONLY_ONE: AsOnlyOne = (_key, work) => work()

/** Calls of one process under one key must share one call. */
export function asOnlyOneOf(
  { isShared, read, writeOAuth }: Pick<ConfigStore, 'isShared' | 'read' | 'writeOAuth'>,
  clock: Pick<Clock, 'now'>,
): AsOnlyOne {
  if (!isShared) return ALWAYS_ONLY_ONE

  async function isFree(key: string, from: Pick<OAuthReader, 'artifact'>): Promise<boolean> {
    const found = await from.artifact(CLAIM, key)
    return found === undefined || hasEnded(found.created_at, found.expires_at ?? 0, clock.now())
  }

  function take(key: string, holder: string): Promise<boolean> {
    return writeOAuth(async (oauth) => {
      if (!(await isFree(key, oauth))) return false
      const now = clock.now()
      await oauth.put({
        ...{ kind: CLAIM, id: key, sealed: '', grant_id: null, other_id: holder, account_id: null },
        ...{ created_at: now, expires_at: now + HELD_MS, used_at: null },
      })
      return true
    })
  }

  async function giveBack(key: string, holder: string): Promise<void> {
    await writeOAuth(async (oauth) => {
      // Another process may have it since it ended
      if ((await oauth.artifact(CLAIM, key))?.other_id === holder) await oauth.remove(CLAIM, key)
    })
  }

  return async (key, work) => {
    const holder = randomUUID()
    while (!(await take(key, holder)))
      do await setTimeout(LOOK_MS)
      while (!(await isFree(key, read.oauth)))
    try {
      return await work()
    } finally {
      // It ends by itself
      await giveBack(key, holder).catch(() => {})
    }
  }
}

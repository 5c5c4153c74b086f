import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { createSetUpLinks } from '../access/set-up-links.ts'
import { createAccessTokens } from '../access/tokens.ts'
import { CannotStart } from '../base/cannot-start.ts'
import { createClock, toTime } from '../base/clock.ts'
import { secureTrail } from '../record/audit-continuity.ts'
import { openMarkOf } from '../record/audit-mark-place.ts'
import type { ConfigStore } from '../store/ports/config.ts'
import { openConfigStore } from '../store/sqlite/config.ts'
import { lockDirectory } from '../store/sqlite/directory.ts'
import { keyedProofOf, openVault } from '../vault/open.ts'
import { type IssuedToken, parseTokenRequest } from './local-socket.ts'
import { parseReset, type SetUpLink, toSetUpLink } from './set-up-link.ts'

/**
 * Issues a token in a data directory that no process serves, under its lock. Throws CannotStart when there is no such
 * directory or a process holds it.
 */
export function issueOffline(dataDirectory: string, input: unknown): Promise<IssuedToken> {
  return withStore(dataDirectory, async (store) => {
    const { grants, ttlMs, name, method } = parseTokenRequest(input)
    const tokens = createAccessTokens(store, createClock())
    const { token, expiresAt } = await tokens.issue({ grants, ttlMs, name, method, surface: 'cli' })
    return { token, expires_at: toTime(expiresAt) }
  })
}

/** As {@link issueOffline}, a set-up link. @param origin at which the process will be reached. */
export function resetOffline(dataDirectory: string, input: unknown, origin: string): Promise<SetUpLink> {
  return withStore(dataDirectory, async (store) =>
    toSetUpLink(origin, await createSetUpLinks(store, createClock()).reset(parseReset(input))),
  )
}

async function withStore<T>(dataDirectory: string, work: (store: ConfigStore) => Promise<T>): Promise<T> {
  const file = join(dataDirectory, 'config.db')
  if (!existsSync(file))
    throw new CannotStart(
      `${dataDirectory} is no data directory of Postern; name it with --data, or start with postern up.`,
    )
  const lock = lockDirectory(dataDirectory)
  try {
    const store = openConfigStore(file, process.env['POSTERN_ENV'] || null)
    try {
      await secure(store, dataDirectory)
      return await work(store)
    } finally {
      await store.close()
    }
  } finally {
    lock.release()
  }
}

/** What is issued leaves an audit entry, which needs the key of the trail. */
async function secure(store: ConfigStore, dataDirectory: string): Promise<void> {
  const vault = await openVault(store, process.env['POSTERN_KEY_FILE'] || join(dataDirectory, 'vault.key'))
  const mark = openMarkOf(dataDirectory, vault, (error, at) => {
    throw new CannotStart(`${at}: ${(error as Error).message}.`, error)
  })
  const { fault } = await secureTrail({
    store,
    clock: createClock(),
    seed: vault.trailKey(),
    mark,
    proof: keyedProofOf(vault),
  })
  if (fault !== null)
    throw new CannotStart(
      `The audit trail in ${dataDirectory} does not extend its mark. ${fault} Run postern doctor, which says what to do.`,
    )
}

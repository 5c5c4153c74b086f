/** Commands on a data directory that no process serves. */
import { join } from 'node:path'
import { createSetUpLinks } from '../access/set-up-links.ts'
import { createAccessTokens } from '../access/tokens.ts'
import { createClock, toTime } from '../base/clock.ts'
import { CannotStart } from '../base/refusal.ts'
import { secureTrail } from '../record/audit-continuity.ts'
import { openMarkOf } from '../record/audit-mark.ts'
import type { ConfigStore } from '../store/ports/config.ts'
import { nodesOf, type StorePlaces } from '../store/ports/places.ts'
import { filesIn } from '../upkeep/data-files.ts'
import { demandHome, isDataDirectory } from '../upkeep/moved.ts'
import { keyedProofOf, openVault } from '../vault/open.ts'
import {
  type IssuedToken,
  parseReset,
  parseTokenRequest,
  type SetUpLink,
  toSetUpLink,
} from './local-socket.ts'

/**
 * Issues a token in a data directory that no process serves, under its lock. Throws CannotStart when there is no such
 * directory or a process holds it.
 */
export function issueOffline(
  places: StorePlaces,
  dataDirectory: string,
  input: unknown,
): Promise<IssuedToken> {
  return withStore(places, dataDirectory, async (store) => {
    const { grants, ttlMs, name, method } = parseTokenRequest(input)
    const tokens = createAccessTokens(store, createClock())
    const { token, expiresAt } = await tokens.issue({ grants, ttlMs, name, method, surface: 'cli' })
    return { token, expires_at: toTime(expiresAt) }
  })
}

/** As {@link issueOffline}, a set-up link. @param origin at which the process will be reached. */
export function resetOffline(
  places: StorePlaces,
  dataDirectory: string,
  input: unknown,
  origin: string,
): Promise<SetUpLink> {
  return withStore(places, dataDirectory, async (store) =>
    toSetUpLink(origin, await createSetUpLinks(store, createClock()).reset(parseReset(input))),
  )
}

async function withStore<T>(
  places: StorePlaces,
  dataDirectory: string,
  work: (store: ConfigStore) => Promise<T>,
): Promise<T> {
  if (!isDataDirectory(dataDirectory, places))
    throw new CannotStart(
      `${dataDirectory} is not a data directory of Postern. Name the data directory with --data, or create one with postern up.`,
    )
  const { lock: lockPlace, config } = filesIn(dataDirectory, places)
  const lock = await lockPlace.take()
  try {
    demandHome(dataDirectory, places)
    const store = await config.open(process.env['POSTERN_ENV'] || null)
    try {
      await secure(store, dataDirectory, () => nodesOf(config))
      return await work(store)
    } finally {
      await store.close()
    }
  } finally {
    lock.release()
  }
}

/** What is issued leaves an audit entry, which needs the key of the trail. */
async function secure(
  store: ConfigStore,
  dataDirectory: string,
  nodes: () => Promise<readonly string[]>,
): Promise<void> {
  const keyFile = process.env['POSTERN_KEY_FILE'] || join(dataDirectory, 'vault.key')
  const vault = await openVault(store, keyFile, nodes)
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
      `The audit trail in ${dataDirectory} does not continue from its mark (audit.mark). ${fault} Run postern doctor, which says what to do.`,
    )
}

import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { createAccessTokens } from '../access/tokens.ts'
import { CannotStart } from '../base/cannot-start.ts'
import { createClock, toTime } from '../base/clock.ts'
import { openConfigStore } from '../store/sqlite/config.ts'
import { lockDirectory } from '../store/sqlite/directory.ts'
import { type IssuedToken, parseTokenRequest } from './local.ts'

/**
 * Issues a token in a data directory that no process serves, under its lock. Throws CannotStart when there is no such
 * directory or a process holds it.
 */
export async function issueOffline(dataDirectory: string, input: unknown): Promise<IssuedToken> {
  const file = join(dataDirectory, 'config.db')
  if (!existsSync(file))
    throw new CannotStart(
      `${dataDirectory} is no data directory of Postern; name it with --data, or start with postern up.`,
    )
  const lock = lockDirectory(dataDirectory)
  try {
    const store = openConfigStore(file)
    try {
      const { grants, ttlMs, name, method } = parseTokenRequest(input)
      const tokens = createAccessTokens(store, createClock())
      const { token, expiresAt } = await tokens.issue({ grants, ttlMs, name, method, surface: 'cli' })
      return { token, expires_at: toTime(expiresAt) }
    } finally {
      await store.close()
    }
  } finally {
    lock.release()
  }
}

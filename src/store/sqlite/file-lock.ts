import { DatabaseSync } from 'node:sqlite'
import { setTimeout } from 'node:timers/promises'

/** How long another process may hold it, milliseconds. */
const WAIT_MS_MAX = 60_000
const PAUSE_MS = 20

/** SQLite: another connection holds the lock. */
const BUSY = 5

/**
 * Waits for the lock of a file and holds it until the answer is called. The system releases it when the process ends,
 * however it ends. Throws when another process does not let go.
 */
export async function lockFile(file: string): Promise<() => void> {
  const deadline = performance.now() + WAIT_MS_MAX
  for (;;) {
    const database = new DatabaseSync(file, { timeout: 0 })
    try {
      database.exec('begin exclusive')
      return () => database.close()
    } catch (error) {
      database.close()
      if ((error as { errcode?: number }).errcode !== BUSY) throw error
      if (performance.now() > deadline)
        throw new Error(`${file} is held by another command; end that first.`, { cause: error })
    }
    await setTimeout(PAUSE_MS)
  }
}

import type { TextDelta } from '../../snapshot/fragments.ts'

export interface Publisher {
  publish(delta: TextDelta): Promise<{ pending: boolean }>
}

/**
 * Publishes a change that is committed: to all threads, and for a start without the store.
 *
 * 1. `keep` has written the change to disk before `publish` resolves, so that what was revoked is not served again.
 * 2. Threads take the change on while it is written.
 * @param send resolves when the threads have acknowledged it, or the deadline is over
 * @param keep is given no secrets that are read elsewhere. On disk when it returns
 */
export function createPublisher(
  send: (delta: TextDelta) => Promise<{ pending: boolean }>,
  keep: (delta: TextDelta) => void,
): Publisher {
  return {
    publish(delta) {
      const published = send(delta)
      keep(delta)
      return published
    },
  }
}

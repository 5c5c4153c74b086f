import { AsyncLocalStorage } from 'node:async_hooks'

/** Runs pieces of work one after the other, in order of arrival. */
export interface Turns {
  run<T>(work: () => Promise<T>): Promise<T>
}

/**
 * A FIFO lock. Work that asks for a turn while it has one would wait for itself; that is a fault and throws.
 */
export function createTurns(): Turns {
  const holder = new AsyncLocalStorage<{ open: boolean }>()
  let last: Promise<unknown> = Promise.resolve()
  return {
    run<T>(work: () => Promise<T>): Promise<T> {
      if (holder.getStore()?.open === true)
        return Promise.reject(new Error('A transaction was opened inside of a transaction.'))
      const turn = { open: true }
      const mine = last
        .then(() => holder.run(turn, work))
        .finally(() => {
          turn.open = false
        })
      last = mine.catch(() => {})
      return mine
    },
  }
}

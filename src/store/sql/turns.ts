import { AsyncLocalStorage } from 'node:async_hooks'
import { InLine } from '../../base/in-line.ts'

/** Runs pieces of work one after the other, in order of arrival. */
export interface Turns {
  run<T>(work: () => Promise<T>): Promise<T>
}

/**
 * A FIFO lock. Work that asks for a turn while it has one would wait for itself; that is a fault and throws.
 */
export function createTurns(): Turns {
  const holder = new AsyncLocalStorage<{ open: boolean }>()
  const line = new InLine(1)
  return {
    run<T>(work: () => Promise<T>): Promise<T> {
      if (holder.getStore()?.open === true)
        return Promise.reject(new Error('A transaction was opened inside of a transaction.'))
      const turn = { open: true }
      return line.run('', () =>
        holder.run(turn, work).finally(() => {
          turn.open = false
        }),
      )
    },
  }
}

import { AsyncLocalStorage } from 'node:async_hooks'

interface Line {
  running: number
  readonly waiting: (() => void)[]
}

/** Work that waits in lines: of each key at most `max` pieces run at the same time, in the order in which they came. */
export class InLine {
  readonly #max: number
  readonly #lines = new Map<string, Line>()

  constructor(max: number) {
    this.#max = max
  }

  /** Resolves and rejects as the work does. */
  async run<T>(key: string, work: () => Promise<T>): Promise<T> {
    let line = this.#lines.get(key)
    if (line === undefined) {
      line = { running: 0, waiting: [] }
      this.#lines.set(key, line)
    }
    const { waiting } = line
    // A piece that ends gives its place to the next one
    if (line.running >= this.#max) await new Promise<void>((go) => void waiting.push(go))
    else line.running++
    try {
      return await work()
    } finally {
      const next = waiting.shift()
      if (next !== undefined) next()
      else if (--line.running === 0) this.#lines.delete(key)
    }
  }
}

/** Runs pieces of work one after the other, in order of arrival. */
interface Turns {
  run<T>(work: () => Promise<T>): Promise<T>
}

/**
 * A FIFO lock. Work that asks for a turn while it has one would wait for itself; that is a fault, and rejects.
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

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
  /** @param lane work of other lanes may run at the same time */
  run<T>(work: () => Promise<T>, lane?: string): Promise<T>
}

/**
 * A FIFO lock for each lane. Work that asks for a turn while it has one, of any lane, could wait for itself; that is a fault, and rejects.
 */
export function createTurns(): Turns {
  const holder = new AsyncLocalStorage<{ open: boolean }>()
  const line = new InLine(1)
  return {
    run<T>(work: () => Promise<T>, lane = ''): Promise<T> {
      if (holder.getStore()?.open === true)
        return Promise.reject(new Error('A transaction was opened inside of a transaction.'))
      const turn = { open: true }
      return line.run(lane, () =>
        holder.run(turn, work).finally(() => {
          turn.open = false
        }),
      )
    },
  }
}

/** Questions that wait for answers which come by their numbers, such as those of one thread to another. */
export interface Questions<Answer, Peer = unknown> {
  /**
   * Asks a question under a number of its own. Rejects with what `say` throws, and with nothing else.
   * @param answerMs how long an answer is waited for, milliseconds
   * @param say sends the question
   * @param peer who is asked, where there are several
   */
  ask(answerMs: number, say: (id: number) => void, peer?: Peer): Promise<Answer>
  /** Takes the answer to the question of that number. False for one that comes too late, or twice: it counts for nothing. */
  answered(id: number, answer: Answer): boolean
  /** The peer has ended: whatever it was asked is answered no more. */
  ended(peer: Peer): void
}

/** @param none the answer where none came in time, or none comes because the peer has ended */
export function createQuestions<Answer, Peer = unknown>(
  none: (why: 'late' | 'ended') => Answer,
): Questions<Answer, Peer> {
  const waiting = new Map<number, { readonly peer: Peer | undefined; end(answer: Answer): void }>()
  let last = 0
  return {
    ask(answerMs, say, peer) {
      const { promise, resolve } = Promise.withResolvers<Answer>()
      const id = ++last
      const end = (answer: Answer): void => {
        clearTimeout(timer)
        waiting.delete(id)
        resolve(answer)
      }
      const timer = setTimeout(() => end(none('late')), answerMs).unref()
      waiting.set(id, { peer, end })
      try {
        say(id)
      } catch (error) {
        clearTimeout(timer)
        waiting.delete(id)
        return Promise.reject(error)
      }
      return promise
    },
    answered(id, answer) {
      const asked = waiting.get(id)
      asked?.end(answer)
      return asked !== undefined
    },
    ended(peer) {
      for (const asked of [...waiting.values()]) if (asked.peer === peer) asked.end(none('ended'))
    },
  }
}

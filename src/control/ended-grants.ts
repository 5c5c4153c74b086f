/**
 * Ends of grants, and of accounts at origins, in this process and in all others that share the store.
 * 1. The transaction that ends an id writes a row (`store/sql/oauth.ts`). What a process is told over its nodes is only that there are
 *    new rows: a message that is lost delays an end until the next reading, and loses none.
 * 2. A process that has read the rows up to a number refuses all that they end, in all of its threads.
 * 3. Rows are kept for an hour. A node that has read none for longer misses nothing: no proof of a token lives longer than {@link PROOF_MS}.
 */
import type { Clock } from '../base/clock.ts'
import type { OAuthReader } from '../store/ports/oauth.ts'
import { StoreUnavailable } from '../store/ports/unavailable.ts'
import type { ControlState } from './origin-probing.ts'

/** For which a thread counts on a proof: as long as an access token lives. */
export const PROOF_MS = 15 * 60_000
/** Longer than threads count on anything that they were told of a grant. */
const ENDED_MS = PROOF_MS + 60_000

/** The other processes that share the store. */
export interface EndingNodes {
  /**
   * Has the others read ends up to a number. Resolves to the names of those that have not, and may still accept what has ended, after about
   * a second at the latest: a sign-out waits for it. Never rejects.
   */
  unread(number: number): Promise<readonly string[]>
}

/** Whether an end is in force everywhere. */
interface Spread {
  /** True: another node may still accept what has ended. */
  readonly pending: boolean
  /** Names of such nodes; absent where that is not known. */
  readonly nodes?: readonly string[]
}

/**
 * Told of ids that a transaction has ended: grants, and accounts at origins. In this process they count no longer when it returns. Resolves
 * when they, and all that ended before, do nowhere, or when another node has not confirmed it in time. Never rejects.
 */
type GrantsEnded = (ids: readonly string[]) => Promise<Spread>

export interface EndedGrants {
  readonly end: GrantsEnded
  /** Number of the last ending that is in force in this process, for the others to wait for; 0 before the first reading. */
  readonly read: number
  /** Takes over what other processes have ended, and resolves with whether it could be read. To be called now and then, and when another one has told of an end. Rejects where the store has a fault that health checks do not tell of. */
  catchUp(): Promise<boolean>
}

export interface EndedGrantsParts {
  readonly reader: Pick<OAuthReader, 'endedSince' | 'lastEnding'>
  readonly state: Pick<ControlState, 'endedGrants'>
  readonly clock: Pick<Clock, 'now'>
  /** Null where no other process can share the store. */
  readonly nodes: EndingNodes | null
  /** Told of each id that another process may have ended. */
  readonly elsewhere?: (id: string) => void
}

const NOWHERE_ELSE: Promise<Spread> = Promise.resolve({ pending: false })

export function createEndedGrants({ reader, state, clock, nodes, elsewhere }: EndedGrantsParts): EndedGrants {
  let read = 0

  function forget(id: string): void {
    state.endedGrants.end(id, ENDED_MS, clock.now())
  }

  async function spread(others: EndingNodes): Promise<Spread> {
    try {
      // The last one by now: what was just ended is not after it
      const nodes = await others.unread(await reader.lastEnding())
      return { pending: nodes.length > 0, nodes }
    } catch {
      return { pending: true }
    }
  }

  return {
    end(ids) {
      for (const id of ids) forget(id)
      return nodes === null ? NOWHERE_ELSE : spread(nodes)
    },
    get read() {
      return read
    },
    async catchUp() {
      try {
        for (const { number, id } of await reader.endedSince(read)) {
          forget(id)
          elsewhere?.(id)
          read = Math.max(read, number)
        }
        return true
      } catch (error) {
        // Health checks tell of it
        if (!(error instanceof StoreUnavailable)) throw error
        return false
      }
    },
  }
}

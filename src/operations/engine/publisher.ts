import { InLine } from '../../base/threads/in-line.ts'
import { yieldThread } from '../../base/threads/time-slices.ts'
import type { Publisher } from '../../snapshot/publisher.ts'
import type { TextDelta } from '../../snapshot/sent-delta.ts'
import type { ConfigReader } from '../../store/ports/config.ts'
import { StoreUnavailable } from '../../store/ports/unavailable.ts'
import { deltaSince } from './fragments.ts'

export interface FragmentPublisher extends Publisher {
  /** Sends what was committed and not sent, by whichever process that shares the store. To be called now and then. */
  catchUp(): Promise<void>
}

export interface PublisherParts {
  readonly reader: ConfigReader
  /** The revision that the threads start with. */
  readonly revision: number
  /** Takes a delta to the threads before it returns; resolves when they have acknowledged it, or the deadline is over. */
  readonly send: (delta: TextDelta) => Promise<{ readonly pending: boolean }>
  /** Keeps a delta for a start without the store, on disk when it resolves; threads take the delta on meanwhile. It gets no secrets that are read elsewhere. */
  readonly keep?: (delta: TextDelta) => Promise<void>
}

/**
 * Publishes by revision.
 * 1. A delta is read from the store: everything after the revision that was sent last. The process that has compiled it
 *    is not asked, so that processes which share a store publish alike.
 * 2. Deltas are sent one at a time, in the order of their revisions, none twice.
 * 3. What is published is on disk before `publish` resolves, so that what was revoked is not served again.
 * 4. A read that fails leaves the revision where it is: the next publication, or `catchUp`, sends what is missing.
 */
export function createFragmentPublisher({ reader, revision, send, keep }: PublisherParts): FragmentPublisher {
  let sent = revision
  let acknowledged: Promise<{ readonly pending: boolean }> = Promise.resolve({ pending: false })
  const line = new InLine(1)

  async function sendRest(): Promise<void> {
    const delta = await deltaSince(reader, sent)
    if (delta.revision <= sent) return
    acknowledged = send(delta)
    // The caller of `publish` or `catchUp` is told of a failure; here it would end the process
    acknowledged.catch(() => {})
    // Both take long for a large collection
    await yieldThread(1)
    await keep?.(delta)
    sent = delta.revision
  }

  return {
    publish: (wanted) =>
      line.run('', async () => {
        if (wanted > sent) await sendRest()
        return { acknowledged }
      }),
    async catchUp() {
      let caughtUp: Promise<unknown> | null = null
      await line.run('', async () => {
        try {
          if ((await reader.revision()) <= sent) return
          await sendRest()
          caughtUp = acknowledged
        } catch (error) {
          // Health checks tell of it
          if (!(error instanceof StoreUnavailable)) throw error
        }
      })
      // After the turn: the next delta need not wait for the threads
      await caughtUp
    },
  }
}

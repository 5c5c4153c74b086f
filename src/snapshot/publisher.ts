import type { SnapshotDelta } from './fragments.ts'

/** Takes changes to the gateway threads, in the order in which it is called. */
export interface Publisher {
  /**
   * Starts sending at once; resolves when every thread runs the revision, or with `pending` after the deadline.
   * Never rejects for a thread that is slow or gone.
   */
  publish(delta: SnapshotDelta): Promise<{ readonly pending: boolean }>
}

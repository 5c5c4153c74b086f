/** Takes committed changes to the gateway threads, in the order of their revisions. */
export interface Publisher {
  /**
   * Sends everything up to a committed revision that was not sent before. Resolves when it is on its way to the threads and
   * kept for a later start. Rejects when the changes cannot be read; then a later publication sends them.
   */
  publish(revision: number): Promise<Sent>
}

export interface Sent {
  /** Resolves when every thread runs the revision, or with `pending` after the deadline. */
  readonly acknowledged: Promise<{ readonly pending: boolean }>
}

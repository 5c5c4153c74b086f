/** What each request adds to the budget. */
const SHARE = 1 / 6
/** Repeats that the budget covers when all was well before, also with few connections. */
const IN_A_ROW = 10

/**
 * Decides whether requests to a server may use its kept connections. A kept connection that the server closed costs a
 * repeat, and the repeat is always made, so that no call fails. While too many were needed, requests use new connections,
 * which need no repeat: the server gets at most a sixth more requests, and ten in a row, and those under way at once.
 */
export class ReuseBudget {
  #left = IN_A_ROW

  /** A request is sent. @param open connections to the server */
  earn(open: number): void {
    if (this.#left < Math.max(IN_A_ROW, open)) this.#left += SHARE
  }

  /** A request is repeated because the kept connection that took it was closed. */
  spend(): void {
    this.#left--
  }

  /** False while requests are to use new connections. */
  get mayReuse(): boolean {
    return this.#left >= 1
  }
}

/** Share of a second sending that each request earns. */
const SHARE = 0.2
/** Second sendings that may be made in a row when all was well before, also with few connections. */
const IN_A_ROW = 10

/**
 * How often requests to one server may be sent again because the kept connection that took them was closed without an
 * answer. That is usual once for each connection; a server that goes on closing them gets at most a fifth more requests.
 */
export class Replays {
  #left = IN_A_ROW

  /** A request is sent. @param open connections to the server */
  earn(open: number): void {
    if (this.#left < Math.max(IN_A_ROW, open)) this.#left += SHARE
  }

  /** True when one more may be sent again, which is then spent. */
  spend(): boolean {
    if (this.#left < 1) return false
    this.#left--
    return true
  }
}

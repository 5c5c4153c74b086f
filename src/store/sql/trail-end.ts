import { type AuditPlace, CHAIN_START, type MarkedPlace, type TrailSeal } from '../ports/audit-chain.ts'
import { StoreUnavailable } from '../ports/unavailable.ts'

/** The end of the audit trail in one transaction. The mark moves when the transaction is committed. */
export class TrailEnd {
  readonly linkKey: Uint8Array
  readonly #mark: TrailSeal['mark']
  #last: MarkedPlace

  constructor({ linkKey, mark }: TrailSeal) {
    this.linkKey = linkKey
    this.#mark = mark
    this.#last = mark.place
  }

  /** Throws StoreUnavailable when the last stored link is not the last one that this process knows. Returns it. */
  expect(last: AuditPlace | undefined): AuditPlace {
    const found = last ?? { seq: 0, hash: CHAIN_START }
    const { seq, hash } = this.#last
    if (found.seq === seq && found.hash === hash) return found
    throw new StoreUnavailable(
      'changed',
      `the audit trail ends at number ${found.seq} with the link ${found.hash}, and the mark is at number ${seq} with the link ${hash}`,
    )
  }

  add(place: AuditPlace): void {
    this.#last = { ...this.#last, ...place }
  }

  setRevision(revision: number): void {
    this.#last = { ...this.#last, revision }
  }

  /** After the commit. Resolves when the mark is on disk. */
  committed(): Promise<void> {
    const { seq, revision } = this.#mark.place
    const isMoved = this.#last.seq !== seq || this.#last.revision !== revision
    return isMoved ? this.#mark.move(this.#last) : Promise.resolve()
  }
}

import { refuse } from '../../base/refusal.ts'
import type { AuditPlace, MarkedPlace, TrailSeal } from '../ports/audit-chain.ts'

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

  /** Refuses with store_unavailable when the last stored entry is not the last one that this process knows. */
  expect({ seq, hash }: AuditPlace): void {
    const { seq: knownSeq, hash: knownHash } = this.#last
    if (seq === knownSeq && hash === knownHash) return
    throw refuse('store_unavailable', {
      detail:
        'Another program has changed the audit trail. Nothing was changed. Traffic is served. Stop the gateway and run postern doctor, which says what to do.',
      inner: `the audit trail ends at number ${seq} with the link ${hash}, and the mark is at number ${knownSeq} with the link ${knownHash}`,
    })
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

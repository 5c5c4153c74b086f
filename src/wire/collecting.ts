/** A body that is gathered for a handler. */
export class Collecting {
  readonly bytesMax: number
  readonly done: (body: Uint8Array | null) => void
  readonly #pieces: Buffer[] = []

  constructor(bytesMax: number, done: (body: Uint8Array | null) => void) {
    this.bytesMax = bytesMax
    this.done = done
  }

  /** Keeps the bytes, which must not be on loan. */
  add(bytes: Buffer): void {
    this.#pieces.push(bytes)
  }

  whole(): Buffer {
    return this.#pieces.length === 1 ? this.#pieces[0]! : Buffer.concat(this.#pieces)
  }
}

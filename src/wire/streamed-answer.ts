import type { ByteBudget } from '../base/memory/bytes.ts'
import { PIECE_BYTES_MAX } from './limits.ts'
import type { AnswerStream, AnswerWriter } from './port.ts'

/** The exchange that carries a streamed answer. */
export interface AnswerCarrier {
  /** Sends `bytes[from, to)`, which may change afterwards. False when its caller takes no more for now. */
  piece(bytes: Buffer, from: number, to: number, last: boolean): boolean
  /** Ends in the middle of the answer because its writer could not go on. */
  breakOff(): void
  /** Ends in the middle of the answer because of its caller. */
  giveUp(): void
}

/** Shared by the streamed answers of one engine. */
export interface AnswerStreams {
  /** Answers whose writers were not told that the engine drains. */
  readonly streams: Set<StreamedAnswer>
  fault(error: unknown): void
}

const EMPTY = Buffer.alloc(0)

/**
 * An answer between its writer and the exchange that carries it. Invariants:
 * 1. While the caller takes no more, at most one piece is in the socket. Later pieces wait here, counted in the budget.
 * 2. The writer either ends the answer, or is told once that the answer is gone.
 */
export class StreamedAnswer implements AnswerStream {
  readonly #carrier: AnswerCarrier
  readonly #writer: AnswerWriter
  readonly #shared: AnswerStreams
  readonly #unsent: Unsent
  /** The caller takes no more for now. */
  #isFull = false
  /** The writer has completed the body. */
  #isEnded = false
  #isOver = false

  constructor(carrier: AnswerCarrier, writer: AnswerWriter, budget: ByteBudget, shared: AnswerStreams) {
    this.#carrier = carrier
    this.#writer = writer
    this.#shared = shared
    this.#unsent = new Unsent(budget)
  }

  // Called by the writer

  write(piece: string | Uint8Array): boolean {
    if (this.#isEnded || this.#isOver) return false
    const bytes = bytesOf(piece)
    const { length } = bytes
    let at = 0
    while (at < length && !this.#isFull) {
      const to = Math.min(length, at + PIECE_BYTES_MAX)
      this.#isFull = !this.#carrier.piece(bytes, at, to, false)
      at = to
    }
    // The caller may be gone
    if (at < length && !this.#isOver && !this.#unsent.add(bytes, at, length)) this.#carrier.giveUp()
    return !this.#isFull
  }

  end(): void {
    if (this.#isEnded || this.#isOver) return
    this.#isEnded = true
    if (this.#unsent.isEmpty) this.#finish()
  }

  abort(): void {
    if (this.#isOver) return
    this.#close()
    this.#carrier.breakOff()
  }

  // Called by the exchange

  /** The head was sent. @param isTaken the caller takes more */
  opened(isTaken: boolean): void {
    this.#isFull = !isTaken
    this.#shared.streams.add(this)
  }

  /** The caller had left before the answer began. */
  missed(): void {
    this.#close()
    process.nextTick(() => this.#tell(() => this.#writer.gone()))
  }

  /** The caller takes more again. */
  resume(): void {
    this.#isFull = false
    for (let next = this.#unsent.next(); next !== null; next = this.#unsent.next()) {
      this.#isFull = !this.#carrier.piece(next, 0, next.length, false)
      if (this.#isOver) return
      if (this.#isFull && !this.#unsent.isEmpty) return
    }
    if (this.#isEnded) this.#finish()
    else if (!this.#isFull) this.#tell(() => this.#writer.drained())
  }

  /** The caller has left, or was given up. */
  abandon(): void {
    if (this.#isOver) return
    this.#close()
    if (!this.#isEnded) this.#tell(() => this.#writer.gone())
  }

  /** The handler is at fault. An answer that it has completed still leaves. */
  giveUp(): void {
    if (!this.#isOver && !this.#isEnded) this.#carrier.giveUp()
  }

  /** Drops a piece of the request's body. */
  send(): boolean {
    return true
  }

  // Called by the engine

  /** The engine drains. */
  drain(): void {
    this.#shared.streams.delete(this)
    if (!this.#isEnded) this.#tell(() => this.#writer.draining())
  }

  #finish(): void {
    this.#close()
    this.#carrier.piece(EMPTY, 0, 0, true)
  }

  #close(): void {
    this.#isOver = true
    this.#isFull = true
    this.#unsent.drop()
    this.#shared.streams.delete(this)
  }

  #tell(what: () => void): void {
    try {
      what()
    } catch (error) {
      this.#shared.fault(error)
      this.abort()
    }
  }
}

/** Tells the writers of open answers, each once, that the engine drains. */
export function drainStreams({ streams }: AnswerStreams): void {
  for (const streamed of streams) streamed.drain()
}

function bytesOf(piece: string | Uint8Array): Buffer {
  return typeof piece === 'string'
    ? Buffer.from(piece)
    : Buffer.from(piece.buffer, piece.byteOffset, piece.length)
}

/** Smallest block. */
const BLOCK_BYTES_MIN = 1024

/**
 * A queue of bytes that wait for a caller. Bytes are copied into few blocks, so that many small pieces do not cost an object
 * each. A block is counted in the budget until it is taken out.
 */
export class Unsent {
  readonly #budget: ByteBudget
  readonly #blocks: Buffer[] = []
  /** Bytes used of the last block. */
  #used = 0

  /** @param budget in which the blocks are counted */
  constructor(budget: ByteBudget) {
    this.#budget = budget
  }

  get isEmpty(): boolean {
    return this.#blocks.length === 0
  }

  /** Adds a copy of `bytes[from, to)`. False when the budget refuses; then a part of it may have been added. */
  add(bytes: Buffer, from: number, to: number): boolean {
    let at = from
    while (at < to) {
      const last = this.#blocks.at(-1)
      const left = last === undefined ? 0 : last.length - this.#used
      if (left === 0) {
        const before = last === undefined ? BLOCK_BYTES_MIN : last.length * 2
        const size = Math.min(PIECE_BYTES_MAX, Math.max(to - at, before))
        if (!this.#budget.take(size)) return false
        this.#blocks.push(Buffer.allocUnsafeSlow(size))
        this.#used = 0
      } else {
        const until = Math.min(to, at + left)
        bytes.copy(last!, this.#used, at, until)
        this.#used += until - at
        at = until
      }
    }
    return true
  }

  /** Takes out the oldest block, at most {@link PIECE_BYTES_MAX} long; null when the queue is empty. */
  next(): Buffer | null {
    const block = this.#blocks.shift()
    if (block === undefined) return null
    this.#budget.give(block.length)
    return this.isEmpty ? block.subarray(0, this.#used) : block
  }

  /** Forgets all. */
  drop(): void {
    for (const { length } of this.#blocks.splice(0)) this.#budget.give(length)
  }
}

import { Kept, type Room } from '../base/kept.ts'

/** A body that is gathered for a handler. */
export class Collecting extends Kept {
  readonly bytesMax: number
  readonly done: (body: Uint8Array | null) => void

  constructor(bytesMax: number, room: Room, done: (body: Uint8Array | null) => void) {
    super(room)
    this.bytesMax = bytesMax
    this.done = done
  }
}

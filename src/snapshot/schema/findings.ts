/** What is wrong with one value: pointers into it, with reasons, within bounds. */
import { pointerTo } from '../../base/pointer.ts'
import type { FieldError } from '../../base/refusal.ts'
import type { Effort } from './effort.ts'

/** Errors that one value is told. */
export const ERRORS_MAX = 20
const POINTER_MAX = 512
const REASON_MAX = 300

export class Findings {
  readonly effort: Effort
  readonly #max: number
  readonly #found = new Map<string, FieldError>()

  /** @param max errors that are looked for */
  constructor(effort: Effort, max: number) {
    this.effort = effort
    this.#max = max
  }

  /** As many errors as are told were found. */
  get isFull(): boolean {
    return this.#found.size >= this.#max
  }

  add(place: string, reason: string): void {
    if (this.isFull) return
    const key = `${place} ${reason}`
    if (!this.#found.has(key))
      this.#found.set(key, { pointer: place.slice(0, POINTER_MAX), reason: reason.slice(0, REASON_MAX) })
  }

  /** The same for a member that is missing or too much. */
  addMember(place: string, name: string, reason: string): void {
    this.add(pointerTo(place, name), reason)
  }

  list(): FieldError[] {
    return [...this.#found.values()]
  }
}

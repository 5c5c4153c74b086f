/** What a live list shows: records that have come are either shown, or wait while the list is paused. */

export interface Tail<T> {
  /** Newest first. */
  readonly shown: readonly T[]
  /** Came while the list was paused; newest first. */
  readonly waiting: readonly T[]
  readonly isPaused: boolean
  /** Records came faster than they could be followed: the stored list has all of them. */
  readonly missed: boolean
}

/** Rows that a page keeps of those that it followed. */
export const KEPT_MAX = 2000

export const EMPTY_TAIL: Tail<never> = { shown: [], waiting: [], isPaused: false, missed: false }

/** @param items oldest first, as the server answers them */
export function received<T>(tail: Tail<T>, items: readonly T[], missed: boolean): Tail<T> {
  if (items.length === 0 && !missed) return tail
  const newest = items.toReversed()
  const next = { ...tail, missed: tail.missed || missed }
  return tail.isPaused
    ? { ...next, waiting: [...newest, ...tail.waiting].slice(0, KEPT_MAX) }
    : { ...next, shown: [...newest, ...tail.shown].slice(0, KEPT_MAX) }
}

export function paused<T>(tail: Tail<T>): Tail<T> {
  return tail.isPaused ? tail : { ...tail, isPaused: true }
}

export function resumed<T>(tail: Tail<T>): Tail<T> {
  return {
    ...tail,
    isPaused: false,
    shown: [...tail.waiting, ...tail.shown].slice(0, KEPT_MAX),
    waiting: [],
  }
}

/** Words of the button that shows the state. */
export function wordsOf({ isPaused, waiting }: Tail<unknown>): string {
  if (!isPaused) return 'Live'
  const count = waiting.length >= KEPT_MAX ? `${KEPT_MAX} or more` : String(waiting.length)
  return `Paused, ${count} new`
}

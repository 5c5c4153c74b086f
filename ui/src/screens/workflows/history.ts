/** Undo and redo. A gesture is one step: changes with the same key follow one another in it until it is sealed. */

export interface History<T> {
  readonly past: readonly T[]
  readonly present: T
  readonly future: readonly T[]
  /** Key of the gesture that may go on; null: the next change begins a step. */
  readonly gesture: string | null
}

const STEPS_MAX = 200

export function begin<T>(present: T): History<T> {
  return { past: [], present, future: [], gesture: null }
}

/** Records a change. `gesture`: such as the name of a field, so that all letters typed into it are one step. */
export function change<T>(history: History<T>, next: T, gesture: string | null = null): History<T> {
  if (next === history.present) return history
  const goesOn = gesture !== null && gesture === history.gesture
  const past = goesOn ? history.past : [...history.past, history.present].slice(-STEPS_MAX)
  return { past, present: next, future: [], gesture }
}

/** The gesture is over. */
export function seal<T>(history: History<T>): History<T> {
  return history.gesture === null ? history : { ...history, gesture: null }
}

export function undo<T>({ past, present, future, gesture }: History<T>): History<T> {
  const before = past.at(-1)
  return before === undefined
    ? { past, present, future, gesture }
    : { past: past.slice(0, -1), present: before, future: [present, ...future], gesture: null }
}

export function redo<T>({ past, present, future, gesture }: History<T>): History<T> {
  const [next, ...rest] = future
  return next === undefined
    ? { past, present, future, gesture }
    : { past: [...past, present], present: next, future: rest, gesture: null }
}

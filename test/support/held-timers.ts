import { syncBuiltinESMExports } from 'node:module'
import timers from 'node:timers'

type Callback = (...given: unknown[]) => unknown
type Begin = (callback: Callback, ms?: number, ...given: unknown[]) => NodeJS.Timeout
type Clear = (timer?: NodeJS.Timeout | string | number) => void

/**
 * Replaces the timers of this process, those of `node:timers/promises` aside.
 * @returns holds the timers that stand until the result is disposed: what is due meanwhile runs then, once. Timers that begin
 *   meanwhile are not held.
 */
export function holdTimers(): () => Disposable {
  let period = 0
  let isHolding = false
  const due = new Map<NodeJS.Timeout, () => unknown>()
  const held =
    (begin: Begin): Begin =>
    (callback, ms, ...given) => {
      const begun = period
      const timer = begin(() => {
        if (isHolding && begun < period) due.set(timer, () => callback.apply(timer, given))
        else callback.apply(timer, given)
      }, ms)
      return timer
    }
  const cleared =
    (clear: Clear): Clear =>
    (timer) => {
      if (typeof timer === 'object') due.delete(timer)
      clear(timer)
    }
  const replaced = {
    setTimeout: held(timers.setTimeout),
    setInterval: held(timers.setInterval),
    clearTimeout: cleared(timers.clearTimeout),
    clearInterval: cleared(timers.clearInterval),
  }
  Object.assign(timers, replaced)
  Object.assign(globalThis, replaced)
  syncBuiltinESMExports()
  return () => {
    period++
    isHolding = true
    return {
      [Symbol.dispose]() {
        isHolding = false
        for (const [timer, run] of due) if (due.delete(timer)) run()
      },
    }
  }
}

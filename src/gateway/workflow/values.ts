/** Values that the workflows of all gateway threads keep. Each workflow, or proxy with a workflow of its own, has keys of its own. */
import type { NodeValues } from '../../nodes/run.ts'
import type { Routed } from '../exchange.ts'

/** @param scope Of the workflow; without a line break, so that no key of one is that of another. */
export function valuesOf({ lane: { keptValues, clock } }: Routed, scope: string): NodeValues {
  const within = (key: string): string => `${scope}\n${key}`
  return {
    get(key) {
      const found = keptValues.get(within(key), clock.now())
      return found && { json: Buffer.from(found.bytes).toString(), isFresh: found.isFresh }
    },
    set(key, json, { freshMs, staleMs }) {
      const keptAt = clock.now()
      const freshUntil = keptAt + freshMs
      const times = { keptAt, freshUntil, staleUntil: freshUntil + staleMs }
      return keptValues.set(within(key), Buffer.from(json), times)
    },
    delete: (key) => keptValues.delete(within(key)),
  }
}

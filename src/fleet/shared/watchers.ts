/** Chooses the gateway thread that watches an origin. */
import { textHash } from '../../base/json/canonical.ts'

/**
 * Which of the threads watches an origin: the one of the highest score (rendezvous hashing), so that few origins change their
 * thread when a thread comes or goes. Null where there are no threads.
 * @param slots of the threads that may watch
 */
export function watcherOf(slots: readonly number[], origin: string): number | null {
  let best: { readonly slot: number; readonly score: string } | null = null
  for (const slot of slots) {
    const score = textHash(`${slot} ${origin}`)
    if (best === null || score > best.score) best = { slot, score }
  }
  return best?.slot ?? null
}

/** Whether Postern answers. Told by each request of the console. */

export interface Reach {
  readonly isReached: boolean
  /** When the last answer came, milliseconds since 1970. */
  readonly lastAnswer: number
}

let reach: Reach = { isReached: true, lastAnswer: Date.now() }
const listeners = new Set<() => void>()

function set(next: Reach): void {
  const isNews = next.isReached !== reach.isReached
  reach = next
  if (isNews) for (const tell of listeners) tell()
}

export function reachNow(): Reach {
  return reach
}

/** `tell` is called when Postern no longer answers, and when it does again. */
export function onReach(tell: () => void): () => void {
  listeners.add(tell)
  return () => listeners.delete(tell)
}

/** `fetch`, which notes whether an answer came. A request that the page itself gave up says nothing. */
export async function reachingFetch(input: RequestInfo | URL, init?: RequestInit): Promise<Response> {
  try {
    const response = await fetch(input, init)
    set({ isReached: true, lastAnswer: Date.now() })
    return response
  } catch (error) {
    if (init?.signal?.aborted !== true) set({ ...reach, isReached: false })
    throw error
  }
}

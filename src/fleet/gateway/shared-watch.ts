/** Tells the main thread which resources of origins this thread must be notified about. */
import type { FromGateway } from '../shared/messages.ts'

/** What this thread wants to hear of resources of origins: the main thread has one thread watch each origin for all. */
export interface SharedWatchClient {
  want(origin: string, uris: readonly string[]): void
  onUpdated(listener: (origin: string, uris: readonly string[]) => void): void
  /** Resources that this thread wants to hear of have changed. */
  updated(origin: string, uris: readonly string[]): void
}

export function createSharedWatch(say: (message: FromGateway) => void): SharedWatchClient {
  let told: (origin: string, uris: readonly string[]) => void = () => {}
  return {
    want: (origin, uris) => say({ kind: 'want_resources', origin, uris }),
    onUpdated(listener) {
      told = listener
    },
    updated: (origin, uris) => told(origin, uris),
  }
}

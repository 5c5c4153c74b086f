/** Prints the set-up link for the first administrator. */
import { setTimeout } from 'node:timers/promises'
import type { SetUpLink } from './local-socket.ts'

/** After this a link that the store has refused is tried again, milliseconds. */
const LINK_AGAIN_MS = 5000

export interface FirstLinkOptions {
  /** Makes the link by which a new installation gets its administrator; null when it needs none. */
  readonly make: () => Promise<SetUpLink | null>
  readonly print: (text: string) => void
  /** Told of the first fault. */
  readonly failed: (error: unknown) => void
  /** Ends it. */
  readonly signal: Promise<unknown>
}

/** Prints the link by which a new installation gets its administrator, as soon as the store takes it. */
export async function showFirstLink({ make, print, failed, signal }: FirstLinkOptions): Promise<void> {
  let isOver = false
  void signal.then(() => {
    isOver = true
  })
  for (let isFirst = true; !isOver; isFirst = false) {
    try {
      const link = await make()
      if (link !== null)
        print(
          `\nNo administrator exists yet. Open this link before ${link.expires_at} to create one:\n  ${link.url}\n`,
        )
      return
    } catch (error) {
      if (isFirst) failed(error)
    }
    await Promise.race([signal, setTimeout(LINK_AGAIN_MS, undefined, { ref: false })])
  }
}

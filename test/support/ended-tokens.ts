import { channel } from 'node:diagnostics_channel'
import type { IncomingMessage } from 'node:http'
import type { TestServer } from '../scenarios/server.ts'

/** After it an access token has ended, milliseconds. */
const LIFE_MS = 15 * 60_000 + 1000

/** When a server of `node:http` in this thread has read the head of a request. */
const REQUESTS = channel('http.server.request.start')

/**
 * Lets the access tokens of a server end, for as long as no client asks its authorization server for another one: the engine dates
 * tokens by the clock of the system, so a new one would have ended, too.
 *
 * @param use fails if it ends without such a request
 */
export async function withEndedTokens<T>(server: TestServer, use: () => Promise<T>): Promise<T> {
  let isMoved = true
  const end = (): void => {
    if (!isMoved) return
    isMoved = false
    server.moveClock(-LIFE_MS)
  }
  const see = (message: unknown): void => {
    if ((message as { request: IncomingMessage }).request.url === '/oauth/token') end()
  }
  server.moveClock(LIFE_MS)
  REQUESTS.subscribe(see)
  try {
    const used = await use()
    if (isMoved) throw new Error('no client has asked for another token')
    return used
  } finally {
    REQUESTS.unsubscribe(see)
    end()
  }
}

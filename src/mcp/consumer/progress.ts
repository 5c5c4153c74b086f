/**
 * Progress notifications for long calls. The first notification turns the response into a stream, if the client accepts streams. A call that
 * ends earlier costs one entry in a set.
 */
import type { Clock } from '../../base/clock.ts'
import { isMembers, type RpcId } from '../protocol/message.ts'
import type { RelayedRequest } from '../protocol/relay-port.ts'

/** Before the first sign, milliseconds: most calls have ended by then, and are one JSON object. */
export const FIRST_MS = 3000
/** Between two signs, milliseconds. */
export const EVERY_MS = 5000
const TICK_MS = 500
const TOKEN_CHARS_MAX = 256

interface Waiting {
  readonly token: RpcId
  readonly begunAt: number
  readonly notify: (text: string) => void
  nextMs: number
}

export interface Progress {
  /** Tells the client of a call how long it lasts, where the client asks for that, until the function that it gives is called. */
  begin(request: Pick<RelayedRequest, 'params' | 'notify'>): () => void
}

const NOTHING = (): void => {}

/** No calls yet. */
export function createProgress(clock: Clock): Progress {
  const waiting = new Set<Waiting>()
  let timer: NodeJS.Timeout | undefined

  function tick(): void {
    const now = clock.monotonic()
    for (const call of waiting) {
      const elapsedMs = now - call.begunAt
      if (elapsedMs < call.nextMs) continue
      call.nextMs = elapsedMs + EVERY_MS
      const progress = Math.round(elapsedMs) / 1000
      const message = `Waiting for the upstream for ${Math.round(progress)} s`
      const params = { progressToken: call.token, progress, message }
      call.notify(JSON.stringify({ jsonrpc: '2.0', method: 'notifications/progress', params }))
    }
  }

  return {
    begin({ params, notify }) {
      const token = tokenOf(params['_meta'])
      if (token === null) return NOTHING
      const call = { token, begunAt: clock.monotonic(), notify, nextMs: FIRST_MS }
      waiting.add(call)
      timer ??= setInterval(tick, TICK_MS).unref()
      return () => {
        waiting.delete(call)
        if (waiting.size > 0) return
        clearInterval(timer)
        timer = undefined
      }
    },
  }
}

/** A string or an integer (2026-07-28, basic/utilities/progress). */
function tokenOf(meta: unknown): RpcId | null {
  const token = isMembers(meta) ? meta['progressToken'] : undefined
  if (typeof token === 'string') return token.length <= TOKEN_CHARS_MAX ? token : null
  return Number.isSafeInteger(token) ? (token as number) : null
}

/**
 * Notification streams that stay open as long as their clients want, and report changes.
 *
 * 1. Each new snapshot leads to a check of every stream.
 * 2. A stream ends when anything about its caller has changed, and when the grant of a person is revoked. The next request authenticates
 *    the caller again.
 * 3. The number of streams is bounded for each client and in total.
 */
import type { Caller, GatewayPort } from '../../gateway/port.ts'

export interface Standing {
  /** Another snapshot is in force. False when the caller has lost its right: nothing more is told. */
  look(): boolean
  /** It is over for the caller, who has not left it. Not called after `close`. */
  end(): void
}

export interface StandingStreams {
  /** Null where there are too many; else what closes it when its caller has left. */
  open(caller: Caller, standing: Standing): (() => void) | null
}

type State = ReturnType<GatewayPort['standingOf']>

const EACH_MAX = 100
const ALL_MAX = 10_000

/** The streams of one kind in one gateway thread. */
export function createStandingStreams(gateway: GatewayPort): StandingStreams {
  const open = new Set<{ readonly caller: Caller; readonly before: State; readonly of: Standing }>()
  let unsubscribe: (() => void) | null = null

  function lookAtAll(): void {
    for (const one of [...open]) {
      const { caller, before, of } = one
      if (!open.has(one) || (isSame(gateway.standingOf(caller), before) && of.look())) continue
      remove(one)
      of.end()
    }
  }

  function remove(one: typeof open extends Set<infer T> ? T : never): void {
    if (!open.delete(one) || open.size > 0) return
    unsubscribe?.()
    unsubscribe = null
  }

  return {
    open(caller, of) {
      let own = 0
      for (const one of open) if (one.caller.client.id === caller.client.id) own++
      if (own >= EACH_MAX || open.size >= ALL_MAX) return null
      const one = { caller, before: gateway.standingOf(caller), of }
      open.add(one)
      unsubscribe ??= gateway.onApplied(lookAtAll)
      return () => remove(one)
    },
  }
}

function isSame(now: State, before: State): boolean {
  return now?.every((one, at) => one === before?.[at]) === true
}

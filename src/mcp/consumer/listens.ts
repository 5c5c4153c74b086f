/**
 * `subscriptions/listen` at `/mcp`: a caller is notified about a list only if the list has changed for this caller. Lists are compared as
 * texts, which are written once for all callers with the same lists.
 */
import type { GatewayPort } from '../../gateway/port.ts'
import type { Sender } from '../http/message.ts'
import type { StandingStreams } from '../http/standing.ts'
import type { RelayedAnswer, RelayedRequest } from '../protocol/relay-port.ts'
import { listenTexts, wantedOf } from '../protocol/subscription.ts'

const LISTS = ['tools', 'prompts', 'resources'] as const

/** Texts of what a caller sees, by what clients subscribe to. */
export type Seen = Readonly<Record<(typeof LISTS)[number], string>>

interface ListenTools {
  readonly gateway: GatewayPort
  readonly streams: StandingStreams
  /** What the sender sees now. */
  readonly seenBy: (sender: Sender) => Promise<Seen>
  readonly fault: (error: unknown, requestId: string) => void
}

/** Answers the request by a stream that stands. False where there are too many: then nothing was answered. */
export function listen(
  { gateway, streams, seenBy, fault }: ListenTools,
  sender: Sender,
  { id, params, notify, onLeft }: RelayedRequest,
  done: (answer: RelayedAnswer) => void,
): boolean {
  const texts = listenTexts(id)
  // No resource here changes by itself
  const wanted = { ...wantedOf(params), uris: new Set<string>() }
  let endpoints = gateway.endpoints(sender.caller)
  let seen = seenBy(sender)

  function compare(before: Seen, now: Seen): void {
    for (const list of LISTS)
      if (wanted[list] && before[list] !== now[list])
        notify(texts.changed(`notifications/${list}/list_changed`, null))
  }

  const close = streams.open(sender.caller, {
    look() {
      const now = gateway.endpoints(sender.caller)
      if (now === endpoints) return true
      endpoints = now
      const before = seen
      seen = seenBy(sender)
      Promise.all([before, seen]).then(
        (both) => compare(...both),
        (error: unknown) => fault(error, sender.requestId),
      )
      return true
    },
    end: () => done({ kind: 'result', text: texts.ended }),
  })
  if (close === null) return false
  onLeft(close)
  notify(texts.acknowledged(wanted))
  return true
}

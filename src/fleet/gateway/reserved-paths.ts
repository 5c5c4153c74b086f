/** Answers requests at reserved paths: CORS first, then the door. */
import type { Exchange } from '../../gateway/exchange.ts'
import type { Incoming } from '../../wire/port.ts'
import type { CrossOrigin } from './cross-origin.ts'

type Handler = (incoming: Incoming<Exchange>) => void

/** Answers requests at reserved paths: pages of other origins are judged before `router` finds the door. */
export function createReservedPaths(crossOrigin: CrossOrigin<Exchange>, router: Handler): Handler {
  return (incoming) => {
    if (crossOrigin.answers(incoming)) return
    // For answers that the gateway makes of a fault of the wire
    if (incoming.state !== null) incoming.state.corsLines = crossOrigin.linesOf(incoming)
    router(incoming)
  }
}

import { newTraceParent, passedTraceParent } from '../../base/ids.ts'
import type { Exchange } from '../exchange.ts'

/**
 * Takes what a caller says of its trace (W3C Trace Context). It goes on as it came: no spans are written here, so an id
 * of our own would stand in the tree of the trace for a span that nobody can find. A state without a trace is nothing.
 */
export function takeTrace(exchange: Exchange, parent: string, state: string | undefined): void {
  const passed = passedTraceParent(parent)
  if (passed === null) return
  exchange.traceParent = passed
  exchange.traceState = state ?? ''
}

/** The caller's, or one that was made for it: each time that a request is sent it is the same. */
export function traceParentOf(exchange: Exchange): string {
  if (exchange.traceParent === '') exchange.traceParent = newTraceParent()
  return exchange.traceParent
}

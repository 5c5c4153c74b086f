import type { RefusalCode } from '../../base/refusal.ts'
import { scatter } from '../../snapshot/find/limit-key.ts'
import { toAddress, toIPv4 } from '../../snapshot/find/network.ts'
import type { Exchange } from '../exchange.ts'

/** Milliseconds for which the source must wait after too many failures for this profile; 0 when it need not. */
export function throttledMs(exchange: Exchange): number {
  if (!exchange.lane.counters.hasFailures(exchange.now)) return 0
  sourceOf(exchange)
  return exchange.lane.counters.throttledMs(low, high, exchange.now)
}

/** Takes the one new verification that a throttled source has in each second for this profile; false when it is taken. */
export function mayVerify(exchange: Exchange): boolean {
  sourceOf(exchange)
  return exchange.lane.counters.mayVerify(low, high, exchange.now)
}

/** Counts a failed authentication. The code says 429 when the source had too many failures before this one. */
export function countFailure(exchange: Exchange, code: RefusalCode): RefusalCode {
  sourceOf(exchange)
  if (exchange.lane.counters.countFailure(low, high, exchange.now)) return code
  return throttled(exchange, Math.max(1000, exchange.lane.counters.throttledMs(low, high, exchange.now)))
}

/** The refusal of a throttled source. @param waitMs for `Retry-After`. */
export function throttled(exchange: Exchange, waitMs: number): RefusalCode {
  exchange.retryAfterMs = waitMs
  exchange.facts = { members: { retry_after_ms: waitMs } }
  return 'auth_throttled'
}

let low = 0
let high = 0

/** Address and profile as a key. A network of IPv6 (/64) is one source: its addresses cost nothing. */
function sourceOf(exchange: Exchange): void {
  const { ip, identity } = exchange
  const { profile } = identity
  const v4 = toIPv4(ip)
  let network = v4 | 0
  let rest = 0
  if (v4 === -1) {
    const words = toAddress(ip)
    network = words[0] ?? 0
    rest = (words[1] ?? 0) ^ 0x6b43a9b5
  }
  low = scatter(network ^ (profile === null ? 0 : profile.key.low))
  high = scatter(rest ^ (profile === null ? 0 : profile.key.high)) ^ network
}

import type { RefusalCode } from '../../base/refusal.ts'
import { scatter } from '../../snapshot/limit-key.ts'
import { toAddress, toIPv4 } from '../../snapshot/network.ts'
import type { Exchange } from '../exchange.ts'

/** Check 8. An address that failed too often for this profile waits, whatever it sends now. */
export function failuresBelowLimit(exchange: Exchange): RefusalCode | null {
  if (exchange.authorization === undefined && exchange.certificate === null) return null
  if (!exchange.counters.hasFailures(exchange.now)) return null
  sourceOf(exchange)
  const waitMs = exchange.counters.throttledMs(low, high, exchange.now)
  return waitMs === 0 ? null : throttled(exchange, waitMs)
}

/** Counts a failed authentication; one too many is answered as throttled itself. */
export function countFailure(exchange: Exchange, code: RefusalCode): RefusalCode {
  sourceOf(exchange)
  if (exchange.counters.countFailure(low, high, exchange.now)) return code
  return throttled(exchange, Math.max(1000, exchange.counters.throttledMs(low, high, exchange.now)))
}

function throttled(exchange: Exchange, waitMs: number): RefusalCode {
  exchange.retryAfterMs = waitMs
  exchange.facts = { members: { retry_after_ms: waitMs } }
  return 'auth_throttled'
}

let low = 0
let high = 0

/** Address and profile as a key. A network of IPv6 (/64) is one source: its addresses cost nothing. */
function sourceOf(exchange: Exchange): void {
  const { ip, profile } = exchange
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

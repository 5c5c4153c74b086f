import { failed, type Stop } from '../../guardrails/apply.ts'
import type { Chain, Leg } from '../../guardrails/rule.ts'
import type { Tally } from '../../guardrails/tally.ts'

/**
 * Why a compressed content may not be passed on; null where it may.
 * @param reason why the content cannot be decoded; absent before that is tried, which concerns rules that refuse it anyway
 */
export function encodedStop(chain: Chain, tally: Tally, leg: Leg, reason?: string): Stop | null {
  const concerned = reason === undefined ? chain.filter(({ refusesCompressed }) => refusesCompressed) : chain
  return failed(concerned, null, leg, tally, reason ?? 'the content is compressed').stop
}

import { PROBLEMS, type RefusalCode } from '../../base/refusal.ts'
import type { Explanation, Hypothetical } from '../../model/explanation.ts'
import type { LinkedCollection, LinkedProxy } from '../../snapshot/linked-types/collection.ts'
import type { Exchange } from '../exchange.ts'
import { ADMITTED, ANSWERED, type Check } from '../verdict.ts'

/** What a check says of a request that was not made. */
export type Judged = Omit<Explanation['checks'][number], 'name'>

/**
 * Explains a check of a request that was not made. A check that only looks at memory and changes nothing is run as it
 * is, see {@link asIs}; one that would count something, ask another server or read a body is described. The exchange
 * is in the state that the rows before have left.
 *
 * @typeParam On what the explanation relies on; a row behind `route` has a collection, and may have no proxy
 */
export type Explain<On extends Exchange = Exchange> = (
  exchange: On,
  asked: Hypothetical,
  check: Check,
) => Judged

export const pass = (reason: string, setting: string | null = null): Judged => ({
  result: 'pass',
  code: null,
  reason,
  setting,
})

export const open = (reason: string, setting: string | null = null): Judged => ({
  result: 'not_judged',
  code: null,
  reason,
  setting,
})

export const refuse = (code: RefusalCode, reason: string, setting: string | null): Judged => ({
  result: 'refuse',
  code,
  reason,
  setting,
})

export const answer = (reason: string, setting: string | null): Judged => ({
  result: 'answer',
  code: null,
  reason,
  setting,
})

/** Said of a check that needs a caller where none was given. */
export const NO_CALLER = open('no client or profile was given; add one to evaluate this check')

/** The words of {@link asIs}; the settings are the names under which the deciding values are configured. */
export interface Words {
  /** Why the request passes; "no restriction applies" where absent. */
  readonly reason?: string | undefined
  readonly setting?: string | null
  /** The setting that refuses, where that is another one. */
  readonly deciding?: (code: RefusalCode) => string | null
}

/** Runs a check as it is and says what came of it. */
export function asIs(exchange: Exchange, check: Check, words: () => Words = () => ({})): Judged {
  const verdict = check(exchange)
  const { reason, setting = null, deciding } = words()
  if (verdict === null || verdict === ADMITTED) return pass(reason ?? 'no restriction applies', setting)
  if (verdict === ANSWERED) return answer('a preflight of a browser', setting)
  if (typeof verdict === 'object') return open('no violation so far; the rest depends on the body', setting)
  const detail = exchange.facts.detail?.replace(/\.$/, '')
  const said = exchange.reason || detail || PROBLEMS[verdict].title
  return refuse(verdict, said, deciding === undefined ? setting : deciding(verdict))
}

/** As {@link asIs}, of a check that header lines decide as far as no body is read: it is described where none were given. */
export function byHead(exchange: Exchange, asked: Hypothetical, check: Check, described: Judged): Judged {
  if (described.result !== 'not_judged' || asked.headers === null) return described
  return asIs(exchange, check, () => ({
    reason: exchange.reason === '' ? undefined : `only reported: ${exchange.reason}`,
    setting: described.setting,
  }))
}

/** Names of resources as settings are named. */
export const collectionName = ({ fragment }: LinkedCollection): string => `collections/${fragment.slug}`
export const proxyName = (collection: LinkedCollection, proxy: LinkedProxy): string =>
  `proxies/${collection.fragment.slug}:${proxy.fragment.slug}`
export function profileName({ identity: { profile } }: Exchange): string {
  return profile === null ? 'profiles/' : `profiles/${profile.client.fragment.slug}:${profile.fragment.slug}`
}

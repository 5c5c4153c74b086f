import type { LookupFunction } from 'node:net'
import type { Egress } from './egress.ts'
import { createAskJson, type JsonAnswer } from './fetch-json.ts'
import { FetchFailure, type FetchLimits } from './guarded-fetch.ts'

const LIMITS: FetchLimits = { timeoutMs: 2500, bytesMax: 64 * 1024 }

/** Gets one JSON object. Rejects with a {@link FetchFailure}. */
export type GetJson = (url: string) => Promise<JsonAnswer>

/** For URLs that anybody may name: https, and what the egress rule admits of discovered URLs. */
export function createPublicGetJson(egress: Egress, resolve?: LookupFunction): GetJson {
  const ask = createAskJson(egress, LIMITS, resolve)
  return async (url) => {
    if (URL.parse(url)?.protocol !== 'https:') throw new FetchFailure('the URL is not https')
    return ask({ url, from: 'discovered', form: null, authorization: '' })
  }
}

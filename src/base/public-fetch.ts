import { type LookupAddress, lookup } from 'node:dns'
import { isIP } from 'node:net'
import { bareHost, isLoopbackHost, isPublicAddress } from './address.ts'
import { createAskJson, type JsonAnswer } from './fetch-json.ts'
import { FetchFailure, type FetchLimits } from './guarded-fetch.ts'

const LIMITS: FetchLimits = { timeoutMs: 2500, bytesMax: 64 * 1024 }

/** Gets one JSON object. Rejects with a {@link FetchFailure}. */
export type GetJson = (url: string) => Promise<JsonAnswer>

/** For URLs that anybody may name: https, and public addresses alone. */
export function createPublicGetJson(resolve: typeof lookup = lookup): GetJson {
  const publicly = ((name: string, options: object, callback: (...given: unknown[]) => void) => {
    resolve(name, { ...options, all: true }, (error, addresses: LookupAddress[]) => {
      if (error === null && !addresses.every(({ address }) => isPublicAddress(address)))
        callback(Object.assign(new Error('not public'), { code: 'ENOTPUBLIC' }), [])
      else callback(error, addresses)
    })
    // One of the overloads, which is the only one that asks
  }) as typeof lookup
  const ask = createAskJson(LIMITS, publicly)
  return async (given) => {
    const url = URL.parse(given)
    if (url?.protocol !== 'https:') throw new FetchFailure('the URL is not https')
    const host = bareHost(url.hostname)
    if (isLoopbackHost(url.hostname) || (isIP(host) !== 0 && !isPublicAddress(host)))
      throw new FetchFailure('the address is not public')
    return ask({ url: given, form: null, authorization: '' })
  }
}

import type { Exchange } from '../exchange.ts'

/**
 * The whole body of the request, at most as large as the collection takes; null when it broke a bound or the caller
 * left, of which the answer is given already. Kept, so that several steps read it once.
 */
export function bodyOf(exchange: Exchange): Uint8Array | Promise<Uint8Array | null> {
  if (exchange.body !== null) return exchange.body
  return new Promise((resolve) => {
    exchange.source!.collect(exchange.collection!.fragment.body_bytes_max, (body) => {
      exchange.body = body
      resolve(body)
    })
  })
}

import { hash, timingSafeEqual } from 'node:crypto'
import { bearerOf } from '../base/http/fields.ts'
import type { RunnerToken } from './file.ts'

/**
 * The place of the token that a request carries, or -1. All tokens are compared, each in constant time, so that the time
 * tells nothing of them.
 * @param authorization the field of the request
 */
export function placeOfToken(tokens: readonly RunnerToken[], authorization: string | undefined): number {
  const digest = hash('sha256', bearerOf(authorization), 'buffer')
  let found = -1
  tokens.forEach((token, place) => {
    if (timingSafeEqual(token.digest, digest)) found = place
  })
  return found
}

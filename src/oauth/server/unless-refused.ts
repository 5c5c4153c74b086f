import { errors } from 'oidc-provider'
import { Refusal } from '../../base/refusal.ts'

/**
 * Awaits a check of a token that came with a request, and turns its refusal into an error of RFC 6749.
 * @param token the name of the token in the error, such as `the assertion`
 */
export async function unlessRefused<T>(asked: Promise<T>, token: string): Promise<T> {
  try {
    return await asked
  } catch (error) {
    if (!(error instanceof Refusal)) throw error
    if (error.code === 'identity_unavailable')
      throw Object.assign(
        new errors.TemporarilyUnavailable('the corporate issuer cannot be asked for its keys'),
        { status: 503, statusCode: 503 },
      )
    throw new errors.InvalidGrant(`${token} proves nobody`)
  }
}

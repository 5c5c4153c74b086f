/** Tokens for callers that can open the private socket. */
import type { AccessTokens } from '../access/tokens.ts'
import { type Clock, toTime } from '../base/clock.ts'
import { Secret } from '../base/crypto/token.ts'
import { type IssuedToken, parseTokenRequest } from './local-socket.ts'

/**
 * Issues tokens to whoever may open the private socket. The token that a command makes for itself is given to the
 * next command too, as long as half of its life is left: a script of a hundred commands then leaves one audit entry
 * of a token among those of its changes. It is kept in the memory of this process alone. Refuses with input_invalid.
 */
export function createLocalTokens(
  tokens: AccessTokens,
  clock: Clock,
): (input: unknown) => Promise<IssuedToken> {
  // Of one kind at a time: the command line always asks for the same.
  let kept: { readonly key: string; readonly token: Secret; readonly expiresAt: number } | undefined

  async function holds(token: string): Promise<boolean> {
    return tokens.verify(token).then(
      () => true,
      () => false,
    )
  }

  return async (input) => {
    const { grants, ttlMs, name, method } = parseTokenRequest(input)
    const key = JSON.stringify([grants, ttlMs, name])
    if (method === 'local_token' && kept?.key === key && kept.expiresAt - clock.now() >= ttlMs / 2) {
      const { expiresAt } = kept
      const token = kept.token.reveal()
      if (await holds(token)) return { token, expires_at: toTime(expiresAt) }
    }
    const { token, expiresAt } = await tokens.issue({ grants, ttlMs, name, method, surface: 'cli' })
    if (method === 'local_token') kept = { key, token: new Secret(token), expiresAt }
    return { token, expires_at: toTime(expiresAt) }
  }
}

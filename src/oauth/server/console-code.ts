import { hash } from 'node:crypto'
import { errors, type Provider } from 'oidc-provider'
import { CONSOLE_CLIENT_ID } from './clients.ts'
import type { Sealed } from './sealed.ts'

/** What the console brings from the authorization. */
export interface ConsoleCode {
  readonly code: string
  readonly verifier: string
  readonly redirectUri: string
}

/** Who has signed in. */
export interface RedeemedCode {
  readonly account: string
  /** Hash of the id of the session at the authorization server. */
  readonly session: string
}

/** What the engine keeps of a code; its types lack this. */
interface KeptCode {
  readonly accountId?: string
  readonly clientId?: string
  readonly redirectUri?: string
  readonly codeChallenge?: string
  readonly sessionUid?: string
  readonly isValid: boolean
  consume(): Promise<void>
}

/** Redeems a code by the checks of RFC 6749 section 4.1.3 and RFC 7636 section 4.6. No token is issued. */
export async function redeemConsoleCode(
  provider: Provider,
  sealed: Sealed,
  { code, verifier, redirectUri }: ConsoleCode,
): Promise<RedeemedCode | null> {
  const kept = (await provider.AuthorizationCode.find(code)) as unknown as KeptCode | undefined
  if (kept?.isValid !== true || kept.clientId !== CONSOLE_CLIENT_ID) return null
  if (kept.redirectUri !== redirectUri || kept.codeChallenge !== hash('sha256', verifier, 'base64url'))
    return null
  try {
    await kept.consume()
  } catch (error) {
    // Another request has used it at the same time
    if (error instanceof errors.InvalidGrant) return null
    throw error
  }
  const { accountId: account, sessionUid = '' } = kept
  return account === undefined ? null : { account, session: sealed.hash(sessionUid) }
}

/** The console as a client of the authorization server in the same process. It redeems codes and gets no token. */
import { hash } from 'node:crypto'
import { errors, type Provider } from 'oidc-provider'
import type { Account, Accounts } from '../../access/accounts.ts'
import type { Clock } from '../../base/clock.ts'
import type { ConfigStore } from '../../store/ports/config.ts'
import type { Sealed } from './adapter.ts'
import type { Asker, Happening } from './audit.ts'
import { CONSOLE_CLIENT_ID } from './clients.ts'

/** A code as the browser brings it back, with what the console remembers of the request (RFC 6749 section 4.1.3, RFC 7636). */
interface BroughtCode {
  readonly code: string
  readonly verifier: string
  readonly redirectUri: string
}

interface SignedIn {
  readonly account: string
  /** Id of the session of the browser at the authorization server. */
  readonly browser: string
}

/** The console as a client of the authorization server in the same process: it redeems codes, and gets no token. */
export interface ConsoleSignIn {
  /** Who has signed in; null for a code that is not the console's, is too old, or was used. */
  redeem(brought: BroughtCode, asker: Asker): Promise<SignedIn | null>
  /** Notes a sign-out, and ends the session of the browser here, so that the next sign-in asks for a password. */
  signedOut(signedIn: SignedIn, asker: Asker): Promise<void>
}

/** The types of the engine leave it out. */
function isConsumed(code: object): boolean {
  return 'consumed' in code && code.consumed !== undefined
}

export function createConsoleSignIn(
  currentProvider: () => Promise<Provider>,
  {
    store,
    clock,
    accounts,
  }: { readonly store: ConfigStore; readonly clock: Clock; readonly accounts: Pick<Accounts, 'find'> },
  sealed: Sealed,
  audit: (happening: Happening) => Promise<void>,
): ConsoleSignIn {
  const note = (operation: 'sign_in' | 'sign_out', account: Account, asker: Asker): Promise<void> =>
    audit({
      operation,
      actor: { id: account.id, type: 'user', name: account.slug },
      client: CONSOLE_CLIENT_ID,
      asker,
    })

  return {
    async redeem({ code, verifier, redirectUri }, asker) {
      const provider = await currentProvider()
      const found = await provider.AuthorizationCode.find(code)
      if (
        found === undefined ||
        found.isExpired ||
        isConsumed(found) ||
        found.clientId !== CONSOLE_CLIENT_ID ||
        found.redirectUri !== redirectUri ||
        found.codeChallengeMethod !== 'S256' ||
        found.codeChallenge !== hash('sha256', verifier, 'base64url')
      )
        return null
      try {
        await found.consume()
      } catch (error) {
        // Of two requests with one code, one has it
        if (error instanceof errors.InvalidGrant) return null
        throw error
      }
      const account = await accounts.find(found.accountId ?? '')
      if (account?.active !== true) return null
      await note('sign_in', account, asker)
      return { account: account.id, browser: sealed.hash(found.sessionUid ?? '') }
    },

    async signedOut({ account: id, browser }, asker) {
      await store.writeOAuth(async (oauth) => {
        const session = await oauth.artifactByOther('Session', browser)
        if (session !== undefined) await oauth.remove('Session', session.id)
        await oauth.noteEnding(browser, clock.now())
      })
      const account = await accounts.find(id)
      if (account !== undefined) await note('sign_out', account, asker)
    },
  }
}

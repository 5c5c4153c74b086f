import { randomBytes } from 'node:crypto'
import type { Account, Accounts } from '../../access/accounts.ts'
import { isAtOrBelow } from '../../base/doors.ts'
import { PAGES_CLIENT_ID, SIGNED_IN_PATH } from './clients.ts'
import type { Sealed } from './sealed.ts'
import { CONNECT, INTERACTION, redirect, type Visit } from './visit.ts'

/** The person who is signed in at a browser. */
export interface BrowserSession {
  readonly account: Account
  /** Token in each form of this session, against forms that other sites send (CSRF). */
  readonly csrf: string
}

export interface BrowserSessions {
  /** Null if no person is signed in. */
  of(visit: Visit): Promise<BrowserSession | null>
  /** Sends the browser to sign in, and back to a page. @param anew shows the sign-in page to a person who is signed in */
  signIn(visit: Visit, page: string, anew?: boolean): void
  /** After the sign-in: sends the browser back to its page. @param state as made by {@link signIn} */
  comeBack(visit: Visit, state: string): void
}

/** Pages to which a browser comes back. */
const PAGES = [CONNECT, INTERACTION.slice(0, -1)]

/**
 * The session of a browser with the authorization server, for pages beside those of an authorization. A person signs in as for any
 * client, with the code flow: the code is never redeemed, because the session cookie already identifies the person.
 */
export function createBrowserSessions(
  issuer: string,
  sealed: Sealed,
  accounts: Pick<Accounts, 'find'>,
): BrowserSessions {
  const signed = (page: string): string => sealed.sign(`page\n${page}`)
  return {
    async of({ provider, request, response }) {
      const session = await provider.Session.get(provider.createContext(request, response) as never)
      const account = session.accountId === undefined ? undefined : await accounts.find(session.accountId)
      if (account?.active !== true) return null
      return { account, csrf: sealed.sign(`session\n${session.uid}`) }
    },
    signIn(visit, page, anew = false) {
      const url = new URL('/oauth/authorize', issuer)
      url.search = new URLSearchParams({
        client_id: PAGES_CLIENT_ID,
        response_type: 'code',
        redirect_uri: issuer + SIGNED_IN_PATH,
        scope: 'openid',
        state: `${Buffer.from(page).toString('base64url')}.${signed(page)}`,
        code_challenge: randomBytes(32).toString('base64url'),
        code_challenge_method: 'S256',
        ...(anew ? { prompt: 'login' } : {}),
      }).toString()
      redirect(visit, url.href)
    },
    comeBack(visit, state) {
      const [text = '', signature = ''] = state.split('.')
      const page = Buffer.from(text, 'base64url').toString('utf8')
      const [path = ''] = page.split('?')
      const isOwn = signature === signed(page) && PAGES.some((one) => isAtOrBelow(path, one))
      redirect(visit, issuer + (isOwn ? page : CONNECT))
    },
  }
}

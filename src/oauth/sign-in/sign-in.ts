import type { Accounts } from '../../access/accounts.ts'
import type { SetUpLinks } from '../../access/set-up-links.ts'
import type { Clock } from '../../base/clock.ts'
import { refuse } from '../../base/refusal.ts'
import type { ConfigStore } from '../../store/ports/config.ts'
import { createLocalSignIn, type NoteUnknown } from './local.ts'
import { createSignInPages, type SignInPagesParts } from './pages.ts'
import { createPasswords } from './passwords.ts'
import type { SignIn } from './port.ts'
import { createThrottle } from './throttle.ts'

export interface SignInParts extends Pick<SignInPagesParts, 'users' | 'facts'> {
  readonly store: ConfigStore
  readonly clock: Clock
  readonly origin: string
  readonly accounts: Accounts
  readonly links: SetUpLinks
  /** Whether local users sign in by their passwords. */
  readonly isLocal: boolean
  readonly noteUnknown: NoteUnknown
  /** Whom an address stands for, where failures are counted. */
  readonly networkOf: (ip: string) => string
  readonly fault: (error: unknown, at: string) => void
}

/** The ways to sign in, and the pages on which local users choose their passwords; null where they do not sign in. */
export function createSignIn(parts: SignInParts): {
  readonly signIn: SignIn
  readonly pages: ((request: Request) => Promise<Response>) | null
} {
  const passwords = createPasswords()
  const throttle = createThrottle(parts.clock, parts.networkOf)
  const prove = createLocalSignIn({ ...parts, passwords, throttle })
  return {
    signIn: {
      withPassword: parts.isLocal,
      provider: null,
      async password(name, password, browser) {
        if (!parts.isLocal) throw refuse('credential_invalid', { inner: 'local sign-in is off' })
        return (await prove(name, password, browser)).account
      },
      begin: () => Promise.reject(refuse('not_found')),
      finish: () => Promise.reject(refuse('not_found')),
    },
    pages: parts.isLocal ? createSignInPages({ ...parts, passwords, prove }) : null,
  }
}

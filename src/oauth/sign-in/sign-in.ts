/** Signs people in to the authorization server: by password, or at an identity provider. */
import type { Accounts } from '../../access/accounts.ts'
import type { Sender } from '../../access/sender.ts'
import type { SetUpLinks } from '../../access/set-up-links.ts'
import type { Clock } from '../../base/clock.ts'
import { Refusal, refuse } from '../../base/refusal.ts'
import type { Throttle } from '../../shared-state/ports/throttle.ts'
import type { ConfigStore } from '../../store/ports/config.ts'
import { createLocalSignIn, type NoteUnknown, toSignInEntry } from './local.ts'
import type { OidcSignIn } from './oidc.ts'
import { createSignInPages, type SignInPagesParts } from './pages.ts'
import { createPasswords } from './passwords.ts'
import type { SignIn } from './port.ts'
import { createSignInThrottle } from './throttle.ts'

export interface SignInParts extends Pick<SignInPagesParts, 'managementOrigin' | 'users' | 'facts'> {
  readonly store: ConfigStore
  readonly clock: Clock
  readonly origin: string
  readonly accounts: Accounts
  readonly links: SetUpLinks
  /** The identity provider at which people sign in, by the name of its button; null without one. */
  readonly oidc: { readonly name: string; readonly signIn: OidcSignIn } | null
  /** Whether local users sign in by their passwords. */
  readonly isLocal: boolean
  readonly throttle: Throttle
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
  const throttle = createSignInThrottle(parts.throttle, parts.networkOf)
  const prove = createLocalSignIn({ ...parts, passwords, throttle })
  const { oidc, isLocal, store, clock, noteUnknown } = parts
  const note = (reason: string, { ip, userAgent }: Sender): void =>
    noteUnknown({ surface: 'oauth', ip, userAgent, reason })

  return {
    signIn: {
      withPassword: isLocal,
      provider: oidc?.name ?? null,
      async password(name, password, sender) {
        if (!isLocal) throw refuse('credential_invalid', { inner: 'local sign-in is off' })
        return (await prove(name, password, sender)).account
      },
      async begin(interaction, visitor) {
        if (oidc === null) throw refuse('not_found', { detail: 'There is no identity provider.' })
        try {
          return await oidc.signIn.begin(interaction, visitor.requestId)
        } catch (error) {
          if (error instanceof Refusal) note(error.facts.inner ?? error.code, visitor)
          throw error
        }
      },
      async finish(callback, visitor) {
        if (oidc === null) throw refuse('not_found', { detail: 'There is no identity provider.' })
        try {
          const done = await oidc.signIn.finish(callback, visitor.requestId)
          const entry = toSignInEntry(done.account, 'oidc', visitor, null, clock)
          await store.write((writer) => writer.appendAudit(entry))
          return done
        } catch (error) {
          if (error instanceof Refusal) note(error.facts.inner ?? error.code, visitor)
          throw error
        }
      },
    },
    pages: isLocal ? createSignInPages({ ...parts, passwords, prove }) : null,
  }
}

/** Signs people in to the authorization server: by password, or at an identity provider. */
import type { Accounts } from '../../access/accounts.ts'
import type { Sender } from '../../access/sender.ts'
import type { SetUpLinks } from '../../access/set-up-links.ts'
import type { Clock } from '../../base/clock.ts'
import { Refusal, refuse } from '../../base/refusal.ts'
import type { Throttle } from '../../shared-state/ports/memory.ts'
import type { ConfigStore } from '../../store/ports/config.ts'
import {
  createLocalSignIn,
  createPasswords,
  createSignInThrottle,
  type NoteUnknown,
  toSignInEntry,
} from './local.ts'
import type { OidcSignIn } from './oidc.ts'
import { createSignInPages, type SignInPagesParts } from './pages.ts'
import { callbackPathOf, type ProviderChoice, type SignIn } from './port.ts'

/** An identity provider with its button. */
interface SignInProvider extends ProviderChoice {
  readonly issuer: string
  readonly signIn: OidcSignIn
}

export interface SignInParts
  extends Pick<SignInPagesParts, 'managementOrigin' | 'onToConsole' | 'users' | 'facts'> {
  readonly store: ConfigStore
  readonly clock: Clock
  readonly origin: string
  readonly accounts: Accounts
  readonly links: SetUpLinks
  /** The identity providers at which people sign in. */
  readonly providers: readonly SignInProvider[]
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
  const { providers, isLocal, store, clock, noteUnknown } = parts
  const note = (reason: string, { ip, userAgent }: Sender): void =>
    noteUnknown({ surface: 'oauth', ip, userAgent, reason })

  /** Runs work at the provider that is meant, and audits a refusal. */
  async function at<T>(
    isMeant: (provider: ProviderChoice) => boolean,
    visitor: Sender,
    work: (provider: SignInProvider) => Promise<T>,
  ): Promise<T> {
    try {
      const provider = providers.find(isMeant)
      if (provider === undefined)
        throw refuse('not_found', {
          detail: 'There is no such identity provider.',
          inner: 'no such provider',
        })
      return await work(provider)
    } catch (error) {
      if (error instanceof Refusal) note(error.facts.inner ?? error.code, visitor)
      throw error
    }
  }

  return {
    signIn: {
      withPassword: isLocal,
      providers: providers.map(({ slug, name }) => ({ slug, name })),
      async password(name, password, sender) {
        if (!isLocal) throw refuse('credential_invalid', { inner: 'local sign-in is off' })
        return (await prove(name, password, sender)).account
      },
      begin: (interaction, slug, visitor) =>
        at(
          (provider) => provider.slug === slug,
          visitor,
          ({ signIn }) => signIn.begin(interaction, visitor.requestId),
        ),
      finish: (callback, visitor) =>
        at(
          ({ slug }) => callbackPathOf(slug) === callback.pathname,
          visitor,
          async ({ issuer, signIn }) => {
            const done = await signIn.finish(callback, visitor.requestId)
            const entry = toSignInEntry(done.account, issuer, visitor, null, clock)
            await store.write((writer) => writer.appendAudit(entry))
            return done
          },
        ),
    },
    pages: isLocal ? createSignInPages({ ...parts, passwords, prove }) : null,
  }
}

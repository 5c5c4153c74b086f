/** How the authorization server asks for a sign-in, without knowing how a person proves who they are. */
import type { Account } from '../../access/accounts.ts'
import type { Sender } from '../../access/sender.ts'

/** Where the first identity provider sends the browser back to; each further provider has a path of its own below it. */
export const CALLBACK_PATH = '/oauth/callback'

/**
 * The callback of a provider. Distinct redirect URIs defend against mix-up (RFC 9700 section 4.4.2.2).
 * @param slug of a further provider; null for the first one
 */
export function callbackPathOf(slug: string | null): string {
  return slug === null ? CALLBACK_PATH : `${CALLBACK_PATH}/${slug}`
}

/** A way to sign in at an identity provider. */
export interface ProviderChoice {
  /** Null for the first provider. */
  readonly slug: string | null
  /** Label of its button. */
  readonly name: string
}

/** Who comes to a page, and the request by which the log names a failure. */
interface Visitor extends Sender {
  readonly requestId: string | null
}

/** The ways in which a person proves who they are to the authorization server. Each attempt is audited. */
export interface SignIn {
  /** True while local users may sign in by their password. */
  readonly withPassword: boolean
  /** The identity providers, in the order of their buttons. */
  readonly providers: readonly ProviderChoice[]
  /**
   * Refuses with credential_invalid, without saying which of name and password is wrong, or with auth_throttled.
   * @param name slug or email of a local user
   */
  password(name: string, password: string, sender: Sender): Promise<Account>
  /**
   * Where the browser goes to sign in at a provider. State, nonce and code verifier are kept under the interaction,
   * for ten minutes and one use. Refuses with not_found for a provider that is none of {@link providers}.
   * @param provider slug of the provider; null for the first one
   */
  begin(interaction: string, provider: string | null, sender: Visitor): Promise<URL>
  /**
   * The end of what {@link begin} began at the same provider. Refuses with credential_invalid, and with not_found for a URL that
   * is the callback of no provider.
   * @param callback the URL that the provider sent the browser to
   */
  finish(callback: URL, sender: Visitor): Promise<{ readonly interaction: string; readonly account: Account }>
}

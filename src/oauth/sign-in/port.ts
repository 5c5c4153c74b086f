import type { Account } from '../../access/accounts.ts'
import type { Sender } from '../../access/sender.ts'

/** Where an identity provider sends the browser back to. */
export const CALLBACK_PATH = '/oauth/callback'

/** Who comes to a page, and the request by which the log names a failure. */
interface Visitor extends Sender {
  readonly requestId: string | null
}

/** The ways in which a person proves who they are to the authorization server. Each attempt is audited. */
export interface SignIn {
  /** True while local users may sign in by their password. */
  readonly withPassword: boolean
  /** Name of the identity provider for its button; null without one. */
  readonly provider: string | null
  /**
   * Refuses with credential_invalid, without saying which of name and password is wrong, or with auth_throttled.
   * @param name slug or email of a local user
   */
  password(name: string, password: string, sender: Sender): Promise<Account>
  /**
   * Where the browser goes to sign in at the provider. State, nonce and code verifier are kept under the interaction,
   * for ten minutes and one use.
   */
  begin(interaction: string, sender: Visitor): Promise<URL>
  /**
   * The end of what {@link begin} began. Refuses with credential_invalid.
   * @param callback the URL that the provider sent the browser to
   */
  finish(callback: URL, sender: Visitor): Promise<{ readonly interaction: string; readonly account: Account }>
}

import type { StoredSetUpLink } from '../../store/ports/config.ts'
import type { Browser } from './port.ts'

/** What becomes of local users where they sign in. Each is one transaction, and audited. */
export interface LocalUsers {
  /**
   * Makes the administrator that a link is for. Refuses with not_found when the link has been used meanwhile, with
   * input_invalid or already_exists for the name and the email.
   * @param hash of the password.
   */
  setUp(
    link: StoredSetUpLink,
    person: { readonly name: string; readonly email: string },
    hash: string,
    browser: Browser,
  ): Promise<void>
  /**
   * Takes another password for an active user. Refuses with not_found when the link has been used, or the password
   * changed, meanwhile.
   * @param proof the link, or what was kept of the password before.
   */
  setPassword(
    user: string,
    proof: StoredSetUpLink | string,
    hash: string,
    browser: Browser,
  ): Promise<void>
}

import { readFile } from 'node:fs/promises'
import { CannotStart } from '../base/cannot-start.ts'
import { faultOfRoleMap } from '../oauth/sign-in/arrivals.ts'
import type { OidcProvider } from '../oauth/sign-in/oidc.ts'
import { type OidcSettings, settingName } from '../settings.ts'

/** The identity provider of the settings. Throws CannotStart for a rule that grants nothing. */
export function toOidcProvider(settings: OidcSettings): OidcProvider {
  const fault = faultOfRoleMap(settings.roleMap)
  if (fault !== null) throw new CannotStart(`${settingName('OIDC_ROLE_MAP')}: ${fault}.`)
  const { clientSecret, clientSecretFile } = settings
  return {
    ...settings,
    secret: async () =>
      clientSecretFile === null
        ? (clientSecret?.reveal() ?? null)
        : (await readFile(clientSecretFile, 'utf8')).trim(),
  }
}

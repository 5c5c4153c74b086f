import { CannotStart } from '../base/refusal.ts'
import { POD_TOKEN_FILE, type SettingName } from './schema.ts'

/** Where secrets of credentials may be read, and how that place knows who asks. */
export interface VaultSettings {
  readonly url: string
  readonly proof: { readonly tokenFile: string } | VaultLoginSettings
}

interface VaultLoginSettings {
  /** Where the method is mounted. */
  readonly mount: string
  /** Members of the login that are no secret. */
  readonly named: Readonly<Record<string, string>>
  /** The member that is read from the file. */
  readonly member: string
  readonly file: string
}

type VaultName = Extract<SettingName, `VAULT_${string}`>
type Values = { readonly [Name in VaultName]?: string | undefined }

/** Each names a way in which a vault knows who asks. */
const WAYS = ['VAULT_TOKEN_FILE', 'VAULT_ROLE_ID', 'VAULT_KUBERNETES_ROLE'] as const
const NEED_A_VAULT = [
  ...WAYS,
  'VAULT_SECRET_ID_FILE',
  'VAULT_KUBERNETES_TOKEN_FILE',
  'VAULT_AUTH_MOUNT',
] as const

/** Null without a vault. Throws CannotStart for settings that do not go together. */
export function toVault(values: Values, named: (name: SettingName) => string): VaultSettings | null {
  const { VAULT_URL, VAULT_TOKEN_FILE, VAULT_ROLE_ID, VAULT_SECRET_ID_FILE } = values
  const { VAULT_KUBERNETES_ROLE, VAULT_KUBERNETES_TOKEN_FILE, VAULT_AUTH_MOUNT } = values
  const given = NEED_A_VAULT.find((name) => values[name] !== undefined)
  if (VAULT_URL === undefined) {
    if (given === undefined) return null
    throw new CannotStart(`${named(given)} needs a vault: set ${named('VAULT_URL')} too.`)
  }
  if ((VAULT_ROLE_ID === undefined) !== (VAULT_SECRET_ID_FILE === undefined))
    throw new CannotStart(
      `${named('VAULT_ROLE_ID')} and ${named('VAULT_SECRET_ID_FILE')} must be set together: the role of the login, and a file with its secret id.`,
    )
  const [way, other] = WAYS.filter((name) => values[name] !== undefined)
  if (way === undefined)
    throw new CannotStart(
      `${named('VAULT_URL')} needs a method of authentication: ${named('VAULT_TOKEN_FILE')}, ${named('VAULT_ROLE_ID')} with ${named('VAULT_SECRET_ID_FILE')}, or ${named('VAULT_KUBERNETES_ROLE')}.`,
    )
  if (other !== undefined)
    throw new CannotStart(`${named(way)} and ${named(other)} are both set: remove one of the two.`)
  if (VAULT_KUBERNETES_TOKEN_FILE !== undefined && VAULT_KUBERNETES_ROLE === undefined)
    throw new CannotStart(
      `${named('VAULT_KUBERNETES_TOKEN_FILE')} is only for a login by Kubernetes: set ${named('VAULT_KUBERNETES_ROLE')} too.`,
    )
  if (VAULT_AUTH_MOUNT !== undefined && VAULT_TOKEN_FILE !== undefined)
    throw new CannotStart(
      `${named('VAULT_AUTH_MOUNT')} is only for a login, but ${named('VAULT_TOKEN_FILE')} is set: remove one of the two.`,
    )
  const login = (mount: string, role: Readonly<Record<string, string>>, member: string, file: string) => ({
    url: VAULT_URL,
    proof: { mount: VAULT_AUTH_MOUNT ?? mount, named: role, member, file },
  })
  if (VAULT_ROLE_ID !== undefined)
    return login('approle', { role_id: VAULT_ROLE_ID }, 'secret_id', VAULT_SECRET_ID_FILE!)
  if (VAULT_KUBERNETES_ROLE !== undefined)
    return login(
      'kubernetes',
      { role: VAULT_KUBERNETES_ROLE },
      'jwt',
      VAULT_KUBERNETES_TOKEN_FILE ?? POD_TOKEN_FILE,
    )
  return { url: VAULT_URL, proof: { tokenFile: VAULT_TOKEN_FILE! } }
}

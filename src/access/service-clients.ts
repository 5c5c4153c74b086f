/** Service identities as clients of the authorization server. */
import { isPlain, type Plain } from '../base/json/plain.ts'
import type { ConfigReader } from '../store/ports/config.ts'

/** Field under which the hash of the secret of a service identity is sealed. */
export const CLIENT_SECRET = 'client_secret'

/** A service identity as a client of the authorization server. */
export interface ServiceClient {
  readonly id: string
  readonly slug: string
  readonly name: string
  /** Hash of its secret; null where it has none, or has keys, were they all retired. */
  readonly secretHash: string | null
  /** Public keys that it signs with. */
  readonly keys: readonly Plain[]
}

export interface ServiceClients {
  /** An active one that can prove itself, by id or slug. @param now milliseconds since the epoch */
  find(ref: string, now: number): Promise<ServiceClient | undefined>
}

/** @param open opens a sealed secret of an owner's field */
export function createServiceClients(
  reader: ConfigReader,
  open: (sealed: string, owner: string, field: string) => string,
): ServiceClients {
  return {
    async find(ref, now) {
      const identity = ref.startsWith('svc_')
        ? await reader.byId('service_identities', ref)
        : (await reader.bySlug('service_identities', ref))[0]
      if (identity?.spec['active'] !== true) return undefined
      const { id, slug, name } = identity
      const secret = (await reader.secretsOf([id])).find(({ field }) => field === CLIENT_SECRET)
      const keys = Array.isArray(identity.spec['keys']) ? identity.spec['keys'].filter(isPlain) : []
      return {
        id,
        slug,
        name,
        secretHash: secret === undefined || keys.length > 0 ? null : open(secret.sealed, id, CLIENT_SECRET),
        keys: keys.flatMap(({ retires_at, ...key }) =>
          typeof retires_at === 'string' && Date.parse(retires_at) <= now ? [] : [key],
        ),
      }
    },
  }
}

import { timingSafeEqual } from 'node:crypto'
import type { Provider } from 'oidc-provider'
import type { Clock } from '../../base/clock.ts'
import type { ConfigStore } from '../../store/ports/config.ts'
import type { OAuthReader } from '../../store/ports/oauth.ts'
import type { AdapterParts, Sealed } from './adapter.ts'
import { isOwnClient, type ShownClient, shownClient } from './clients.ts'
import type { Consents } from './consents.ts'
import type { ClientDocuments } from './documents.ts'
import { CONNECT } from './visit.ts'

/** Lifetime of a link in the response to a call, milliseconds. */
const LIFE_MS = 15 * 60_000

/**
 * Links by which a call asks its person to connect an account. A link holds no credential and nothing about the person: its mark is
 * a keyed hash of person, origin and end, which only the session of the same person can make again.
 */
export interface ConnectLinks {
  /** Absolute URL. @param slug of the origin @param user id of the person */
  make(slug: string, user: string): string
  /** @param mark as the link has it @param user id of the person whose browser it is */
  judge(mark: string, slug: string, user: string): 'right' | 'expired' | 'of_another'
}

export function createConnectLinks(issuer: string, sealed: Sealed, clock: Pick<Clock, 'now'>): ConnectLinks {
  const hashOf = (end: string, slug: string, user: string): string =>
    sealed.sign(`connect\n${end}\n${slug}\n${user}`)
  return {
    make(slug, user) {
      const end = (clock.now() + LIFE_MS).toString(36)
      return `${issuer}${CONNECT}/${encodeURIComponent(slug)}?for=${end}.${hashOf(end, slug, user)}`
    },
    judge(mark, slug, user) {
      const [end = '', given = ''] = mark.split('.')
      if (!(Number.parseInt(end, 36) > clock.now())) return 'expired'
      const [one, other] = [Buffer.from(given), Buffer.from(hashOf(end, slug, user))]
      return one.length === other.length && timingSafeEqual(one, other) ? 'right' : 'of_another'
    },
  }
}

// The applications that a person has approved, read from the grants of the person.

/** A client that a person has allowed to act for them. */
interface Application {
  readonly client: ShownClient
  /** URLs of the MCP endpoints and of management for which it has grants. */
  readonly resources: readonly string[]
  /** Milliseconds since the epoch: the first of its grants. */
  readonly since: number
}

export interface Applications {
  /** In order of their names. */
  of(provider: Provider, account: string): Promise<readonly Application[]>
  /** Ends all grants of the client for the person. @returns ids of the grants that ended */
  revoke(account: string, client: string): Promise<readonly string[]>
}

export interface ApplicationsParts {
  readonly store: ConfigStore
  readonly sealed: Sealed
  readonly clock: Clock
  readonly documents: Pick<ClientDocuments, 'nameOf'>
  readonly consents: Pick<Consents, 'forget'>
  readonly grantsEnded: AdapterParts['grantsEnded']
}

/** Kinds of artifacts that end with their grant. */
const OF_GRANT = ['AccessToken', 'AuthorizationCode', 'DeviceCode', 'RefreshToken']

interface Granted {
  readonly id: string
  readonly clientId: string
  readonly resources: readonly string[]
  readonly since: number
}

/** Applications that people have approved, read from their grants. */
export function createApplications(parts: ApplicationsParts): Applications {
  const { store, sealed, clock, documents, consents } = parts

  async function grantsOf(
    account: string,
    reader: Pick<OAuthReader, 'artifactsOf'> = store.read.oauth,
  ): Promise<readonly Granted[]> {
    const found = await reader.artifactsOf('Grant', account)
    const now = clock.now()
    return found.flatMap(({ id, kind, sealed: text, created_at: since, expires_at: end }) => {
      if (end !== null && end <= now) return []
      // Sealed by the adapter, from a grant of the engine
      const { clientId = '', resources = {} } = JSON.parse(sealed.open(text, kind, id)) as {
        readonly clientId?: string
        readonly resources?: Readonly<Record<string, string>>
      }
      if (isOwnClient(clientId)) return []
      return [{ id, clientId, resources: Object.keys(resources), since }]
    })
  }

  return {
    async of(provider, account) {
      const byClient = Map.groupBy(await grantsOf(account), ({ clientId }) => clientId)
      const all = await Promise.all(
        [...byClient].map(async ([id, grants]): Promise<Application> => {
          const client = await provider.Client.find(id)
          return {
            client: shownClient(id, client?.clientName, documents.nameOf(id)),
            resources: [...new Set(grants.flatMap(({ resources }) => resources))],
            since: Math.min(...grants.map(({ since }) => since)),
          }
        }),
      )
      return all.sort((a, b) => ((a.client.name ?? a.client.id) < (b.client.name ?? b.client.id) ? -1 : 1))
    },
    async revoke(account, client) {
      const ids = await store.writeOAuth(async (oauth) => {
        // Inside of the transaction: another process may have made one
        const grants = (await grantsOf(account, oauth)).filter(({ clientId }) => clientId === client)
        for (const { id } of grants) {
          for (const kind of OF_GRANT) await oauth.removeOfGrant(kind, id)
          await oauth.endGrant(id, clock.now())
        }
        return grants.map(({ id }) => id)
      })
      await consents.forget(account, client)
      await parts.grantsEnded(ids)
      return ids
    },
  }
}

/** What a federation needs around it: stores in memory, a clock that is moved by hand, and the events that it told. */
import { switchStored } from '../../src/access/stored-connections.ts'
import { createClock, createClockCell } from '../../src/base/clock.ts'
import { createEgress } from '../../src/base/net/egress.ts'
import { createGuardedFetch } from '../../src/base/net/guarded-fetch.ts'
import { OriginSpec } from '../../src/model/mcp/origin.ts'
import { createFederation } from '../../src/oauth/federation/federation.ts'
import type { ConnectedOrigin, ConnectionHappening, ManualClient } from '../../src/oauth/federation/port.ts'
import type { FederationParts } from '../../src/oauth/federation/token-client.ts'
import { ALWAYS_ONLY_ONE, asOnlyOneOf } from '../../src/oauth/refresh-claims.ts'
import { createSealed } from '../../src/oauth/server/adapter.ts'
import { createLinks } from '../../src/shared-state/memory/links.ts'
import type { ConfigStore } from '../../src/store/ports/config.ts'
import type { ConnectionWriter, StoredConnection } from '../../src/store/ports/connections.ts'
import type { OAuthArtifact } from '../../src/store/ports/oauth.ts'
import { moveClock } from './moved-clock.ts'

export const POSTERN = 'https://postern.example'

/** Connections in memory, by the order of the port. */
export class MemoryConnections implements ConnectionWriter {
  readonly rows = new Map<string, StoredConnection>()
  /** Rejects the next writes. */
  failing = 0

  async one(user: string, origin: string): Promise<StoredConnection | undefined> {
    return this.rows.get(JSON.stringify([user, origin]))
  }
  async list(): Promise<readonly StoredConnection[]> {
    return [...this.rows.values()]
  }
  byTime(): Promise<readonly StoredConnection[]> {
    return this.list()
  }
  async usable(origin: string): Promise<readonly StoredConnection[]> {
    return [...this.rows.values()].filter((row) => row.origin === origin && row.active)
  }
  async put(row: StoredConnection): Promise<void> {
    this.rows.set(JSON.stringify([row.user, row.origin]), row)
  }
  async remove(user: string, origin: string): Promise<void> {
    this.rows.delete(JSON.stringify([user, origin]))
  }
  /** One after the other, and all or nothing. */
  #lane: Promise<unknown> = Promise.resolve()
  write = <T>(work: (writer: ConnectionWriter) => Promise<T>): Promise<T> => {
    const run = async (): Promise<T> => {
      if (this.failing > 0) {
        this.failing--
        throw new Error('the disk is full')
      }
      const before = new Map(this.rows)
      try {
        return await work(this)
      } catch (error) {
        this.rows.clear()
        for (const [key, row] of before) this.rows.set(key, row)
        throw error
      }
    }
    const done = this.#lane.then(run, run)
    this.#lane = done.catch(() => undefined)
    return done
  }
}

/** The part of the OAuth store that is used. */
class MemoryArtifacts {
  readonly rows = new Map<string, OAuthArtifact>()
  async artifact(kind: string, id: string): Promise<OAuthArtifact | undefined> {
    return this.rows.get(`${kind} ${id}`)
  }
  async put(artifact: OAuthArtifact): Promise<void> {
    this.rows.set(`${artifact.kind} ${artifact.id}`, artifact)
  }
  async remove(kind: string, id: string): Promise<void> {
    this.rows.delete(`${kind} ${id}`)
  }
  async lastEnding(): Promise<number> {
    return 0
  }
  async hasEnded(): Promise<boolean> {
    return false
  }
}

/** An origin over OAuth; its `oauth` is what the model makes of the given members. */
export function connectedOrigin(
  url: string,
  { oauth = {}, ...rest }: Partial<Omit<ConnectedOrigin, 'oauth'>> & { oauth?: object } = {},
): ConnectedOrigin {
  const spec = OriginSpec.parse({ name: 'Desk', url, auth_mode: 'user_oauth', oauth })
  return {
    ...{ id: 'org_desk', slug: 'desk', name: 'Desk', active: true, url, mode: 'user_oauth' },
    ...{ oauth: spec.oauth, keyHeader: spec.key_header },
    ...rest,
  }
}

/** What a federation and the keeper of identity tokens share. */
export type IdentityShared = Pick<
  FederationParts,
  'clock' | 'fetch' | 'artifacts' | 'writeArtifacts' | 'asOnlyOne' | 'sealed'
>

/** The stores of a federation in a configuration store. */
function storesIn({ read, writeOAuth }: ConfigStore) {
  return {
    connections: read.connections,
    writeConnections: <T>(work: (writer: ConnectionWriter) => Promise<T>) =>
      writeOAuth(({ connections }) => work(connections)),
    artifacts: read.oauth,
    writeArtifacts: writeOAuth,
  }
}

export interface FederationOptions {
  readonly postern?: string
  /** Entries of `POSTERN_EGRESS_ALLOW`. */
  readonly allow?: readonly string[]
  readonly timeoutMs?: number
  readonly bytesMax?: number
  /** In the place of stores in memory; nodes may share it. */
  readonly store?: ConfigStore
  /** Postern at the corporate identity provider. */
  readonly identity?: (shared: IdentityShared) => FederationParts['identity']
}

/** A federation around `origins`, which tests may change. */
export function startFederation(options: FederationOptions = {}) {
  const { postern = POSTERN, allow = [], timeoutMs = 20_000, bytesMax = 100_000, store, identity } = options
  const cell = createClockCell()
  const clock = createClock(cell)
  const connections = new MemoryConnections()
  const artifacts = new MemoryArtifacts()
  const origins = new Map<string, ConnectedOrigin>()
  const manual: { client: ManualClient | null } = { client: null }
  /** Those who may connect nothing. */
  const barred = new Set<string>()
  const ended: string[] = []
  const happened: ConnectionHappening[] = []
  const warned: string[] = []
  const sealed = createSealed(new Uint8Array(32).fill(7))
  const ofMemory: Pick<FederationParts, 'connections' | 'writeConnections' | 'artifacts' | 'writeArtifacts'> =
    {
      ...{ connections, artifacts },
      writeConnections: connections.write,
      writeArtifacts: (work) => work(artifacts as never),
    }
  const stores = store === undefined ? ofMemory : storesIn(store)
  const asOnlyOne = store === undefined ? ALWAYS_ONLY_ONE : asOnlyOneOf(store, clock)
  const egress = createEgress({ allow: [...allow], control: null, sockets: null })
  const links = createLinks<string>(clock, { max: 100, ownMax: 5 })
  const limits = { timeoutMs, bytesMax }
  const fetch = createGuardedFetch(egress, limits)
  const shared = { clock, fetch, ...stores, asOnlyOne, sealed }
  const exchange = identity?.(shared) ?? null
  const start = () =>
    createFederation({
      links,
      ...shared,
      origin: async (id) => origins.get(id) ?? null,
      mayConnect: async (_user, _origin, by) => !barred.has(by),
      manualClient: async () => manual.client,
      postern,
      ended: async (connections) => ended.push(...connections),
      happened: (happening) => happened.push(happening),
      warn: (sentence) => warned.push(sentence),
      pageOf: (slug) => `${postern}/connect/${slug}`,
      identity: exchange,
    })
  return {
    ...{ clock, connections, artifacts, origins, manual, barred, ended, happened, warned },
    /** Of each outgoing request. A test may change them. */
    limits,
    federation: start(),
    /** Another one over the same stores, as after a restart. */
    restart: start,
    move: (ms: number) => moveClock(cell, ms),
    /** Switches a connection off or on, as an administrator does. False where there is none. */
    async switchConnection(user: string, origin: string, active: boolean): Promise<boolean> {
      const switched = await connections.write((writer) => switchStored(writer, user, origin, active, clock))
      if (switched === undefined) return false
      if (switched.after !== switched.before) ended.push(switched.before.id)
      return true
    },
    /** Makes the origin known. */
    know(origin: ConnectedOrigin): ConnectedOrigin {
      origins.set(origin.id, origin)
      return origin
    },
  }
}
export type StartedFederation = ReturnType<typeof startFederation>

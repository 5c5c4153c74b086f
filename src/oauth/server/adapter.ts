/**
 * The storage of the protocol engine. Values are sealed with a lasting key of the vault. Rows are found by hashes of the ids
 * that act as credentials.
 */

import { createHmac } from 'node:crypto'
import { type Adapter, type AdapterFactory, type AdapterPayload, errors } from 'oidc-provider'
import { type Clock, hasEnded } from '../../base/clock.ts'
import { isStorable } from '../../base/json/storable.ts'
import type { ConfigStore } from '../../store/ports/config.ts'
import type { OAuthArtifact, OAuthReader } from '../../store/ports/oauth.ts'
import { StoreUnavailable } from '../../store/ports/unavailable.ts'
import { seal, unseal } from '../../vault/keys.ts'
import { CLIENT_KEPT_MS, keptSecret } from './clients.ts'

/** Kinds whose ids prove nothing; those of all others are hashed. */
const OPEN_IDS: ReadonlySet<string> = new Set(['Grant', 'Client'])

/** How many there may be of what callers make without having proved anything; the oldest give way. */
const KIND_MAX: Readonly<Record<string, number>> = {
  Client: 5000,
  Interaction: 5000,
  Session: 20_000,
  DeviceCode: 5000,
}

/**
 * For which a refresh token that was replaced is taken once more: its answer may have been lost, or two processes of a
 * client have asked at once.
 */
const REUSE_GRACE_MS = 60_000

/** Of signatures by which clients have proved themselves: none counts twice (RFC 7523 section 3). */
const SIGNATURES = 'ReplayDetection'

/** Clients that are not registered here, by their id. */
type FindClient = (id: string) => Promise<AdapterPayload | undefined>

export interface AdapterParts {
  readonly store: ConfigStore
  readonly sealed: Sealed
  readonly clock: Clock
  readonly findClient: FindClient
  /** Told of grants that have ended: access tokens of them count no longer. Resolves when they do nowhere. Never rejects. */
  readonly grantsEnded: (grants: readonly string[]) => Promise<unknown>
}

/** What the provider keeps, in our store: reads on the reading connection, each write a transaction of its own. */
export function createAdapter(parts: AdapterParts): AdapterFactory {
  return (kind) => retryable(new StoreAdapter(kind, parts))
}

/** The same adapter, in which a store that cannot be used is what RFC 6749 section 4.1.2.1 calls temporarily unavailable. */
function retryable(adapter: Adapter): Adapter {
  const or503 = <A extends unknown[], T>(method: (...args: A) => Promise<T>) => {
    const bound = method.bind(adapter)
    return (...args: A): Promise<T> =>
      bound(...args).catch((error: unknown) => {
        throw error instanceof StoreUnavailable ? temporarilyUnavailable(error) : error
      })
  }
  return {
    upsert: or503(adapter.upsert),
    find: or503(adapter.find),
    findByUid: or503(adapter.findByUid),
    findByUserCode: or503(adapter.findByUserCode),
    consume: or503(adapter.consume),
    destroy: or503(adapter.destroy),
    revokeByGrantId: or503(adapter.revokeByGrantId),
  }
}

/** The engine answers with the status that the error carries. */
function temporarilyUnavailable(cause: StoreUnavailable): Error {
  const error = new errors.TemporarilyUnavailable(cause.message)
  return Object.assign(error, { status: 503, statusCode: 503, error_description: cause.message })
}

class StoreAdapter implements Adapter {
  readonly #kind: string
  readonly #parts: AdapterParts

  constructor(kind: string, parts: AdapterParts) {
    this.#kind = kind
    this.#parts = parts
  }

  async upsert(id: string, payload: AdapterPayload, expiresIn?: number): Promise<void> {
    const { store, sealed, clock } = this.#parts
    const kind = this.#kind
    const stored = this.#idOf(id)
    const now = clock.now()
    const secret = payload.client_secret
    const kept = secret === undefined ? payload : { ...payload, client_secret: keptSecret(secret) }
    const other = payload.userCode ?? (kind === 'Session' ? payload.uid : undefined)
    await store.writeOAuth(async (oauth) => {
      const before = await oauth.artifact(kind, stored)
      // The engine looks before it writes, so that both of two requests at once find nothing
      if (kind === SIGNATURES && before !== undefined && (before.expires_at ?? 0) > now)
        throw new errors.InvalidClientAuth('the assertion was used before')
      await oauth.put(
        {
          kind,
          id: stored,
          sealed: sealed.seal(JSON.stringify(kept), kind, stored),
          grant_id: payload.grantId ?? null,
          other_id: other === undefined ? null : sealed.hash(other),
          account_id: accountOf(payload) ?? null,
          created_at: before?.created_at ?? now,
          expires_at: endOf(kind, now, expiresIn),
          used_at: before?.used_at ?? null,
        },
        KIND_MAX[kind],
      )
    })
  }

  async find(id: string): Promise<AdapterPayload | undefined> {
    // The issuer of a client assertion may be any text
    if (!isStorable(id)) return undefined
    const found = await this.#parts.store.read.oauth.artifact(this.#kind, this.#idOf(id))
    if (found === undefined) return this.#kind === 'Client' ? this.#parts.findClient(id) : undefined
    const payload = this.#open(found)
    if (payload === undefined) return undefined
    const { consumed, ...unused } = payload
    if (consumed === undefined)
      return (await this.#isOvertaken(found)) ? { ...payload, consumed: 1 } : payload
    return (await this.#isRepeated(found)) ? unused : payload
  }

  async findByUid(uid: string): Promise<AdapterPayload | undefined> {
    return this.#findByOther(uid)
  }

  async findByUserCode(userCode: string): Promise<AdapterPayload | undefined> {
    return this.#findByOther(userCode)
  }

  /** Of two who use it at once, one is refused, but for refresh tokens: what is used once was asked for in two requests. */
  async consume(id: string): Promise<void> {
    const { store, clock } = this.#parts
    const stored = this.#idOf(id)
    const isTaken = await store.writeOAuth(async (oauth) => {
      const found = await oauth.artifact(this.#kind, stored)
      if (found === undefined || (await this.#isOvertaken(found, oauth))) return false
      return (await oauth.use(this.#kind, stored, clock.now())) || this.#isRepeated(found, oauth)
    })
    if (!isTaken) throw new errors.InvalidGrant('already used')
  }

  async destroy(id: string): Promise<void> {
    const { store, clock, grantsEnded } = this.#parts
    if (this.#kind !== 'Grant') {
      await store.writeOAuth((oauth) => oauth.remove(this.#kind, this.#idOf(id)))
      return
    }
    await store.writeOAuth((oauth) => oauth.endGrant(id, clock.now()))
    await grantsEnded([id])
  }

  async revokeByGrantId(grantId: string): Promise<void> {
    await this.#parts.store.writeOAuth((oauth) => oauth.removeOfGrant(this.#kind, grantId))
  }

  /**
   * True for a refresh token that was used a moment ago, while none of its replacements has been used. Once a replacement is
   * used, its client has received the response, so anyone who presents the old token is someone else.
   */
  async #isRepeated(
    found: OAuthArtifact,
    oauth: OAuthReader = this.#parts.store.read.oauth,
  ): Promise<boolean> {
    const { kind, used_at: usedAt } = found
    if (kind !== 'RefreshToken' || usedAt === null) return false
    // As long in both directions: the clock may have been set back since
    const isJustNow = Math.abs(this.#parts.clock.now() - usedAt) < REUSE_GRACE_MS
    return isJustNow && !(await oauth.isFollowed(found, usedAt))
  }

  /**
   * True if the sibling from a concurrent refresh was used: one token was redeemed twice within the grace period and produced
   * two replacements. The client keeps one; whoever presents the other is someone else.
   */
  async #isOvertaken(
    found: OAuthArtifact,
    oauth: OAuthReader = this.#parts.store.read.oauth,
  ): Promise<boolean> {
    return found.kind === 'RefreshToken' && found.used_at === null && oauth.isOvertaken(found)
  }

  async #findByOther(other: string): Promise<AdapterPayload | undefined> {
    const { store, sealed } = this.#parts
    const found = await store.read.oauth.artifactByOther(this.#kind, sealed.hash(other))
    return found && this.#open(found)
  }

  #open(found: OAuthArtifact): AdapterPayload | undefined {
    const { clock, sealed } = this.#parts
    const isEnded = found.expires_at !== null && hasEnded(found.created_at, found.expires_at, clock.now())
    if (isEnded && found.kind !== 'DeviceCode') return undefined
    // Only upsert seals these, from a payload.
    const payload = JSON.parse(sealed.open(found.sealed, found.kind, found.id)) as AdapterPayload
    // A device is told that it was too late, and not that there is no such code (RFC 8628 section 3.5)
    if (isEnded) return { ...payload, exp: 0 }
    const isUsed = found.used_at !== null && found.kind !== 'Client'
    return isUsed ? { ...payload, consumed: Math.floor(found.used_at! / 1000) } : payload
  }

  #idOf(id: string): string {
    return OPEN_IDS.has(this.#kind) ? id : this.#parts.sealed.hash(id)
  }
}

/** Clients are the only ones that the engine keeps without an end. */
function endOf(kind: string, now: number, expiresIn: number | undefined): number | null {
  if (kind === 'Client') return now + CLIENT_KEPT_MS
  return expiresIn === undefined ? null : now + expiresIn * 1000
}

/** Whose it is, and with whom it ends: of an interaction, who has signed in there or is about to. */
function accountOf({ accountId, result, session }: AdapterPayload): string | undefined {
  return accountId ?? result?.login?.accountId ?? session?.accountId
}

// How the authorization server seals and hashes what must not be readable in its tables.

/** How the authorization server keeps what must not be read from its tables. */
export interface Sealed {
  seal(text: string, kind: string, id: string): string
  open(sealed: string, kind: string, id: string): string
  /** What stands in the table in place of an id that is a credential, some of which are short enough to be guessed. */
  hash(id: string): string
  /** Tells apart forms that we have made, for a purpose. */
  sign(text: string): string
}

/** @param key 32 bytes */
export function createSealed(key: Uint8Array): Sealed {
  const ring = new Map([['oauth', key]])
  const keyed = (purpose: string, text: string): string =>
    createHmac('sha256', key).update(`${purpose}\n${text}`).digest('base64url')
  return {
    seal: (text, kind, id) => seal(ring, text, kind, id),
    open: (sealed, kind, id) => unseal(ring, sealed, kind, id),
    hash: (id) => keyed('id', id),
    sign: (text) => keyed('form', text),
  }
}

import type { TimeOrder } from './resource.ts'

/** Accounts at origins that people have connected; one with an empty `user` is shared by all callers. */
export interface StoredConnection {
  /** Id of the person; empty for the connection that all callers share. */
  readonly user: string
  /** Id of the origin. */
  readonly origin: string
  /** Random; another one whenever the connection is made, ended or switched. */
  readonly id: string
  readonly kind: 'oauth' | 'key'
  /** `refresh_failed`: the authorization server has ended it, and the person must connect again. */
  readonly state: 'connected' | 'refresh_failed'
  /** False: switched off by an administrator. */
  readonly active: boolean
  /** Who the person is at the origin, as far as the authorization server says; else empty. */
  readonly account_label: string
  /** Of the authorization server; empty for a key. */
  readonly issuer: string
  readonly scope: string
  /** Tokens or the key, sealed. */
  readonly sealed: string
  /** Of the access token; null where that is not known. Times in milliseconds since the epoch. */
  readonly expires_at: number | null
  readonly created_at: number
  readonly updated_at: number
}

/** Which connections are listed; absent members do not restrict. */
export interface ConnectionFilter {
  readonly user?: string
  readonly origin?: string
}

export interface ConnectionReader {
  one(user: string, origin: string): Promise<StoredConnection | undefined>
  /**
   * In order of user and origin.
   * @param after user and origin of the last one before
   */
  list(
    filter: ConnectionFilter,
    limit: number,
    after?: readonly [user: string, origin: string],
  ): Promise<readonly StoredConnection[]>
  /** In the order in which they were made. @param after the last one before */
  byTime(
    filter: ConnectionFilter,
    limit: number,
    order: TimeOrder,
    after?: Pick<StoredConnection, 'created_at' | 'user' | 'origin'>,
  ): Promise<readonly StoredConnection[]>
  /** Those of an origin that are connected and active, the one updated last first. */
  usable(origin: string, limit: number): Promise<readonly StoredConnection[]>
}

export interface ConnectionWriter extends ConnectionReader {
  /** Stores it in the place of the one of the same person and origin. Where that had another id, remembers the end of that id. */
  put(connection: StoredConnection): Promise<void>
  /** Also remembers the end of its id. */
  remove(user: string, origin: string, now: number): Promise<void>
}

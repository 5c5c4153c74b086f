import type { ConnectionWriter } from './connections.ts'

/**
 * What the authorization server keeps: sessions, interactions, grants, codes, refresh tokens, registered clients,
 * consents. Ids that are credentials come as hashes, and what they stand for is sealed.
 */
export interface OAuthArtifact {
  /** Such as `Session` or `RefreshToken`. */
  readonly kind: string
  readonly id: string
  readonly sealed: string
  /** The grant that it came from and ends with. */
  readonly grant_id: string | null
  /** A second id, such as the user code of a device. */
  readonly other_id: string | null
  readonly account_id: string | null
  /** Times in milliseconds since the epoch. */
  readonly created_at: number
  readonly expires_at: number | null
  readonly used_at: number | null
}

/** A key of the authorization server; its secret part is sealed. */
export interface OAuthKey {
  readonly id: string
  readonly purpose: 'signing' | 'cookies'
  /** JWK as JSON text; null for what has no public part. */
  readonly public: string | null
  readonly sealed: string
  readonly created_at: number
  /** When it was replaced; it still proves what it has signed. */
  readonly retired_at: number | null
}

/** That an id counts no longer. Other processes that share the store read it. */
interface Ending {
  readonly number: number
  readonly id: string
}

export interface OAuthReader {
  artifact(kind: string, id: string): Promise<OAuthArtifact | undefined>
  artifactByOther(kind: string, other: string): Promise<OAuthArtifact | undefined>
  /** Those of a kind that were made for an account, in order of creation. */
  artifactsOf(kind: string, account: string): Promise<readonly OAuthArtifact[]>
  /** Whether another of the grant, made from then on, has been used. */
  isFollowed(artifact: OAuthArtifact, since: number): Promise<boolean>
  /** Whether another of the grant has been used since this one was made. */
  isOvertaken(artifact: OAuthArtifact): Promise<boolean>
  /** How many of a kind were issued for an account and end after `now`, or never. */
  countOfAccount(kind: string, account: string, now: number): Promise<number>
  /** Number of the last ending; 0 where none is remembered. Each ending has a greater one than those before. */
  lastEnding(): Promise<number>
  /** Whether all of an account, or a session, has ended after the ending of this number. */
  hasEnded(what: string, since: number): Promise<boolean>
  /** What has ended after the ending of this number, in order: ids of accounts, sessions, grants and connections. */
  endedSince(number: number): Promise<readonly Ending[]>
  /** In order of creation. */
  keys(): Promise<readonly OAuthKey[]>
}

export interface OAuthWriter extends OAuthReader {
  /** Accounts of people at origins, in the same write lane. */
  readonly connections: ConnectionWriter
  /** Keeps at most `max` of its kind where that is given: the oldest that was never used gives way. */
  put(artifact: OAuthArtifact, max?: number): Promise<void>
  /** Marks it used; false when it was already, or is gone. */
  use(kind: string, id: string, now: number): Promise<boolean>
  /** Marks it used once more, and puts off its end. */
  prolong(kind: string, id: string, now: number, expiresAt: number): Promise<void>
  remove(kind: string, id: string): Promise<void>
  /** Removes a grant and remembers that it has ended. What came of it is removed by {@link removeOfGrant}. */
  endGrant(id: string, now: number): Promise<void>
  removeOfGrant(kind: string, grant: string): Promise<void>
  /** Ends all that was issued for an account: sessions, grants with their tokens, consents. Remembers the ends of the account and of its grants. @returns ids of the grants */
  removeOfAccount(account: string, now: number): Promise<readonly string[]>
  /** Remembers for an hour that a session has ended. */
  noteEnding(what: string, now: number): Promise<void>
  /** Forgets what expired before `now`, the last ending excepted: numbers go on growing. */
  sweep(now: number): Promise<void>
  putKey(key: OAuthKey): Promise<void>
  removeKey(id: string): Promise<void>
}

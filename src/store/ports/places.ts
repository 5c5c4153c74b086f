/**
 * Where the data of an instance is kept, for a start, a backup and the doctor: places that open asynchronously, and facts
 * about a place that is not open.
 */
import type { AccessFault } from '../../base/files.ts'
import type { ConfigStore } from './config.ts'
import type { NodeRow } from './nodes.ts'
import type { LastingRecordStore, RecordReader } from './records.ts'
import type { StoreUnavailable } from './unavailable.ts'

/** File of a data directory with the id of its node, for a database that several nodes share. */
export const NODE_FILE = 'node.json'

/** Where each kind of data is kept. Nothing is opened before a place is asked to. */
export interface StorePlaces {
  /** The versions of the schema of configuration and audit that this program knows. */
  knownSchemas(): Promise<KnownSchemas>
  /** @param directory the data directory */
  lock(directory: string): LockPlace
  /** @param file its path in the data directory, as for all that follow; a server does not need it */
  config(file: string): ConfigPlace
  /** A copy that {@link ConfigPlace.copyTo} has made. */
  configCopy(file: string): ConfigPlace
  lastGood(file: string): ServedPlace<LastGoodStore>
  keys(file: string): ServedPlace<KeyStore> & UpgradedPlace
  records(file: string): RecordsPlace
}

/** Both are known themselves. Earlier versions than the first were never released. */
export interface KnownSchemas {
  readonly first: number
  readonly newest: number
}

/** Something that is kept, and is not open. */
export interface StorePlace {
  /** As messages name it: the path of its file, or the URL of a database without its password. */
  readonly file: string
  /** The file, first, and what the engine keeps beside it, which is of no use without it. None where a server keeps it. */
  readonly files: readonly string[]
  /** A server keeps it, which other machines may reach too. */
  readonly isOnServer: boolean
  /** Whether it is there. A server is taken to have it. */
  isThere(): boolean
  /** What is wrong with it, as far as a start needs it; null when it is sound, missing, or cannot be reached. */
  damage(): Promise<string | null>
}

/** Keeps other processes out of a data directory. */
export interface LockPlace extends StorePlace {
  /**
   * Makes the data directory (mode 0700) if needed and locks it, until the process ends. Throws CannotStart when another
   * process holds it. @param setBy the flag or setting that names the directory, for that message
   */
  take(setBy?: string): Promise<DirectoryLock>
  /**
   * As `take`. Where nothing can be written, the lock is shared by processes that only read, and keeps out a process that
   * writes. Throws CannotStart when such a process holds it.
   */
  takeForStart(): Promise<StartLock>
}

/** Held while a process uses a data directory; keep it, for a lock that nothing refers to ends with a collection. */
export interface DirectoryLock {
  release(): void
}

/** The lock of a start, which goes on without writing where the directory cannot be written. */
export interface StartLock extends DirectoryLock {
  /** Why nothing in the directory may be written; null when this process alone may write. */
  readonly readOnly: AccessFault | null
}

/** A store whose schema is brought to the newest version when it is opened. */
export interface UpgradedPlace extends StorePlace {
  /** The version that its file has, and the newest that this program knows; null when the file is missing, empty or cannot be read. */
  schema(): Promise<{ readonly version: number; readonly newest: number } | null>
}

/** Configuration and audit. */
export interface ConfigPlace extends UpgradedPlace {
  /** The copy that a running process makes when the file was deleted, until the copy has taken its place; null for a server. */
  readonly rewritten: StorePlace | null
  /**
   * Opens it at the newest version of its schema, and makes it where it is not there. Throws CannotStart: without a cause for
   * a newer version, else with what kept it from being opened as the cause.
   * @param environment stands in the audit entries that are written
   */
  open(environment: string | null): Promise<ConfigStore>
  /**
   * A store that refuses everything with this fault until it can be reached, for a place on a server; null for a file.
   * @param reached called by a probe until it resolves. Rejects while the database cannot be reached, or is not the right one
   */
  openLater:
    | ((
        environment: string | null,
        fault: StoreUnavailable,
        reached: () => Promise<void>,
      ) => Promise<ConfigStore>)
    | null
  /** What was thrown by `open`, or by a use of it, as a fault of the store; null when it says nothing of the store. */
  faultOf(error: unknown): StoreUnavailable | null
  /** Why this process cannot write it; null when it can. */
  accessFault(): AccessFault | null
  /**
   * Copies it as it stands at one moment into a file of its own, without side files. Neither waits for writers nor holds them up.
   * Throws what kept it from being copied. @param progress told of the part that is done, 0 to 1
   */
  copyTo(file: string, progress?: (part: number) => void): Promise<void>
  /** Throws when it is none, or is damaged. */
  facts(): Promise<StoreFacts>
}

/** Names of the nodes of a database that have not left. @param except id of one that is left out */
export async function nodesOf(place: Pick<ConfigPlace, 'facts'>, except = ''): Promise<readonly string[]> {
  const { nodes } = await place.facts()
  return nodes.filter(({ id }) => id !== except).map(({ name }) => name)
}

/** What a configuration store says of itself, without being changed or brought to a newer version. */
export interface StoreFacts {
  readonly schemaVersion: number
  /** The oldest version of the schema whose program may open it, and write to it. */
  readonly compatibleFrom: number
  /** Of the configuration. */
  readonly revision: number
  /** Number of the last entry of the audit trail; 0 without one. */
  readonly auditSeq: number
  /** Nodes on the database; none for files. */
  readonly nodes: readonly NodeRow[]
  readonly meta: (key: string) => string | undefined
}

/** What a start serves from without the configuration store. */
export interface ServedPlace<Store> extends StorePlace {
  /** What a process needs copies of to read it where nothing can be written: all of these, or none. */
  readonly toRead: readonly string[]
  open(): Promise<Store>
}

/** Request records and counts of quotas. */
export interface RecordsPlace extends UpgradedPlace {
  /** As `damage`, but reads everything. */
  damageOfAll(): Promise<string | null>
  /** Opens it for the only process that writes. Throws CannotStart for a newer version alone. @param readOnly why it may not be opened @param node id of this one, where nodes share it */
  open(readOnly: string | null, node?: string): Promise<LastingRecordStore>
  /** Opens it for reading; it must be there. */
  openReader(): Promise<RecordReader>
  /** As `copyTo` of the configuration. */
  copyTo(file: string, progress?: (part: number) => void): Promise<void>
}

/**
 * Idempotency keys of the data plane, so that a repeated request is known after a restart. In a file of its own: it may
 * be lost without losing configuration, and holds answers, sealed, for a day at most.
 */
export interface KeyStore {
  /** Those that end first come first. Throws StoreUnavailable when they cannot be read, CannotStart for those of a newer version. */
  load(): readonly KeyRow[]
  /** As `load`, of a file that cannot be written. Nothing when it cannot be read either. */
  loadUnwritable(): readonly KeyRow[]
  /** Deletes keys, then adds or overwrites rows, in one transaction. A process that is killed then loses none of it. */
  save(gone: readonly string[], rows: readonly KeyRow[]): void
  /** Puts rows in the place of all there are, and a new file in the place of a damaged one. */
  replace(rows: () => Iterable<KeyRow>): void
  /** Throws StoreUnavailable where the file that is in use was deleted, replaced or truncated. */
  look(): void
  close(): void
}

export interface KeyRow {
  readonly key: string
  /** Of the request; tells another one under the same key. */
  readonly fingerprint: string
  /** Wall clock, milliseconds. */
  readonly until: number
  /** `open` while the request has not ended, `unkept` when its answer was not kept. */
  readonly state: 'open' | 'unkept' | 'answered'
  /** The answer; null unless `answered`. */
  readonly sealed: Uint8Array | null
}

/**
 * The configuration that was served last, kept apart from the store that it was compiled from: with the store gone or
 * damaged, a gateway still starts on it. Derived data: it can be lost without losing anything.
 */
export interface LastGoodStore {
  /** The revision of what was kept last; null when nothing was, or when it cannot be read. */
  revision(): number | null
  /** What was kept last, read row by row in the order of the keys. Throws where it cannot be read. */
  entries(): Iterable<LastGoodEntry>
  /**
   * Keeps a change, in time slices. To be called again only when it has ended. On disk when it resolves. Rejects when it cannot be
   * written, or was forgotten meanwhile; then what is kept is not the last.
   */
  keep(change: LastGoodChange): Promise<void>
  /** A key set that was kept; null when there is none, or it cannot be read. */
  loadKeySet(source: string): KeptText | null
  /** Keeps the key set of a source, and forgets those that were fetched before `since`. On disk when it returns; throws as `keep`; nothing after `close`. */
  keepKeySet(source: string, set: KeptText & { readonly at: number }, since: number): void
  /** Throws StoreUnavailable where the file that is in use was deleted, replaced or truncated. */
  look(): void
  /** Forgets all key sets, so that no withdrawn key is used again. */
  forgetKeySets(): void
  /** Forgets everything, so that nothing outdated is ever served. */
  forget(): void
  /** A change that is being kept is on disk then. */
  close(): void
}

interface KeptText {
  /** Of the content; tells a damaged entry. */
  readonly hash: string
  readonly text: string
}

export interface LastGoodEntry extends KeptText {
  readonly key: string
}

export interface LastGoodChange {
  readonly revision: number
  /** What is not among `put` is dropped. */
  readonly full: boolean
  /** Read row by row. */
  readonly put: Iterable<LastGoodEntry>
  readonly drop: readonly string[]
}

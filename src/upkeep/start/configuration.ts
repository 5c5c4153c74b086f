/** Decides at a start what is served: the store, or the last known configuration. */

import { createHash } from 'node:crypto'
import { chmodSync, copyFileSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import type { Clock } from '../../base/clock.ts'
import { type AccessFault, faultOfAccess, otherThanFile } from '../../base/files.ts'
import { BUILT, PROGRAM } from '../../base/program.ts'
import { CannotStart } from '../../base/refusal.ts'
import { firstSnapshot } from '../../operations/engine/fragments.ts'
import {
  acceptTrail,
  type Continuity,
  type StartNote,
  sealUnread,
  secureTrail,
  type TrailParts,
} from '../../record/audit-continuity.ts'
import { type AuditMarkFile, openMarkOf } from '../../record/audit-mark.ts'
import type { Settings } from '../../settings.ts'
import type { KeptSnapshot, PackedSnapshot } from '../../snapshot/packed-fragments.ts'
import type { ConfigStore } from '../../store/ports/config.ts'
import type { ConfigPlace, UpgradedPlace } from '../../store/ports/places.ts'
import { type StoreFault, StoreUnavailable } from '../../store/ports/unavailable.ts'
import { keyIdOf } from '../../vault/keys.ts'
import { keyedProofOf, openVault, openVaultAlone } from '../../vault/open.ts'
import { CANARY } from '../../vault/reseal.ts'
import type { Vault } from '../../vault/vault.ts'
import type { DataFiles } from '../data-files.ts'
import type { LastGoodSnapshot } from '../kept/last-good.ts'

/** What a start has to serve, and what it can be changed in. */
export interface Configuration {
  readonly vault: Vault
  readonly first: PackedSnapshot
  /** Null while the store cannot be used: the last known configuration is served and cannot be changed. */
  readonly store: ConfigStore | null
  /** The mark of the audit trail. */
  readonly mark: AuditMarkFile
  /** Why there is no store; null when there is one. */
  readonly fault: ClosedReason | null
  readonly notes: readonly StartNote[]
}

/** Why a start does not use the store. */
interface ClosedReason {
  /** For the log: names the file and what to do. */
  readonly log: string
  /** For callers of management, who may be unknown: without paths. */
  readonly detail: string
  /** For health checks and metrics. */
  readonly fault: StoreFault
}

export interface ConfigurationParts {
  readonly settings: Pick<Settings, 'data' | 'environment'>
  readonly keyFile: string
  /** The place of the store, and that of the last known configuration. */
  readonly files: Pick<DataFiles, 'config' | 'lastGood'>
  readonly lastGood: LastGoodSnapshot
  readonly clock: Clock
  /** Names what compiles fragments; see {@link firstSnapshot}. */
  readonly version: string
  /** Names of the nodes that use the store beside this one. */
  readonly otherNodes: () => Promise<readonly string[]>
  /** Why the data directory may not be written; null when it may. */
  readonly readOnly: AccessFault | null
  /** The data directory was that of no node before. */
  readonly isNewNode: boolean
  /** Called once the store is known to be that of this instance, before what is served is read from it. */
  readonly enter: () => Promise<void>
  readonly log: (level: 'warn', message: string) => void
  /** Told of a mark that cannot be saved. */
  readonly fault: (error: unknown, at: string) => void
}

/**
 * Opens the store of a data directory. The last known configuration is served instead when the store is gone, empty, damaged,
 * or older than what was served last, or when its audit trail does not extend the mark: callers notice nothing, and
 * revocations that have answered hold. Throws CannotStart as the store and the vault do, and when there is nothing else to
 * serve; a store from a newer version, or with another key, is no damage.
 */
export async function openConfiguration(parts: ConfigurationParts): Promise<Configuration> {
  const { settings, lastGood, clock } = parts
  const place = parts.files.config
  const { file } = place
  const kept = lastGood.load()
  // One that cannot be used, such as a damaged one, shows as well that something was served: this is no new directory
  const isKept = kept === null ? existsSync(parts.files.lastGood.file) : kept.revision > 0
  if (parts.readOnly !== null) return withoutStore(parts, kept, unwritable(parts.readOnly))
  if (isKept && !place.isThere()) return withoutStore(parts, kept, gone(file))
  const kind = otherThanFile(file)
  if (kind !== null) return withoutStore(parts, kept, noFile(file, kind))
  let store: ConfigStore
  try {
    store = await openPatiently(parts, kept)
  } catch (error) {
    // Of a newer version
    if (error instanceof CannotStart && error.cause === undefined) throw error
    const fault = place.faultOf(error)
    if (kept !== null && kept.revision > 0 && fault?.fault === 'unreachable' && place.openLater !== null)
      return serveUntilReached(parts, kept, fault, place.openLater)
    return withoutStore(parts, kept, unusable(place, error))
  }
  try {
    const isNew = (await store.read.meta(CANARY)) === undefined
    // As a file is that was cut off: SQLite takes it for a new one
    if (isKept && isNew) {
      await store.close()
      return withoutStore(parts, kept, empty(place))
    }
    const vault = await openVaultOf(store, parts)
    const revision = await store.read.revision()
    const mark = openMarkOf(settings.data, vault, parts.fault)
    const trail = {
      store,
      clock,
      seed: vault.trailKey(),
      mark,
      proof: keyedProofOf(vault),
      // One that has served something had a mark
      isNewNode: parts.isNewNode && !isKept,
    }
    const { fault, notes }: Continuity =
      kept !== null && revision < kept.revision
        ? { fault: `It has revision ${revision}, and serving.db has revision ${kept.revision}.`, notes: [] }
        : isNew
          ? await beginTrail(trail)
          : await secureTrail(trail)
    if (fault !== null) {
      await store.close()
      return withoutStore(parts, kept, diverged(place, fault))
    }
    await enter(store, vault, parts)
    const first = await firstSnapshot(store, parts.version, kept)
    if (first !== kept) await lastGood.keepWhole(first)
    return { vault, first, store, mark, fault: null, notes }
  } catch (error) {
    await store.close().catch(() => {})
    // Of the key file, or there is nothing else to serve
    if (error instanceof CannotStart) throw error
    return withoutStore(parts, kept, unusable(place, error))
  }
}

/** How long a start waits for a database that cannot be reached, and between two attempts; milliseconds. */
const WAIT_MS = 60_000
const RETRY_MS = 1000

/** Opens the store. Where there is nothing to serve, it waits for a database server that may be starting at the same time. */
async function openPatiently(
  { files: { config }, settings: { environment }, log }: ConfigurationParts,
  kept: KeptSnapshot | null,
): Promise<ConfigStore> {
  let isTold = false
  for (const until = performance.now() + WAIT_MS; ; await setTimeout(RETRY_MS))
    try {
      return await config.open(environment)
    } catch (error) {
      const fault = config.isOnServer ? config.faultOf(error) : null
      if (kept !== null || fault?.fault !== 'unreachable' || performance.now() > until) throw error
      if (!isTold)
        log('warn', `${fault.facts.inner}. The start waits for the database for at most ${WAIT_MS / 1000} s`)
      isTold = true
    }
}

/**
 * Serves the last known configuration until the database can be reached. Then the key must fit, and the trail must extend the mark, as at
 * a start; before that, nothing can be read or changed.
 */
async function serveUntilReached(
  parts: ConfigurationParts,
  kept: KeptSnapshot,
  fault: StoreUnavailable,
  openLater: NonNullable<ConfigPlace['openLater']>,
): Promise<Configuration> {
  const { settings, clock, files } = parts
  const { config } = files
  const vault = openVaultAlone(parts.keyFile)
  const mark = openMarkOf(settings.data, vault, parts.fault)
  demandNewest(mark, kept, files.lastGood.file, fault.facts.inner ?? '')
  const reached = async (): Promise<void> => {
    const found = await config.open(settings.environment)
    try {
      const refuse = (why: string): never => {
        throw new StoreUnavailable('changed', diverged(config, why).what)
      }
      // First: an empty database, or that of another instance, must stay as it is
      const revision = await found.read.revision()
      if (revision < kept.revision)
        refuse(`It has revision ${revision}, and serving.db has revision ${kept.revision}.`)
      const vault = await openVaultOf(found, parts)
      const trail = { store: found, clock, seed: vault.trailKey(), mark, proof: keyedProofOf(vault) }
      const { fault: broken } = await secureTrail(trail)
      if (broken !== null) refuse(broken)
      await enter(found, vault, parts)
      await firstSnapshot(found, parts.version, kept)
    } finally {
      await found.close()
    }
  }
  const store = await openLater(settings.environment, fault, async () => {
    try {
      await reached()
    } catch (error) {
      throw config.faultOf(error) ?? error
    }
  })
  sealUnread({ store, mark, seed: vault.trailKey() })
  const note = `${fault.facts.inner}. The last known configuration (revision ${kept.revision}) is served. It can be changed as soon as the database can be reached`
  return { vault, mark, first: kept, store, fault: null, notes: [{ level: 'warn', text: note }] }
}

/** Enters, and finds out whether the keys were rotated meanwhile: a rotation that has not ended yet has not seen this node, or waits. */
async function enter(store: ConfigStore, vault: Vault, parts: ConfigurationParts): Promise<void> {
  await parts.enter()
  if (!parts.files.config.isOnServer) return
  const why = await lostKey(store, vault, parts.keyFile)
  if (why !== null) throw new CannotStart(why)
}

/**
 * Why a node that has entered may not go on: the keys were rotated where it was not among the nodes. Null where it has the key. It
 * waits for a rotation that has not ended.
 */
export async function lostKey(
  store: Pick<ConfigStore, 'write'>,
  vault: Pick<Vault, 'opensCanary'>,
  keyFile: string,
): Promise<string | null> {
  const canary = await store.write((writer) => writer.meta(CANARY))
  if (canary === undefined || vault.opensCanary(canary)) return null
  return `The keys were rotated while this node was not among the nodes. Copy the key file of the node that rotated them to ${keyFile}, and start again.`
}

/** As `openVault`; throws an Error where the key file is right and the text in the store that proves it is damaged. */
async function openVaultOf(store: ConfigStore, parts: ConfigurationParts): Promise<Vault> {
  try {
    return await openVault(store, parts.keyFile, parts.otherNodes)
  } catch (error) {
    const canary = await store.read.meta(CANARY)
    if (!(error instanceof CannotStart) || canary === undefined || !isRightKey(parts, canary)) throw error
    throw new Error('its secrets cannot be decrypted with its key', { cause: error })
  }
}

/** Whether a key file holds the key that a sealed text names, and is that of this data directory. */
function isRightKey({ settings, keyFile, fault }: ConfigurationParts, sealed: string): boolean {
  try {
    const vault = openVaultAlone(keyFile)
    const isThere = vault.keys().some(({ id }) => id === keyIdOf(sealed))
    return isThere && openMarkOf(settings.data, vault, fault).found === 'mark'
  } catch {
    return false
  }
}

/** The trail of a new store. A mark that is there already is of a trail that somebody has deleted, and is told of. */
async function beginTrail(parts: TrailParts): Promise<Continuity> {
  const { found, place } = parts.mark
  if (found !== 'mark' || place.seq === 0) return secureTrail(parts)
  const detail = `A new audit trail begins. The mark records an earlier trail, which ended at number ${place.seq} with the link ${place.hash}.`
  await acceptTrail(parts, { operation: 'audit.mark', surface: 'system', actor: 'start', detail })
  return { fault: null, notes: [{ level: 'warn', text: `audit trail: ${detail}` }] }
}

/** What is wrong with the store, and what to do. */
interface StoreProblem {
  readonly what: string
  readonly fix: string
  readonly detail: string
  readonly fault: StoreFault
}

const RESTORE = 'Restore a backup (postern restore --force) and start again'
/** What is restored is a data directory, from which a database is filled. */
const RESTORE_SERVER =
  'Restore a backup of the database, or fill an empty database from a backup of Postern (docs/postgresql.md), and start again'
const ANEW = 'to start without the old configuration, delete serving.db and the remaining files of config.db'

function gone(file: string): StoreProblem {
  return {
    what: `${file} is missing`,
    fix: `${RESTORE}; ${ANEW}.`,
    detail: 'The store is missing.',
    fault: 'missing',
  }
}

/** The mode, the owner or the mount is at fault, and not the file. */
function unwritable({ found, fix }: AccessFault, fault: StoreFault = 'read_only'): StoreProblem {
  return {
    what: found,
    fix: `${fix}. Then start again.`,
    detail: 'The store cannot be written.',
    fault,
  }
}

function noFile(file: string, kind: string): StoreProblem {
  const what = `${file} is ${kind}, not a file`
  return {
    what,
    fix: `Move it away. ${RESTORE}.`,
    detail: 'The store is not a file.',
    fault: 'cannot_open',
  }
}

function empty({ file, isOnServer }: ConfigPlace): StoreProblem {
  if (isOnServer)
    return {
      what: `${file} has no configuration, and this data directory has served one`,
      fix: `Correct POSTERN_DATABASE_URL. If the database was lost: ${RESTORE_SERVER.charAt(0).toLowerCase()}${RESTORE_SERVER.slice(1)}.`,
      detail: 'The database is empty.',
      fault: 'missing',
    }
  return {
    what: `${file} is empty`,
    fix: `${RESTORE}; ${ANEW}.`,
    detail: 'The store is empty.',
    fault: 'truncated',
  }
}

/** Whatever keeps a store from being read, damage can be behind it. */
function unusable(place: ConfigPlace, error: unknown): StoreProblem {
  const { file } = place
  const known = place.faultOf(error)
  if (known !== null && place.isOnServer) return ofServer(file, known)
  const access = known !== null && OF_ACCESS.has(known.fault) ? place.accessFault() : null
  if (access !== null && known !== null) return unwritable(access, known.fault)
  if (known !== null && PASSING.has(known.fault))
    return {
      what: `${file} cannot be opened (${known.fault}, ${known.facts.inner})`,
      fix: 'Free disk space or repair the disk, and start again.',
      detail: 'The disk of the store is full or faulty.',
      fault: known.fault,
    }
  const cause = error instanceof CannotStart ? error.cause : error
  const reason = cause instanceof Error ? cause.message : String(cause)
  return {
    what: `${file} is ${known?.fault === 'damaged' ? 'damaged' : 'damaged or cannot be read'} (${reason})`,
    fix: `${RESTORE}; ${ANEW}.`,
    detail: 'The store is damaged or cannot be read.',
    fault: known?.fault ?? 'cannot_open',
  }
}

function ofServer(file: string, { fault, facts }: StoreUnavailable): StoreProblem {
  const inner = String(facts.inner).replace(`${file}: `, '')
  const passes = fault !== 'damaged' && fault !== 'missing'
  return {
    what: `${file} cannot be used (${fault}): ${inner}`,
    fix: passes
      ? 'Correct POSTERN_DATABASE_URL, or repair the database server or the connection to it.'
      : `${RESTORE_SERVER}.`,
    detail: 'The database cannot be used.',
    fault,
  }
}

const OF_ACCESS: ReadonlySet<StoreFault> = new Set(['read_only', 'cannot_open'])

/** The disk is at fault and not the file: what is in the file is whole. */
const PASSING: ReadonlySet<StoreFault> = new Set(['disk_full', 'io_error', 'read_only'])

function diverged({ file, isOnServer }: ConfigPlace, fault: string): StoreProblem {
  if (isOnServer)
    return {
      what: `${file} does not contain the last changes of this instance: it was set back, such as by a standby that lagged behind, or changed by another program. ${fault}`,
      fix: `${RESTORE_SERVER}. To continue with this database, delete audit.mark and serving.db in the data directory. The audit trail records it.`,
      detail: 'The database is older than the mark of the audit trail, or was changed by another program.',
      fault: 'changed',
    }
  return {
    what: `${file} does not contain the last changes of this instance: it was replaced by an older file, or changed by another program. ${fault}`,
    fix: `Put the right config.db back, or ${RESTORE.charAt(0).toLowerCase()}${RESTORE.slice(1)}. To continue with this file, run postern backup and restore that backup. The audit trail records the restore.`,
    detail: 'The store is older than the mark of the audit trail, or was changed by another program.',
    fault: 'changed',
  }
}

/** Serves what was served last. @param copy of that; null when there is nothing */
function withoutStore(
  parts: ConfigurationParts,
  copy: KeptSnapshot | null,
  { what, fix, detail, fault }: StoreProblem,
): Configuration {
  const serving = parts.files.lastGood.file
  const kept = copy?.revision === 0 ? null : copy
  if (kept === null) {
    const access = faultOfAccess(serving, 'read')
    const why =
      access === null
        ? `${serving} is missing, empty or damaged, or was written by another version`
        : `${access.found}. ${access.fix}`
    throw new CannotStart(
      `${what}${what.endsWith('.') ? '' : '.'} There is no last known configuration to serve: ${why}. ${fix}`,
    )
  }
  const vault = openVaultAlone(parts.keyFile)
  const mark = openMarkOf(parts.settings.data, vault, parts.fault)
  demandNewest(mark, kept, serving, what, fix)
  return {
    vault,
    mark,
    first: kept,
    store: null,
    fault: {
      log: `${what}${what.endsWith('.') ? '' : ':'} The last known configuration (revision ${kept.revision}) is served and cannot be changed. ${fix}`,
      fault,
      detail: `${detail} Traffic is served with the last known configuration, and nothing can be changed. The log of the process and postern doctor say what to do.`,
    },
    notes: [],
  }
}

/** Throws CannotStart where the last known configuration is older than the mark of the trail. */
function demandNewest(
  { place }: AuditMarkFile,
  kept: KeptSnapshot,
  serving: string,
  what: string,
  fix = '',
): void {
  if (place.revision <= kept.revision) return
  throw new CannotStart(
    `${what}${what.endsWith('.') ? '' : '.'} ${serving} is older too: it has revision ${kept.revision}, but the mark records revision ${place.revision}. It could accept revoked credentials. ${fix}`.trimEnd(),
  )
}

// Names the compiler of fragments, so that fragments of another compiler are compiled again.

/** Folders below `src` that decide what a configuration compiles to. */
const FOLDERS = ['snapshot', 'model', 'base']

/**
 * Names what compiles fragments: the version of the program, the newest schema of the store, and a digest of the sources. Fragments that were
 * stored under another name are compiled anew, so that no change of the compiler is left out where nobody has counted it.
 */
export function compilerVersion(version: string, schema: number, root?: string): string {
  const digest = root === undefined && BUILT !== null ? BUILT.compiler : compilerDigest(root)
  return `${version} ${schema} ${digest}`
}

/** Digest of the sources that compile. @param root the folder `src`; a bundle has the digest in it, and reads none of them */
export function compilerDigest(root = join(PROGRAM, 'src')): string {
  const digest = createHash('sha256')
  for (const folder of FOLDERS)
    for (const name of readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).sort()) {
      if (!name.endsWith('.ts') || name.endsWith('.test.ts')) continue
      const text = readFileSync(join(root, folder, name))
      digest.update(`${folder}/${name} ${text.length}\n`).update(text)
    }
  return digest.digest('base64url').slice(0, 22)
}

// Logs the upgrade of a store.

type Log = (level: 'info' | 'error', message: string) => void

/**
 * Opens a store. Where that brings its file to a newer schema, the log says so before, with the versions, and after, with the time that
 * it took: an upgrade of a large file delays the start, and the Postern before may not open the file any more.
 * @param open rejects as it does without this
 */
export async function openUpgraded<T>(place: UpgradedPlace, log: Log, open: () => Promise<T>): Promise<T> {
  const before = await place.schema()
  if (before === null || before.version === 0 || before.version >= before.newest) return open()
  const versions = `from schema version ${before.version} to ${before.newest}`
  log('info', `${place.file} is upgraded ${versions} now. Do not stop Postern.`)
  const begun = performance.now()
  try {
    return await open()
  } finally {
    const ms = Math.round(performance.now() - begun)
    const after = await place.schema()
    if (after?.version === before.newest) log('info', `${place.file} was upgraded ${versions} in ${ms} ms.`)
    else
      log(
        'error',
        `${place.file} was not upgraded to schema version ${before.newest}: it has ${after?.version ?? 'none that can be read'} after ${ms} ms.`,
      )
  }
}

// Copies the files of a data directory that cannot be written, so that they can be served.

/** Where a start opens the files that it can serve from. */
export interface ReadingPlace {
  /** The data directory, or a directory with copies of these files. */
  readonly path: string
  /** Why the data directory may not be written; null when it may. */
  readonly readOnly: AccessFault | null
}

export interface ReadingParts {
  /** What the data directory holds. */
  readonly files: Pick<DataFiles, 'lastGood' | 'keys'>
  readonly log: (level: 'error', message: string) => void
  /** The copies are removed with these. */
  readonly parts: AsyncDisposableStack
}

/**
 * Copies the files that a start serves from out of a data directory that cannot be written. SQLite can read a write-ahead log there
 * only with files that it makes beside it; without the log, what was revoked last would be served again. A file is copied with its
 * log or not at all. The copies are in a new directory of mode 0700 beside the temporary files, and are removed with the process.
 * Throws {@link CannotStart} where that directory cannot be made.
 */
export function copyForReading({ files, log, parts }: ReadingParts, readOnly: AccessFault): ReadingPlace {
  const path = makePrivate(readOnly)
  parts.defer(() => rmSync(path, { recursive: true, force: true }))
  const into = (file: string): string => join(path, basename(file))
  for (const { file, toRead } of [files.lastGood, files.keys])
    try {
      for (const one of toRead) copyIn(one, into(one))
    } catch (error) {
      for (const one of toRead) rmSync(into(one), { force: true })
      log('error', `${file} cannot be copied: ${(error as Error).message}`)
    }
  return { path, readOnly }
}

function copyIn(from: string, to: string): void {
  if (!existsSync(from)) return
  copyFileSync(from, to)
  chmodSync(to, 0o600)
}

function makePrivate({ found, fix }: AccessFault): string {
  try {
    return mkdtempSync(join(tmpdir(), 'postern-'))
  } catch (error) {
    throw new CannotStart(
      `${found}. ${fix}. To serve without that, Postern needs a directory for temporary files: ${(error as Error).message}. Set TMPDIR to one that can be written.`,
      error,
    )
  }
}

/**
 * A restore writes the key file last. Without a key file no start continues, so an interrupted restore cannot be
 * served.
 */
import { existsSync, rmSync, statSync } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { basename, join, resolve } from 'node:path'
import { createClock } from '../../base/clock.ts'
import { CannotStart } from '../../base/refusal.ts'
import { acceptTrail } from '../../record/audit-continuity.ts'
import { openMarkOf } from '../../record/audit-mark.ts'
import type { ConfigPlace, KnownSchemas, StorePlaces } from '../../store/ports/places.ts'
import type { RestoreRequest, RestoreSummary } from '../../surfaces/cli/ports.ts'
import { loadKeys, saveKeys } from '../../vault/keys.ts'
import { keyedProofOf, opensCanaryOf, openVault } from '../../vault/open.ts'
import { CANARY } from '../../vault/reseal.ts'
import { isInside } from '../key-place.ts'
import { Damaged, type Entry, extractEntry, listArchive, readEntry } from './archive.ts'
import { CONFIG, KEY, MANIFEST, MANIFEST_BYTES_MAX, Manifest, openPlace } from './place.ts'

/**
 * Makes a data directory of an archive, after everything in it has been judged: hashes, version, damage, and that the
 * key opens what is sealed. Whenever it is cut off, what is served later is all of the old or all of the new.
 * Throws CannotStart with one sentence.
 */
export async function restore(places: StorePlaces, request: RestoreRequest): Promise<RestoreSummary> {
  const { data, from } = request
  const archive = await openArchive(from, await places.knownSchemas())
  const isNew = !existsSync(data)
  const locked = places.lock(data)
  const lock = await locked.take('--data')
  try {
    const place = openPlace(data, locked.files, request.isForced)
    let before: string | null
    try {
      await unpack(archive, from, place.draft)
      const config = places.configCopy(join(place.draft, CONFIG))
      const used = await placeKey(request, archive.manifest, place.draft, config)
      await noteRestore(request, archive.manifest, place.draft, config, used)
      before = place.commit()
    } catch (error) {
      place.discard()
      throw error
    }
    const { created_at, version, schema_version, revision, key_id, files } = archive.manifest
    const names = files.map(({ name }) => name)
    return { data, before, created_at, version, schema_version, revision, key_id, files: names }
  } catch (error) {
    if (isNew) rmSync(data, { recursive: true, force: true })
    throw error
  } finally {
    lock.release()
  }
}

interface Archive {
  readonly manifest: Manifest
  readonly entries: ReadonlyMap<string, Entry>
}

async function openArchive(file: string, { first, newest }: KnownSchemas): Promise<Archive> {
  let handle: FileHandle
  try {
    handle = await open(file)
  } catch (error) {
    throw new CannotStart(`The archive ${file} cannot be read: ${(error as Error).message}.`, error)
  }
  try {
    const entries = await listArchive(handle)
    const entry = entries.get(MANIFEST)
    if (entry === undefined) throw new Damaged('it is not a backup of Postern')
    const manifest = toManifest(await readEntry(handle, entry, MANIFEST_BYTES_MAX))
    if (manifest.schema_version < first)
      throw new CannotStart(
        `${file} is of a development version (schema ${manifest.schema_version}), which this version does not restore. Restore it with the commit that made it, then start this version with that data directory. The start converts the directory, or names the commit that you must start first.`,
      )
    if ((manifest.compatible_from ?? manifest.schema_version) > newest)
      throw new CannotStart(
        `${file} is of Postern ${manifest.version} with schema version ${manifest.schema_version}, but this Postern supports schema versions up to ${newest}. Restore it with that version of Postern or a newer one.`,
      )
    return { manifest, entries }
  } catch (error) {
    throw error instanceof CannotStart ? error : cannotUse(file, error)
  } finally {
    await handle.close()
  }
}

function toManifest(bytes: Buffer): Manifest {
  try {
    return Manifest.parse(JSON.parse(bytes.toString()))
  } catch (error) {
    throw new Damaged('its manifest is damaged, or has another version', { cause: error })
  }
}

async function unpack({ manifest, entries }: Archive, file: string, draft: string): Promise<void> {
  try {
    for (const { name, bytes, sha256 } of manifest.files) {
      const entry = entries.get(name)
      if (entry === undefined || entry.bytes !== bytes) throw new Damaged(`${name} in it is incomplete`)
      if ((await extractEntry(file, entry, join(draft, name))) !== sha256)
        throw new Damaged(`${name} in it differs from the file that was backed up`)
    }
    if (!manifest.files.some(({ name }) => name === CONFIG)) throw new Damaged(`it contains no ${CONFIG}`)
  } catch (error) {
    throw cannotUse(file, error)
  }
}

/**
 * Proves that the key opens what is sealed, and puts it beside that, unless it stays elsewhere. Returns the key file that
 * the instance will use.
 */
async function placeKey(
  request: RestoreRequest,
  { key_id }: Manifest,
  draft: string,
  config: ConfigPlace,
): Promise<string> {
  const { data, from, keyFile } = request
  const own = join(draft, KEY)
  const kept = join(data, KEY)
  const elsewhere = keyFileElsewhere(request, kept)
  const canary = (await config.facts()).meta(CANARY)
  if (canary === undefined)
    throw new CannotStart(`The archive ${from} cannot be used: it does not name its key.`)
  const used = keyFile ?? elsewhere ?? [own, kept].find((file) => existsSync(file))
  if (used === undefined)
    throw new CannotStart(
      `The archive ${from} contains no key. Name the file with the key ${key_id} with --key-file, or set POSTERN_KEY_FILE.`,
    )
  if (!opensCanaryOf(used, canary))
    throw new CannotStart(
      `The key file ${used === own ? `in ${from}` : used} does not contain the key ${key_id}, with which the secrets are encrypted. Name the right file with --key-file.`,
    )
  if (used === elsewhere) {
    rmSync(own, { force: true })
    return used
  }
  if (used !== own) saveKeys(own, loadKeys(used, false))
  return own
}

/**
 * Takes the restored trail as it is, whatever the mark of before knew: a new mark begins at its end, and an audit entry tells
 * of the restore. Also brings the store to the schema of this version.
 */
async function noteRestore(
  { data, from }: RestoreRequest,
  { created_at, revision }: Manifest,
  draft: string,
  config: ConfigPlace,
  keyFile: string,
): Promise<void> {
  const fault = (error: unknown, at: string): never => {
    throw new CannotStart(`${at}: ${(error as Error).message}.`, error)
  }
  const store = await config.open(process.env['POSTERN_ENV'] || null)
  try {
    const vault = await openVault(store, keyFile)
    const replaced = openMarkOf(data, vault, fault)
    const last = await store.read.lastAuditLink()
    const parts = {
      store,
      clock: createClock(),
      seed: vault.trailKey(),
      mark: openMarkOf(draft, vault, fault),
      proof: keyedProofOf(vault),
    }
    await acceptTrail(parts, {
      operation: 'audit.restore',
      surface: 'cli',
      actor: 'postern restore',
      detail: [
        `The data directory was restored from ${basename(from)}, a backup of ${created_at} at revision ${revision}.`,
        `Its audit trail ended at number ${last?.seq ?? 0} with the link ${last?.hash ?? '-'}.`,
        replaced.found === 'mark'
          ? `The mark of the replaced data directory was at number ${replaced.place.seq} with the link ${replaced.place.hash}.`
          : 'The replaced data directory had no mark that this key can verify.',
      ].join(' '),
    })
  } finally {
    await store.close()
  }
}

/** The key file that the instance will be started with, where that is not the one in its data directory. */
function keyFileElsewhere({ data, keyFileElsewhere }: RestoreRequest, kept: string): string | null {
  if (keyFileElsewhere === null || resolve(keyFileElsewhere) === resolve(kept)) return null
  if (!isInside(keyFileElsewhere, data)) return keyFileElsewhere
  throw new CannotStart(
    `The key file ${keyFileElsewhere} is in the data directory that the restore replaces. Unset POSTERN_KEY_FILE, and name the file with --key-file.`,
  )
}

function cannotUse(file: string, error: unknown): CannotStart {
  const isDirectory = statSync(file, { throwIfNoEntry: false })?.isDirectory() === true
  const why = isDirectory ? 'it is a directory' : (error as Error).message
  return new CannotStart(`The archive ${file} cannot be used: ${why}. Nothing was changed.`, error)
}

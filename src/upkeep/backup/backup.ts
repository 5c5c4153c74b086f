/**
 * Takes a backup in the process of the command, as one more reader of the write-ahead log. Configuration and audit are of one
 * moment, and no writer waits.
 */
import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { CannotStart } from '../../base/refusal.ts'
import type { ConfigPlace, RecordsPlace, StorePlaces } from '../../store/ports/places.ts'
import type { BackupRequest, BackupSummary } from '../../surfaces/cli/ports.ts'
import { keyIdOf } from '../../vault/keys.ts'
import { opensCanaryOf } from '../../vault/open.ts'
import { CANARY } from '../../vault/reseal.ts'
import { VERSION } from '../../version.ts'
import { filesIn } from '../data-files.ts'
import { demandHome, isDataDirectory } from '../moved.ts'
import { writeArchive } from './archive.ts'
import { CONFIG, describeFile, KEY, MANIFEST, type Manifest, RECORDS, syncDirectoryOf } from './place.ts'

/**
 * Copies a data directory into one archive, whether an instance runs on it or not. Configuration and audit are of one
 * moment; records, when asked for, of another soon after. The archive is there whole or not at all.
 * Throws CannotStart with one sentence.
 */
export async function backUp(places: StorePlaces, request: BackupRequest): Promise<BackupSummary> {
  const { data, out, keyFile, withKey, withRecords, progress } = request
  const { config, records } = filesIn(data, places)
  if (!isDataDirectory(data, places))
    throw new CannotStart(`${data} is not a data directory of Postern. Name the data directory with --data.`)
  demandHome(data, places)
  if (withRecords && records.isOnServer)
    throw new CannotStart(
      'The request records are in the database, and an archive of postern backup cannot contain them. Leave out --records, and back the records up with the tools of PostgreSQL, such as pg_dump.',
    )
  if (existsSync(out))
    throw new CannotStart(`${out} already exists. Choose another name, or delete the file.`)
  const draft = await attempt(`${out} cannot be written`, () => mkdtempSync(`${out}.part-`))
  try {
    await copied(config, join(draft, CONFIG), (part) => progress('configuration and audit', part))
    const facts = await attempt(`${data} cannot be backed up`, () =>
      places.configCopy(join(draft, CONFIG)).facts(),
    )
    if (facts.schemaVersion < (await places.knownSchemas()).first)
      throw new CannotStart(
        `${data} was written by a development version (schema ${facts.schemaVersion}), whose backups this version does not restore. Back it up with the commit that wrote it, or start this version on it first.`,
      )
    const canary = facts.meta(CANARY)
    if (canary === undefined)
      throw new CannotStart(`${data} has never been started; there is nothing to back up.`)
    const names: (typeof CONFIG | typeof RECORDS | typeof KEY)[] = [CONFIG]
    if (withRecords && records.isThere()) {
      await copied(records, join(draft, RECORDS), (part) => progress('records', part))
      names.push(RECORDS)
    }
    if (withKey) {
      // A key that opens nothing would be found out about when it is too late
      if (!opensCanaryOf(keyFile, canary))
        throw new CannotStart(
          `The key file ${keyFile} does not contain the key with which the secrets are encrypted. Set POSTERN_KEY_FILE to the right file.`,
        )
      writeFileSync(join(draft, KEY), readFileSync(keyFile), { mode: 0o600 })
      names.push(KEY)
    }
    const manifest: Manifest = {
      format: 'postern-backup',
      format_version: 1,
      created_at: new Date().toISOString(),
      version: VERSION,
      schema_version: facts.schemaVersion,
      compatible_from: facts.compatibleFrom,
      revision: facts.revision,
      audit_seq: facts.auditSeq,
      key_id: keyIdOf(canary),
      files: await Promise.all(names.map((name) => describeFile(name, join(draft, name)))),
    }
    await writeArchive(
      join(draft, 'archive'),
      [
        { name: MANIFEST, from: { text: `${JSON.stringify(manifest, null, 2)}\n` } },
        ...manifest.files.map(({ name, bytes }) => ({ name, from: { file: join(draft, name), bytes } })),
      ],
      Math.floor(Date.parse(manifest.created_at) / 1000),
    )
    renameSync(join(draft, 'archive'), out)
    syncDirectoryOf(out)
    const { created_at, version, schema_version, revision, key_id } = manifest
    return { file: out, created_at, version, schema_version, revision, key_id, files: names }
  } finally {
    rmSync(draft, { recursive: true, force: true })
  }
}

async function copied(
  from: ConfigPlace | RecordsPlace,
  to: string,
  progress: (part: number) => void,
): Promise<void> {
  try {
    await from.copyTo(to, progress)
  } catch (error) {
    throw new CannotStart(`${from.file} cannot be backed up: ${(error as Error).message}.`, error)
  }
}

async function attempt<T>(what: string, work: () => T | Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw new CannotStart(`${what}: ${(error as Error).message}.`, error)
  }
}

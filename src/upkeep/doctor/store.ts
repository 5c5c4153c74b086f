/** Checks the store, in a copy of it. */
import { mkdtempSync, rmSync, statfsSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createClock } from '../../base/clock.ts'
import { CannotStart } from '../../base/refusal.ts'
import { faultOfRoles } from '../../control/identity-provider.ts'
import { fullSnapshot } from '../../operations/engine/fragments.ts'
import { examineTrail } from '../../record/audit-continuity.ts'
import { type AuditMarkFile, openMarkOf } from '../../record/audit-mark.ts'
import type { OidcSettings } from '../../settings/oidc.ts'
import { readProviders } from '../../settings/providers-file.ts'
import type { Settings } from '../../settings.ts'
import { checkFragment } from '../../snapshot/compile/check.ts'
import type { ConfigStore } from '../../store/ports/config.ts'
import type { ConfigPlace, KnownSchemas, StoreFacts, StorePlaces } from '../../store/ports/places.ts'
import type { Finding } from '../../surfaces/cli/ports.ts'
import { keyedProofOf, opensCanaryOf, openVaultAlone } from '../../vault/open.ts'
import { CANARY } from '../../vault/reseal.ts'
import { filesIn } from '../data-files.ts'
import { faultOfHome } from '../moved.ts'
import { findReachable } from './instance.ts'
import { keyFileOf } from './machine.ts'
import { findOrigins } from './origins.ts'

/** What the store holds, in a copy of it: its schema, the key that seals it, whether it can be served and whether the trail is whole. */
export async function findStore(
  places: StorePlaces,
  settings: Settings,
  isNetworkAsked: boolean,
): Promise<Finding[]> {
  const { config } = filesIn(settings.data, places)
  const { files } = config
  const home = faultOfHome(settings.data, places)
  if (home !== null) return [{ check: 'store', state: 'fail', found: home.found, fix: `${home.fix}.` }]
  if (!config.isThere())
    return [{ check: 'store', state: 'ok', found: 'created at the first start', fix: null }]
  let scratch: string
  try {
    scratch = mkdtempSync(join(tmpdir(), 'postern-doctor-'))
  } catch (error) {
    return [scratchFinding((error as Error).message, sizeOf(files))]
  }
  try {
    return await findInCopy(places, settings, scratch, isNetworkAsked)
  } finally {
    rmSync(scratch, { recursive: true, force: true })
  }
}

/** A store of this size, in bytes, that cannot be examined because there is no place for its copy. */
export function scratchFinding(why: string, bytes: number): Finding {
  const megabytes = Math.ceil(bytes / 1024 ** 2)
  return {
    check: 'store',
    state: 'fail',
    found: `not examined: doctor reads a copy of the store, and cannot write the copy (${why})`,
    fix: `Set TMPDIR to a directory with ${megabytes} MB of free space. Then run postern doctor again.`,
  }
}

/** Bytes of the files that exist: what is in the log of a store is in its copy too. */
function sizeOf(files: readonly string[]): number {
  return files.reduce((sum, file) => sum + (statSync(file, { throwIfNoEntry: false })?.size ?? 0), 0)
}

/** True where the file system of the directory has less room than a store of this size, in bytes, takes. */
function isTooSmall(directory: string, bytes: number): boolean {
  const { blocks, bavail, bsize } = statfsSync(directory)
  // Some file systems without a limit say 0
  return blocks > 0 && bavail * bsize < bytes
}

/** @param scratch a directory for the copy */
async function findInCopy(
  places: StorePlaces,
  settings: Settings,
  scratch: string,
  isNetworkAsked: boolean,
): Promise<Finding[]> {
  const { config } = filesIn(settings.data, places)
  const { file, files } = config
  const copy = places.configCopy(join(scratch, 'config.db'))
  const mark = markIn(settings)
  const bytes = sizeOf(files)
  if (isTooSmall(scratch, bytes)) return [scratchFinding(`too little free space in ${scratch}`, bytes)]
  try {
    await config.copyTo(copy.file)
  } catch (error) {
    const access = config.accessFault()
    const found =
      access === null
        ? `${file} cannot be read: ${(error as Error).message}`
        : `not examined: ${access.found}`
    const fix = access === null ? 'See docs/recovery.md.' : `${access.fix}. Then run postern doctor again.`
    return [{ check: 'store', state: 'fail', found, fix }]
  }
  const facts = await copy.facts()
  const { meta } = facts
  const schema = schemaFinding(facts, await places.knownSchemas())
  const sealed = sealFinding(settings, meta(CANARY))
  if (schema.state === 'fail' || sealed.state === 'fail') return [schema, sealed]
  const store = await copy.open(null)
  try {
    return [
      schema,
      sealed,
      await servedFinding(store),
      await trailFinding(store, keyFileOf(settings), mark, config),
      ...(await roleFindings(settings, store)),
      ...(await findOrigins(store.read, settings, providersIn(settings).length > 0, isNetworkAsked)),
      ...(isNetworkAsked ? await upstreamFindings(store) : []),
    ]
  } finally {
    await store.close()
  }
}

/** The identity providers; none where their file is not valid, which is a finding of its own. */
function providersIn(settings: Settings): readonly OidcSettings[] {
  try {
    return readProviders(settings)
  } catch (error) {
    if (error instanceof CannotStart) return []
    throw error
  }
}

/** A role that claims are mapped to and that does not exist keeps an instance from starting. */
async function roleFindings(settings: Settings, store: ConfigStore): Promise<Finding[]> {
  const fault = await faultOfRoles(providersIn(settings), store.read)
  return fault === null
    ? []
    : [{ check: 'roles of claims', state: 'fail', found: fault, fix: 'Correct it before the next start.' }]
}

function schemaFinding(
  { schemaVersion: version, compatibleFrom }: StoreFacts,
  { first, newest }: KnownSchemas,
): Finding {
  const check = 'schema'
  if (version < first)
    return {
      check,
      state: 'fail',
      found: `version ${version}, of a development version`,
      fix: 'Start Postern with this data directory: a start converts it, or says what to do.',
    }
  if (version > newest) {
    const found = `version ${version}, but this Postern supports versions up to ${newest}`
    if (compatibleFrom <= newest)
      return { check, state: 'ok', found: `${found}; version ${version} allows it`, fix: null }
    return { check, state: 'fail', found, fix: 'Start the newer Postern that wrote it.' }
  }
  const later = version < newest ? `; the next start upgrades it to ${newest}` : ''
  return { check, state: 'ok', found: `version ${version}${later}`, fix: null }
}

function sealFinding(settings: Settings, canary: string | undefined): Finding {
  const check = 'vault'
  const file = keyFileOf(settings)
  if (canary === undefined) return { check, state: 'ok', found: 'no secrets are stored yet', fix: null }
  try {
    if (opensCanaryOf(file, canary))
      return { check, state: 'ok', found: 'the key decrypts the stored secrets', fix: null }
  } catch (error) {
    return { check, state: 'fail', found: (error as Error).message, fix: 'Restore the key file.' }
  }
  const found = `${file} does not contain the key with which the secrets are encrypted`
  return { check, state: 'fail', found, fix: 'Restore the right file, or set POSTERN_KEY_FILE.' }
}

async function servedFinding(store: ConfigStore): Promise<Finding> {
  const check = 'configuration'
  const { revision, fragments } = await fullSnapshot(store)
  const faults = [...fragments].flatMap(({ key, fragment }) =>
    checkFragment(fragment).map(({ pointer, reason }) => `${key}${pointer}: ${reason}`),
  )
  if (faults.length === 0)
    return { check, state: 'ok', found: `revision ${revision} can be served`, fix: null }
  const more = faults.length > 1 ? ` (and ${faults.length - 1} more)` : ''
  const fix = 'Correct this resource. Until then, its routes return route_unavailable.'
  return { check, state: 'fail', found: `${faults[0]}${more}`, fix }
}

/** The mark as it is now; null where no key file opens it, which is a finding of its own. */
function markIn(settings: Settings): AuditMarkFile | null {
  try {
    return openMarkOf(settings.data, openVaultAlone(keyFileOf(settings)), () => {})
  } catch {
    return null
  }
}

/** @param mark of before the copy was made: the trail may have grown since */
async function trailFinding(
  store: ConfigStore,
  keyFile: string,
  mark: AuditMarkFile | null,
  { isOnServer }: ConfigPlace,
): Promise<Finding> {
  const check = 'audit trail'
  if (mark === null)
    return { check, state: 'fail', found: `${keyFile} cannot be read`, fix: 'See docs/keys.md.' }
  const vault = openVaultAlone(keyFile)
  const { entries, isKeyed, fault } = await examineTrail({
    store,
    clock: createClock(),
    seed: vault.trailKey(),
    mark,
    proof: keyedProofOf(vault),
  })
  const found = `${entries} ${entries === 1 ? 'entry' : 'entries'}, none changed`
  if (fault !== null)
    return {
      check,
      state: 'fail',
      found: fault,
      fix: !isOnServer
        ? 'Another program has changed config.db, or an older file was put in its place. Keep a copy of it, then restore a backup with postern restore. To continue with the current file, run postern backup and restore that backup. See docs/audit.md.'
        : 'Another program has changed the database, or it was set back to an older state. Restore a backup of the database, or run postern backup, restore that backup, and move it to an empty database. See docs/audit.md and docs/postgresql.md.',
    }
  if (mark.found !== 'mark' && isKeyed) {
    const fix = 'Find the cause. The next start creates a new one, with an audit entry.'
    return { check, state: 'warn', found: `${found}, but audit.mark is ${mark.found}`, fix }
  }
  return { check, state: 'ok', found, fix: null }
}

async function upstreamFindings(store: ConfigStore): Promise<Finding[]> {
  const collections = await store.read.all('collections')
  const places = collections.flatMap(({ slug, spec }) =>
    // Stored by the schema of this type
    (spec.upstream?.targets ?? []).map(({ url }) => ({ slug, url })),
  )
  return Promise.all(places.map(({ slug, url }) => findReachable(`upstream of ${slug}`, url)))
}

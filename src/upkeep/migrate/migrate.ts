/**
 * `postern migrate`: moves the configuration of a data directory from its file to a database.
 * 1. Everything is copied and compared in one transaction of the database. Until it commits, the database is as it was.
 * 2. The data directory is only read. Right before the commit, `moved.json` says that a move is about to end, and after it, that it has.
 *    A process that is killed in between leaves the first; the next run asks the database how the commit ended.
 */
import { join } from 'node:path'
import { createClock, toTime } from '../../base/clock.ts'
import { CannotStart } from '../../base/refusal.ts'
import { examineTrail } from '../../record/audit-continuity.ts'
import { openMarkOf } from '../../record/audit-mark.ts'
import type { ConfigStore } from '../../store/ports/config.ts'
import type { StorePlaces } from '../../store/ports/places.ts'
import type { ConfigMove, TransferProgress, TransferredTable } from '../../store/ports/transfer.ts'
import type { MigrateRequest, MigrateSummary } from '../../surfaces/cli/ports.ts'
import { keyedProofOf, openVaultAlone } from '../../vault/open.ts'
import { CANARY } from '../../vault/reseal.ts'
import { CONFIG_FILE, filesIn } from '../data-files.ts'
import { isDataDirectory, type Moved, readMoved, writeMoved } from '../moved.ts'

/** How steps are called where progress is told. */
const STEPS: Readonly<Record<Parameters<TransferProgress>[0], string>> = {
  copy: 'Copying configuration and audit',
  compare: 'Comparing configuration and audit',
}

/**
 * Fills an empty database from a data directory that no process uses. Throws CannotStart with a sentence; the directory and the
 * database are then as they were.
 * @param places those of files @param move from the file of the directory
 */
export async function migrate(
  places: StorePlaces,
  move: ConfigMove,
  request: MigrateRequest,
): Promise<MigrateSummary> {
  const { data, isDryRun, progress } = request
  if (!isDataDirectory(data, places))
    throw new CannotStart(`${data} is not a data directory of Postern. Name the data directory with --data.`)
  const lock = await filesIn(data, places).lock.take('--data')
  try {
    const begun = await demandUnmoved(places, move, data)
    if (begun === 'complete') {
      if (!isDryRun) finish(data, move)
      return summaryOf(request, move, null)
    }
    const facts = { revision: 0, auditSeq: 0 }
    const tables = await run(move, {
      data,
      isDryRun,
      progress: (step, part) => progress(STEPS[step], part),
      async check(store) {
        await examine(store, request)
        facts.revision = await store.read.revision()
        facts.auditSeq = (await store.read.lastAuditLink())?.seq ?? 0
      },
    })
    if (!isDryRun) finish(data, move)
    return summaryOf(request, move, tables && { ...facts, tables })
  } finally {
    lock.release()
  }
}

/**
 * Whether a move can begin. `complete`: an earlier one has committed, and was cut off before the directory said so.
 * Throws CannotStart where the configuration is elsewhere.
 */
async function demandUnmoved(
  places: StorePlaces,
  move: ConfigMove,
  data: string,
): Promise<'complete' | 'new'> {
  const moved = readMoved(data)
  if (moved?.state === 'moved')
    throw new CannotStart(
      `The configuration of ${data} was moved to ${moved.to} at ${moved.at}. To move it to another database, run postern backup with POSTERN_DATABASE_URL, restore the archive to a new directory, and migrate this directory.`,
    )
  if (moved === null) return 'new'
  if (moved.to !== move.to)
    throw new CannotStart(
      `An interrupted move of ${data} went to ${moved.to}. Finish it with this database; or delete moved.json in ${data}, if this database is empty.`,
    )
  const canary = (await places.configCopy(join(data, CONFIG_FILE)).facts()).meta(CANARY)
  const there = await move.meta(CANARY)
  return there !== undefined && there === canary ? 'complete' : 'new'
}

/** The move, with the state of the directory around its commit. Null where it is complete, and the answer to its commit was lost. */
async function run(
  move: ConfigMove,
  { data, ...options }: Parameters<ConfigMove['run']>[0] & { readonly data: string },
): Promise<readonly TransferredTable[] | null> {
  let canary: string | undefined
  let isEnding = false
  try {
    return await move.run({
      ...options,
      async check(store) {
        await options.check(store)
        canary = await store.read.meta(CANARY)
        if (options.isDryRun) return
        isEnding = true
        writeMoved(data, stateOf('moving', move))
      },
    })
  } catch (error) {
    if (!isEnding) throw error
    // The commit failed, or its answer was lost
    let there: string | undefined
    try {
      there = await move.meta(CANARY)
    } catch {
      throw new CannotStart(
        `The connection to ${move.to} was lost at the end of the move, and it is not known whether the move is complete (${(error as Error).message}). Run postern migrate again: it finishes the move or starts over.`,
        error,
      )
    }
    if (there === undefined || there !== canary) {
      writeMoved(data, null)
      throw error
    }
    return null
  }
}

/** Whether a start could continue with what was written. Throws CannotStart where it could not. */
async function examine(store: ConfigStore, { data, keyFile }: MigrateRequest): Promise<void> {
  const canary = await store.read.meta(CANARY)
  if (canary === undefined)
    throw new CannotStart(
      `${data} has never been started; there is nothing to move. Start Postern with POSTERN_DATABASE_URL and another data directory.`,
    )
  const vault = openVaultAlone(keyFile)
  if (!vault.opensCanary(canary))
    throw new CannotStart(
      `The key file ${keyFile} does not contain the key with which the secrets are encrypted. Name the right file with --key-file, or set POSTERN_KEY_FILE.`,
    )
  const mark = openMarkOf(data, vault, () => {})
  const { fault } = await examineTrail({
    store,
    clock: createClock(),
    seed: vault.trailKey(),
    mark,
    proof: keyedProofOf(vault),
  })
  if (fault !== null)
    throw new CannotStart(
      `The audit trail in ${data} is not as Postern left it: ${fault}. Run postern doctor, which says what to do, and migrate again.`,
    )
}

function finish(data: string, move: ConfigMove): void {
  writeMoved(data, stateOf('moved', move))
}

function stateOf(state: Moved['state'], { to }: ConfigMove): Moved {
  return { state, to, at: toTime(Date.now()) }
}

function summaryOf(
  { data, isDryRun }: MigrateRequest,
  { to }: ConfigMove,
  done: {
    readonly revision: number
    readonly auditSeq: number
    readonly tables: readonly TransferredTable[]
  } | null,
): MigrateSummary {
  return {
    data,
    to,
    dry_run: isDryRun,
    finished_earlier: done === null,
    revision: done?.revision ?? null,
    audit_seq: done?.auditSeq ?? null,
    rows: done?.tables.reduce((sum, { rows }) => sum + rows, 0) ?? null,
    tables: done?.tables ?? [],
  }
}

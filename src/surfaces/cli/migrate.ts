import { join } from 'node:path'
import { Command } from 'commander'
import {
  type DatabaseAddress,
  databaseIn,
  readDatabaseUrl,
  withoutPassword,
} from '../../base/net/database-url.ts'
import { addFormat, type Format } from './common-flags.ts'
import { dataDirOf } from './connect.ts'
import { UsageError } from './exit.ts'
import type { CliPorts, MigrateSummary } from './ports.ts'
import { printData, quarters } from './print.ts'

interface Given {
  readonly to?: string
  readonly data?: string
  readonly keyFile?: string
  readonly dryRun?: boolean
  readonly output: Format
}

/** `postern migrate`: a data directory to a database. */
export function migrateCommand(ports: CliPorts): Command {
  const command = new Command('migrate')
    .description('Move configuration and audit log from a data directory to an empty PostgreSQL database')
    .option('--to <url>', 'URL of the database, without a password (POSTERN_DATABASE_URL)')
    .option('--data <dir>', 'Data directory; no instance may use it (POSTERN_DATA)')
    .option(
      '--key-file <file>',
      'Path of the encryption key. Default: in the data directory (POSTERN_KEY_FILE)',
    )
    .option('--dry-run', 'Check everything and change nothing')
    .addHelpText(
      'after',
      '\nA password is read from the file that the parameter password_file of the URL names, or stands in POSTERN_DATABASE_URL.\n',
    )
  return addFormat(command).action(async (given: Given) => {
    const to = given.to === undefined ? databaseIn(ports.env) : addressOf(given.to)
    if (to === null)
      throw new UsageError(
        'Name the database with --to, such as postgres://postern@db.example.com/postern, or set POSTERN_DATABASE_URL.',
      )
    const data = dataDirOf(ports, given)
    const made = await ports.migrate({
      data,
      to,
      keyFile: given.keyFile ?? (ports.env['POSTERN_KEY_FILE'] || join(data, 'vault.key')),
      isDryRun: given.dryRun === true,
      progress: quarters((step, percent) => ports.err(`${step}: ${percent} %\n`)),
    })
    if (printData(ports, given.output, made)) return
    ports.out(`${sentenceOf(made)}\n`)
    if (!made.dry_run)
      ports.err(
        `Start Postern with POSTERN_DATABASE_URL and the same data directory, which still holds the key. ${join(data, 'config.db')} is not used any more. Request records were not moved: they begin anew in the database, and records.db keeps the old ones.\n`,
      )
  })
}

interface SchemaGiven {
  readonly grantTo?: string
  readonly output: Format
}

/** `postern migrate-schema`: the tables of a database, made by a user who may. */
export function migrateSchemaCommand(ports: CliPorts): Command {
  const command = new Command('migrate-schema')
    .description(
      'Create or upgrade the tables in the database of POSTERN_DATABASE_URL, for an instance whose user may not',
    )
    .option('--grant-to <role>', 'Let this role read and write the tables: the user of the instance')
  return addFormat(command).action(async (given: SchemaGiven) => {
    const database = databaseIn(ports.env)
    if (database === null)
      throw new UsageError(
        'Set POSTERN_DATABASE_URL to the database, with a user who may create tables there.',
      )
    const made = await ports.migrateSchema({ database, grantTo: given.grantTo ?? null })
    if (printData(ports, given.output, made)) return
    const what = made.from === made.to ? 'already has' : 'now has'
    ports.out(`${made.database} ${what} schema version ${made.to}.\n`)
    if (made.granted_to !== null) ports.out(`${made.granted_to} may use its tables.\n`)
  })
}

function addressOf(text: string): DatabaseAddress {
  if (withoutPassword(text) !== text)
    throw new UsageError(
      '--to contains a password, which every user of this machine can see in the list of processes. Set POSTERN_DATABASE_URL instead, or use the parameter password_file.',
    )
  const address = readDatabaseUrl(text)
  if (typeof address === 'string') throw new UsageError(`--to must be ${address}.`)
  return address
}

function sentenceOf({ data, to, dry_run, finished_earlier, rows, revision }: MigrateSummary): string {
  if (finished_earlier) return `${data} was moved to ${to} already. The end of the move had been interrupted.`
  const what = `${rows} rows of ${data} at revision ${revision}`
  return dry_run ? `${what} can be moved to ${to}. Nothing was changed.` : `Moved ${what} to ${to}.`
}

import { join, resolve } from 'node:path'
import { Command } from 'commander'
import { printable } from '../../base/visible.ts'
import { addFormat } from './common-flags.ts'
import { dataDirOf } from './connect.ts'
import type { CliPorts } from './ports.ts'
import { type Format, printData } from './print.ts'

interface BackupGiven {
  readonly out: string
  readonly data?: string
  readonly keyFile?: string
  readonly withKey?: boolean
  readonly records?: boolean
  readonly output: Format
}

interface RestoreGiven {
  readonly from: string
  readonly data: string
  readonly keyFile?: string
  readonly force?: boolean
  readonly output: Format
}

/** `postern backup`: a data directory as one file, while its instance runs. */
export function backupCommand(ports: CliPorts): Command {
  const command = new Command('backup')
    .description('Copy configuration and audit into one archive; the instance may run meanwhile')
    .requiredOption('--out <file>', 'Archive to make, such as postern-2026-01-31.tar')
    .option('--data <dir>', 'Data directory (POSTERN_DATA)')
    .option('--records', 'With the records of requests and the counts of quotas')
    .option('--with-key', 'With the key that opens its secrets: then keep the archive like a password')
    .option('--key-file <file>', 'Where that key is; else in the data directory (POSTERN_KEY_FILE)')
  return addFormat(command).action(async (given: BackupGiven) => {
    const data = dataDirOf(ports, given)
    const keyFile = given.keyFile ?? (ports.env['POSTERN_KEY_FILE'] || join(data, 'vault.key'))
    const made = await ports.backUp({
      data,
      out: resolve(given.out),
      keyFile,
      withKey: given.withKey === true,
      withRecords: given.records === true,
      progress: tellProgress(ports),
    })
    ports.err(
      given.withKey === true
        ? 'warning: the archive holds the key that opens its secrets; keep it like a password.\n'
        : `The key is not in it. To restore it you need ${keyFile}: keep a copy of that elsewhere.\n`,
    )
    if (printData(ports, given.output, made)) return
    ports.out(`${made.file}: ${made.files.join(', ')} at revision ${made.revision}.\n`)
  })
}

/** `postern restore`: a data directory out of such a file. */
export function restoreCommand(ports: CliPorts): Command {
  const command = new Command('restore')
    .description('Make a data directory of an archive that postern backup made')
    .requiredOption('--from <file>', 'The archive')
    .requiredOption('--data <dir>', 'Data directory to make; nothing may run on it')
    .option('--key-file <file>', 'File with its key, which is put into the data directory')
    .option('--force', 'Also where something is there; that is kept beside it')
  return addFormat(command).action(async (given: RestoreGiven) => {
    const made = await ports.restore({
      data: given.data,
      from: resolve(given.from),
      keyFile: given.keyFile ?? null,
      keyFileElsewhere: given.keyFile === undefined ? ports.env['POSTERN_KEY_FILE'] || null : null,
      isForced: given.force === true,
    })
    if (made.before !== null) ports.err(`What was there is now ${made.before}.\n`)
    if (printData(ports, given.output, made)) return
    ports.out(
      `${made.data} is as it was at ${printable(made.created_at)}, at revision ${made.revision}. Start it with: postern up --data ${made.data}\n`,
    )
  })
}

/** Tells how far it is in steps of a quarter, so that a log of it stays short. */
function tellProgress(ports: CliPorts): (what: string, part: number) => void {
  const shown = new Map<string, number>()
  return (what, part) => {
    const quarter = Math.floor(part * 4)
    if (quarter === (shown.get(what) ?? 0) || quarter === 0) return
    shown.set(what, quarter)
    ports.err(`Copying ${what}: ${quarter * 25} %\n`)
  }
}

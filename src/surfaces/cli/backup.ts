import { join, resolve } from 'node:path'
import { Command } from 'commander'
import { printable } from '../../base/text/visible.ts'
import { addFormat, type Format } from './common-flags.ts'
import { dataDirOf } from './connect.ts'
import type { CliPorts } from './ports.ts'
import { printData, quarters } from './print.ts'

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
    .description('Back up configuration and audit log to one archive, also while the instance runs')
    .requiredOption('--out <file>', 'Archive to create, such as postern-2026-01-31.tar')
    .option('--data <dir>', 'Data directory (POSTERN_DATA)')
    .option('--records', 'Include request records and quota counters')
    .option('--with-key', 'Include the encryption key. Protect the archive like a password')
    .option(
      '--key-file <file>',
      'Path of the encryption key. Default: in the data directory (POSTERN_KEY_FILE)',
    )
  return addFormat(command).action(async (given: BackupGiven) => {
    const data = dataDirOf(ports, given)
    const keyFile = given.keyFile ?? (ports.env['POSTERN_KEY_FILE'] || join(data, 'vault.key'))
    const made = await ports.backUp({
      data,
      out: resolve(given.out),
      keyFile,
      withKey: given.withKey === true,
      withRecords: given.records === true,
      progress: quarters((what, percent) => ports.err(`Copying ${what}: ${percent} %\n`)),
    })
    ports.err(
      given.withKey === true
        ? 'warning: the archive contains the key that decrypts its secrets. Protect the archive like a password.\n'
        : `The archive does not contain the encryption key. To restore the archive, you need ${keyFile}: keep a copy of this file elsewhere.\n`,
    )
    if (printData(ports, given.output, made)) return
    ports.out(`${made.file}: ${made.files.join(', ')} at revision ${made.revision}.\n`)
  })
}

/** `postern restore`: a data directory out of such a file. */
export function restoreCommand(ports: CliPorts): Command {
  const command = new Command('restore')
    .description('Restore a data directory from an archive of `postern backup`')
    .requiredOption('--from <file>', 'Archive to restore')
    .requiredOption('--data <dir>', 'Data directory to create; no instance may use it')
    .option('--key-file <file>', 'File with the encryption key, which is copied to the data directory')
    .option('--force', 'Also restore to a non-empty directory; its content is moved aside')
  return addFormat(command).action(async (given: RestoreGiven) => {
    const made = await ports.restore({
      data: given.data,
      from: resolve(given.from),
      keyFile: given.keyFile ?? null,
      keyFileElsewhere: given.keyFile === undefined ? ports.env['POSTERN_KEY_FILE'] || null : null,
      isForced: given.force === true,
    })
    if (made.before !== null) ports.err(`The previous content is now in ${made.before}.\n`)
    if (printData(ports, given.output, made)) return
    ports.out(
      `Restored ${made.data} to its state of ${printable(made.created_at)}, at revision ${made.revision}. Start it ${ports.env['POSTERN_DATABASE_URL'] ? 'without POSTERN_DATABASE_URL' : 'with'}: postern up --data ${made.data}\n`,
    )
  })
}

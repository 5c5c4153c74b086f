import { Command, Option } from 'commander'
import { FORMATS, type Format } from './common-flags.ts'
import { dataDirOf } from './connect.ts'
import { askLocal } from './local.ts'
import type { CliPorts, SetUpLink } from './ports.ts'
import { printData } from './print.ts'

interface Given {
  readonly user?: string
  readonly data?: string
  readonly output: Format
}

/** `postern admin reset`: a way in for people with nothing but the data directory. The link alone goes to standard output. */
export function adminResetCommand(ports: CliPorts): Command {
  return new Command('reset')
    .description(
      'Print a link with which you set up an administrator, or a local user sets a new password. Requires the data directory, and is audited',
    )
    .option('--user <name>', 'Slug or email of the local user. Default: a new administrator')
    .option('--data <dir>', 'Data directory (POSTERN_DATA)')
    .addOption(new Option('-o, --output <format>', 'Output format').choices(FORMATS).default('table'))
    .action(async (given: Given) => {
      const request = { user: given.user ?? null }
      const dataDir = dataDirOf(ports, given)
      const answer = await askLocal(dataDir, 'POST', '/admin/reset', request)
      const link = answer === null ? await ports.resetOffline(dataDir, request) : toLink(answer)
      if (printData(ports, given.output, link)) return
      ports.out(`${link.url}\n`)
      ports.err(`The link works once, until ${link.expires_at}.\n`)
    })
}

function toLink({ url, expires_at }: Readonly<Record<string, unknown>>): SetUpLink {
  if (typeof url === 'string' && typeof expires_at === 'string') return { url, expires_at }
  throw new Error('The running process did not create a link.')
}

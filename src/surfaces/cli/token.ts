import { Command, Option } from 'commander'
import { DURATION_PATTERN } from '../../base/clock.ts'
import { ROLES } from '../../model/access/access.ts'
import { FORMATS, type Format } from './common-flags.ts'
import { dataDirOf } from './connect.ts'
import { UsageError } from './exit.ts'
import { askLocal } from './local.ts'
import type { CliPorts, IssuedToken, TokenRequest } from './ports.ts'
import { printData } from './print.ts'

interface Given {
  readonly role?: string
  readonly grant?: readonly string[]
  readonly ttl: string
  readonly name: string
  readonly data?: string
  readonly output: Format
}

/** `postern token`: a way in with nothing but the data directory. The token alone goes to standard output. */
export function tokenCommand(ports: CliPorts): Command {
  return new Command('token')
    .description('Print an access token for the management API; requires the data directory and is audited')
    .addOption(
      new Option('--role <role>', 'Role of the token, for all resources (default: viewer)').choices(ROLES),
    )
    .addOption(
      new Option('--grant <grant...>', 'A role and its scope, such as modifier:proxies@payments').conflicts(
        'role',
      ),
    )
    .option('--ttl <duration>', 'Lifetime, at most 24h, such as 15m', '15m')
    .option('--name <name>', 'Actor name in the audit log', 'postern token')
    .option('--data <dir>', 'Data directory (POSTERN_DATA)')
    .addOption(new Option('-o, --output <format>', 'Output format').choices(FORMATS).default('table'))
    .action(async (given: Given) => {
      if (!DURATION_PATTERN.test(given.ttl)) throw new UsageError('--ttl is a duration such as 15m or 24h.')
      const { grant, role = 'viewer', ttl, name } = given
      const request = { ...(grant === undefined ? { role } : { grants: grant }), ttl, name }
      const issued = await issue(ports, dataDirOf(ports, given), request)
      if (printData(ports, given.output, issued)) return
      ports.out(`${issued.token}\n`)
      ports.err(`May act as ${(grant ?? [role]).join(' and ')}, until ${issued.expires_at}.\n`)
    })
}

async function issue(ports: CliPorts, dataDir: string, request: TokenRequest): Promise<IssuedToken> {
  try {
    const answer = await askLocal(dataDir, 'POST', '/token', request)
    return answer === null ? await ports.issueOffline(dataDir, request) : toIssued(answer)
  } catch (error) {
    // What is refused is named as a member of the request; each of them is a flag here
    const [, flag, reason] =
      /^\/(ttl|name|role|grant)s?(?:\/\d+)?: (.*)$/s.exec((error as Error).message) ?? []
    throw flag === undefined ? error : new UsageError(`--${flag}: ${reason}`)
  }
}

function toIssued(answer: Readonly<Record<string, unknown>>): IssuedToken {
  const { token, expires_at } = answer
  if (typeof token === 'string' && typeof expires_at === 'string') return { token, expires_at }
  throw new Error('The running process did not issue a token.')
}

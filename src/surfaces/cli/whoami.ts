import { Command } from 'commander'
import { isPlain } from '../../base/json/storable.ts'
import { printable } from '../../base/text/visible.ts'
import type { Operation } from '../../operations/engine/define.ts'
import { addCommonFlags, type Format } from './common-flags.ts'
import { clientOf, findTarget, type Where } from './connect.ts'
import type { CliPorts } from './ports.ts'
import { printData } from './print.ts'

interface Given extends Where {
  readonly output: Format
  readonly operations?: true
}

/** `postern whoami`: whom commands act as, where, and what that may do. */
export function whoamiCommand(ports: CliPorts, operation: Operation): Command {
  const command = new Command('whoami').description(operation.summary)
  command.option('--operations', 'Also list the operations that you may call')
  return addCommonFlags(command).action(async (given: Given) => {
    const target = await findTarget(ports, given)
    const { url, context } = target
    const client = await clientOf(ports, target)
    const { body } = await client.call(operation, given.operations === true ? { operations: true } : {})
    if (printData(ports, given.output, { ...body, url, context })) return
    ports.out(identityText(body, url, context))
  })
}

type Members = Readonly<Record<string, unknown>>

function identityText(body: Members, url: string, context: string | null): string {
  const text = (name: string): string | null =>
    typeof body[name] === 'string' ? printable(body[name]) : null
  const words = (name: string): string[] =>
    Array.isArray(body[name]) ? body[name].map((one) => printable(String(one))) : []
  const grants = (name: string): string[] =>
    Array.isArray(body[name]) ? (body[name] as Members[]).map((grant) => printable(called(grant))) : []
  const about = [text('type'), text('email')].filter((one) => one !== null).join(', ')
  const until = text('expires_at') === null ? '' : `, until ${text('expires_at')}`
  const lines = [
    `${text('name')} (${about}) at ${printable(url)}${context === null ? '' : `, context ${context}`}`,
    ...(environmentOf(body) === null ? [] : [`environment ${environmentOf(body)}`]),
    `authenticated by ${text('auth_method')}${until}`,
    ...(text('issuer') === null ? [] : [`identity provider ${text('issuer')}`]),
    ...(words('teams').length > 0 ? [`in the teams ${words('teams').join(', ')}`] : []),
    `may act as ${grants('grants').join(' and ') || 'nobody: no grant'}`,
    ...(words('operations').length > 0
      ? ['may call', ...words('operations').map((name) => `  ${name}`)]
      : []),
    ...(grants('narrowed_from').length > 0 ? [`limited from ${grants('narrowed_from').join(' and ')}`] : []),
  ]
  return `${lines.join('\n')}\n`
}

function environmentOf({ instance }: Members): string | null {
  const { environment } = isPlain(instance) ? instance : {}
  return typeof environment === 'string' ? printable(environment) : null
}

/** A grant as it is written. One without a role, which a narrower token has, tells how many permissions it holds. */
function called({ grant, role, permissions }: Members): string {
  return role === null && Array.isArray(permissions)
    ? `${permissions.length} ${String(grant)}`
    : String(grant)
}

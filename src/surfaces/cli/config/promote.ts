import { Command } from 'commander'
import { isPlain } from '../../../base/json/plain.ts'
import { printable } from '../../../base/text/visible.ts'
import { Exported } from '../../../operations/config/schemas.ts'
import type { Variables } from '../../../operations/config/variables.ts'
import type { Client } from '../../client/client.ts'
import { addCommonFlags } from '../common-flags.ts'
import { connect } from '../connect.ts'
import { UsageError } from '../exit.ts'
import type { CliPorts } from '../ports.ts'
import { type ConfigOperations, type Given, many, planned } from './planned.ts'
import { readVariables } from './variables.ts'

interface Promoted extends Given {
  readonly from: string
  readonly to: string
  readonly fromVar?: readonly string[]
  readonly fromVarFile?: readonly string[]
}

/** `postern promote`: what one instance has is planned and applied on another, with the values of there. */
export function promoteCommand(ports: CliPorts, operations: ConfigOperations): Command {
  const command = new Command('promote')
    .description(
      'Export from one instance, replace values with those of another instance, then plan and apply there',
    )
    .requiredOption('--from <url>', 'URL or context of the source instance; token in POSTERN_FROM_TOKEN')
    .requiredOption('--to <url>', 'URL or context of the target instance; token in POSTERN_TO_TOKEN')
    .addOption(many('--select <kind/slug>', 'Resources to export. Default: all'))
    .addOption(many('--from-var <name=text>', 'Value in the source instance that a variable replaces'))
    .addOption(many('--from-var-file <file>', 'File of these values, YAML or JSON'))
    .addOption(many('--var <name=text>', 'Value of the variable in the target instance'))
    .addOption(many('--var-file <file>', 'Such values, YAML or JSON'))
    .option(
      '--name, --managed-by <set>',
      'Name of the set of documents in the target instance. --name is an alias',
      'promoted',
    )
    .option(
      '--prune',
      'Also delete resources in the target that the set manages and that the documents no longer contain',
    )
    .option('--take-over', 'Also change resources of another set in the target')
    .option('--plan, --plan-id <id>', 'Apply only if the result is exactly this plan. --plan is an alias')
    .option('--allow-deletes <n>', 'Number of deletions to allow, required for many deletions')
    .option('--reason <text>', 'Reason, stored in the audit entries')
    .option('-y, --yes', 'Do not ask for confirmation')
  return addCommonFlags(command).action(async (given: Promoted) => {
    const there = await readVariables(ports, given.fromVarFile ?? [], given.fromVar ?? [])
    const here = await readVariables(ports, given.varFile ?? [], given.var ?? [])
    for (const name of Object.keys(there))
      if (!Object.hasOwn(here, name)) throw new UsageError(`The variable ${name} has no value for --to.`)
    const source = await connectTo(ports, given, given.from, 'POSTERN_FROM_TOKEN')
    const target = await connectTo(ports, given, given.to, 'POSTERN_TO_TOKEN')
    const answer = await source.call(
      operations.export,
      given.select === undefined ? {} : { select: given.select },
    )
    const { documents } = Exported.parse(answer.body)
    const sources = documents.map(({ kind, slug }) => `${printable(kind)}/${printable(slug)}`)
    const input = {
      documents: documents.map((one) => ({ ...one, spec: mapped(one.spec, there) })),
      variables: here,
      managed_by: given.managedBy,
      ...(given.prune === true && { prune: true }),
      ...(given.takeOver === true && { take_over: true }),
    }
    await planned(ports, target, operations, { input, sources }, given)
  })
}

/** A client of one of the two instances, whatever else the environment names. */
function connectTo(ports: CliPorts, { data }: Given, place: string, tokenName: string): Promise<Client> {
  const isUrl = /^https?:\/\//.test(place)
  const token = ports.env[tokenName] || (isUrl ? ports.env['POSTERN_TOKEN'] : undefined)
  const env = { ...ports.env, POSTERN_URL: undefined, POSTERN_CONTEXT: undefined, POSTERN_TOKEN: token }
  return connect({ ...ports, env }, isUrl ? { url: place, data } : { context: place })
}

/** A copy with `${var.NAME}` in the place of each value of a variable, the longest first. */
function mapped(value: unknown, values: Variables): unknown {
  const known = Object.entries(values)
    .filter(([, text]) => text !== '')
    .sort(([, a], [, b]) => String(b).length - String(a).length)
  const map = (item: unknown): unknown => {
    if (Array.isArray(item)) return item.map(map)
    if (isPlain(item)) return Object.fromEntries(Object.entries(item).map(([name, one]) => [name, map(one)]))
    const whole = known.find(([, text]) => text === item)
    if (whole !== undefined) return `\${var.${whole[0]}}`
    if (typeof item !== 'string') return item
    // Each piece is looked at once, so that nothing is put into what was just put in
    return known
      .reduce<readonly (string | { readonly name: string })[]>(
        (pieces, [name, text]) =>
          pieces.flatMap((piece) =>
            typeof piece === 'string' ? between(piece, String(text), { name }) : [piece],
          ),
        [item],
      )
      .map((piece) => (typeof piece === 'string' ? piece : `\${var.${piece.name}}`))
      .join('')
  }
  return map(value)
}

function between<T>(text: string, separator: string, mark: T): (string | T)[] {
  return text.split(separator).flatMap((part, index) => (index === 0 ? [part] : [mark, part]))
}

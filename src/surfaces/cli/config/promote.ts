import { Command } from 'commander'
import { isPlain } from '../../../base/plain.ts'
import { printable } from '../../../base/visible.ts'
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
    .description('Export from one instance, put the values of another in their place, plan and apply there')
    .requiredOption(
      '--from <url>',
      'URL or context that it is taken from; a token of it in POSTERN_FROM_TOKEN',
    )
    .requiredOption('--to <url>', 'URL or context that it goes to; a token of it in POSTERN_TO_TOKEN')
    .addOption(many('--select <kind/slug>', 'What is taken; everything where it is left out'))
    .addOption(many('--from-var <name=text>', 'A text of the first instance that stands for a variable'))
    .addOption(many('--from-var-file <file>', 'Such texts, YAML or JSON'))
    .addOption(many('--var <name=text>', 'The value of the variable at the other instance'))
    .addOption(many('--var-file <file>', 'Such values, YAML or JSON'))
    .option(
      '--name, --managed-by <set>',
      'Name of the set of documents in the target instance. --name is an alias',
      'promoted',
    )
    .option('--prune', 'Also remove there what the set owns and the documents no longer hold')
    .option('--take-over', 'Also change what another set owns there')
    .option('--plan, --plan-id <id>', 'Apply only if the result is exactly this plan. --plan is an alias')
    .option('--allow-deletes <n>', 'Removals that are meant, where they are many')
    .option('--reason <text>', 'Kept in the audit entries')
    .option('-y, --yes', 'Do not ask')
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

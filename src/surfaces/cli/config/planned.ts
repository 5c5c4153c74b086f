import { Option } from 'commander'
import type { z } from 'zod'
import { printable } from '../../../base/text/visible.ts'
import { type DriftItem, type PlanItem, Shown } from '../../../operations/config/schemas.ts'
import type { Operation } from '../../../operations/engine/define.ts'
import type { Warning } from '../../../operations/engine/kind.ts'
import type { DiffEntry, WriteOptions } from '../../../operations/engine/write-options.ts'
import type { Client } from '../../client/client.ts'
import { ProblemError } from '../../client/send.ts'
import { fromText } from '../../fields.ts'
import type { Format } from '../common-flags.ts'
import type { Connected, Where } from '../connect.ts'
import { UsageError } from '../exit.ts'
import { withFlagNames } from '../named-errors.ts'
import type { CliPorts } from '../ports.ts'
import { printAnswer, warningLines } from '../print.ts'
import { diffLines } from '../table.ts'
import { type Source, withFiles, withSources } from './sources.ts'

export interface Given extends Where {
  readonly managedBy?: string
  readonly var?: readonly string[]
  readonly varFile?: readonly string[]
  readonly prune?: boolean
  readonly takeOver?: boolean
  readonly allowDeletes?: string
  readonly planId?: string
  readonly yes?: boolean
  readonly watch?: boolean
  readonly dryRun?: boolean
  readonly detailed?: boolean
  readonly offline?: boolean
  readonly against?: readonly string[]
  readonly select?: readonly string[]
  readonly out?: string
  readonly reason?: string
  readonly output: Format
}

/** Operations on sets of documents. */
export interface ConfigOperations {
  readonly export: Operation
  readonly plan: Operation
  readonly apply: Operation
  readonly diff: Operation
}

/** A flag that may be given several times. */
export function many(flag: string, description: string): Option {
  return new Option(flag, description).argParser((value: string, before: readonly string[] | undefined) => [
    ...(before ?? []),
    value,
  ])
}

/** Calls an operation; failures name files in the place of the numbers of documents. */
export async function ask(
  client: Client,
  operation: Operation,
  input: Record<string, unknown>,
  sources: readonly Source[],
  options: WriteOptions = {},
) {
  try {
    return await client.call(operation, input, options)
  } catch (error) {
    throw withSources(named(error, operation), sources)
  }
}

/** The same refusal with flags in the place of members of the input. */
function named(error: unknown, operation: Operation): unknown {
  if (!(error instanceof ProblemError)) return error
  const { problem } = error
  // The short name of the flag, as help shows it first
  const detail = withFlagNames(problem.detail, operation).replace(
    'apply as that set (name)',
    'apply as that set (--name)',
  )
  return new ProblemError({ ...problem, detail })
}

/** Resources in a message. */
const NAMED_MAX = 5

/** Which resources an apply takes into its set, and what that means. */
function takenOver({ items }: Pick<Plan, 'items'>, owner: string): string[] {
  const taken = items.filter(
    ({ action, managed_by }) => (action === 'update' || action === 'adopt') && managed_by !== owner,
  )
  return [...Map.groupBy(taken, ({ managed_by }) => managed_by)].flatMap(([set, all]) => {
    const names = all.slice(0, NAMED_MAX).map(({ item }) => printable(item))
    const more = all.length > names.length ? ` and ${all.length - names.length} more` : ''
    const [them, are] = all.length === 1 ? ['it', 'is'] : ['them', 'are']
    const now = set === null ? `${are} not managed by documents` : `${are} managed by "${printable(set)}"`
    const refused = set === null ? '' : ` "${printable(set)}" can no longer change ${them}.`
    return [
      `${names.join(', ')}${more} ${now}. Applying takes ${them} over: "${printable(owner)}" manages ${them} from then on, and --prune deletes ${them} once these documents no longer contain ${them}.${refused}`,
    ]
  })
}

/** What of a description is read differently, a line for each. */
export function tellWarnings(
  ports: CliPorts,
  warnings: readonly Warning[],
  sources: readonly Source[],
): void {
  for (const line of warningLines(warnings)) ports.err(`warning: ${printable(withFiles(line, sources))}\n`)
}

/** How many removals were said to be meant. Throws a usage error for what is no whole number. */
export function deletesOf({ allowDeletes }: Given): { allow_deletes?: number } {
  if (allowDeletes === undefined) return {}
  const count = fromText('integer', allowDeletes)
  if (typeof count !== 'number' || count < 0) throw new UsageError('--allow-deletes must be a whole number.')
  return { allow_deletes: count }
}

/** Plans, shows that, asks, and applies exactly that. */
export async function planned(
  ports: CliPorts,
  client: Connected,
  operations: ConfigOperations,
  { input, sources }: { readonly input: Record<string, unknown>; readonly sources: readonly Source[] },
  given: Given,
): Promise<void> {
  const isTable = given.output === 'table'
  let plan = given.planId
  if (plan === undefined) {
    if (given.yes !== true && !ports.interactive)
      throw new UsageError('Standard input is not a terminal: add --yes, or --plan-id with the id of a plan.')
    const { body } = await ask(client, operations.plan, input, sources)
    const shown = Shown.parse(body)
    plan = String(body['plan_id'])
    tellWarnings(ports, shown.warnings, sources)
    if (isTable) ports.out(planText(shown))
    for (const line of takenOver(shown, String(input['managed_by']))) ports.err(`${line}\n`)
    if (given.yes !== true && shown.items.length > 0) {
      if (!isTable) ports.err(planText(shown))
      const typed = await ports.ask(`Apply this to ${printable(client.place)}? Type yes: `)
      if (typed.trim() !== 'yes') throw new UsageError('Not confirmed. Nothing was changed.')
    }
  }
  const { body } = await ask(
    client,
    operations.apply,
    { ...input, ...deletesOf(given), plan_id: plan },
    sources,
    given.reason === undefined ? {} : { reason: given.reason },
  )
  if (!isTable) return printAnswer(ports, given.output, body, operations.apply.columns)
  const [created, updated, adopted, removed, unchanged] = [
    ...['create', 'update', 'adopt', 'remove', 'unchanged'],
  ].map((name) => Number(body[name]))
  ports.out(
    `Applied at revision ${Number(body['config_revision'])}: ${created} created, ${updated} updated, ${adopted} adopted, ${removed} removed, ${unchanged} unchanged.\n`,
  )
}

interface Plan {
  readonly create: number
  readonly update: number
  readonly adopt: number
  readonly remove: number
  readonly unchanged: number
  readonly items: readonly z.output<typeof PlanItem>[]
  readonly drift: readonly z.output<typeof DriftItem>[]
}

const MARKS = { create: '+', update: '~', adopt: '>', remove: '-' } as const
const SIDES = {
  documents: '',
  instance: '  (changed in the instance)',
  both: '  (changed in the documents and in the instance)',
} as const

/** A plan for people: a line for each resource, and for each member that changes. */
export function planText(plan: Plan): string {
  const lines = plan.items.flatMap(({ action, item, side, managed_by, diff }) => {
    const from = action === 'adopt' && managed_by !== null ? `  (from ${printable(managed_by)})` : ''
    const head = `${MARKS[action]} ${printable(item)}${side === null ? '' : SIDES[side]}${from}`
    // Of what is made or removed the name says enough
    return action === 'update' ? [head, ...indented(diff)] : [head]
  })
  if (plan.drift.length > 0) lines.push('', 'Changed in the instance since the documents were applied:')
  for (const { item, diff } of plan.drift) lines.push(`! ${printable(item)}`, ...indented(diff))
  if (lines.length > 0) lines.push('')
  return `${[...lines, summaryOf(plan)].join('\n')}\n`
}

function indented(diff: z.output<typeof PlanItem>['diff']): string[] {
  // What the server answers has the members of the entries that it is made of
  return diffLines(diff as readonly DiffEntry[]).map((line) => `    ${line}`)
}

function summaryOf({ create, update, adopt, remove, unchanged }: Plan): string {
  return `${create} to create, ${update} to update, ${adopt} to adopt, ${remove} to remove, ${unchanged} unchanged.`
}

/** What a comparison says that found no difference. */
export function inStepText(plan: Plan, isAgainstDocuments: boolean): string {
  const { length } = plan.items
  const managed =
    length === 0
      ? ''
      : `${length} ${length === 1 ? 'is' : 'are'} not managed by this set yet; an apply takes ${length === 1 ? 'it' : 'them'} over.\n`
  const both = isAgainstDocuments ? 'The two sets of documents' : 'The documents and the instance'
  return `${summaryOf(plan)}\n${both} match.\n${managed}`
}

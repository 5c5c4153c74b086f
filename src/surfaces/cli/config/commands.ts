import { Command } from 'commander'
import { printable } from '../../../base/text/visible.ts'
import { kindCalled } from '../../../operations/config/address.ts'
import { toDesired } from '../../../operations/config/desired.ts'
import { readDocuments } from '../../../operations/config/read-documents.ts'
import { Exported, Shown } from '../../../operations/config/schemas.ts'
import type { Variables } from '../../../operations/config/variables.ts'
import type { Operation } from '../../../operations/engine/define.ts'
import { parentRef } from '../../../operations/engine/refs.ts'
import { addCommonFlags } from '../common-flags.ts'
import { connect } from '../connect.ts'
import { EXIT, Failed, UsageError } from '../exit.ts'
import { readText } from '../flags.ts'
import type { CliPorts } from '../ports.ts'
import { printData, printDiff } from '../print.ts'
import { toJsonText, toYamlText } from '../structured-text.ts'
import { readFiles, setNameOf, toYaml, writeFiles } from './files.ts'
import { planText } from './plan-text.ts'
import { ask, type ConfigOperations, deletesOf, type Given, many, planned, tellWarnings } from './planned.ts'
import { promoteCommand } from './promote.ts'
import { type ReadonlyDocuments, withSources } from './sources.ts'
import { readVariables } from './variables.ts'
import { applyOnChange } from './watch.ts'

/** `export`, `plan`, `apply`, `diff`, `validate` and `promote`; none where their operations are not there. */
export function configCommands(ports: CliPorts): readonly Command[] {
  const find = (action: string): Operation | undefined =>
    ports.operations.find((one) => one.resource === 'config' && one.action === action)
  const [exporting, plan, apply, diff] = ['export', 'plan', 'apply', 'diff'].map(find)
  if (exporting === undefined || plan === undefined || apply === undefined || diff === undefined) return []
  const operations: ConfigOperations = { export: exporting, plan, apply, diff }
  return [
    exportCommand(ports, operations),
    planCommand(ports, operations),
    applyCommand(ports, operations),
    diffCommand(ports, operations),
    validateCommand(ports, operations),
    promoteCommand(ports, operations),
    ...[find('convert')].flatMap((convert) => (convert === undefined ? [] : convertCommand(ports, convert))),
  ]
}

const FILES = 'Files of YAML or JSON, directories of them, or - for standard input'

function addManner(command: Command): Command {
  return command
    .argument('<files...>', FILES)
    .option(
      '--name, --managed-by <set>',
      'Name of the set of documents. Default: the name of the only file or directory. --name is an alias',
    )
    .addOption(many('--var <name=text>', 'Value of a variable; NAME:=10 for a number or a boolean'))
    .addOption(many('--var-file <file>', 'Values of variables, YAML or JSON'))
    .option('--prune', 'Also delete resources that the set manages and that the documents no longer contain')
    .option('--take-over', 'Also change resources of another set')
}

interface Taken extends ReadonlyDocuments {
  readonly input: Record<string, unknown>
  readonly variables: Variables
}

async function take(ports: CliPorts, files: readonly string[], given: Given): Promise<Taken> {
  const read = await readFiles(ports, files)
  const variables = await readVariables(ports, given.varFile ?? [], given.var ?? [])
  const input = {
    documents: read.documents,
    variables,
    managed_by: given.managedBy ?? setNameOf(files),
    ...(given.prune === true && { prune: true }),
    ...(given.takeOver === true && { take_over: true }),
  }
  if (read.documents.length > PROGRESS) ports.err(`${read.documents.length} documents ...\n`)
  return { ...read, input, variables }
}

/** From so many documents on it takes long enough to say that something happens. */
const PROGRESS = 500

function exportCommand(ports: CliPorts, operations: ConfigOperations): Command {
  const command = new Command('export')
    .description(operations.export.summary)
    .addOption(
      many(
        '--select <kind/slug>',
        'Such as collection/orders or policy; with what lies below. Repeat for more',
      ),
    )
    .option(
      '--name, --managed-by <set>',
      'Only the resources that this set of documents owns. --name is an alias',
    )
    .option('--out <dir>', 'Write a file for each document into the directory')
  return addCommonFlags(command).action(async (given: Given) => {
    const client = await connect(ports, given)
    const input = {
      ...(given.select !== undefined && { select: given.select }),
      ...(given.managedBy !== undefined && { managed_by: given.managedBy }),
    }
    const { documents, set_elsewhere } = Exported.parse((await client.call(operations.export, input)).body)
    for (const { item, field } of set_elsewhere)
      ports.err(`${printable(item)}: the secret ${printable(field)} is stored there alone, and left out.\n`)
    if (given.out !== undefined) {
      writeFiles(given.out, documents, ({ kind, spec }) => parentOf(kind, spec))
      ports.err(`${documents.length} documents written to ${given.out}.\n`)
    } else if (given.output === 'json') ports.out(toJsonText(documents))
    else ports.out(toYaml(documents))
  })
}

function convertCommand(ports: CliPorts, operation: Operation): Command {
  const command = new Command('convert')
    .description(`${operation.summary}. Ends with 3 where something is left out or a draft`)
    .argument('<file>', 'YAML or JSON; - is standard input')
    .option('--servers <what>', 'What MCP servers become: origins (default) or collections')
    .addOption(
      many('--value <name=text>', 'Value of a variable of a registry entry. Repeat for more; no secrets'),
    )
  return addCommonFlags(command).action(
    async (file: string, given: Given & { readonly servers?: string; readonly value?: string[] }) => {
      const values = valuesIn(given.value ?? [])
      const document = await readText(ports, file)
      const client = await connect(ports, given)
      const { servers } = given
      const { body } = await client.call(operation, {
        document,
        ...(servers === undefined ? {} : { servers }),
        ...(Object.keys(values).length === 0 ? {} : { values }),
      })
      const documents = Exported.shape.documents.parse(body['documents'])
      for (const note of body['notes'] as readonly string[]) ports.err(`${printable(note)}\n`)
      const runner = body['runner'] as Readonly<Record<string, unknown>>
      if (Object.keys(runner).length > 0)
        ports.err(`For the file of postern runner:\n${toYamlText({ entries: runner }, 0)}`)
      ports.out(given.output === 'json' ? toJsonText(documents) : toYaml(documents))
      if (body['exact'] !== true) throw new Failed(EXIT.inexact)
    },
  )
}

/** `name=text` of each; a text may have further equals signs. */
function valuesIn(given: readonly string[]): Readonly<Record<string, string>> {
  return Object.fromEntries(
    given.map((one) => {
      const at = one.indexOf('=')
      if (at < 1) throw new UsageError('--value takes a name and a text: --value tenant=acme')
      return [one.slice(0, at), one.slice(at + 1)]
    }),
  )
}

/** The slug of what a document belongs to. */
function parentOf(word: string, spec: Readonly<Record<string, unknown>>): string | null {
  const kind = kindCalled(word)
  return kind === undefined ? null : parentRef(kind, spec)
}

function planCommand(ports: CliPorts, operations: ConfigOperations): Command {
  const command = addManner(new Command('plan').description(operations.plan.summary)).option(
    '--detailed',
    'Exit with code 3 if something would change',
  )
  return addCommonFlags(command).action(async (files: string[], given: Given) => {
    const { input, sources } = await take(ports, files, given)
    const client = await connect(ports, given)
    const { body } = await ask(client, operations.plan, input, sources)
    if (!printData(ports, given.output, body)) {
      tellWarnings(ports, Shown.parse(body).warnings, sources)
      ports.out(planText(Shown.parse(body)))
      ports.err(`Plan ${printable(String(body['plan_id']))}\n`)
    }
    if (given.detailed === true && Shown.parse(body).items.length > 0) throw new Failed(EXIT.drift)
  })
}

function diffCommand(ports: CliPorts, operations: ConfigOperations): Command {
  const command = addManner(
    new Command('diff').description(`${operations.diff.summary}; ends with 3 where they differ`),
  ).addOption(many('--against <files>', 'Other documents to compare with, instead of the instance'))
  return addCommonFlags(command).action(async (files: string[], given: Given) => {
    const { input, sources } = await take(ports, files, given)
    const against = given.against === undefined ? null : await readFiles(ports, given.against)
    const client = await connect(ports, given)
    const whole = { ...input, ...(against !== null && { against: against.documents }) }
    const { body } = await ask(client, operations.diff, whole, sources)
    const shown = Shown.parse(body)
    if (!printData(ports, given.output, body)) {
      tellWarnings(ports, shown.warnings, sources)
      ports.out(planText(shown))
    }
    if (shown.items.length > 0) throw new Failed(EXIT.drift)
  })
}

function applyCommand(ports: CliPorts, operations: ConfigOperations): Command {
  const command = addManner(new Command('apply').description(operations.apply.summary))
    .option('--plan, --plan-id <id>', 'Apply only if the result is exactly this plan. --plan is an alias')
    .option('--allow-deletes <n>', 'Number of deletions to allow, required for many deletions')
    .option('--dry-run', 'Run the whole apply in a transaction, print the changes, and roll back')
    .option('--reason <text>', 'Reason, stored in the audit entries')
    .option('-y, --yes', 'Do not ask for confirmation')
    .option('--watch', 'Apply again after each file change until the command is stopped; requires --yes')
  return addCommonFlags(command).action(async (files: string[], given: Given) => {
    const once = async (): Promise<void> => {
      const { input, sources } = await take(ports, files, given)
      const client = await connect(ports, given)
      if (given.dryRun !== true) return planned(ports, client, operations, { input, sources }, given)
      const { body, diff, approvalNeeded } = await ask(
        client,
        operations.apply,
        { ...input, ...deletesOf(given) },
        sources,
        { dryRun: true },
      )
      printDiff(ports, given.output, diff ?? [], body, approvalNeeded)
    }
    if (given.watch !== true) return once()
    if (given.yes !== true) throw new UsageError('--watch asks nobody: add --yes.')
    if (given.planId !== undefined || given.dryRun === true)
      throw new UsageError('--watch applies what changes: leave --plan-id and --dry-run out.')
    await applyOnChange(ports, { paths: [...files, ...(given.varFile ?? [])], format: given.output }, once)
  })
}

function validateCommand(ports: CliPorts, operations: ConfigOperations): Command {
  const command = addManner(
    new Command('validate').description(
      'Validate documents against their schemas and with a dry run of the instance',
    ),
  ).option('--offline', 'Validate without an instance')
  return addCommonFlags(command).action(async (files: string[], given: Given) => {
    const { input, sources, documents, variables } = await take(ports, files, given)
    try {
      const read = await readDocuments(documents, variables)
      tellWarnings(ports, read.warnings, sources)
      await toDesired(read.documents)
    } catch (error) {
      throw withSources(error, sources)
    }
    if (given.offline !== true) {
      const client = await connect(ports, given)
      await ask(client, operations.apply, input, sources, { dryRun: true })
    }
    ports.out(`${documents.length} ${documents.length === 1 ? 'document is' : 'documents are'} valid.\n`)
  })
}

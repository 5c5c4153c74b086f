import { statSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { Command } from 'commander'
import { isPlain } from '../../../base/json/storable.ts'
import { printable } from '../../../base/text/visible.ts'
import { kindCalled } from '../../../operations/config/address.ts'
import { readDocuments, type Variables } from '../../../operations/config/read-documents.ts'
import { Exported, Shown } from '../../../operations/config/schemas.ts'
import { toDesired } from '../../../operations/config/state.ts'
import type { Operation } from '../../../operations/engine/define.ts'
import { parentRef } from '../../../operations/engine/refs.ts'
import { ProblemError, WaitsForApproval } from '../../client/send.ts'
import { addCommonFlags, type Format } from '../common-flags.ts'
import { type Connected, connect } from '../connect.ts'
import { EXIT, Failed, UsageError } from '../exit.ts'
import type { CliPorts } from '../ports.ts'
import { printData, printDiff, printFailure, printWaiting } from '../print.ts'
import { toJsonText } from '../structured-text.ts'
import { convertCommand, importKeysCommand } from './conversion.ts'
import { filesOf, readFiles, setNameOf, toYaml, writeFiles } from './files.ts'
import {
  ask,
  type ConfigOperations,
  deletesOf,
  type Given,
  inStepText,
  many,
  planned,
  planText,
  tellWarnings,
} from './planned.ts'
import { type ReadonlyDocuments, withSources } from './sources.ts'
import { readVariables } from './variables.ts'

/** `export`, `plan`, `apply`, `diff`, `validate`, `promote`, `convert` and `import-keys`; none where their operations are not there. */
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
    ...[find('import_keys')].flatMap((keys) => (keys === undefined ? [] : importKeysCommand(ports, keys))),
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
        'Such as collection/orders or policy; includes everything that belongs to it. Repeat for more',
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
      ports.err(
        `${printable(item)}: the secret ${printable(field)} is stored only in the instance, and is left out.\n`,
      )
    if (given.out !== undefined) {
      writeFiles(given.out, documents, ({ kind, spec }) => parentOf(kind, spec))
      ports.err(`${documents.length} documents written to ${given.out}.\n`)
    } else if (given.output === 'json') ports.out(toJsonText(documents))
    else ports.out(toYaml(documents))
  })
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
    new Command('diff').description(`${operations.diff.summary}; exits with code 3 if they differ`),
  ).addOption(many('--against <files>', 'Other documents to compare with, instead of the instance'))
  return addCommonFlags(command).action(async (files: string[], given: Given) => {
    const { input, sources } = await take(ports, files, given)
    const against = given.against === undefined ? null : await readFiles(ports, given.against)
    const client = await connect(ports, given)
    // A comparison changes nothing, whoever manages what is compared
    const compared = { ...input, take_over: true }
    const whole = { ...compared, ...(against !== null && { against: against.documents }) }
    const { body } = await ask(client, operations.diff, whole, sources)
    const shown = Shown.parse(body)
    // What is managed by another set, or by none, may be as the documents say
    const isInStep = shown.items.every(({ action }) => action === 'adopt')
    if (!printData(ports, given.output, body)) {
      tellWarnings(ports, shown.warnings, sources)
      const isShort = isInStep && shown.drift.length === 0
      ports.out(isShort ? inStepText(shown, against !== null) : planText(shown))
    }
    if (!isInStep) throw new Failed(EXIT.drift)
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
    if (given.yes !== true) throw new UsageError('--watch cannot ask for confirmation: add --yes.')
    if (given.planId !== undefined || given.dryRun === true)
      throw new UsageError('--watch applies each change of the files: leave out --plan-id and --dry-run.')
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

/** Between two looks at the files. What two looks in a row find alike is whole: editors and copies take a moment. */
const LOOK_MS = 500
/** Looks until what failed for another reason than the documents is tried again. */
const LOOKS_TO_RETRY = 20

interface Watched {
  /** Files and directories. */
  readonly paths: readonly string[]
  readonly format: Format
}

/**
 * Applies documents at once, and again whenever one of their files has changed, until the process has to stop. A failure is
 * printed and leaves what was applied before. Files are polled, because not every file system reports changes.
 * Throws a usage error for a path that is not there at first.
 */
async function applyOnChange(
  ports: CliPorts,
  { paths, format }: Watched,
  apply: () => Promise<void>,
): Promise<void> {
  for (const path of paths) {
    if (path === '-') throw new UsageError('Standard input cannot be watched.')
    if (statSync(path, { throwIfNoEntry: false }) === undefined)
      throw new UsageError(`${path}: there is no such file or directory.`)
  }
  const stopped = new AbortController()
  void ports.stopSignal().then(() => stopped.abort())
  let applied: string | null = null
  let seen = stampOf(paths)
  let looksLeft = 0
  while (!stopped.signal.aborted) {
    const now = stampOf(paths)
    if (looksLeft > 0) looksLeft--
    if (now === seen && (now !== applied || looksLeft === 1)) {
      if (applied !== null) ports.err(now === applied ? 'Trying again.\n' : 'Files have changed.\n')
      applied = now
      looksLeft = (await isSettled(ports, format, apply)) ? 0 : LOOKS_TO_RETRY
    }
    seen = now
    // The stop signal also ends the wait
    await delay(LOOK_MS, undefined, { signal: stopped.signal }).catch(() => undefined)
  }
  ports.err('Stopped. Changes that were applied stay.\n')
}

/** Names, sizes and times of all files; those that go while they are looked at are not there. */
function stampOf(paths: readonly string[]): string {
  const stamps = paths.map((path) => {
    try {
      return filesOf(path).map((file) => {
        const { size, mtimeMs, ino } = statSync(file)
        return [file, size, mtimeMs, ino]
      })
    } catch {
      return null
    }
  })
  return JSON.stringify(stamps)
}

/** Applies, and tells a failure. False where trying again may help although the documents are the same. */
async function isSettled(ports: CliPorts, format: Format, apply: () => Promise<void>): Promise<boolean> {
  try {
    await apply()
    return true
  } catch (error) {
    if (error instanceof WaitsForApproval) {
      printWaiting(ports, format, error.body)
      return true
    }
    printFailure(ports, format, error)
    ports.err('Nothing was changed. Still watching for changes.\n')
    if (!(error instanceof ProblemError)) return error instanceof UsageError
    const { status } = error.problem
    return status < 500 && status !== 412 && status !== 429
  }
}

interface Promoted extends Given {
  readonly from: string
  readonly to: string
  readonly fromVar?: readonly string[]
  readonly fromVarFile?: readonly string[]
}

/** `postern promote`: what one instance has is planned and applied on another, with the values of there. */
function promoteCommand(ports: CliPorts, operations: ConfigOperations): Command {
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
    .addOption(many('--var-file <file>', 'File of values in the target instance, YAML or JSON'))
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
    const sources = documents.map(({ kind, slug }) => ({
      name: `${printable(kind)}/${printable(slug)}`,
      lineOf: () => null,
    }))
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
function connectTo(ports: CliPorts, { data }: Given, place: string, tokenName: string): Promise<Connected> {
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

/** The commands of operations: one group for each resource, with a command for each action. */
import { createWriteStream, rmSync } from 'node:fs'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { setTimeout } from 'node:timers/promises'
import { Command, InvalidArgumentError } from 'commander'
import { isPlain } from '../../base/json/storable.ts'
import { printable } from '../../base/text/visible.ts'
import { inWords } from '../../model/resource-types.ts'
import type { Operation } from '../../operations/engine/define.ts'
import { SHOWN_ONCE, type WriteOptions } from '../../operations/engine/write-options.ts'
import type { Client } from '../client/client.ts'
import { type Field, fieldsOf } from '../fields.ts'
import { nameOf, needsConfirmation } from '../route.ts'
import { mainCommandOf, passToMain } from './aliases.ts'
import { addCommonFlags, type Format, kebab } from './common-flags.ts'
import { type Connected, connect, type Where } from './connect.ts'
import { EXIT, Failed, UsageError } from './exit.ts'
import {
  addFlags,
  checkUrl,
  everyPage,
  flagsOf,
  type Given,
  hasPages,
  readFileFlag,
  readInput,
  readWriteOptions,
  takesId,
} from './flags.ts'
import { withFlags } from './named-errors.ts'
import type { CliPorts } from './ports.ts'
import { hasColour, printAnswer, printData, printDiff } from './print.ts'
import { toTable } from './table.ts'

/**
 * Adds the commands of a resource to its group.
 * @param program has the main commands that some of them are aliases of.
 * @param words The whole command line; null where every command is built with its flags.
 */
export function addOperations(
  group: Command,
  operations: readonly Operation[],
  {
    ports,
    program,
    words,
  }: {
    readonly ports: CliPorts
    readonly program: Command
    readonly words: readonly string[] | null
  },
): void {
  for (const operation of operations) {
    const main = mainCommandOf(operation, program)
    const isNamed = words?.some((word) => word === operation.action || word === kebab(operation.action))
    const command: Command =
      isNamed === false
        ? stubOf(operation)
        : operationCommand(ports, operation, (given) =>
            main === null ? null : passToMain(command, main, given, words ?? []),
          )
    if (main !== null)
      command.description(`Alias of \`postern ${main.path}\`; also takes the members of the request as flags`)
    group.addCommand(command.copyInheritedSettings(group))
    // After the settings of the program, which would forbid both
    if (main !== null) command.allowExcessArguments().allowUnknownOption()
  }
}

/** A command that the command line does not name: its line in the help of the group. Flags take most of the time to build. */
function stubOf(operation: Operation): Command {
  const command = new Command(kebab(operation.action)).description(operation.summary)
  return takesId(operation) ? command.argument('<id>') : command
}

/**
 * The command of an operation, below its resource.
 * @param instead Runs the main command in its place; null where this command runs itself.
 */
function operationCommand(
  ports: CliPorts,
  operation: Operation,
  instead: (given: Given) => Promise<unknown> | null,
): Command {
  const command = new Command(kebab(operation.action)).description(operation.summary)
  if (operation.action.includes('_')) command.alias(operation.action)
  addFlags(command, operation)
  addCommonFlags(command)
  const followed = exportsIn(ports, operation)
  if (operation.content !== undefined) command.requiredOption('--out <file>', 'File to write')
  else if (followed !== null)
    command.option('--out <file>', 'Wait until the export is ready, and write the file')
  if (needsConfirmation(operation)) command.option('-y, --yes', 'Do not ask for confirmation')
  if (hasPages(operation)) command.option('--all', 'Fetch every page')
  const following = ports.operations.find(
    ({ resource, follows }) =>
      resource === operation.resource && follows === true && operation.action === 'list',
  )
  if (following !== undefined)
    command.option(
      '--follow',
      `Wait for new items, like postern ${kebab(following.resource)} ${kebab(following.action)}`,
    )
  if (operation.revealsOnce === true)
    command.option(
      '--secret-only',
      'Print only the secret that is shown once: TOKEN=$(postern ... --secret-only)',
    )
  if (operation.follows === true)
    command.option(
      '-n, --count <number>',
      'Number of items after which the command ends. Default: it runs until Ctrl+C',
      toCount,
    )
  command.addHelpText('after', `\nExample:\n  ${exampleOf(operation)}\n`)
  return command.action(async (...args: unknown[]) => {
    // commander passes the arguments, then the flags, then itself
    const id = args.length === 3 ? String(args[0]) : undefined
    const given = args[args.length - 2] as Given
    const running = instead(given)
    if (running !== null) {
      await running
      return
    }
    checkUrl(operation, given)
    const options = readWriteOptions(operation, given)
    let connected: Promise<Connected> | undefined
    const reach = (): Promise<Connected> => {
      connected ??= connect(ports, given as Where)
      return connected
    }
    const changed = changedBy(ports, operation, id, options, reach)
    const text = await readFileFlag(ports, given)
    if (following !== undefined && given['follow'] === true) {
      const known = await readInput(operation, id, given, { text })
      const input = inputOfFollow(operation, following, known)
      return followItems(ports, await reach(), following, input, given['output'] as Format, null)
    }
    const input = await readInput(operation, id, given, { text, current: changed?.current })
    const client = naming(await reach(), given, text)
    const out = typeof given['out'] === 'string' ? given['out'] : null
    if (operation.content !== undefined && id !== undefined && out !== null)
      return downloadTo(ports, client, operation, id, out)
    if (operation.follows === true) {
      const count = typeof given['count'] === 'number' ? given['count'] : null
      return followItems(ports, client, operation, input, given['output'] as Format, count)
    }
    const confirm = await confirmed(ports, client, operation, id, given, options)
    const { body, diff, approvalNeeded } =
      given['all'] === true && hasPages(operation)
        ? { body: await everyPage(ports, client, operation, input), diff: null, approvalNeeded: [] }
        : await client.call(operation, input, { ...changed?.revision(), ...options, ...confirm })
    const format = given['output'] as Format
    if (diff !== null) return printDiff(ports, format, diff, body, approvalNeeded)
    if (followed !== null && out !== null) {
      const done = await awaitExport(ports, client, followed, String(body['id']), out)
      printAnswer(ports, format, done, followed.get.columns)
      if (done['state'] !== 'ready') throw new Failed(EXIT.error)
      return
    }
    if (given['secretOnly'] === true) return printSecrets(ports, body)
    if (format === 'table' && operation.sentences !== undefined)
      for (const sentence of operation.sentences(body)) ports.out(`${printable(sentence)}\n`)
    else printAnswer(ports, format, body, operation.columns, operation)
    const once = operation.revealsOnce === true ? secretsIn(body) : []
    if (once.length > 0)
      ports.err(`Keep the ${once.map(({ name }) => name).join(' and the ')}: shown only now.\n`)
    if (body['pending'] === true) ports.err(pendingText(body['pending_nodes']))
    if (operation.fails?.(body) === true) throw new Failed(EXIT.error)
  })
}

/** A change that is stored, and not in force everywhere yet. @param nodes names of nodes that have not acknowledged it */
function pendingText(nodes: unknown): string {
  const late = Array.isArray(nodes) ? nodes.map((name) => printable(String(name))).join(', ') : ''
  const where = late === '' ? 'on every gateway thread' : `on these nodes: ${late}. See postern nodes list`
  return `The change is stored, but not yet in force ${where}.\n`
}

/** A client whose refusals name flags and lines of files. Programs, which ask for JSON or YAML, get the pointers as they came. */
function naming(client: Connected, given: Given, text: string | null): Connected {
  if (given['output'] !== 'table') return client
  const call: Client['call'] = (operation, input, options) =>
    client.call(operation, input, options).catch((error: unknown) => {
      // As define() hands it out
      throw withFlags(error, operation as unknown as Operation, { given, text })
    })
  return { ...client, call }
}

/** What an update changes, as it is now. Once it was read, the update holds only for this revision of it. */
function changedBy(
  { operations }: CliPorts,
  { resource, action }: Operation,
  id: string | undefined,
  { mode }: WriteOptions,
  reach: () => Promise<Client>,
) {
  const get = operations.find((one) => one.resource === resource && one.action === 'get')
  if (action !== 'update' || get === undefined) return null
  let revision: unknown
  return {
    current: async (): Promise<Readonly<Record<string, unknown>>> => {
      const { body } = await (await reach()).call(get, id === undefined ? {} : { id })
      revision = body['revision']
      const draft = body['pending_draft']
      return mode === 'draft' && isPlain(draft) ? draft : body
    },
    revision: (): WriteOptions => (typeof revision === 'number' ? { expectedRevision: revision } : {}),
  }
}

function toCount(text: string): number {
  if (!/^[1-9][0-9]{0,8}$/.test(text))
    throw new InvalidArgumentError('It must be a whole number of at least 1.')
  return Number(text)
}

/** What follows an export that the operation begins; null for any other operation. */
function exportsIn({ operations }: CliPorts, { resource, action }: Operation): ExportOperations | null {
  const [get, download] = ['get', 'download'].map((name) =>
    operations.find((one) => one.resource === resource && one.action === name),
  )
  const isBegun = action === 'create' && download?.content !== undefined
  return isBegun && get !== undefined ? { get, download } : null
}

/** Members that are shown once, also of the profiles that a new client came with. */
function secretsIn(
  body: Readonly<Record<string, unknown>>,
): { readonly name: string; readonly value: string }[] {
  return Object.entries(body).flatMap(([name, value]) => {
    if (SHOWN_ONCE.has(name) && typeof value === 'string') return [{ name: inWords(name), value }]
    return name === 'profiles' && Array.isArray(value) ? value.flatMap((profile) => secretsIn(profile)) : []
  })
}

/** Prints nothing else, so that a shell takes it into a variable. */
function printSecrets(ports: CliPorts, body: Readonly<Record<string, unknown>>): void {
  const secrets = secretsIn(body)
  for (const { value } of secrets) ports.out(`${value}\n`)
  if (secrets.length > 0) return
  ports.err(
    'The operation succeeded, but its response contains no secret. Without --secret-only, the response is printed.\n',
  )
  throw new Failed(EXIT.error)
}

/**
 * The confirmation of what cannot be undone: what `--confirm` says; with `--yes` the slug itself; else what the
 * person types. Where nobody can be asked it is refused. A dry run changes nothing, so it asks nobody.
 */
async function confirmed(
  ports: CliPorts,
  client: Connected,
  operation: Operation,
  id: string | undefined,
  given: Given,
  options: WriteOptions,
): Promise<{ confirm?: string }> {
  if (!needsConfirmation(operation) || options.confirm !== undefined || id === undefined) return {}
  const isAsked = given['yes'] !== true && options.dryRun !== true
  if (isAsked && !ports.interactive) {
    const word = hasSlug(ports, operation) ? `with the slug of ${printable(id)}` : printable(id)
    throw new UsageError(
      `This cannot be undone, and there is no terminal for the confirmation: add --confirm ${word}, or --yes.`,
    )
  }
  const slug = await slugOf(ports, client, operation, id)
  if (!isAsked) return { confirm: slug }
  const question = `This cannot be undone. Type ${printable(slug)} to ${operation.action} ${operation.resource} ${printable(id)} at ${printable(client.place)}: `
  const typed = await ports.ask(question)
  if (typed.trim() !== slug) throw new UsageError('Not confirmed. Nothing was changed.')
  return { confirm: slug }
}

/** The slug of what the id names, as the server has it. */
async function slugOf(ports: CliPorts, client: Client, operation: Operation, id: string): Promise<string> {
  const get = getOf(ports, operation)
  if (get === undefined) return id
  const { body } = await client.call(get, { id })
  return typeof body['slug'] === 'string' ? body['slug'] : id
}

/** Resources without a slug, such as revisions and records, are confirmed with the id that was given. */
function hasSlug(ports: CliPorts, operation: Operation): boolean {
  const output = getOf(ports, operation)?.output
  return output !== undefined && Object.hasOwn(output.shape, 'slug')
}

function getOf({ operations }: CliPorts, { resource }: Operation): Operation | undefined {
  return operations.find((one) => one.resource === resource && one.action === 'get')
}

/** The filters of a list for the operation that waits. Throws a usage error for one that it does not have. */
function inputOfFollow(
  list: Operation,
  following: Operation,
  input: Readonly<Record<string, unknown>>,
): Readonly<Record<string, unknown>> {
  const vain = Object.keys(input).find((name) => !Object.hasOwn(following.input.shape, name))
  if (vain === undefined) return input
  throw new UsageError(
    `${flagsOf(list).get(vain) ?? vain} cannot be used with --follow, which shows only new items.`,
  )
}

// Commands that wait for events and print each one, until they are interrupted.

/**
 * Prints each item of an operation that waits: a line of JSON, a YAML document, or a row of a table whose heading stands once.
 *
 * @param input With `wait` 0 the command ends when there is no further item.
 * @param count Items after which the command ends; null to go on until it is interrupted.
 */
async function followItems(
  ports: CliPorts,
  client: Client,
  operation: Operation,
  input: Readonly<Record<string, unknown>>,
  format: Format,
  count: number | null,
): Promise<void> {
  if (format === 'table') ports.err('Waiting for calls. Press Ctrl+C to stop.\n')
  let left = count ?? Number.POSITIVE_INFINITY
  let isFirst = true
  let { cursor } = input
  while (left > 0) {
    const { body } = await client.call(operation, { ...input, ...(cursor !== undefined && { cursor }) })
    cursor = body['next_cursor']
    // As the output schema of an operation that is followed has it
    const items = (body['items'] as readonly Record<string, unknown>[]).slice(0, left)
    left -= items.length
    // With `--wait 0` the command shows what there is, and never asks in a busy loop
    if (input['wait'] === 0 && items.length === 0) left = 0
    if (body['missed'] === true)
      ports.err('Some records are left out because too many arrived at once. List them with --from.\n')
    if (format === 'json') for (const item of items) ports.out(`${JSON.stringify(item)}\n`)
    else if (format !== 'table') for (const item of items) printData(ports, format, [item])
    else if (items.length > 0) {
      const table = toTable(items, operation.columns, hasColour(ports))
      ports.out(isFirst ? table : table.slice(table.indexOf('\n') + 1))
      isFirst = false
    }
  }
}

const FIRST_WAIT_MS = 50
const WAIT_MS_MAX = 2000

/** Operations by which exports are followed. */
interface ExportOperations {
  readonly get: Operation
  readonly download: Operation
}

/** Writes the bytes that an operation answers into a file, which only the user may read. */
async function downloadTo(
  ports: Pick<CliPorts, 'err'>,
  client: Client,
  operation: Operation,
  id: string,
  file: string,
): Promise<void> {
  const bytes = await client.download(operation, { id })
  try {
    // The stream of fetch is that of node:stream/web
    await pipeline(
      Readable.fromWeb(bytes as Parameters<typeof Readable.fromWeb>[0]),
      createWriteStream(file, { mode: 0o600 }),
    )
  } catch (error) {
    rmSync(file, { force: true })
    throw new Error(`${file} could not be written: ${(error as Error).message}.`, { cause: error })
  }
  ports.err(`Written to ${file}.\n`)
}

/** Waits until an export is done, and writes its file where there is one. Gives it as it is then. */
async function awaitExport(
  ports: Pick<CliPorts, 'err'>,
  client: Client,
  { get, download }: ExportOperations,
  id: string,
  file: string,
): Promise<Record<string, unknown>> {
  for (let wait = FIRST_WAIT_MS; ; wait = Math.min(wait * 2, WAIT_MS_MAX)) {
    const { body } = await client.call(get, { id })
    if (body['state'] === 'ready') await downloadTo(ports, client, download, id, file)
    if (body['state'] !== 'queued' && body['state'] !== 'running') return body
    await setTimeout(wait)
  }
}

/** Values that read as one would write them, by the name of the member. */
const SAMPLES: Readonly<Record<string, string>> = {
  name: 'Example',
  slug: 'example',
  base_path: '/orders',
  path: '/v1/orders/{id}',
  methods: 'GET',
  collection: 'orders',
  client: 'acme',
  profile: 'live',
  role: 'viewer',
  method: 'GET',
  reason: "'a new partner'",
}

/** Flags by operation, where the required ones alone are refused or teach too little. */
const FLAGS: Readonly<Record<string, string>> = {
  'guardrails.create': '--file guardrail.json',
  'guardrails.test': `--guardrail mask-cards --sample '{"card":"4111 1111 1111 1111"}' -o json`,
  'proxies.apply_template': '--file parameters.json',
  'records.follow': '--collection orders --status 4xx',
  'workflows.create': '--file workflow.json',
  'workflows.expand_template': `--template canary-routing --parameters '{"path":"/v2"}' -o json`,
  'workflows.nodes': '--type set_node -o json',
  'workflows.start_capture': '--proxy orders:checked --count 1',
  'workflows.run_tests': '--workflow checked-order',
  'workflows.test': `--workflow checked-order --request '{"method":"POST","body":{"order":7}}'`,
  'workflows.test_node': `--type set_node --inputs '{"total":"{{ 6 * 7 }}"}'`,
  'workflows.validate': '--workflow checked-order -o json',
}

/** One command line of an operation, with all that it cannot do without. */
function exampleOf(operation: Operation): string {
  const own = FLAGS[nameOf(operation)]
  if (own !== undefined) return `postern ${kebab(operation.resource)} ${kebab(operation.action)} ${own}`
  const words = ['postern', kebab(operation.resource), kebab(operation.action)]
  if (takesId(operation)) words.push(operation.resource === 'collections' ? 'orders' : '<id>')
  const required = fieldsOf(operation).filter(({ name, required }) => required && name !== 'id')
  for (const field of required) words.push(`--${kebab(field.name)} ${sampleOf(field)}`)
  if (required.length === 0 && operation.action === 'update') words.push(changeOf(operation))
  if (needsConfirmation(operation)) words.push('--dry-run')
  else if (operation.effect === 'read') words.push('-o json')
  return words.join(' ')
}

function changeOf(operation: Operation): string {
  const first = fieldsOf(operation).find(({ name, kind }) => name !== 'id' && kind === 'text')
  return first === undefined ? '--file changes.yaml' : `--${kebab(first.name)} ${sampleOf(first)}`
}

function sampleOf({ name, kind, itemKind, choices }: Field): string {
  const sample = Object.hasOwn(SAMPLES, name) ? SAMPLES[name] : choices[0]
  if (sample !== undefined) return sample
  if (kind === 'json' || itemKind === 'json') return "'{...}'"
  return kind === 'integer' || kind === 'number' ? '1' : `<${kebab(name)}>`
}

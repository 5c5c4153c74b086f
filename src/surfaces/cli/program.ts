import { Command, CommanderError, InvalidArgumentError } from 'commander'
import { printable } from '../../base/text/visible.ts'
import { inWords } from '../../model/resource-types.ts'
import { SHOWN_ONCE } from '../../operations/engine/call.ts'
import type { Operation } from '../../operations/engine/define.ts'
import { WaitsForApproval } from '../client/send.ts'
import { needsConfirmation } from '../route.ts'
import { adminResetCommand } from './admin.ts'
import { mainCommandOf, passToMain } from './aliases.ts'
import { backupCommand, restoreCommand } from './backup.ts'
import { addCommonFlags } from './common-flags.ts'
import { completionCommand, slugsCommand } from './completion.ts'
import { configCommands } from './config/commands.ts'
import { confirmed } from './confirm.ts'
import { connect, type Where } from './connect.ts'
import { contextCommand } from './context.ts'
import { doctorCommand } from './doctor.ts'
import { awaitExport, downloadTo, type ExportOperations } from './download.ts'
import { everyPage, hasPages } from './every-page.ts'
import { exampleOf } from './example.ts'
import { EXIT, Failed, UsageError } from './exit.ts'
import { explainCommand } from './explain.ts'
import { addFlags, checkUrl, type Given, kebab, readInput, readWriteOptions } from './flags.ts'
import { followItems } from './follow.ts'
import { loginCommand, logoutCommand } from './login.ts'
import { mcpCommand } from './mcp.ts'
import { importCommand, reimportCommand } from './openapi.ts'
import type { CliPorts } from './ports.ts'
import { FORMATS, type Format, printAnswer, printDiff, printFailure, printWaiting } from './print.ts'
import { runnerCommand } from './runner.ts'
import { tokenCommand } from './token.ts'
import { whoamiCommand } from './whoami.ts'

/**
 * The whole command line: one command per resource with its operations below, and the few that are more than an
 * operation. Actions set the exit code that {@link runCli} answers.
 * @param words The arguments to parse. Resources that are not among them get no commands, because building the flags takes
 *   most of the time. Absent: every command is built.
 */
export function buildProgram(ports: CliPorts, format: Format = 'table', words?: readonly string[]): Command {
  const program = new Command('postern')
    .description('One self-hosted gateway for apps, partners and AI agents')
    .version(ports.version)
    .showHelpAfterError('Add --help to see what there is.')
    .exitOverride()
    .configureOutput({
      writeOut: ports.out,
      // What is wrong with a command line is printed as data by who runs it
      writeErr: format === 'table' ? ports.err : () => {},
      getOutHasColors: () => false,
    })
  program
    .command('up')
    .description('Start the gateway')
    .argument('[flags...]')
    .usage('[settings]')
    .allowUnknownOption()
    .addHelpText('after', `\n${ports.upHelp}`)
    .action((flags: string[]) => ports.up(flags))
  for (const command of [
    loginCommand(ports),
    logoutCommand(ports),
    contextCommand(ports),
    tokenCommand(ports),
    mcpCommand(ports),
    backupCommand(ports),
    restoreCommand(ports),
    doctorCommand(ports),
    runnerCommand(ports),
    completionCommand(ports, () => buildProgram(ports)),
  ])
    program.addCommand(settle(command, program))
  program
    .command('admin')
    .description('Administrator access through the data directory')
    .addCommand(settle(adminResetCommand(ports), program))
  program.addCommand(settle(slugsCommand(ports), program), { hidden: true })
  const named = (resource: string, action: string): Operation | undefined =>
    ports.operations.find((one) => one.resource === resource && one.action === action)
  const [importing, again] = [named('collections', 'import'), named('collections', 'reimport')]
  if (importing !== undefined) {
    const openapi = program.command('openapi').description('OpenAPI descriptions')
    openapi.addCommand(settle(importCommand(ports, importing), program))
    if (again !== undefined) openapi.addCommand(settle(reimportCommand(ports, again), program))
  }
  const asking = named('whoami', 'show')
  if (asking !== undefined) program.addCommand(settle(whoamiCommand(ports, asking), program))
  const explaining = named('requests', 'explain')
  if (explaining !== undefined) program.addCommand(settle(explainCommand(ports, explaining), program))
  for (const command of configCommands(ports)) program.addCommand(settle(command, program))
  for (const [resource, operations] of Map.groupBy(ports.operations, (operation) => operation.resource)) {
    if (resource === asking?.resource) continue
    const group = program
      .command(resource.replaceAll('_', '-'))
      .aliases(resource.includes('_') ? [resource] : [])
      .description(`Work with ${inWords(resource)}`)
    const isMeant = words === undefined || words.some((word) => word === group.name() || word === resource)
    if (!isMeant) continue
    for (const operation of operations) {
      const main = mainCommandOf(operation, program)
      const command = operationCommand(ports, operation, (given) =>
        main === null ? null : passToMain(command, main, given, words ?? []),
      )
      if (main !== null)
        command.description(
          `Alias of \`postern ${main.path}\`; also takes the members of the request as flags`,
        )
      group.addCommand(settle(command, program))
      // After the settings of the program, which would forbid both
      if (main !== null) command.allowExcessArguments().allowUnknownOption()
    }
  }
  return program
}

/**
 * Runs one command line to its end.
 * @param args Arguments after the program's name.
 * @returns The exit code: 0 ok, 1 error, 2 usage, 3 drift, 4 conflict.
 */
export async function runCli(ports: CliPorts, args: readonly string[]): Promise<number> {
  const format = formatIn(args)
  const words = commonFlagsLast(args)
  try {
    await buildProgram(ports, format, words).parseAsync(words, { from: 'user' })
    return EXIT.ok
  } catch (error) {
    if (error instanceof Failed) return error.exitCode
    if (error instanceof WaitsForApproval) return printWaiting(ports, format, error.body)
    if (!(error instanceof CommanderError)) return printFailure(ports, format, error)
    if (error.exitCode === 0) return EXIT.ok
    // commander has printed what was wrong for people, or the help
    return format === 'table' ? EXIT.usage : printFailure(ports, format, new UsageError(wrongIn(error)))
  }
}

function wrongIn({ code, message }: CommanderError): string {
  if (code === 'commander.help') return 'A command is missing; --help shows those there are.'
  return message.replace(/^error: /, '').replaceAll('\n', ' ')
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
  if (operation.follows === true)
    command.option('-n, --count <number>', 'End after so many items. Default: go on until Ctrl+C', toCount)
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
    const input = await readInput(ports, operation, id, given)
    const options = readWriteOptions(operation, given)
    const client = await connect(ports, given as Where)
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
        : await client.call(operation, input, { ...options, ...confirm })
    const format = given['output'] as Format
    if (diff !== null) return printDiff(ports, format, diff, body, approvalNeeded)
    if (followed !== null && out !== null) {
      const done = await awaitExport(ports, client, followed, String(body['id']), out)
      printAnswer(ports, format, done, followed.get.columns)
      if (done['state'] !== 'ready') throw new Failed(EXIT.error)
      return
    }
    if (format === 'table' && operation.sentences !== undefined)
      for (const sentence of operation.sentences(body)) ports.out(`${printable(sentence)}\n`)
    else printAnswer(ports, format, body, operation.columns, operation)
    const once = operation.revealsOnce === true ? secretsIn(body) : []
    if (once.length > 0) ports.err(`Keep ${once.join(' and ')}: shown only now.\n`)
    if (operation.fails?.(body) === true) throw new Failed(EXIT.error)
  })
}

function toCount(text: string): number {
  if (!/^[1-9][0-9]{0,8}$/.test(text)) throw new InvalidArgumentError('A whole number from 1 on is expected.')
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

/** Where members are that are shown once, also in the profiles that a new client came with. */
function secretsIn(body: Readonly<Record<string, unknown>>, place = ''): string[] {
  return Object.entries(body).flatMap(([name, value]) => {
    if (SHOWN_ONCE.has(name) && typeof value === 'string') return [place + name]
    if (name !== 'profiles' || !Array.isArray(value)) return []
    return value.flatMap((profile, i) => secretsIn(profile, `${place}profiles[${i}].`))
  })
}

/** The flags of every command, which commands understand after their names, may also come before them. */
function commonFlagsLast(args: readonly string[]): string[] {
  let at = 0
  while (/^(-o|--output|--url|--data|--context)$/.test(args[at] ?? '')) at += 2
  return [...args.slice(at), ...args.slice(0, at)]
}

/** A command of its own takes over how the program ends and prints, which commander gives only to those it makes. */
function settle(command: Command, program: Command): Command {
  for (const below of command.commands) settle(below, program)
  return command.copyInheritedSettings(program)
}

/** The format in which a failure is printed, which may come before the flags were read. */
function formatIn(args: readonly string[]): Format {
  const at = args.findIndex((arg) => arg === '-o' || arg === '--output')
  const text =
    at >= 0 ? args[at + 1] : args.find((arg) => /^(-o|--output=)./.test(arg))?.replace(/^(-o|--output=)/, '')
  return FORMATS.find((format) => format === text) ?? 'table'
}

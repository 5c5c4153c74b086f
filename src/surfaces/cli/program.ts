/**
 * The whole command line: one group for each resource with its operations below, and the commands that are more than an operation.
 * A command is loaded only if the command line names it. Actions set the exit code that {@link runCli} answers.
 */
import { Command, CommanderError } from 'commander'
import { inWords } from '../../model/resource-types.ts'
import type { Operation } from '../../operations/engine/define.ts'
import { WaitsForApproval } from '../client/send.ts'
import { mainsOf } from './aliases.ts'
import { type CommandEntry, GROUPS, OWN_COMMANDS, RESOURCE_COMMANDS } from './commands.ts'
import { FORMATS, type Format, kebab } from './common-flags.ts'
import type { Whole } from './completion.ts'
import { EXIT, Failed, UsageError } from './exit.ts'
import type { CliPorts } from './ports.ts'

/** As {@link CliPorts}, with the operations or what loads them: commands that call no instance go without. */
export interface ProgramPorts extends Omit<CliPorts, 'operations'> {
  readonly operations: readonly Operation[] | (() => Promise<readonly Operation[]>)
}

/**
 * Builds the program.
 * @param words The arguments to parse. Commands that are not among them are a name and a line of help. Null: every command
 *   is built with all its flags.
 */
export async function buildProgram(
  ports: ProgramPorts,
  format: Format = 'table',
  words: readonly string[] | null = null,
): Promise<Command> {
  const program = new Command('postern')
    .description('One self-hosted gateway for apps, partners and AI agents')
    .version(ports.version)
    .showHelpAfterError('Add --help to see commands and flags.')
    .commandsGroup('More:')
    .helpCommand('help [command]', 'Print the help of a command')
    .exitOverride()
    .configureHelp({ subcommandTerm })
    .configureOutput({
      writeOut: ports.out,
      // What is wrong with a command line is printed as data by who runs it
      writeErr: format === 'table' ? ports.err : () => {},
      getOutHasColors: () => false,
    })
  const named = words === null ? null : new Set([...words, ...words.flatMap(mainsOf)])
  const isNamed = (name: string): boolean => named?.has(name) !== false
  const whole = async (): Promise<Whole> => ({
    program: await buildProgram(ports, format),
    operations: await operationsOf(ports),
  })
  const local: CliPorts = { ...ports, operations: [] }
  let loaded: Promise<CliPorts> | undefined
  const withOperations = (): Promise<CliPorts> => {
    loaded ??= operationsOf(ports).then((operations) => ({ ...ports, operations }))
    return loaded
  }
  // What is known without loading anything
  const known = Array.isArray(ports.operations) ? (ports.operations as readonly Operation[]) : null
  const commands: [CommandEntry, Command][] = []
  for (const entry of OWN_COMMANDS) {
    const isLoaded = entry.isLocal === true ? isNamed(entry.name) : isNamed(entry.name) || known !== null
    const command = isLoaded
      ? await entry.load(entry.isLocal === true ? local : await withOperations(), whole)
      : new Command(entry.name)
    if (command !== undefined) commands.push([entry, command])
  }
  for (const [entry, command] of commands) addTo(program, entry, command)
  if (named?.has('complete-slugs') === true) {
    const { slugsCommand } = await import('./completion.ts')
    program.addCommand(settle(slugsCommand(await withOperations()), program), { hidden: true })
  }
  for (const entry of resourcesOf(known)) {
    const group = new Command(kebab(entry.name)).description(entry.about)
    if (entry.name.includes('_')) group.alias(entry.name)
    addTo(program, entry, group)
    if (!isNamed(entry.name) && !isNamed(group.name())) continue
    const { addOperations } = await import('./operation-command.ts')
    const { operations } = await withOperations()
    const own = operations.filter(({ resource }) => resource === entry.name)
    addOperations(group, own, { ports: await withOperations(), program, words })
  }
  return program
}

/** Below a heading of the help. */
function addTo(program: Command, { group, about }: CommandEntry, command: Command): void {
  program.addCommand(settle(command.summary(about).helpGroup(group), program))
}

async function operationsOf({ operations }: ProgramPorts): Promise<readonly Operation[]> {
  return typeof operations === 'function' ? operations() : operations
}

/** The groups of resources: all of the API, or those of the operations that are known. */
function resourcesOf(known: readonly Operation[] | null): readonly CommandEntry[] {
  if (known === null) return RESOURCE_COMMANDS
  const resources = new Set(known.map(({ resource }) => resource))
  resources.delete('whoami')
  const listed = RESOURCE_COMMANDS.filter(({ name }) => resources.delete(name))
  const others = [...resources].map((name) => ({
    name,
    group: GROUPS.at(-1)!,
    about: `Work with ${inWords(name)}`,
  }))
  return [...listed, ...others]
}

/** Names alone, and what an action is done to: one line for each command. */
function subcommandTerm(command: Command): string {
  const given = command.registeredArguments.map((one) =>
    one.required ? `<${one.name()}>` : `[${one.name()}]`,
  )
  return command.parent?.parent === null ? command.name() : [command.name(), ...given].join(' ')
}

/**
 * Runs one command line to its end.
 * @param args Arguments after the program's name.
 * @returns The exit code: 0 ok, 1 error, 2 usage, 3 drift, 4 conflict.
 */
export async function runCli(ports: ProgramPorts, args: readonly string[]): Promise<number> {
  const format = formatIn(args)
  const words = commonFlagsLast(args)
  try {
    const program = await buildProgram(ports, format, words)
    await program.parseAsync(words, { from: 'user' })
    return EXIT.ok
  } catch (error) {
    if (error instanceof Failed) return error.exitCode
    const isCommandLine = error instanceof CommanderError
    if (isCommandLine && error.exitCode === 0) return EXIT.ok
    // commander has printed what was wrong for people, or the help
    if (isCommandLine && format === 'table') return EXIT.usage
    const { printFailure, printWaiting } = await import('./print.ts')
    if (error instanceof WaitsForApproval) return printWaiting(ports, format, error.body)
    return printFailure(ports, format, isCommandLine ? new UsageError(wrongIn(error)) : error)
  }
}

function wrongIn({ code, message }: CommanderError): string {
  if (code === 'commander.help') return 'A command is missing; --help lists the commands.'
  return message.replace(/^error: /, '').replaceAll('\n', ' ')
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

import type { Command } from 'commander'
import type { Operation } from '../../operations/engine/define.ts'
import { kebab } from './common-flags.ts'
import type { Given } from './flags.ts'

/** Operations that have a command of their own besides the generated one: the path of that main command. */
const MAIN_COMMANDS: Readonly<Record<string, string>> = {
  'config.plan': 'plan',
  'config.apply': 'apply',
  'config.export': 'export',
  'config.diff': 'diff',
  'config.convert': 'convert',
  'config.import_keys': 'import-keys',
  'requests.explain': 'explain',
  'collections.import': 'openapi import',
  'collections.reimport': 'openapi reimport',
}

/** The words of the command that runs an operation, without `postern`. */
export function commandOf({ resource, action }: Operation): string {
  if (resource === 'whoami') return 'whoami'
  return MAIN_COMMANDS[`${resource}.${action}`] ?? `${kebab(resource)} ${kebab(action)}`
}

/** The main commands of the operations of a resource: the first word of each. */
export function mainsOf(resource: string): string[] {
  const prefix = `${resource.replaceAll('-', '_')}.`
  return Object.entries(MAIN_COMMANDS).flatMap(([name, path]) =>
    name.startsWith(prefix) ? [path.split(' ')[0]!] : [],
  )
}

interface MainCommand {
  readonly path: string
  readonly command: Command
}

/** The main command of an operation; null if the generated command is the only one. */
export function mainCommandOf({ resource, action }: Operation, program: Command): MainCommand | null {
  const path = MAIN_COMMANDS[`${resource}.${action}`]
  if (path === undefined) return null
  let command: Command | undefined = program
  for (const word of path.split(' ')) command = command?.commands.find((one) => one.name() === word)
  return command === undefined ? null : { path, command }
}

/**
 * Runs the main command if an alias was called with arguments or flags that only the main command has, such as files.
 * Returns null if the alias was called with the members of the request as flags, which it handles itself.
 * @param words The whole command line: resource, action and what follows.
 */
export function passToMain(
  alias: Command,
  main: MainCommand,
  given: Given,
  words: readonly string[],
): Promise<unknown> | null {
  const isKnown = (flag: string): boolean =>
    main.command.options.some((option) => option.attributeName() === flag)
  const isForMain =
    alias.args.length > alias.registeredArguments.length ||
    (given['output'] === 'table' && Object.keys(given).every(isKnown))
  return isForMain ? main.command.parseAsync(words.slice(2), { from: 'user' }) : null
}

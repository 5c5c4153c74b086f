/** Flags that many commands have. Commands that call no instance load this module, so it imports no schema. */
import { type Command, Option } from 'commander'

export const FORMATS = ['table', 'json', 'yaml'] as const
export type Format = (typeof FORMATS)[number]

/** Flags of every command that calls: how to print, and whom to ask. */
export function addCommonFlags(command: Command): Command {
  return addPlace(addFormat(command))
}

/** The flag of how answers are printed. */
export function addFormat(command: Command): Command {
  return command.addOption(
    new Option('-o, --output <format>', 'Output format').choices(FORMATS).default('table'),
  )
}

/** The flags of where the management API is. */
export function addPlace(command: Command): Command {
  return command
    .option('--context <name>', 'Context to use (POSTERN_CONTEXT)')
    .option('--url <url>', 'URL of the instance (POSTERN_URL)')
    .option('--data <dir>', 'Data directory of the running instance (POSTERN_DATA)')
}

/** Collects the values of a flag that may be given several times. */
export function repeated(value: string, before: readonly string[] | undefined): string[] {
  return [...(before ?? []), value]
}

/** A name of the API as commands and flags spell it. */
export function kebab(name: string): string {
  return name.replaceAll('_', '-')
}

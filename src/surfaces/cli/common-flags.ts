import { type Command, Option } from 'commander'
import { FORMATS } from './print.ts'

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

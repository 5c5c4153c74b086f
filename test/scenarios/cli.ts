import { OPERATIONS } from '../../src/operations/registry.ts'
import type { CliPorts } from '../../src/surfaces/cli/ports.ts'
import { runCli } from '../../src/surfaces/cli/program.ts'
import { cliPorts } from '../support/cli-ports.ts'

/** Runs a command line beside a data directory, without a token of its own. */
export async function runCommand(
  data: string,
  args: readonly string[],
  own: Partial<CliPorts> = {},
): Promise<{ readonly code: number; readonly out: string; readonly err: string }> {
  const ports = cliPorts({ operations: OPERATIONS, env: { POSTERN_DATA: data }, ...own })
  const code = await runCli(ports, args)
  return { code, ...ports.printed }
}

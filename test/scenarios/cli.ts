import { OPERATIONS } from '../../src/operations/registry.ts'
import { runCli } from '../../src/surfaces/cli/program.ts'

/** Runs a command line beside a data directory, without a token of its own unless `env` has one. */
export async function runCommand(
  data: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<{ readonly code: number; readonly out: string; readonly err: string }> {
  const printed = { out: '', err: '' }
  const nobody = () => Promise.reject(new Error('nobody is there'))
  const code = await runCli(
    {
      operations: OPERATIONS,
      version: '0.0.0',
      env: { POSTERN_DATA: data, ...env },
      out: (text) => {
        printed.out += text
      },
      err: (text) => {
        printed.err += text
      },
      readStdin: nobody,
      interactive: false,
      colour: false,
      ask: nobody,
      issueOffline: nobody,
      resetOffline: nobody,
      up: nobody,
      upHelp: '',
    },
    args,
  )
  return { code, ...printed }
}

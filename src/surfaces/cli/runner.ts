import { Command } from 'commander'
import type { CliPorts } from './ports.ts'

/** `postern runner`: runs MCP servers that speak stdio, for origins of kind `stdio`. */
export function runnerCommand(ports: CliPorts): Command {
  return new Command('runner')
    .description('Run MCP servers that speak stdio, and serve them over Streamable HTTP')
    .requiredOption('--file <file>', 'File with the servers and their secrets; only its owner may read it')
    .option('--check', 'Check the file and exit')
    .addHelpText('after', '\nIt is no sandbox: servers run with the rights of the user that starts it.\n')
    .action(async ({ file, check }: { readonly file: string; readonly check?: boolean }) => {
      const entries = await ports.runner({ file, isCheck: check === true })
      if (check === true) ports.out(`${file} is valid; entries: ${entries.join(', ')}\n`)
    })
}

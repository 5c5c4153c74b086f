import { Command } from 'commander'
import { addFormat, type Format } from './common-flags.ts'
import type { CliPorts } from './ports.ts'
import { printData } from './print.ts'

/** `postern runner`: runs MCP servers that speak stdio, for origins of kind `stdio`. */
export function runnerCommand(ports: CliPorts): Command {
  return new Command('runner')
    .description('Run MCP servers that speak stdio, and serve them over Streamable HTTP')
    .requiredOption('--file <file>', 'File with the servers and their secrets; only its owner may read it')
    .option('--check', 'Check the file and exit')
    .addHelpText(
      'after',
      '\nThe runner is not a sandbox: servers run with the rights of the user that starts the runner.\n',
    )
    .action(async ({ file, check }: { readonly file: string; readonly check?: boolean }) => {
      const entries = await ports.runner({ file, isCheck: check === true })
      if (check === true) ports.out(`${file} is valid; entries: ${entries.join(', ')}\n`)
    })
}

/** `postern version`: what runs, for a report of a fault. */
export function versionCommand(ports: CliPorts): Command {
  const command = new Command('version').description('Print the version, the commit and the build that run')
  return addFormat(command).action(({ output }: { readonly output: Format }) => {
    const { form, commit } = ports.build()
    const facts = {
      version: ports.version,
      commit: commit?.id ?? null,
      commit_time: commit?.time ?? null,
      changed: commit?.isChanged ?? null,
      build: form,
      node: process.version,
      platform: `${process.platform} ${process.arch}`,
    }
    if (printData(ports, output, facts)) return
    const from =
      commit === null
        ? 'not known'
        : `${commit.id}${commit.isChanged ? ', with changes' : ''} (${commit.time})`
    ports.out(
      `Postern ${facts.version}\n  commit    ${from}\n  build     ${form}\n  node      ${facts.node}\n  platform  ${facts.platform}\n`,
    )
  })
}

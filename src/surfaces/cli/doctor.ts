import { styleText } from 'node:util'
import { Command } from 'commander'
import { printable } from '../../base/text/visible.ts'
import { addFormat, type Format } from './common-flags.ts'
import { EXIT, Failed } from './exit.ts'
import type { CliPorts, Finding } from './ports.ts'
import { hasColour, printData } from './print.ts'

interface Given {
  readonly data?: string
  readonly network?: boolean
  readonly output: Format
}

const COLOURS = { ok: 'green', warn: 'yellow', fail: 'red' } as const

/** `postern doctor`: what keeps an instance on this machine from starting, or will. */
export function doctorCommand(ports: CliPorts): Command {
  const command = new Command('doctor')
    .description('Check the machine, the settings and the data directory, and print fixes; changes nothing')
    .option('--data <dir>', 'Data directory (POSTERN_DATA)')
    .option(
      '--network',
      'Also check that each upstream can be reached, and that each identity provider accepts the gateway as a client',
    )
    .addHelpText('after', '\nIt uses the settings in the environment, like postern up.\n')
  return addFormat(command).action(async (given: Given) => {
    const findings = await ports.examine({
      data: given.data ?? null,
      env: ports.env,
      isNetworkAsked: given.network === true,
    })
    const ok = findings.every(({ state }) => state !== 'fail')
    if (!printData(ports, given.output, { ok, findings })) ports.out(findingsText(ports, findings))
    if (!ok) throw new Failed(EXIT.error)
  })
}

function findingsText(ports: CliPorts, findings: readonly Finding[]): string {
  const lines = findings.flatMap(({ check, state, found, fix }) => {
    const mark = state.padEnd(5)
    const shown = hasColour(ports) ? styleText(COLOURS[state], mark, { validateStream: false }) : mark
    const line = `${shown} ${printable(check)}: ${printable(found)}`
    return state === 'ok' || fix === null ? [line] : [line, `      ${printable(fix)}`]
  })
  return `${lines.join('\n')}\n`
}

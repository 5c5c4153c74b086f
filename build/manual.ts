/** What is made of the help of the command line: the manual page postern(1), and the commands for completion. */

import { OPERATIONS } from '../src/operations/registry.ts'
import { settingsHelp } from '../src/settings/pages.ts'
import { placesOf } from '../src/surfaces/cli/completion.ts'
import type { Place } from '../src/surfaces/cli/completion-scripts.ts'
import { EXIT } from '../src/surfaces/cli/exit.ts'
import type { CliPorts } from '../src/surfaces/cli/ports.ts'
import { buildProgram } from '../src/surfaces/cli/program.ts'

/** Text of troff: nothing in it is a request, and a hyphen stays the character that a person can copy. */
function troff(text: string): string {
  return text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replaceAll(/^(?=[.'])/gm, '\\&')
}

function entries(list: readonly (readonly [name: string, text: string])[]): string {
  return list.map(([name, text]) => `.TP\n.B ${troff(name)}\n${troff(text)}`).join('\n')
}

const EXIT_CODES: readonly (readonly [string, string])[] = [
  [String(EXIT.ok), 'The command did what it was asked.'],
  [String(EXIT.error), 'It failed, or the server refused it.'],
  [String(EXIT.usage), 'The command line or its input is wrong. Nothing was done.'],
  [String(EXIT.drift), 'There is a difference, or something was left out.'],
  [String(EXIT.conflict), 'Something else was changed meanwhile, or exists already.'],
]

/** The help is made; no command runs. */
function portsOf(version: string): CliPorts {
  return { operations: OPERATIONS, version, upHelp: async () => '', env: {} } as unknown as CliPorts
}

/** Every command with what may follow it, for `postern completion`. */
export async function completionPlaces(): Promise<readonly Place[]> {
  return placesOf({ program: await buildProgram(portsOf('')), operations: OPERATIONS })
}

/** @param time of the sources, RFC 3339; null for none @returns the page in the language of troff (man macros) */
export async function manual(version: string, time: string | null): Promise<string> {
  const program = await buildProgram(portsOf(version))
  const help = program.createHelp()
  const commands = help.visibleCommands(program).map((one) => [one.name(), `${one.description()}.`] as const)
  const settings = settingsHelp()
    .split('\n')
    .slice(1)
    .join('\n')
    .split(/^ {2}(?=--)/m)
    .filter((one) => one.trim() !== '')
    .map((one) => {
      const [flag = '', ...text] = one.trim().split('\n')
      return [flag, text.map((line) => line.trim()).join(' ')] as const
    })
  return `.TH POSTERN 1 "${time?.slice(0, 10) ?? ''}" "Postern ${version}" "Postern"
.SH NAME
postern \\- ${troff(program.description())}
.SH SYNOPSIS
.B postern
.I command
[flags]
.br
.B postern up
[settings]
.SH DESCRIPTION
${troff('Starts the gateway (postern up), and administers one. Each command has --help with its flags and an example. With -o json a command prints data for programs.')}
.PP
${troff('On the machine of the gateway the commands need no login: they authenticate through the data directory, as the user that the gateway runs as. To administer a gateway elsewhere, use postern login.')}
.SH COMMANDS
${entries(commands)}
.SH SETTINGS
${troff('Flags of postern up. Each is a variable too: --control-listen is POSTERN_CONTROL_LISTEN.')}
${entries(settings)}
.SH FILES
${entries([
  ['./.postern', 'The data directory, unless --data or POSTERN_DATA names another one.'],
  ['~/.config/postern', 'Contexts and sign-ins of the command line. XDG_CONFIG_HOME moves it.'],
  ['~/.cache/postern', 'Compiled code, for a faster start. XDG_CACHE_HOME or NODE_COMPILE_CACHE moves it.'],
])}
.SH EXIT STATUS
${entries(EXIT_CODES)}
.SH EXAMPLES
.nf
postern up
postern openapi import openapi.yaml \\-\\-base\\-path /orders \\-\\-upstream https://orders.example.com \\-\\-publish
postern clients create \\-\\-name Acme \\-\\-collections orders
postern records list
.fi
`
}

import type { Command } from 'commander'

/** Width of the printed help, so that it does not depend on a terminal. */
const COLUMNS = 110

/** The help of every command, one after the other, as it is printed. */
export function commandsPage(program: Command): string {
  return helpOf(program, '').join('\n')
}

function helpOf(command: Command, parents: string): string[] {
  const name = `${parents} ${command.name()}`.trim()
  command.configureHelp({ ...command.configureHelp(), helpWidth: COLUMNS })
  let text = ''
  command.configureOutput({
    writeOut: (piece) => {
      text += piece
    },
    getOutHasColors: () => false,
  })
  command.outputHelp()
  const own = `$ ${name} --help\n${text.replaceAll(/[ ]+$/gm, '')}`
  return [own, ...command.commands.flatMap((below) => helpOf(below, name))]
}

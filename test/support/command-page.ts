import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'

/** A command that a page shows, and what it prints; `…` stands for anything, alone on a line for any lines. */
export interface ShownCommand {
  readonly args: readonly string[]
  readonly prints: RegExp
  readonly code: number
}

/** The commands of a page below docs/, in order: lines with `$ postern` in blocks marked `console`. */
export function commandsOf(page: string): ShownCommand[] {
  const text = readFileSync(resolve(import.meta.dirname, '../../docs', page), 'utf8')
  return [...text.matchAll(/```console\n([\s\S]*?)\n```/g)].flatMap(([, block]) =>
    block!
      .split(/^\$ postern /m)
      .slice(1)
      .map((part) => {
        const [command, ...lines] = part.trimEnd().split('\n') as [string, ...string[]]
        const exit = /^\[exit (\d)\]$/.exec(lines.at(-1) ?? '')
        return {
          args: [...command.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain!),
          prints: new RegExp(`^${(exit === null ? lines : lines.slice(0, -1)).map(toPattern).join('')}`, 'm'),
          code: Number(exit?.[1] ?? 0),
        }
      }),
  )
}

function literal(text: string): string {
  return text.replaceAll(/[\\^$.*+?()[\]{}|/]/g, '\\$&')
}

function toPattern(line: string): string {
  if (line === '…') return '(?:.*\\n)*?'
  return `${line.split('…').map(literal).join('.*')}\\n`
}

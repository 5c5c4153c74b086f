/** The pages name only commands and flags that the command line has. */
import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { test } from 'node:test'
import type { Command } from 'commander'
import { OPERATIONS } from '../../src/operations/registry.ts'
import { buildProgram } from '../../src/surfaces/cli/program.ts'
import { cliPorts } from '../support/cli-ports.ts'

const ROOT = resolve(import.meta.dirname, '../..')
const PAGES = ['*.md', 'docs/**/*.md'].flatMap((glob) => globSync(glob, { cwd: ROOT }))

/** The command lines in the code of a page, in one line each and without the name of the program. */
function commandLinesOf(page: string): string[] {
  const text = readFileSync(join(ROOT, page), 'utf8').replaceAll('\\\n', ' ')
  const blocks = [...text.matchAll(/^```[^\n]*\n([\s\S]*?)^```/gm)].flatMap(([, block]) => block!.split('\n'))
  const spans = [...text.replaceAll(/^```[\s\S]*?^```/gm, '').matchAll(/`([^`]+)`/g)].map(([, span]) =>
    span!.replaceAll('\n', ' '),
  )
  return [...blocks, ...spans].flatMap((line) => {
    const called = /(?:^|[$(] ?|=\$\()(?:npm run (?:-s )?postern --|postern) (.+)/.exec(line)
    return called === null ? [] : [called[1]!]
  })
}

/** What is wrong with a command line: a command or a flag that is not there. */
function faultOf(program: Command, line: string): string | null {
  // What follows the command in a shell, and values, which may look like anything
  const words = line
    .replaceAll(/'[^']*'|"[^"]*"/g, 'value')
    .split(/[|>;#)]|&&/)[0]!
    .trim()
    .split(/\s+/)
  let command = program
  for (const word of words) {
    if (command.commands.length === 0 || !/^[a-z]/.test(word)) break
    const next = command.commands.find((one) => one.name() === word || one.aliases().includes(word))
    if (next === undefined) return `no command ${word}`
    command = next
  }
  if (command === program) return null
  if (command.name() === 'up') return null
  const flags = words.map((word) => word.split('=')[0]!).filter((word) => /^--[a-z]/.test(word))
  const unknown = flags.filter(
    (flag) => flag !== '--help' && !command.options.some(({ long }) => long === flag),
  )
  if (unknown.length > 0) return `no flag ${unknown.join(', ')}`
  const switched = words.find(
    (word, at) => isSwitch(command, word) && /^(true|false)$/.test(words[at + 1] ?? ''),
  )
  return switched === undefined ? null : `${switched} takes no value`
}

/** True for a flag without a value, such as `--active`. */
function isSwitch(command: Command, word: string): boolean {
  const option = command.options.find(({ long }) => long === word)
  return option !== undefined && !option.required && !option.optional
}

test('each command in the pages exists, with each of its flags', async () => {
  const program = await buildProgram(cliPorts({ operations: OPERATIONS, version: '0.0.0' }))
  const lines = PAGES.flatMap((page) => commandLinesOf(page).map((line) => ({ page, line })))
  assert.ok(lines.length > 150, `${lines.length} command lines`)
  assert.deepEqual(
    lines.flatMap(({ page, line }) => {
      const fault = faultOf(program, line)
      return fault === null ? [] : [`${page}: postern ${line}: ${fault}`]
    }),
    [],
  )
})

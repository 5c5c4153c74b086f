import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { test } from 'node:test'
import { ENTRIES } from '../../src/base/bundle.ts'
import type { Ways } from '../../src/gateway/stage-types.ts'
import { ANSWER, CHECKS, CLOSING, SEND } from '../../src/gateway/stages.ts'
import { layersTable } from '../support/layers.ts'
import { goldenPart } from './golden.ts'

const src = resolve(import.meta.dirname, '../../src')

/** The comment at the head of a source file, as one line. */
function headOf(file: string): string {
  const [, head] = /^\/\*\*(.*?)\*\//s.exec(readFileSync(resolve(src, file), 'utf8')) ?? []
  assert.ok(head !== undefined, `${file} begins with a comment`)
  return head.replace(/\s*\n \*/g, '').trim()
}

function threadsTable(): string {
  const files = Object.entries(ENTRIES).filter(([, file]) => file.startsWith('threads/'))
  const rows = [['main', 'serve.ts'], ...files].map(
    ([name, file]) => `| ${name} | \`${file}\` | ${headOf(file!)} |\n`,
  )
  return `| thread | entry | does |\n|---|---|---|\n${rows.join('')}`
}

/** How requests come, in the words of the page. */
const WAYS: Readonly<Record<keyof Ways, string>> = {
  rest: 'REST',
  mcp: 'message at `/mcp`',
  call: 'call of an agent',
  tool: 'call of a tool of an origin',
  replay: 'replay',
  step: 'step of a workflow',
  own: 'request of Postern to an origin',
}

function checksTable(): string {
  const named = Object.keys(WAYS) as (keyof Ways)[]
  const rows = CHECKS.map(({ name, check, ways }) => {
    const marks = named.map((way) => (ways[way] ? 'yes' : '-'))
    return `| \`${name}\` | \`${check.name}\` | ${marks.join(' | ')} |\n`
  })
  const head = `| check | function | ${named.map((way) => WAYS[way]).join(' | ')} |\n`
  return `${head}|${'---|'.repeat(named.length + 2)}\n${rows.join('')}`
}

const quoted = (rows: readonly { readonly name: string }[]): string =>
  rows.map(({ name }) => `\`${name}\``).join(', ')

function rowsList(): string {
  return [
    `1. **Checks**: ${quoted(CHECKS)}.`,
    `2. **Sending**: ${quoted([SEND])}.`,
    `3. **Rows that see the response**: ${quoted(ANSWER)}.`,
    `4. **Closing rows**: ${quoted(CLOSING)}.\n`,
  ].join('\n')
}

test('ARCHITECTURE.md has the layers that test/layers.test.ts enforces, and the threads of the program', () => {
  goldenPart('ARCHITECTURE.md', 'layers', layersTable())
  goldenPart('ARCHITECTURE.md', 'threads', threadsTable())
})

test('the page of a REST request has the rows of gateway/stages.ts in their order', () => {
  goldenPart('docs/internals/rest-request.md', 'rows', rowsList())
  goldenPart('docs/internals/rest-request.md', 'checks', checksTable())
})

import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { NODE_TYPES } from './definitions.ts'
import { NODE_RUNS } from './runs.ts'

const FOLDERS = readdirSync(import.meta.dirname, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => name)

/** `mcp_call_node` -> `mcp-call`. */
const folderOf = (name: string): string => name.replace(/_node$/, '').replaceAll('_', '-')
const holding = (file: string): string[] =>
  FOLDERS.filter((folder) => existsSync(join(import.meta.dirname, folder, file)))

test('each folder of a node has its definition in the list of definitions, and its run in the list of runs', () => {
  const foldersOf = (list: readonly { readonly name: string }[]) =>
    list.map(({ name }) => folderOf(name)).sort()
  assert.deepEqual(foldersOf(NODE_TYPES), FOLDERS.sort())
  assert.deepEqual(foldersOf(NODE_TYPES), holding('definition.ts').sort())
  assert.deepEqual(foldersOf([...NODE_RUNS.values()]), holding('run.ts').sort())
})

test('every type of node that workflows may hold can be run', () => {
  assert.deepEqual([...NODE_RUNS.keys()].sort(), NODE_TYPES.map(({ name }) => name).sort())
})

test('docs/workflows.md has a row for every type of node', () => {
  const page = readFileSync(join(import.meta.dirname, '../../docs/workflows.md'), 'utf8')
  const missing = NODE_TYPES.filter(({ name }) => !page.includes(`\n| \`${name}\` `)).map(({ name }) => name)
  assert.deepEqual(missing, [])
})

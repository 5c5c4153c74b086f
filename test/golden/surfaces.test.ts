import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { resolve } from 'node:path'
import { test } from 'node:test'
import { OPERATIONS } from '../../src/operations/registry.ts'
import { settingsHelp } from '../../src/settings/pages.ts'
import { buildProgram } from '../../src/surfaces/cli/program.ts'
import { toOpenApi } from '../../src/surfaces/openapi/document.ts'
import { clientTypes } from '../../src/surfaces/reference/client-types.ts'
import { commandsPage } from '../../src/surfaces/reference/commands.ts'
import { doorsTable } from '../../src/surfaces/reference/doors.ts'
import { permissionsPage } from '../../src/surfaces/reference/permissions.ts'
import { problemPages } from '../../src/surfaces/reference/problems.ts'
import { cliPorts } from '../support/cli-ports.ts'
import { golden, goldenPart } from './golden.ts'

test('the OpenAPI document is the one in test/golden', () => {
  golden('openapi.json', `${JSON.stringify(toOpenApi(OPERATIONS), null, 2)}\n`)
})

test('the help of every command is the one in test/golden', async () => {
  const ports = cliPorts({ operations: OPERATIONS, version: '0.0.0', upHelp: async () => settingsHelp() })
  const program = await buildProgram(ports)
  golden('cli.txt', commandsPage(program))
})

test('docs/permissions.md is printed from the operations and roles', () => {
  golden('docs/permissions.md', permissionsPage(OPERATIONS))
})

test('the paths of docs/listeners.md are printed from the table of doors', () => {
  goldenPart('docs/listeners.md', 'doors', doorsTable())
})

test('the types of the client are printed from the operations', () => {
  golden('src/surfaces/client/types.ts', clientTypes(OPERATIONS))
})

test('docs/problems has one page per code, printed from the closed list', () => {
  const pages = problemPages()
  for (const [name, text] of pages) golden(`docs/problems/${name}`, text)
  const there = readdirSync(resolve(import.meta.dirname, '../../docs/problems'))
  assert.deepEqual(there.sort(), [...pages.keys()].sort(), 'no page of a code that is gone')
})

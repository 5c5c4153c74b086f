import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sampleOperations } from '../../../test/fixtures/sample-operations.ts'
import { cliPorts } from '../../../test/support/cli-ports.ts'
import { OPERATIONS } from '../../operations/registry.ts'
import { GROUPS, RESOURCE_COMMANDS } from './commands.ts'
import type { CliPorts } from './ports.ts'
import { buildProgram, runCli } from './program.ts'

test('help tells of every resource, and of the commands of the one that is named', async () => {
  const ports = cliPorts({ operations: sampleOperations })
  const whole = await buildProgram(ports)
  assert.equal((await buildProgram(ports, 'table', [])).helpInformation(), whole.helpInformation())
  for (const { resource } of sampleOperations)
    assert.match(whole.helpInformation(), new RegExp(`^ {2}${resource}\\b`, 'm'))
  assert.equal(await runCli(ports, ['help', 'gadgets']), 0)
  const { out } = ports.printed
  for (const { action } of sampleOperations.filter(({ resource }) => resource === 'gadgets'))
    assert.match(out, new RegExp(`^ {2}${action}\\b`, 'm'))
})

test('the commands of the program are listed by purpose, each in one line of 80 columns', async () => {
  const operations = async () => OPERATIONS
  const program = await buildProgram({ ...cliPorts({ operations: [] }), operations }, 'table', [])
  program.configureHelp({ ...program.configureHelp(), helpWidth: 80 })
  const [, ...groups] = program.helpInformation().split(/^(?=\S.*:$)/m)
  assert.deepEqual(
    groups.map((group) => group.split('\n')[0]),
    ['Options:', ...GROUPS, 'More:'],
  )
  const names = program.commands.map((command) => command.name())
  assert.equal(new Set(names).size, names.length)
  for (const name of names)
    assert.equal(
      program.helpInformation().match(new RegExp(`^ {2}${name} +\\S.*[^.]$`, 'gm'))?.length,
      1,
      name,
    )
  for (const line of program.helpInformation().split('\n')) assert.ok(!/^ {5}/.test(line), line)
})

test('the resources of the help are those of the operations', () => {
  const resources = new Set(OPERATIONS.map(({ resource }) => resource))
  resources.delete('whoami')
  assert.deepEqual(RESOURCE_COMMANDS.map(({ name }) => name).sort(), [...resources].sort())
})

test('a command loads the operations only if it needs them', async () => {
  let loads = 0
  const operations = async () => {
    loads++
    return sampleOperations
  }
  const run = (line: string) => runCli({ ...cliPorts({ operations: [] }), operations }, line.split(' '))
  for (const line of ['--help', 'version', 'context list', 'help', 'polices list', 'completion --help'])
    await run(line)
  assert.equal(loads, 0)
  await run('policies --help')
  assert.equal(loads, 1)
})

test('runner passes its file on, and says what a check has found', async () => {
  const asked: unknown[] = []
  const runner: CliPorts['runner'] = async (request) => {
    asked.push(request)
    return ['files', 'memory']
  }
  const run = async (line: string) => {
    const ports = { ...cliPorts({ operations: [] }), runner }
    return { code: await runCli(ports, line.split(' ')), out: ports.printed.out }
  }
  assert.deepEqual(await run('runner --file r.yaml --check'), {
    code: 0,
    out: 'r.yaml is valid; entries: files, memory\n',
  })
  assert.deepEqual(await run('runner --file r.yaml'), { code: 0, out: '' })
  assert.equal((await run('runner')).code, 2)
  assert.deepEqual(asked, [
    { file: 'r.yaml', isCheck: true },
    { file: 'r.yaml', isCheck: false },
  ])
})

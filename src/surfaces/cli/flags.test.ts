import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Command } from 'commander'
import { originOperations } from '../../operations/origins/kind.ts'
import { REGISTRY } from '../../operations/registry.ts'
import { resolveDrift } from '../../operations/virtual-mcps/drift.ts'
import { addFlags, checkUrl, hasPages, readInput } from './flags.ts'

test('a member with the name of a common flag has a flag that says what it is of', async () => {
  const command = new Command()
  addFlags(command, originOperations.create)
  const url = 'https://mcp.example.com/mcp'
  command.parse(['--name', 'Tickets', '--origin-url', url], { from: 'user' })
  const input = await readInput(originOperations.create, undefined, command.opts())
  assert.deepEqual(input, { name: 'Tickets', url })
})

test('--url with a path is refused where a resource has a url, so that no token goes to that server', () => {
  const check = (url: string) => () => checkUrl(originOperations.create, { url })
  assert.throws(check('https://mcp.example.com/mcp'), /For the member url use --origin-url/)
  for (const url of ['https://gateway.example.com', 'http://127.0.0.1:8081/']) check(url)()
  checkUrl(originOperations.get, { url: 'https://gateway.example.com/management' })
})

test('--all is the flag of a member where the answer has no pages', async () => {
  const command = new Command()
  addFlags(command, resolveDrift)
  command.parse(['desk', '--decision', 'approve', '--all'], { from: 'user' })
  const input = await readInput(resolveDrift, 'desk', command.opts())
  assert.deepEqual(input, { id: 'desk', decision: 'approve', all: true })
})

test('no list has a member all, because --all fetches every page of a list', () => {
  const lists = REGISTRY.operations.filter(hasPages)
  assert.ok(lists.length > 0)
  for (const { resource, action, input } of lists)
    assert.ok(!Object.hasOwn(input.shape, 'all'), `${resource}.${action}`)
})

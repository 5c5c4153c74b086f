import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Command } from 'commander'
import { originOperations } from '../../operations/kinds/origins.ts'
import { addFlags, readInput } from './flags.ts'
import type { CliPorts } from './ports.ts'

test('a member with the name of a common flag has a flag that says what it is of', async () => {
  const command = new Command()
  addFlags(command, originOperations.create)
  const url = 'https://mcp.example.com/mcp'
  command.parse(['--name', 'Tickets', '--origin-url', url], { from: 'user' })
  // No file and no standard input is read
  const input = await readInput({} as CliPorts, originOperations.create, undefined, command.opts())
  assert.deepEqual(input, { name: 'Tickets', url })
})

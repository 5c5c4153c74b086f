import assert from 'node:assert/strict'
import { test } from 'node:test'
import { cliPorts } from '../../../test/support/cli-ports.ts'
import { printAnswer } from './print.ts'

test('warnings of a write go to the other stream, and with -o json stay in the answer', () => {
  const printed = (format: 'table' | 'json'): { out: string; err: string } => {
    const ports = cliPorts({ operations: [] })
    const warnings = [{ pointer: '/endpoints/deny/0', reason: 'covers\u001b nothing' }]
    printAnswer(ports, format, { slug: 'sandbox', warnings }, ['slug'])
    return ports.printed
  }
  assert.deepEqual(printed('table'), {
    out: 'slug  sandbox\n',
    err: 'warning: /endpoints/deny/0: covers\\u001b nothing\n',
  })
  const json = printed('json')
  assert.equal(json.err, '')
  assert.equal(JSON.parse(json.out).warnings.length, 1)
})

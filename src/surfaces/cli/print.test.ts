import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { CliPorts } from './ports.ts'
import { printAnswer } from './print.ts'

test('warnings of a write go to the other stream, and with -o json stay in the answer', () => {
  const printed = (format: 'table' | 'json'): { out: string; err: string } => {
    const text = { out: '', err: '' }
    const ports = {
      out: (line: string) => {
        text.out += line
      },
      err: (line: string) => {
        text.err += line
      },
      env: {},
      colour: false,
    } as unknown as CliPorts // Printing asks for nothing else.
    const warnings = [{ pointer: '/endpoints/deny/0', reason: 'covers\u001b nothing' }]
    printAnswer(ports, format, { slug: 'sandbox', warnings }, ['slug'])
    return text
  }
  assert.deepEqual(printed('table'), {
    out: 'slug  sandbox\n',
    err: 'warning: /endpoints/deny/0: covers\\u001b nothing\n',
  })
  const json = printed('json')
  assert.equal(json.err, '')
  assert.equal(JSON.parse(json.out).warnings.length, 1)
})

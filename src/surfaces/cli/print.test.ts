import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parse } from 'yaml'
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

test('data holds nothing that a terminal would obey, and is read as what it was', () => {
  const body = { slug: '\u001b[2J\u009b2J', lines: 'a\n\u009b', '\u009bkey': '\u007f' }
  for (const [format, read] of [
    ['json', (text: string): unknown => JSON.parse(text)],
    ['yaml', (text: string): unknown => parse(text)],
  ] as const) {
    const ports = cliPorts({ operations: [] })
    printAnswer(ports, format, body, [])
    assert.doesNotMatch(ports.printed.out, /[^\n\u0020-\u007e]/)
    assert.deepEqual(read(ports.printed.out), body)
  }
})

test('a text of several lines goes on below itself, and cannot pass for another member', () => {
  const ports = cliPorts({ operations: [] })
  printAnswer(ports, 'table', { ok: true, public_key: '-----BEGIN-----\nMC\u001bow\n-----END-----\n' }, [])
  const lines = ['ok          true', 'public_key  -----BEGIN-----']
  const below = ['            MC\\u001bow', '            -----END-----']
  assert.equal(ports.printed.out, `${[...lines, ...below].join('\n')}\n`)
})

test('of resources inside of an answer the paths that matter are shown', () => {
  const ports = cliPorts({ operations: [] })
  const profile = { id: 'pro_1', slug: 'one', auth: { type: 'token', expires_in: '90d' }, token: 'secret' }
  printAnswer(ports, 'table', { slug: 'acme', profiles: [profile] }, [], {
    profiles: ['slug', 'auth.type', 'token', 'signing_secret'],
  })
  assert.equal(
    ports.printed.out,
    [
      'slug                   acme',
      'profiles[0].slug       one',
      'profiles[0].auth.type  token',
      'profiles[0].token      secret\n',
    ].join('\n'),
  )
})

test('a list of any length is a table', () => {
  const ports = cliPorts({ operations: [] })
  printAnswer(ports, 'table', { items: Array.from({ length: 200_000 }, () => ({ slug: 'a' })) }, ['slug'])
  assert.equal(ports.printed.out.length, 'SLUG\n'.length + 400_000)
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { parse } from 'yaml'
import { z } from 'zod'
import { example, principalOf, startControl, UNSERVED, VIA } from '../../../test/control.ts'
import { cliPorts } from '../../../test/support/cli-ports.ts'
import { CannotStart } from '../../base/refusal.ts'
import { DIFF_COLUMNS, type DiffEntry } from '../../operations/engine/write-options.ts'
import { OPERATIONS } from '../../operations/registry.ts'
import { runCall } from '../mcp/run.ts'
import { printAnswer, printFailure } from './print.ts'
import { toSheet } from './table.ts'

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

test('data shows every character, and is read as what it was', () => {
  const unseen = fc.constantFrom(
    ...['\u202e', '\u200b', '\u00a0', '\ufeff', '\u2028', '\u3164', '\u{e0041}', '\ud800', '\t'],
    ...['a', ' ', '\n', '\\', '"', ': ', '#', '- ', 'é', '🙂'],
  )
  const text = fc.array(unseen, { maxLength: 12 }).map((chars) => chars.join(''))
  // JSON.parse of V8 13 misreads a member with an escape where another object has a member with a backslash in that place
  const key = text.map((rest) => `k${rest.replaceAll('\\', '/')}`)
  const value = fc.letrec((tie) => ({
    value: fc.oneof(
      { maxDepth: 2 },
      text,
      fc.array(tie('value'), { maxLength: 4 }),
      fc.dictionary(key, tie('value'), { maxKeys: 4 }),
    ),
  })).value
  fc.assert(
    fc.property(fc.dictionary(key, value, { maxKeys: 4 }), (body) => {
      for (const [format, read] of [
        ['json', (printed: string): unknown => JSON.parse(printed)],
        ['yaml', (printed: string): unknown => parse(printed)],
      ] as const) {
        const ports = cliPorts({ operations: [] })
        printAnswer(ports, format, body, [])
        assert.doesNotMatch(ports.printed.out, /[[\p{C}\p{Z}\p{Default_Ignorable_Code_Point}]--[ \n]]/v)
        assert.deepEqual(read(ports.printed.out), JSON.parse(JSON.stringify(body)))
      }
    }),
    { numRuns: 150 },
  )
})

test('differences that differ never look alike, in a sheet, a list or a dry run', () => {
  const values: readonly unknown[] = [
    ...[
      '',
      '-',
      'null',
      '[]',
      'a, b',
      '["a","b"]',
      'a\u202eb',
      'a\\u202eb',
      'a b',
      'a\u00a0b',
      '1',
      'a" -> "b',
    ],
    ...[null, [], {}, ['a', 'b'], ['a, b'], [''], [[]], [null], 1, true, { a: null }, { a: '' }],
  ]
  const entries: readonly DiffEntry[] = [
    ...values.flatMap((value): DiffEntry[] => [
      { op: 'add', path: '/tags', value },
      { op: 'remove', path: '/tags', from: value },
      { op: 'replace', path: '/tags', from: value, value: 'c' },
      { op: 'replace', path: '/tags', from: 'c', value },
      { op: 'add', path: '/a', item: String(value), value: 1 },
      { op: 'add', path: `/${String(value)}`, value: 1 },
    ]),
    { op: 'add', path: '/a: "x" (b)', value: 1 },
    { op: 'add', path: '/a', item: 'b, line 3', value: 1 },
    { op: 'add', path: '/a', item: 'b', line: 3, value: 1 },
  ]
  const seen = new Map<string, string>()
  for (const entry of entries) {
    const key = JSON.stringify(entry)
    const ports = cliPorts({ operations: [] })
    printAnswer(ports, 'table', { id: 'chg_1', diff: [entry] }, [])
    const [, line] = /^id {4}chg_1\ndiff {2}([^\n]*)\n$/.exec(ports.printed.out) ?? []
    assert.ok(line !== undefined, ports.printed.out)
    assert.equal(seen.get(line) ?? key, key, line)
    seen.set(line, key)
    const list = cliPorts({ operations: [] })
    printAnswer(list, 'table', { items: [entry] }, DIFF_COLUMNS)
    assert.equal(list.printed.out, `${line}\n`)
  }
})

test('a list in a sheet shows where its items end, and which are texts', () => {
  const shown = (value: unknown): string => toSheet({ tags: value }, false).slice('tags  '.length, -1)
  assert.equal(shown(['read', 'proxies:write', 'GET /a/{id}']), 'read, proxies:write, GET /a/{id}')
  assert.equal(shown(['a, b', 'c']), '"a, b", c')
  assert.equal(shown([1, '1', null, 'null', '']), '1, "1", null, "null", ""')
  assert.equal(shown(['a\u202eb']), 'a\\u202eb')
})

test('a text of several lines goes on below itself, and cannot pass for another member', () => {
  const ports = cliPorts({ operations: [] })
  printAnswer(ports, 'table', { ok: true, public_key: '-----BEGIN-----\nMC\u001bow\n-----END-----\n' }, [])
  const lines = ['ok          true', 'public_key  -----BEGIN-----']
  const below = ['            MC\\u001bow', '            -----END-----']
  assert.equal(ports.printed.out, `${[...lines, ...below].join('\n')}\n`)
})

test('of resources inside of an answer the paths that matter are shown, and a secret by whose it is', () => {
  const ports = cliPorts({ operations: [] })
  const profile = { id: 'pro_1', slug: 'one', auth: { type: 'token', expires_in: '90d' }, token: 'secret' }
  printAnswer(ports, 'table', { slug: 'acme', profiles: [profile] }, [], {
    parts: { profiles: ['slug', 'auth.type', 'token', 'signing_secret'] },
  })
  assert.equal(
    ports.printed.out,
    [
      'slug               acme',
      'profile            one',
      'profile auth.type  token',
      'Token of acme      secret\n',
    ].join('\n'),
  )
  const two = cliPorts({ operations: [] })
  const body = { name: 'Acme', profiles: [profile, { ...profile, slug: 'two', token: 'other' }] }
  printAnswer(two, 'table', body, [], { parts: { profiles: ['slug', 'token'] } })
  assert.match(
    two.printed.out,
    /Token of Acme, profile one {2}secret\nprofile +two\nToken of Acme, profile two {2}other/,
  )
})

test('a list inside of an answer is a table below it, where its operation says so', () => {
  const ports = cliPorts({ operations: [] })
  const lists = [
    { type: 'tools', tokens: 12 },
    { type: 'prompts', tokens: 3 },
  ]
  printAnswer(ports, 'table', { lists, warnings: ['one tool is left out'], total: 15 }, [], {
    tables: { lists: ['type', 'tokens'] },
  })
  assert.equal(ports.printed.out, 'total  15\n\nlists:\nTYPE     TOKENS\ntools    12\nprompts  3\n')
  assert.equal(ports.printed.err, 'warning: one tool is left out\n')
})

test('a column through a list shows what each item has', () => {
  const ports = cliPorts({ operations: [] })
  const items = [{ slug: 'desk', members: [{ origin: 'files' }, { origin: 'memory' }] }]
  printAnswer(ports, 'table', { items }, ['slug', 'members.origin'])
  assert.equal(ports.printed.out, 'SLUG  MEMBERS.ORIGIN\ndesk  files, memory\n')
})

test('a list with differences shows each below the table', () => {
  const ports = cliPorts({ operations: [] })
  const diff = [{ op: 'replace', path: '/description', from: 'Finds', value: 'Sends' }]
  const items = [
    { origin: 'files', key: 'find', diff },
    { origin: 'files', key: 'new', diff: null },
  ]
  printAnswer(ports, 'table', { items }, ['origin', 'key', 'diff'])
  assert.equal(
    ports.printed.out,
    'ORIGIN  KEY\nfiles   find\nfiles   new\n\nfiles find\n  ~ /description: "Finds" -> "Sends"\n',
  )
})

test('each column that an operation names is in its answer', () => {
  const faults: string[] = []
  for (const { resource, action, output, columns, tables = {}, parts = {} } of OPERATIONS) {
    const answer = z.toJSONSchema(output, { io: 'output', unrepresentable: 'any' }) as Shape
    const items = Object.hasOwn(tables, 'items') ? [] : within(answer, 'items')
    const rows = items.length === 0 ? [answer] : items
    const missing = [
      ...(columns === DIFF_COLUMNS ? [] : columns).filter((path) => !leadsOn(rows, path)),
      ...Object.entries({ ...tables, ...parts }).flatMap(([member, paths]) =>
        paths.filter((path) => !leadsOn(within(answer, member), path)),
      ),
    ]
    faults.push(...missing.map((path) => `${resource}.${action}: ${path}`))
  }
  assert.deepEqual(faults, [])
})

/** As much of a JSON Schema as says which members there are. */
interface Shape {
  readonly properties?: Readonly<Record<string, Shape>>
  readonly items?: Shape
  readonly anyOf?: readonly Shape[]
  readonly oneOf?: readonly Shape[]
  readonly allOf?: readonly Shape[]
  readonly additionalProperties?: boolean | Shape
}

/** What a member may be, also in each item of a list. */
function within(shape: Shape, member: string): readonly Shape[] {
  const { properties = {}, items, anyOf = [], oneOf = [], allOf = [], additionalProperties } = shape
  const own = properties[member]
  const open = typeof additionalProperties === 'object' ? [additionalProperties] : []
  const below = [...anyOf, ...oneOf, ...allOf, ...(items === undefined ? [] : [items])]
  return [...(own === undefined ? open : [own]), ...below.flatMap((one) => within(one, member))]
}

function leadsOn(shapes: readonly Shape[], path: string): boolean {
  return path.split('.').reduce((at, key) => at.flatMap((one) => within(one, key)), shapes).length > 0
}

test('a program that cannot start says each fault on a line of its own, and nothing else adds lines', () => {
  const printed = (error: Error): string => {
    const ports = cliPorts({ operations: [] })
    printFailure(ports, 'table', error)
    return ports.printed.err
  }
  assert.equal(
    printed(new CannotStart('The file is not valid:\n  /a: missing')),
    'error: The file is not valid:\n  /a: missing\n',
  )
  assert.equal(printed(new Error('one\ntwo')), 'error: one\\ntwo\n')
})

test('a list of any length is a table', () => {
  const ports = cliPorts({ operations: [] })
  printAnswer(ports, 'table', { items: Array.from({ length: 200_000 }, () => ({ slug: 'a' })) }, ['slug'])
  assert.equal(ports.printed.out.length, 'SLUG\n'.length + 400_000)
})

test('figures that do not count everything say so, in a table of each operation that has them', async () => {
  const completeFrom = '2026-01-02T00:00:00.000Z'
  const cut = { groups: [], total: 0, ungrouped: 0, omitted: 0, read: 5, rolled: null, completeFrom }
  const faults = { groups: [], total: 0, requests: 0, wouldRefuse: 0, read: 5, completeFrom }
  const records = { ...UNSERVED.records, metrics: async () => cut, contract: async () => faults }
  const control = await startControl({ deps: { records } })
  try {
    await example(control)
    const measuring = OPERATIONS.filter(({ output }) => Object.hasOwn(output.shape, 'complete_from'))
    assert.deepEqual(measuring.map(({ resource, action }) => `${resource}.${action}`).toSorted(), [
      'collections.contract_report',
      ...['error_endpoints', 'methods', 'over_time', 'overview', 'status_codes', 'top', 'top_endpoints'].map(
        (action) => `metrics.${action}`,
      ),
    ])
    for (const operation of measuring) {
      const name = `${operation.resource}.${operation.action}`
      const input = operation.resource === 'collections' ? { id: 'orders' } : {}
      const { output } = await control.run(name, input)
      assert.deepEqual([output['truncated'], output['complete_from']], [true, completeFrom], name)
      // As REST answers it, and as Management MCP does
      const { content } = await runCall(
        { invoke: control.invoke, allowed: () => true, reveals: () => true, link: async () => null },
        { operation, input, options: {}, explained: (error) => error },
        principalOf('admin'),
        VIA,
      )
      assert.deepEqual([content['truncated'], content['complete_from']], [true, completeFrom], name)
      const ports = cliPorts({ operations: [] })
      printAnswer(ports, 'table', output, operation.columns)
      assert.match(
        ports.printed.err,
        /^Not everything is counted: the figures are complete from 2026-01-02T00/,
        name,
      )
    }
  } finally {
    await control.close()
  }
})

test('a table says that it shows a part alone, also where only its rows are cut', () => {
  const told = (body: Record<string, unknown>): string => {
    const ports = cliPorts({ operations: [] })
    printAnswer(ports, 'table', body, ['endpoint'])
    return ports.printed.err
  }
  const whole = { from: '2026-01-01', complete_from: '2026-01-01', truncated: false }
  const items = [{ endpoint: 'GET /a' }]
  assert.equal(told({ ...whole, items, endpoints: 1 }), '')
  assert.equal(told({ ...whole, items, endpoints: 3 }), '1 of the 3 endpoints that were called are shown.\n')
  assert.match(told({ ...whole, truncated: true, items }), /^Not everything is counted or shown\. /)
  assert.match(told({ truncated: true, items }), /^Not everything is counted or shown\. /)
})

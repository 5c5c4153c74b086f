import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { example, refused, startControl } from '../../test/control.ts'
import { Refusal } from '../base/refusal.ts'
import { exampleOf } from '../surfaces/mcp/describe.ts'
import { OPERATIONS } from './registry.ts'

const REFS = [
  'orders',
  'get-order',
  'gold',
  'acme',
  'sandbox',
  'acme:open',
  'a:b:c',
  ':',
  '_',
  'cli_x',
  'tools',
  'desk',
  'none',
]

/** Values that are nearly right, and values that are not at all. */
const value = fc.oneof(
  fc.constantFrom(
    ...REFS,
    null,
    true,
    0,
    -1,
    1e21,
    '',
    '{}',
    '/a/{id}',
    'GET',
    '1m',
    'http://a.test',
    'tag:x',
  ),
  fc.jsonValue({ maxDepth: 3 }),
)

test('whatever is sent, an operation answers or refuses; it never breaks', async () => {
  const control = await startControl()
  await example(control)
  await control.run('credentials.create', { name: 'Backend', auth: { type: 'bearer', token: 'x' } })
  await control.run('origins.create', { name: 'Tools', url: 'http://127.0.0.1:9002/mcp' })
  await control.run('virtual_mcps.create', { name: 'Desk', members: [{ origin: 'tools' }] })
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...OPERATIONS).chain((operation) => {
        const members = Object.keys(operation.input.shape)
        const shape = Object.fromEntries(members.map((name) => [name, value]))
        const id = 'id' in shape ? { id: fc.oneof(fc.constantFrom(...REFS), value) } : {}
        const input = fc.record({ ...shape, ...id }, { requiredKeys: 'id' in shape ? ['id'] : [] })
        return fc.tuple(fc.constant(operation), fc.oneof({ weight: 5, arbitrary: input }, fc.jsonValue()))
      }),
      fc.record({
        dryRun: fc.constant(true),
        mode: fc.constantFrom('live' as const, 'draft' as const),
        confirm: fc.constantFrom(...REFS),
      }),
      async ([operation, input], options) => {
        try {
          const answer = await control.run(`${operation.resource}.${operation.action}`, input, options)
          assert.ok(operation.output.safeParse(answer.output).success)
        } catch (error) {
          if (!(error instanceof Refusal)) throw error
          assert.notEqual(error.code, 'internal_error')
        }
      },
    ),
    { numRuns: 1500 },
  )
  await control.close()
})

/** The value with the text in the place of one of its texts each, and as the name of one member more. */
function* withText(value: unknown, text: string): Generator<unknown> {
  if (typeof value === 'string') yield text
  else if (Array.isArray(value)) {
    for (const [at, item] of value.entries())
      for (const changed of withText(item, text)) yield value.with(at, changed)
  } else if (typeof value === 'object' && value !== null) {
    const members = Object.entries(value)
    for (const [name, item] of members)
      for (const changed of withText(item, text))
        yield Object.fromEntries([...members.filter(([other]) => other !== name), [name, changed]])
    yield Object.fromEntries([...members, [text, 'x']])
  }
}

test('a name that every object of JavaScript has is a text as any other, to every operation, in every place', async () => {
  const control = await startControl()
  await example(control)
  for (const operation of OPERATIONS)
    for (const text of ['constructor', '__proto__', 'toString']) {
      const known = exampleOf(operation)
      const members = Object.keys(operation.input.shape)
      const inputs = [...withText(known, text), ...members.map((name) => ({ ...known, [name]: text }))]
      for (const input of inputs) {
        const options = { dryRun: operation.effect !== 'read', confirm: text }
        const call = `${operation.resource}.${operation.action}`
        await control.run(call, input, options).catch((error: unknown) => {
          const said = `${call} ${JSON.stringify(input)}: ${error}`
          assert.ok(error instanceof Refusal && error.code !== 'internal_error', said)
        })
      }
    }
  await control.close()
})

test('a patch of any valid members gives a resource that is still valid', async () => {
  const control = await startControl()
  await example(control)
  const patch = fc.record(
    {
      name: fc.constantFrom('A', 'B'),
      tags: fc.uniqueArray(fc.constantFrom('x', 'y', 'z')),
      hosts: fc.uniqueArray(fc.constantFrom('a.test', 'b.test')),
      policy: fc.constantFrom(null, 'gold'),
      max_body: fc.nat(),
      status: fc.constantFrom('draft', 'published'),
      upstream: fc.record(
        {
          pool_max: fc.integer({ min: 1, max: 10_000 }),
          timeouts: fc.record({ connect: fc.constantFrom('1s', '2s') }, { requiredKeys: [] }),
        },
        { requiredKeys: [] },
      ),
    },
    { requiredKeys: [] },
  )
  await fc.assert(
    fc.asyncProperty(patch, fc.constantFrom('live' as const, 'draft' as const), async (body, mode) => {
      const before = await control.run('collections.get', { id: 'orders' })
      const { output, revision } = await control.run(
        'collections.update',
        { id: 'orders', ...body },
        { mode },
      )
      const staged = mode === 'draft' && before.output['status'] === 'published'
      const target = (staged ? (output['pending_draft'] ?? output) : output) as Record<string, unknown>
      for (const [name, wanted] of Object.entries(body))
        if (name !== 'upstream' && !(staged && name === 'status')) assert.deepEqual(target[name], wanted)
      assert.ok(revision === before.revision || revision === before.revision! + 1)
    }),
    { numRuns: 60 },
  )
  const { output } = await control.run('audit.list', { resource: 'orders', limit: 200 })
  assert.ok((output['items'] as unknown[]).length > 2)
  await control.close()
})

test('an input or an option with U+0000 or a lone surrogate anywhere is refused with its place, by every operation', async () => {
  const control = await startControl()
  await example(control)
  const before = await control.store.read.revision()
  const bad = fc.constantFrom('\0', 'a\0b', '\ud800', 'x\udc00y')
  const attempt = fc.constantFrom(...OPERATIONS).chain((operation) => {
    const names = Object.keys(operation.input.shape)
    const name = names.length === 0 ? fc.constant('x') : fc.constantFrom(...names)
    return fc.tuple(fc.constant(operation), name)
  })
  await fc.assert(
    fc.asyncProperty(attempt, bad, fc.nat(3), async ([operation, name], text, form) => {
      const call = `${operation.resource}.${operation.action}`
      const inputs = [{ [name]: text }, { [name]: [{ deep: text }] }, { [name]: { [text]: 1 } }, {}]
      const options = form === 3 ? { reason: text } : {}
      const { facts } = await refused(control.run(call, inputs[form], options), 'input_invalid')
      const pointer = facts.errors![0]!.pointer
      const places = [`/${name}`, `/${name}/0/deep`, `/${name}/`, '/reason']
      assert.ok(pointer.startsWith(places[form]!), `${call}: ${pointer}`)
    }),
    { numRuns: 600 },
  )
  assert.equal(await control.store.read.revision(), before)
  await control.close()
})

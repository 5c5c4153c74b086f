import assert from 'node:assert/strict'
import { test } from 'node:test'
import { z } from 'zod'
import { sampleOperations } from '../../../test/fixtures/sample-operations.ts'
import { PROBLEMS } from '../../base/refusal.ts'
import { define, type Operation } from '../../operations/engine/define.ts'
import { OPERATIONS } from '../../operations/registry.ts'
import { nameOf } from '../route.ts'
import { createComponents } from './components.ts'
import { toOpenApi } from './document.ts'

interface Entry {
  readonly operationId: string
  readonly parameters: { name: string; in: string; required?: boolean; schema: unknown }[]
  readonly requestBody?: { content: Record<string, { schema: unknown }> }
  readonly responses: Record<string, Answer | { $ref: string }>
}

interface Answer {
  readonly description: string
  readonly content: Record<string, { schema: unknown }>
}

/** The document, read as a reader of it would. */
function read(operations: readonly Operation[]) {
  const document: unknown = JSON.parse(JSON.stringify(toOpenApi(operations)))
  return document as {
    paths: Record<string, Record<string, Entry>>
    components: { schemas: Record<string, unknown> }
  }
}

/** Every object in the document, with the pointer to it. */
function* walk(value: unknown, pointer = ''): Generator<[string, Record<string, unknown>]> {
  if (value === null || typeof value !== 'object') return
  if (!Array.isArray(value)) yield [pointer, value as Record<string, unknown>]
  for (const [key, item] of Object.entries(value))
    yield* walk(item, `${pointer}/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`)
}

function pointed(document: unknown, pointer: string): unknown {
  let value = document
  for (const key of pointer.slice(2).split('/')) {
    if (value === null || typeof value !== 'object') return undefined
    value = (value as Record<string, unknown>)[key.replaceAll('~1', '/').replaceAll('~0', '~')]
  }
  return value
}

function resolved(document: unknown, answer: Answer | { $ref: string } | undefined): Answer {
  const found = answer !== undefined && '$ref' in answer ? pointed(document, answer.$ref) : answer
  return (found ?? { description: '', content: {} }) as Answer
}

for (const [name, operations] of [
  ['the sample registry', sampleOperations],
  ['all operations', OPERATIONS],
] as const) {
  test(`the document of ${name} is sound`, () => {
    const document = read(operations)
    const ids = new Set<string>()
    for (const [path, item] of Object.entries(document.paths)) {
      const placeholders = [...path.matchAll(/\{(\w+)\}/g)].map((match) => match[1])
      for (const [method, entry] of Object.entries(item)) {
        assert.match(method, /^(get|post|put|patch|delete)$/)
        assert.ok(!ids.has(entry.operationId), `${entry.operationId} stands twice`)
        ids.add(entry.operationId)
        const inPath = entry.parameters.filter((parameter) => parameter.in === 'path')
        assert.deepEqual(
          inPath.map((parameter) => parameter.name),
          placeholders,
          path,
        )
        assert.ok(inPath.every((parameter) => parameter.required === true))
        const names = entry.parameters.map((parameter) => `${parameter.in} ${parameter.name}`)
        assert.equal(new Set(names).size, names.length, `${path} repeats a parameter`)
        assert.equal(entry.requestBody !== undefined, method !== 'get', `${method} ${path}`)
        assert.ok(Object.keys(entry.responses).some((status) => status.startsWith('2')))
        const operation = operations.find((one) => nameOf(one) === entry.operationId)
        const events = operation?.follows === true ? ['text/event-stream'] : []
        const answered = operation?.content?.mediaTypes ?? ['application/json', ...events]
        for (const [status, given] of Object.entries(entry.responses)) {
          const response = resolved(document, given)
          assert.match(status, /^[2-5][0-9]{2}$/)
          assert.ok(response.description !== '')
          const types = Number(status) < 400 ? answered : ['application/problem+json']
          assert.deepEqual(Object.keys(response.content), types)
        }
      }
    }
    assert.equal(ids.size, operations.length, 'no two operations share a method and path')
    for (const [pointer, object] of walk(document)) {
      // A member of a schema may be called $ref; a reference is a text
      const reference = object['$ref']
      if (typeof reference === 'string')
        assert.notEqual(pointed(document, reference), undefined, `${pointer} points at ${reference}`)
      assert.ok(!('$defs' in object) && !('$schema' in object), pointer)
    }
    for (const component of Object.keys(document.components.schemas))
      assert.match(component, /^[A-Za-z0-9._-]+$/)
  })
}

test('every refusal of an operation is documented under its status', () => {
  const document = read(OPERATIONS)
  const entries = Object.values(document.paths).flatMap((item) => Object.values(item))
  for (const operation of OPERATIONS) {
    const entry = entries.find((one) => one.operationId === `${operation.resource}.${operation.action}`)
    for (const code of operation.refuses)
      assert.match(
        resolved(document, entry?.responses[PROBLEMS[code].status]).description,
        new RegExp(`\`${code}\``),
      )
  }
})

test('a schema that refers to itself is taken apart into components', () => {
  interface Tree {
    readonly leaves: readonly Tree[]
  }
  const Tree: z.ZodType<Tree> = z.lazy(() => z.object({ leaves: z.array(Tree) }))
  const { prepare: _prepare, ...sample } = sampleOperations[0]!
  const growing = define({
    ...sample,
    action: 'grow',
    effect: 'act',
    input: z.object({ tree: Tree, any: z.json() }),
    output: z.object({ tree: Tree }),
    subject: () => ({ type: 'tree', id: null, slug: null }),
    handle: () => Promise.reject(new Error('not called')),
  })
  const document = read([growing])
  let recursive = 0
  for (const [pointer, object] of walk(document)) {
    if (typeof object['$ref'] !== 'string') continue
    assert.notEqual(pointed(document, object['$ref']), undefined, `${pointer} points at ${object['$ref']}`)
    if (`#${pointer}`.startsWith(`${object['$ref']}/`) || pointer.startsWith(`${object['$ref']}/`))
      recursive++
  }
  assert.ok(recursive > 0, 'a component refers to itself')
})

test('equal schemas share one component, and different ones of one name are told apart', () => {
  const components = createComponents({})
  const first = components.share('A', { type: 'string' })
  assert.deepEqual(components.share('B', { type: 'string' }), first)
  assert.deepEqual(first, { $ref: '#/components/schemas/A' })
  assert.throws(() => components.add('A', { type: 'integer' }), /A/)
})

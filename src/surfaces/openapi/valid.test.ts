import assert from 'node:assert/strict'
import { before, describe, test } from 'node:test'
import { setShouldValidateSchema } from '@hyperjump/json-schema'
import {
  registerSchema,
  type SchemaObject,
  type Validator,
  validate,
} from '@hyperjump/json-schema/openapi-3-1'
import { OPERATIONS } from '../../operations/registry.ts'
import { toOpenApi } from './document.ts'

/** The dialect with the schema of schemas: what is embedded is judged too. */
const DIALECT = 'https://spec.openapis.org/oas/3.1/schema-base'
const SCHEMAS = 'https://spec.openapis.org/oas/3.1/dialect/base'
const HERE = 'https://postern.test/openapi'

interface Document {
  readonly paths: Record<string, Record<string, Entry>>
  readonly components: {
    readonly securitySchemes: Record<string, unknown>
    readonly schemas: Record<string, Record<string, unknown>>
    readonly responses: Record<string, { readonly content: Record<string, unknown> }>
  }
  readonly security: readonly Record<string, unknown>[]
}

interface Entry {
  readonly operationId?: string
  readonly security?: readonly Record<string, unknown>[]
  readonly responses: Record<string, { readonly $ref?: string }>
}

/** A copy that the test may break. */
function read(): Document {
  return JSON.parse(JSON.stringify(toOpenApi(OPERATIONS))) as Document
}

/** What is wrong with a value of JSON by the schema at a URI; null when nothing is. */
async function faultsOf(uri: string, value: unknown): Promise<string | null> {
  const judged = value as Parameters<Validator>[0]
  // Saying what is wrong costs several times as much as saying that something is
  if ((await validate(uri, judged, 'FLAG')).valid) return null
  const output = await validate(uri, judged, 'BASIC')
  return JSON.stringify('errors' in output ? output.errors?.slice(0, 5) : 'not valid', null, 2)
}

function* members(value: unknown): Generator<readonly [string, unknown]> {
  if (value === null || typeof value !== 'object') return
  for (const entry of Object.entries(value)) {
    yield entry
    yield* members(entry[1])
  }
}

describe('the OpenAPI document, judged by a validator that is not ours', () => {
  const document = read()
  before(() => {
    // The first test does that for all schemas at once
    setShouldValidateSchema(false)
    registerSchema(read() as unknown as SchemaObject, HERE, SCHEMAS)
  })

  test('is valid OpenAPI 3.1, and so is every schema in it', async () => {
    assert.equal(await faultsOf(DIALECT, document), null)
  })

  test('would not be valid with a fault in the document or in a schema', async () => {
    const [[path, item]] = Object.entries(document.paths) as [[string, Record<string, Entry>]]
    const [[method, entry]] = Object.entries(item) as [[string, Entry]]
    const withParameter = (parameter: object) => ({
      ...document,
      paths: { [path]: { [method]: { ...entry, parameters: [parameter] } } },
      components: {},
    })
    const withSchema = (type: string) => ({
      ...document,
      paths: {},
      components: { schemas: { Collection: { properties: { name: { type } } } } },
    })
    assert.equal(await faultsOf(DIALECT, withParameter({ name: 'x', in: 'query', schema: {} })), null)
    assert.notEqual(await faultsOf(DIALECT, withParameter({ name: 'x' })), null)
    assert.equal(await faultsOf(DIALECT, withSchema('string')), null)
    assert.notEqual(await faultsOf(DIALECT, withSchema('strin')), null)
  })

  test('has named schemas, references that lead to them, and patterns that are ones', () => {
    const { schemas } = document.components
    assert.ok(Object.keys(schemas).length > OPERATIONS.length)
    let count = 0
    for (const [key, value] of members(document)) {
      if (key === 'pattern' && typeof value === 'string') new RegExp(value, 'u')
      if (key !== '$ref') continue
      const [, kind = '', name = ''] = /^#\/components\/(\w+)\/([\w.-]+)$/.exec(String(value)) ?? []
      const { [kind]: named } = document.components as Readonly<Record<string, object>>
      assert.ok(named !== undefined && Object.hasOwn(named, name), String(value))
      count++
    }
    assert.ok(count > OPERATIONS.length, `${count}`)
  })

  test('names every operation, how it is secured, and how it fails', () => {
    const schemes = Object.keys(document.components.securitySchemes)
    assert.ok(document.security.every((one) => Object.keys(one).every((name) => schemes.includes(name))))
    for (const [path, item] of Object.entries(document.paths))
      for (const [method, entry] of Object.entries(item)) {
        const what = `${method} ${path}`
        assert.match(entry.operationId ?? '', /^[a-z_]+\.[a-z_]+$/, what)
        assert.notDeepEqual(entry.security ?? document.security, [], what)
        for (const status of ['400', '401', '403', '500']) {
          const name = entry.responses[status]?.$ref?.replace('#/components/responses/', '') ?? ''
          const { content } = document.components.responses[name]!
          assert.deepEqual(Object.keys(content), ['application/problem+json'], `${what}: ${status}`)
        }
      }
  })

  test('has examples that its schemas admit', async () => {
    let count = 0
    for (const [name, schema] of Object.entries(document.components.schemas))
      for (const example of (schema['examples'] ?? []) as unknown[]) {
        assert.equal(await faultsOf(`${HERE}#/components/schemas/${name}`, example), null, name)
        count++
      }
    assert.ok(count >= 2)
  })
})

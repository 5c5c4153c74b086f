import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { resolve } from 'node:path'
import { test } from 'node:test'
import { stringify } from 'yaml'
import { CORPUS, corpusText } from '../../../test/fixtures/openapi.ts'
import { CollectionSpec } from '../../model/api/collection.ts'
import { type JsonSchema, ProxySpec } from '../../model/api/proxy.ts'
import { boundedSchema } from '../../snapshot/schema/bounded.ts'
import { readDocument } from '../descriptions.ts'
import { DOCUMENT_BYTES_MAX } from '../text/configuration.ts'
import { type Imported, toCollection } from './collection.ts'

const read = (text: string): Imported =>
  toCollection(readDocument(text, { bytesMax: DOCUMENT_BYTES_MAX }), {
    base_path: '/api',
    upstream: 'http://127.0.0.1:9',
  })

/** Every `$ref` of a schema, wherever it stands; names of properties are told apart by their value. */
function references(value: unknown, found: Set<string> = new Set()): Set<string> {
  if (value === null || typeof value !== 'object') return found
  for (const [key, inner] of Object.entries(value)) {
    if (key === '$ref' && typeof inner === 'string') found.add(inner)
    else references(inner, found)
  }
  return found
}

for (const { name, operations } of CORPUS) {
  test(`${name} imports whole, and each of its endpoints has a bounded, usable contract`, () => {
    const { collection, proxies, schemas, warnings } = read(corpusText(name))
    CollectionSpec.parse(collection)
    const skipped = warnings.filter((warning) => warning.reason.startsWith('left out'))
    assert.equal(proxies.length + skipped.length, operations)
    assert.ok(skipped.length <= 1, JSON.stringify(skipped))
    assert.equal(new Set(proxies.map((proxy) => proxy.slug)).size, proxies.length)

    for (const reference of references([schemas, proxies]))
      assert.ok(Object.hasOwn(schemas ?? {}, reference.replace('#/$defs/', '')), reference)
    for (const input of proxies) {
      const proxy = ProxySpec.parse(input)
      for (const schema of [proxy.request_schema, proxy.response_schema]) {
        if (schema === null) continue
        const bounded = boundedSchema(schema, schemas ?? {}, 12 * 1024)
        assert.ok(Buffer.byteLength(JSON.stringify(bounded)) <= 12 * 1024)
        assert.deepEqual([...references(bounded)], [])
        assertRequiredVisible(schema, bounded, schemas)
      }
    }
  })
}

/** Each property of the first level that is required and described is there. */
function assertRequiredVisible(schema: JsonSchema, bounded: JsonSchema, schemas: Imported['schemas']): void {
  const name = (schema as { $ref?: string }).$ref?.slice('#/$defs/'.length)
  const source = (name === undefined ? schema : schemas?.[name]) as {
    required?: string[]
    properties?: object
  }
  const shown = (bounded as { properties?: object }).properties ?? {}
  for (const property of source.required ?? [])
    if (Object.hasOwn(source.properties ?? {}, property))
      assert.ok(Object.hasOwn(shown, property), `${property} is required but not shown`)
}

test('a description in YAML imports the same as in JSON', () => {
  const text = corpusText('spotify.com')
  assert.deepEqual(read(stringify(JSON.parse(text))), read(text))
})

test('importing looks up no name and opens no connection, whatever the references say', () => {
  // In a process of its own, where every way out throws.
  const here = (file: string): string => resolve(import.meta.dirname, file)
  const program = `
    import net from 'node:net'
    import dns from 'node:dns'
    const no = () => { throw new Error('the network was used') }
    net.Socket.prototype.connect = no
    dns.lookup = dns.resolve = dns.promises.lookup = dns.promises.resolve = globalThis.fetch = no
    const { readDocument } = await import(${JSON.stringify(here('../descriptions.ts'))})
    const { toCollection } = await import(${JSON.stringify(here('collection.ts'))})
    const remote = 'http://localhost:1/schema.json'
    const text = JSON.stringify({
      openapi: '3.1.0', info: { title: 'T', termsOfService: remote }, jsonSchemaDialect: remote,
      externalDocs: { url: remote }, servers: [{ url: 'http://localhost:1' }],
      components: { schemas: { A: { $id: remote, $schema: remote, $ref: remote + '#/A' }, B: { $dynamicRef: remote } } },
      paths: { '/a': { get: { responses: { 200: { description: '', content: { 'application/json': {
        schema: { anyOf: [{ $ref: remote }, { $ref: '#/components/schemas/A' }, { $ref: 'file:///etc/passwd' }] },
        examples: { a: { externalValue: remote } } } } } } } } },
    })
    const before = process.getActiveResourcesInfo().length
    const { warnings } = toCollection(readDocument(text, { bytesMax: 1e6 }), { base_path: '/a' })
    await new Promise((done) => setImmediate(done))
    if (process.getActiveResourcesInfo().length > before) throw new Error('something was left open')
    console.log(warnings.length)
  `
  const output = execFileSync(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', '--input-type=module', '--eval', program],
    { encoding: 'utf8' },
  )
  assert.equal(Number(output), 3)
})

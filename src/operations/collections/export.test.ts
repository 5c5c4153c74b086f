import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { after, before, test } from 'node:test'
import { type Control, refused, startControl } from '../../../test/control.ts'
import { corpusText } from '../../../test/fixtures/openapi.ts'
import type { Fields } from '../../store/ports/resource.ts'

const orders = readFileSync(resolve(import.meta.dirname, '../../../examples/orders/openapi.yaml'), 'utf8')

let control: Control
before(async () => {
  control = await startControl()
})
after(() => control.close())

/** Published proxies of a collection. */
const proxiesOf = async (slug: string): Promise<Fields[]> => {
  const { output } = await control.run('collections.get', { id: slug })
  const proxies = await control.store.read.all('proxies', String(output['id']))
  return proxies.filter(({ status }) => status === 'published').map(({ spec }) => spec)
}

/** What a description can tell of proxies, by route. */
const told = (proxies: readonly Fields[]): Map<string, unknown> =>
  new Map(
    proxies.map(({ methods, path, ...proxy }) => [
      `${methods} ${path}`,
      [
        ...[
          'name',
          'tags',
          'deprecated',
          'parameters',
          'request_schema',
          'request_types',
          'request_required',
        ],
        ...['response_schema', 'request_example', 'response_example'],
      ].map((member) => proxy[member]),
    ]),
  )

for (const [name, text] of [
  ['orders', orders],
  ['wikimedia.org', corpusText('wikimedia.org')],
  ['spotify.com', corpusText('spotify.com')],
] as const)
  test(`what is imported from ${name} and described again is imported the same once more`, async () => {
    const slug = name.replace('.', '-')
    const upstream = 'http://127.0.0.1:9/base'
    const first = { document: text, base_path: `/${slug}`, slug, upstream, publish: true }
    await control.run('collections.import', first)
    const described = await control.run('collections.export_openapi', { id: slug, server: 'upstream' })
    const { document } = described.output
    assert.deepEqual((document as Record<string, unknown>)['servers'], [{ url: upstream }])
    assert.deepEqual(described.output['warnings'], [])
    const again = { document, base_path: `/${slug}-2`, slug: `${slug}-2`, publish: true }
    const { output } = await control.run('collections.import', again)
    assert.deepEqual(output['warnings'], [])
    const proxies = await proxiesOf(slug)
    assert.ok(proxies.length > 0)
    assert.deepEqual(told(await proxiesOf(`${slug}-2`)), told(proxies))
    const [one, other] = await Promise.all(
      [slug, `${slug}-2`].map(async (id) => (await control.run('collections.get', { id })).output),
    )
    assert.deepEqual([other?.['schemas'], other?.['upstream']], [one?.['schemas'], one?.['upstream']])
  })

test('only what is published is described: methods, wildcards and names that differ in one path', async () => {
  const components = { schemas: { A: { type: 'object' } } }
  const empty = { openapi: '3.1.0', info: { title: 'Mixed', version: '1' }, paths: {}, components }
  await control.run('collections.import', { document: empty, base_path: '/mixed' })
  const make = (name: string, methods: string[], path: string, more: object = {}) =>
    control.run('proxies.create', { collection: 'mixed', name, methods, path, status: 'published', ...more })
  const schema = { properties: { default: { $ref: '#/$defs/A' } }, const: { $ref: '#/$defs/A' } }
  const contracts = { POST: { response_schema: schema } }
  await make('Both', ['GET', 'POST'], '/a/{id}', { contracts, parameters: [{ name: 'id', in: 'path' }] })
  await make('Other', ['DELETE'], '/a/{key}', { parameters: [{ name: 'key', in: 'path', type: 'integer' }] })
  await make('Rest', ['GET'], '/files/*', { target_path: '/v2/*' })
  await make('Hidden', ['GET'], '/hidden', { status: 'draft' })
  const { output } = await control.run('collections.export_openapi', { id: 'mixed' })
  assert.equal(output['proxies'], 3)
  assert.deepEqual(output['document'], {
    openapi: '3.1.0',
    info: { title: 'Mixed', version: '1', description: '' },
    servers: [{ url: '/mixed' }],
    paths: {
      '/a/{id}': {
        get: {
          operationId: 'both-get',
          summary: 'Both',
          parameters: [{ name: 'id', in: 'path', required: true, schema: { type: 'string' } }],
          responses: { 200: { description: 'Success' } },
        },
        post: {
          operationId: 'both-post',
          summary: 'Both',
          parameters: [{ name: 'id', in: 'path', required: true, schema: { type: 'string' } }],
          responses: {
            200: {
              description: 'Success',
              content: {
                'application/json': {
                  schema: {
                    properties: { default: { $ref: '#/components/schemas/A' } },
                    const: { $ref: '#/$defs/A' },
                  },
                },
              },
            },
          },
        },
        delete: {
          operationId: 'other',
          summary: 'Other',
          parameters: [{ name: 'id', in: 'path', required: true, schema: { type: 'integer' } }],
          responses: { 200: { description: 'Success' } },
        },
      },
      '/files/{rest*}': {
        get: {
          operationId: 'rest',
          summary: 'Rest',
          parameters: [{ name: 'rest*', in: 'path', required: true, schema: { type: 'string' } }],
          responses: { 200: { description: 'Success' } },
        },
      },
    },
    components,
  })
  assert.deepEqual(output['warnings'], [
    { pointer: '/paths/~1files~1{rest*}', reason: 'at the upstream its path is /v2/*' },
  ])
})

test('who may not read the collection gets no description of it, and nobody that of none', async () => {
  await refused(control.run('collections.export_openapi', { id: 'none' }), 'not_found')
  await refused(
    control.run('collections.export_openapi', { id: 'mixed' }, { role: 'auditor' }),
    'permission_denied',
  )
  const scope = { types: [], verbs: [], collections: [], tags: ['else'] }
  await refused(
    control.run('collections.export_openapi', { id: 'mixed' }, { grants: [{ role: 'viewer', scope }] }),
    'not_found',
  )
  const grants = [{ role: { permissions: new Set(['collections:read']) } }]
  await refused(control.run('collections.export_openapi', { id: 'mixed' }, { grants }), 'permission_denied')
})

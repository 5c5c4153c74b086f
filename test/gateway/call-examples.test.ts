/** The example call of each endpoint of real descriptions passes the checks of the gateway under enforced contracts. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readDocument } from '../../src/import/descriptions.ts'
import { toCollection } from '../../src/import/openapi/collection.ts'
import { createCatalogues } from '../../src/mcp/consumer/catalogue.ts'
import { callExample } from '../../src/mcp/consumer/inspect.ts'
import { toPattern } from '../../src/mcp/endpoints/parameter-text.ts'
import { buildTarget, toldByContract } from '../../src/mcp/endpoints/target.ts'
import { CollectionSpec } from '../../src/model/api/collection.ts'
import { ProxySpec } from '../../src/model/api/proxy.ts'
import { compileCollection, compileContracts, compileSchemas } from '../../src/snapshot/compile/compile.ts'
import { corpusText } from '../fixtures/openapi.ts'
import { client, profile } from './fragments.ts'
import { serve } from './serve.ts'

const made = {
  openapi: '3.1.0',
  info: { title: 'Made', version: '1' },
  paths: {
    '/{ids}/{code}': {
      post: {
        operationId: 'odd',
        parameters: [
          { name: 'ids', in: 'path', required: true, schema: { type: 'array', items: { type: 'integer' } } },
          { name: 'code', in: 'path', required: true, schema: { type: 'string', pattern: '^[A-Z]{2}\\d+$' } },
          {
            name: 'f',
            in: 'query',
            required: true,
            style: 'deepObject',
            schema: { type: 'object', required: ['n'], properties: { n: { type: 'integer', minimum: 9 } } },
          },
          {
            name: 'j',
            in: 'query',
            required: true,
            content: { 'application/json': { schema: { type: 'object', required: ['a'] } } },
          },
          { name: 'X-At', in: 'header', required: true, schema: { type: 'string', format: 'date-time' } },
          { name: 'who', in: 'cookie', required: true, schema: { type: 'string', minLength: 8 } },
        ],
        requestBody: {
          required: true,
          content: {
            'application/merge-patch+json': {
              // The example breaks the schema, as those of real descriptions do
              example: { kind: 'none' },
              schema: {
                allOf: [{ $ref: '#/components/schemas/Base' }, { required: ['tags', 'price'] }],
                properties: {
                  tags: { type: 'array', minItems: 2, uniqueItems: true, items: { enum: ['a', 'b', 'c'] } },
                  price: { type: 'number', exclusiveMinimum: 0, multipleOf: 0.5 },
                },
              },
            },
          },
        },
      },
    },
    '/form': {
      post: {
        operationId: 'form',
        requestBody: {
          required: true,
          content: {
            'application/x-www-form-urlencoded': {
              schema: {
                type: 'object',
                required: ['profile'],
                // A form has no way to say that this is empty
                properties: { profile: { type: 'object', properties: { name: { type: 'string' } } } },
              },
            },
          },
        },
      },
    },
    '/tagged': {
      patch: {
        operationId: 'tagged',
        requestBody: {
          required: true,
          content: {
            'application/json': {
              schema: {
                oneOf: [{ $ref: '#/components/schemas/Dog' }, { $ref: '#/components/schemas/Cat' }],
                discriminator: { propertyName: 'pet', mapping: { dog: '#/components/schemas/Dog' } },
              },
            },
          },
        },
      },
    },
    '/either': {
      post: {
        operationId: 'either',
        requestBody: {
          required: true,
          content: {
            'application/json': {
              schema: {
                // Nothing is required of either, so that {} fits both
                oneOf: [
                  { type: 'object', properties: { a: { type: 'string' } }, additionalProperties: false },
                  { type: 'object', properties: { b: { type: 'integer' } }, additionalProperties: false },
                ],
              },
            },
          },
        },
      },
    },
    '/text': {
      post: {
        operationId: 'text',
        requestBody: {
          required: true,
          content: {
            'application/json': {
              example: '[{"n":1}]',
              schema: { type: 'array', items: { type: 'object' } },
            },
          },
        },
      },
    },
    '/of/{filter}': {
      get: {
        operationId: 'of',
        parameters: [{ name: 'filter', in: 'path', required: true, schema: { type: 'object' } }],
      },
    },
    '/upload': {
      post: {
        operationId: 'upload',
        requestBody: {
          required: true,
          content: {
            'multipart/form-data': {
              schema: {
                type: 'object',
                required: ['file', 'about'],
                properties: {
                  file: { type: 'string', format: 'binary', description: 'What is uploaded' },
                  about: { type: 'object', properties: { name: { type: 'string' } } },
                },
              },
            },
          },
        },
      },
    },
    '/raw': {
      put: {
        operationId: 'raw',
        requestBody: { required: true, content: { 'application/octet-stream': {} } },
      },
    },
  },
  components: {
    schemas: {
      Dog: {
        type: 'object',
        required: ['pet'],
        properties: { pet: { type: 'string' }, bark: { type: 'string' } },
      },
      Cat: {
        type: 'object',
        required: ['pet'],
        properties: { pet: { type: 'string' }, nap: { type: 'boolean' } },
      },
      Base: {
        type: 'object',
        required: ['id', 'kind', 'self'],
        properties: {
          id: { type: 'string', readOnly: true },
          kind: { const: 'one' },
          self: { anyOf: [{ type: 'null' }, { $ref: '#/components/schemas/Base' }] },
        },
      },
    },
  },
}

const headersOf = (lines: string): Record<string, string> =>
  Object.fromEntries(
    lines
      .split('\r\n')
      .filter(Boolean)
      .map((line) => line.split(/: (.*)/s).slice(0, 2)),
  )

for (const [name, text] of [
  ['made', JSON.stringify(made)],
  ...(['xkcd.com', 'wikimedia.org', 'spotify.com', 'trello.com'] as const).map(
    (one) => [one, corpusText(one)] as const,
  ),
] as const)
  test(`the example call of each endpoint is accepted: ${name}`, async () => {
    const imported = toCollection(readDocument(text, { bytesMax: 16e6 }), {
      base_path: '/api',
      upstream: 'http://127.0.0.1:9',
    })
    const proxies = imported.proxies.map((proxy, index) => ({
      id: `prx_${index}`,
      slug: proxy.slug ?? `p${index}`,
      spec: ProxySpec.parse({ ...proxy, status: 'published', request_validation: 'enforce' }),
    }))
    const of = (port: number) => {
      const targets = [{ url: `http://127.0.0.1:${port}` }]
      const spec = CollectionSpec.parse({
        ...imported.collection,
        upstream: { targets },
        status: 'published',
      })
      return { id: 'col_api', slug: 'api', spec: { ...spec, schemas: 'sha256-api' } }
    }
    const fragment = compileCollection(of(9), proxies)
    const served = await serve((port) => {
      const own = of(port)
      return [
        compileCollection(own, proxies),
        compileContracts(own, proxies),
        compileSchemas('sha256-api', JSON.stringify(imported.schemas ?? {})),
        client('acme', { collections: ['col_api'], profiles: [profile('open', {})] }),
      ]
    })
    try {
      const found = fragment.proxies.map((proxy) => ({
        collection: fragment,
        proxy,
        methods: proxy.methods,
        path: fragment.base_path + proxy.path,
      }))
      assert.ok(found.length > 0)
      const catalogue = createCatalogues()(found)
      for (const endpoint of found)
        for (const method of endpoint.methods) {
          const example = callExample(served.gateway, catalogue, endpoint, method)
          const { params = {} } = example['arguments'] as { params?: Record<string, unknown> }
          const told = toldByContract(() => served.gateway.contract(endpoint, method))
          const built = buildTarget(toPattern(endpoint.path), new Map(), '', params, told, undefined)
          assert.ok(built.ok, `${method} ${endpoint.path}: ${JSON.stringify(built)}`)
          const { target, fields, ownFields, body } = built.built
          const answer = await served.ask(target, {
            method,
            headers: { ...headersOf(fields + ownFields), 'x-client-id': 'acme', 'x-profile-id': 'open' },
            ...(body === null ? {} : { body: Buffer.from(body).toString() }),
          })
          assert.equal(answer.status, 200, `${method} ${target} ${JSON.stringify(params)}: ${answer.text}`)
        }
    } finally {
      await served.close()
    }
  })

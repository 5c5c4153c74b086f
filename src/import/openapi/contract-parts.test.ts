import assert from 'node:assert/strict'
import { test } from 'node:test'
import { imported, ok } from '../../../test/support/imported.ts'

test('schemas become one shared set, circular ones and references into other places too', () => {
  const json = (schema: object) => ({ content: { 'application/json': { schema } } })
  const result = imported(
    {
      '/tree': {
        post: {
          requestBody: json({ $ref: '#/components/schemas/Node' }),
          responses: {
            201: json({ $ref: '#/components/schemas/Node/properties/label' }),
            400: { description: 'no' },
          },
        },
      },
      '/copy': {
        get: {
          responses: {
            200: json({ $ref: '#/paths/~1tree/post/requestBody/content/application~1json/schema' }),
          },
        },
      },
    },
    {
      components: {
        schemas: {
          Node: {
            type: 'object',
            required: ['label'],
            properties: {
              label: { $ref: '#/components/schemas/a%20b~1c' },
              children: { type: 'array', items: { $ref: '#/components/schemas/Node' } },
              $ref: { type: 'string' },
            },
            default: { $ref: 'data' },
            'x-own': { $ref: 'not-a-reference' },
          },
          'a b/c': { type: 'string' },
          Unused: { $ref: '#/components/schemas/Missing' },
        },
      },
    },
  )
  assert.deepEqual(result.proxies[0]?.request_schema, { $ref: '#/$defs/Node' })
  assert.deepEqual(result.proxies[0]?.response_schema, { $ref: '#/$defs/Node.properties.label' })
  const moved = result.proxies[1]?.response_schema as { $ref: string }
  assert.deepEqual(result.schemas?.[moved.$ref.slice('#/$defs/'.length)], { $ref: '#/$defs/Node' })
  assert.deepEqual(result.schemas?.['Node'], {
    type: 'object',
    required: ['label'],
    properties: {
      label: { $ref: '#/$defs/a_b_c' },
      children: { type: 'array', items: { $ref: '#/$defs/Node' } },
      $ref: { type: 'string' },
    },
    default: { $ref: 'data' },
  })
  assert.deepEqual(result.schemas?.['a_b_c'], { type: 'string' })
  assert.deepEqual(result.warnings, [
    {
      pointer: '/components/schemas/Unused/$ref',
      reason: 'points at #/components/schemas/Missing, which is not there; any value is allowed',
    },
  ])
})

test('schema references that cannot be followed are warnings when they are remote or may be skipped', () => {
  const response = (reference: string) => ({
    '/a': {
      get: { responses: { 200: { content: { 'application/json': { schema: { $ref: reference } } } } } },
    },
  })
  for (const remote of ['https://h.example/s.json#/A', './s.yaml', '#anchor', 'urn:x:y', '']) {
    const result = imported(response(remote))
    assert.equal(
      result.warnings[0]?.pointer,
      '/paths/~1a/get/responses/200/content/application~1json/schema/$ref',
    )
    assert.equal((result.proxies[0]!.response_schema as { $ref?: string }).$ref, undefined)
  }
  const result = imported(response('#/components/schemas/No'), {}, { broken_refs: 'skip' })
  assert.match(result.warnings[0]!.reason, /not there; any value is allowed/)
})

test('keywords with values that they cannot have are left out with a warning', () => {
  const unfit = { type: 'string', enum: [], minLength: '2', format: 3, uniqueItems: 'yes' }
  const schema = {
    properties: { a: unfit, b: { type: 'string', enum: ['x'], minLength: 2, format: 'uuid' } },
  }
  const { proxies, warnings } = imported({
    '/a': { post: { requestBody: { content: { 'application/json': { schema } } } } },
  })
  assert.deepEqual(proxies[0]?.request_schema, {
    properties: { a: { type: 'string' }, b: schema.properties.b },
  })
  assert.deepEqual(
    warnings
      .filter(({ reason }) => reason === 'not a value that this keyword can have; left out')
      .map(({ pointer }) => pointer.split('/').at(-1)),
    ['enum', 'minLength', 'format', 'uniqueItems'],
  )
})

test('the contract is the JSON body, else a form that says so; examples come along while they are small', () => {
  const schema = { type: 'object', properties: { a: { type: 'string' } } }
  const result = imported({
    '/json': {
      post: {
        requestBody: {
          content: { 'text/plain': {}, 'application/json; charset=utf-8': { schema, example: { a: '1' } } },
        },
        responses: {
          '404': { content: { 'application/json': { schema: { type: 'null' } } } },
          default: { content: { 'application/json': { schema: { type: 'boolean' } } } },
          '2XX': {
            content: { 'application/vnd.x+json': { schema, examples: { one: { value: { a: '2' } } } } },
          },
          '204': { description: 'no body' },
        },
      },
    },
    '/form': {
      post: {
        requestBody: { content: { 'application/x-www-form-urlencoded': { schema } } },
        responses: { 200: { content: { 'text/html': { schema: { type: 'string' } } } } },
      },
    },
    '/large': {
      get: {
        responses: {
          200: { content: { 'application/json': { schema, example: { a: 'x'.repeat(20_000) } } } },
        },
      },
    },
  })
  const [json, form, large] = result.proxies
  assert.deepEqual(json?.request_schema, schema)
  assert.deepEqual(json?.request_example, { a: '1' })
  assert.deepEqual(json?.response_schema, schema)
  assert.deepEqual(json?.response_example, { a: '2' })
  assert.deepEqual(form?.request_schema, { ...schema, contentMediaType: 'application/x-www-form-urlencoded' })
  assert.equal(form?.response_schema, null)
  assert.equal(large?.response_example, undefined)
})

test('references that multiply a small document are bounded', () => {
  const big = Object.fromEntries(Array.from({ length: 2000 }, (_, i) => [`p${i}`, { type: 'string' }]))
  const many = (length: number, value: object): object =>
    Object.fromEntries(Array.from({ length }, (_, i) => [`/p${i}`, value]))
  const item = {
    post: {
      requestBody: { content: { 'application/json': { schema: { type: 'object', properties: big } } } },
    },
  }
  const result = imported({ '/first': item, ...many(2000, { $ref: '#/paths/~1first' }) })
  assert.equal(result.proxies.length, 2001)
  assert.ok(JSON.stringify(result.proxies).length < 2_000_000)
  assert.deepEqual(result.proxies[1]?.request_schema, result.proxies[2000]?.request_schema)

  const wide = { get: { parameters: [{ name: 'q', in: 'query', description: 'x'.repeat(20_000) }] } }
  assert.throws(() => imported({ '/first': wide, ...many(6000, { $ref: '#/paths/~1first' }) }), {
    code: 'document_invalid',
    message: /expand to more/,
  })
  assert.throws(() => imported(many(20_001, { get: ok })), { message: /more than 20000 operations/ })

  const levels = (depth: number): object =>
    depth === 0 ? { properties: big } : { properties: { a: levels(depth - 1) } }
  const inside = Array.from({ length: 2000 }, (_, i) => ({
    $ref: ['#/components/schemas/Deep', ...Array(i % 50).fill('properties/a')].join('/'),
  }))
  const deep = imported(
    {
      '/a': {
        get: { responses: { 200: { content: { 'application/json': { schema: { oneOf: inside } } } } } },
      },
    },
    { components: { schemas: { Deep: levels(60) } } },
  )
  assert.equal(Object.keys(deep.schemas ?? {}).length, 50)
})

test('operations of one route are held to what each of them asks', () => {
  const page = { name: 'page', in: 'query', schema: { type: 'integer' } }
  const body = (schema: object, type = 'application/json') => ({
    required: true,
    content: { [type]: { schema } },
  })
  const { proxies } = imported({
    '/a/{x}': {
      post: {
        ...ok,
        operationId: 'first',
        parameters: [
          page,
          { name: 'x', in: 'path', required: true, schema: { type: 'integer' } },
          { name: 'size', in: 'query', required: true, schema: { type: 'integer' } },
          { name: 'only', in: 'query', required: true, schema: { type: 'string', maxLength: 1 } },
        ],
        requestBody: body({ type: 'object', required: ['a'] }),
      },
    },
    '/a/{y}': {
      post: {
        ...ok,
        operationId: 'second',
        parameters: [
          page,
          { name: 'y', in: 'path', required: true, schema: { type: 'string' } },
          { name: 'size', in: 'query', required: true, schema: { type: 'string' } },
        ],
        requestBody: body({ type: 'array' }, 'application/xml'),
      },
    },
  })
  assert.equal(proxies.length, 1)
  const [proxy] = proxies
  assert.deepEqual(proxy!.parameters, [
    { name: 'page', in: 'query', type: 'integer' },
    { name: 'x', in: 'path', required: true, schema: true },
    { name: 'size', in: 'query', required: true, schema: true },
    { name: 'only', in: 'query', schema: true },
  ])
  assert.deepEqual(
    [proxy!.operation_id, proxy!.request_schema, proxy!.request_types, proxy!.request_required],
    ['first', null, ['application/json', 'application/xml'], true],
  )
})

test('each media type of a body keeps its own schema', () => {
  const patch = { type: 'array' }
  const { proxies } = imported({
    '/a': {
      patch: {
        ...ok,
        requestBody: {
          content: {
            'application/json-patch+json': { schema: patch },
            'application/merge-patch+json': { schema: { type: 'object' } },
            'application/json': { schema: { type: 'object' } },
          },
        },
      },
    },
  })
  assert.deepEqual(proxies[0]!.request_schema, { type: 'object' })
  assert.deepEqual(proxies[0]!.request_schemas, { 'application/json-patch+json': { type: 'array' } })
})

test('keywords that no request is held to are told with their place and the reason', () => {
  const { notEnforced, schemas } = imported(
    { '/a': { get: ok } },
    {
      components: {
        schemas: {
          Name: { type: 'string', pattern: '^(?=a)', format: 'person-name' },
          Map: { patternProperties: { '(?!x)': { type: 'string' } }, additionalProperties: false },
          Tree: { $dynamicRef: '#node' },
          Either: { oneOf: [{ type: 'string', format: 'date' }, { $ref: '#/components/schemas/Name' }] },
          None: { not: { $ref: '#/components/schemas/Name' } },
          Closed: { allOf: [{ $ref: '#/components/schemas/Map' }], unevaluatedProperties: false },
          Fine: { oneOf: [{ type: 'string' }, { type: 'integer' }] },
        },
      },
    },
  )
  const at = '/components/schemas'
  assert.deepEqual(notEnforced.map(({ pointer, keyword }) => [pointer, keyword]).sort(), [
    [`${at}/Closed/unevaluatedProperties`, 'unevaluatedProperties'],
    [`${at}/Either/oneOf`, 'oneOf'],
    [`${at}/Map/patternProperties/(?!x)`, 'patternProperties'],
    [`${at}/Name/format`, 'format'],
    [`${at}/Name/pattern`, 'pattern'],
    [`${at}/None/not`, 'not'],
    [`${at}/Tree/$dynamicRef`, '$dynamicRef'],
  ])
  assert.deepEqual(schemas!['Map'], {
    patternProperties: { '': true },
    additionalProperties: false,
    'x-not-judged': ['patternProperties'],
  })
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { z } from 'zod'
import { isPlain } from '../../base/json/storable.ts'
import { MASKED } from '../../base/text/mask.ts'
import { confidentialityOf } from '../../model/annotations.ts'
import { OPERATIONS } from '../registry.ts'
import { masked, redacted } from './redact.ts'
import { SHOWN_ONCE } from './write-options.ts'

const PLANTED = 'planted-7f1e9c55a0'
const inputOf = (name: string): z.ZodObject => {
  const [resource, action] = name.split('.')
  return OPERATIONS.find((one) => one.resource === resource && one.action === action)!.input
}

/** Parses as `invoke` does, then tells. */
const toldOf = (name: string, input: unknown): unknown => redacted(inputOf(name).parse(input), inputOf(name))

/** Inputs with the planted secret, and what of it is told beside them. */
const TAKEN: readonly (readonly [operation: string, input: object, kept?: unknown])[] = [
  ...[
    { type: 'bearer', token: PLANTED },
    { type: 'bearer', token: { value: PLANTED } },
    { type: 'basic', username: 'ada', password: PLANTED },
    { type: 'api_key', key: PLANTED },
    {
      type: 'oauth2_client_credentials',
      token_url: 'https://id.example/token',
      client_id: 'a',
      client_secret: PLANTED,
    },
    { type: 'token_exchange', token_url: 'https://id.example/token', client_id: 'a', client_secret: PLANTED },
    {
      type: 'jwt_bearer',
      token_url: 'https://id.example/token',
      issuer: 'a',
      private_key: `-----BEGIN X-----\n${PLANTED}\n-----END X-----`,
    },
    {
      type: 'aws_sigv4',
      region: 'eu',
      service: 's3',
      access_key_id: 'AK',
      secret_access_key: PLANTED,
    },
  ].flatMap((auth): [string, object][] => [
    ['credentials.create', { name: 'Backend', auth }],
    ['credentials.put', { id: 'backend', name: 'Backend', auth }],
    ['credentials.update', { id: 'backend', auth }],
    ['credentials.rotate', { id: 'backend', auth }],
  ]),
  [
    'credentials.update',
    { id: 'backend', auth: { private_key: `-----BEGIN X-----\n${PLANTED}\n-----END X-----` } },
  ],
  ['credentials.test', { id: 'backend', subject_token: PLANTED }],
  ['credentials.rotate', { id: 'backend', auth: { token: 'x' }, subject_token: PLANTED }],
  ...['config.plan', 'config.apply', 'config.diff'].flatMap((name): [string, object, unknown?][] => [
    [name, { documents: [`kind: credential\nspec: {auth: {token: ${PLANTED}}}`] }],
    [
      name,
      { documents: [{ kind: 'credential', slug: 'backend', spec: { auth: { token: PLANTED } } }] },
      { kind: 'credential', slug: 'backend' },
    ],
    [name, { documents: [{ kind: `Oops ${PLANTED}`, slug: 'a' }] }, '[document]'],
    [name, { documents: [], variables: { TOKEN: PLANTED } }],
  ]),
  ['config.convert', { document: `plugins: [{config: {x: ${PLANTED}}}]` }],
  ['collections.import', { document: { info: { description: PLANTED } }, base_path: '/a' }],
  ['collections.reimport', { id: 'orders', document: `description: ${PLANTED}` }],
  [
    'workflows.create',
    {
      name: 'Flow',
      definition: {
        nodes: [
          {
            id: 'call',
            type: 'http_call_node',
            config: { body: `{"password":"${PLANTED}"}` },
            inputs: {
              headers: { Authorization: `Bearer ${PLANTED}` },
              url: `https://a:${PLANTED}@b.example`,
            },
          },
        ],
        edges: [],
      },
    },
  ],
  ['collections.update', { id: 'orders', headers: [{ name: 'X-Api-Key', value: PLANTED }] }],
]

test('no secret that an operation takes is told, and the rest of its input is', () => {
  for (const [name, input, kept] of TAKEN) {
    const told = JSON.stringify(toldOf(name, input))
    assert.ok(!told.includes(PLANTED), `${name}: ${told}`)
    assert.match(told, /\[secret\]|document/, name)
    if (kept !== undefined) assert.ok(told.includes(JSON.stringify(kept)), told)
    const { id } = input as { id?: string }
    if (id !== undefined) assert.ok(told.includes(`"id":"${id}"`), told)
  }
})

test('what callers send and are answered is told by its length alone', () => {
  const input = { id: 'req_1', query: PLANTED, headers: [`X-Name: ${PLANTED}`], body: PLANTED }
  const sent = `[${PLANTED.length} characters]`
  assert.deepEqual(toldOf('requests.replay', input), {
    id: 'req_1',
    query: sent,
    headers: '[not kept]',
    body: sent,
  })
  assert.deepEqual(toldOf('requests.explain', { headers: [`X-Name: ${PLANTED}`] }), { headers: '[not kept]' })
  const { output } = OPERATIONS.find(({ tool }) => tool === 'replay_request')!
  assert.deepEqual(redacted({ status: 200, headers: { etag: PLANTED }, body: PLANTED }, output), {
    status: 200,
    headers: '[not kept]',
    body: sent,
  })
})

test('where a secret is read is told', () => {
  const auth = { type: 'bearer', token: { vault: { path: 'secret/data/orders', field: 'token' } } }
  const told = toldOf('credentials.create', { name: 'Backend', auth }) as { auth: unknown }
  assert.deepEqual(told.auth, auth)
})

test('what an answer shows once is marked, in every operation that shows such', () => {
  const shown = OPERATIONS.filter(({ revealsOnce }) => revealsOnce === true)
  assert.ok(shown.length >= 6)
  let marked = 0
  for (const { resource, action, output } of shown) {
    const names = Object.keys(output.shape).filter((name) => SHOWN_ONCE.has(name))
    assert.ok(names.length > 0 || 'profiles' in output.shape, `${resource}.${action} shows none of them`)
    for (const name of names) {
      assert.deepEqual(redacted({ [name]: PLANTED }, output), { [name]: MASKED }, `${resource}.${action}`)
      const member = output.shape[name] as z.ZodOptional<z.ZodType>
      assert.equal(confidentialityOf(member.unwrap()), 'secret', `${resource}.${action} ${name}`)
      marked++
    }
  }
  assert.ok(marked >= 6, `${marked}`)
})

test('secrets are told from the rest by their names where no schema says it', () => {
  assert.deepEqual(
    masked({
      headers: [
        { name: 'Cookie', value: 'a=1' },
        { name: 'Accept', value: 'text/html' },
      ],
      keys: [{ kty: 'OKP', x: 'public', d: 'private' }],
      password: '{{secret.orders}}',
      tokens: 3,
      passwords: { password: ['a', 'b'], client_secret: { value: 'c' } },
      pst: [[`pst_pk_${'a'.repeat(60)}`]],
      parameters: [
        { in: 'header', name: 'X-Api-Key', example: 'a', values: ['b'] },
        { op: 'replace', path: '/auth/password', value: 12345 },
        { name: 'password', value: '{{secret.orders}}' },
      ],
      nested: { token: [['a'], 7], pwd: 1234, secret: { literal: 'a' }, password: 'x{{secret.orders}}' },
      [`${'x'.repeat(200)}_password`]: 'a',
      Authorization: 'Bearer {{secret.orders}}',
    }),
    {
      headers: [
        { name: 'Cookie', value: MASKED },
        { name: 'Accept', value: 'text/html' },
      ],
      keys: [{ kty: 'OKP', x: 'public', d: MASKED }],
      password: '{{secret.orders}}',
      tokens: 3,
      passwords: { password: [MASKED, MASKED], client_secret: { value: MASKED } },
      pst: [[MASKED]],
      parameters: [
        { in: 'header', name: 'X-Api-Key', example: MASKED, values: MASKED },
        { op: 'replace', path: '/auth/password', value: MASKED },
        { name: 'password', value: '{{secret.orders}}' },
      ],
      nested: { token: [[MASKED], MASKED], pwd: MASKED, secret: { literal: MASKED }, password: MASKED },
      [`${'x'.repeat(128)}…`]: MASKED,
      Authorization: 'Bearer {{secret.orders}}',
    },
  )
  assert.equal(masked('changed', 'password'), 'changed')
})

test('a schema within itself, alternatives and wrappers hide no mark', () => {
  const Auth = inputOf('credentials.create').shape['auth'] as z.ZodType
  const schema = z.object({
    either: z.union([z.object({ in: Auth.optional() }), z.object({ in: z.string() })]).nullable(),
    many: z.record(z.string(), z.array(z.preprocess((given) => given, Auth))).default({}),
    free: z.json(),
  })
  const auth = { type: 'api_key', key: { value: PLANTED } }
  const told = redacted({ either: { in: auth }, many: { a: [auth] }, free: { a: [1] } }, schema)
  assert.ok(!JSON.stringify(told).includes(PLANTED))
  assert.deepEqual((told as { free: unknown }).free, { a: [1] })
})

test('what is long is cut with a word on how much, and the small members stay', () => {
  const documents = Array.from({ length: 5000 }, (_, index) => ({ kind: 'proxy', slug: `orders:p${index}` }))
  const told = toldOf('config.apply', { documents, managed_by: 'team-a', prune: true }) as Record<
    string,
    unknown
  >
  assert.ok(JSON.stringify(told).length < 17_000)
  assert.deepEqual([told['managed_by'], told['prune']], ['team-a', true])
  const kept = told['documents'] as unknown[]
  assert.equal(kept.at(-1), `… and ${5001 - kept.length} more`)
  const { text } = redacted({ text: 'a '.repeat(10_000) }) as { text: string }
  assert.match(text, /a … \(20000 characters\)$/)
  // What is masked is short, so that the end of what was looked at is told
  const key = `-----BEGIN PRIVATE KEY-----${'M'.repeat(3918)}-----END PRIVATE KEY-----`
  const url = `https://ada:${PLANTED}@db.example`
  assert.equal(key.length + url.indexOf('@'), 4000)
  assert.ok(!JSON.stringify(redacted(`${key}${url} and more`)).includes(PLANTED))
})

test('whatever is told is bounded, and of a token at the cut nothing is left', () => {
  const anything = fc.anything({ withNullPrototype: false, maxDepth: 5, key: fc.string() })
  fc.assert(
    fc.property(anything, fc.nat(20_000), fc.nat(60), (value, length, times) => {
      const text = `${'x '.repeat(length)}pst_pk_${'Ab1'.repeat(21)}`
      const told = JSON.stringify(redacted({ value, many: Array(times).fill(text), [text]: 1 }))
      assert.ok(told.length < 20_000, String(told.length))
      assert.ok(!/Ab1Ab1/.test(told), told)
      assert.ok(isPlain(JSON.parse(told)))
    }),
    { numRuns: 200 },
  )
})

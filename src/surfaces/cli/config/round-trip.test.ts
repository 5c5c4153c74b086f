import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type Control, startControl } from '../../../../test/control.ts'
import { fuzzCases } from '../../../../test/support/long.ts'
import { Exported } from '../../../operations/config/schemas.ts'
import { toYaml } from './files.ts'

/** Words that a reader of YAML or of variables could take for something else. */
const words = fc.oneof(
  fc.constantFrom(
    'yes',
    '0x1F',
    '~',
    '1e3',
    '2026-01-01',
    '- a: b',
    '# no',
    '$\u007bvar.A}',
    '$$\u007bvar.B} {var.C}',
  ),
  fc.string({ maxLength: 12 }),
  fc.string({ unit: 'grapheme', maxLength: 8 }),
)
const name = words.map((text) => text.trim().slice(0, 100) || 'Name')
const head = { name, description: words, tags: fc.uniqueArray(fc.constantFrom('x', 'y', 'z')) }
const optional = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: null })
const slugs = (prefix: string, most: number) =>
  fc.integer({ min: 0, max: most }).map((count) => Array.from({ length: count }, (_, n) => `${prefix}${n}`))

interface Doc {
  readonly kind: string
  readonly slug: string
  readonly spec: Record<string, unknown>
}

/** A document for each slug. */
function each(
  kind: string,
  list: readonly string[],
  spec: (slug: string, index: number) => Record<string, fc.Arbitrary<unknown>>,
): fc.Arbitrary<readonly Doc[]> {
  return fc.tuple(
    ...list.map((slug, index) => fc.record(spec(slug, index)).map((made) => ({ kind, slug, spec: made }))),
  )
}

const oneOf = (list: readonly string[], ...words: readonly (string | null)[]) =>
  list.length + words.length === 0 ? fc.constant(null) : fc.constantFrom(...list, ...words)
const someOf = (list: readonly string[]): fc.Arbitrary<string[]> =>
  list.length === 0 ? fc.constant([]) : fc.uniqueArray(fc.constantFrom(...list))

const auth = fc.oneof(
  fc.record({ type: fc.constant('bearer'), token: fc.constantFrom({ env: 'SECRET_A' }, { file: 'a.txt' }) }),
  fc.record({
    type: fc.constant('basic'),
    username: fc.constantFrom('u', 'v'),
    password: fc.constant({ vault: { path: 'secret/data/orders', field: 'password' } }),
  }),
)

const configuration: fc.Arbitrary<readonly Doc[]> = fc
  .record({
    policies: slugs('gold', 2),
    credentials: slugs('bank', 2),
    collections: slugs('shop', 3),
    origins: slugs('tools', 2),
    desks: slugs('desk', 2),
    clients: slugs('acme', 2),
    roles: slugs('own', 1),
    identities: slugs('ci', 1),
  })
  .chain(({ policies, credentials, collections, origins, desks, clients, roles, identities }) =>
    fc
      .tuple(
        each('policy', policies, () => ({
          ...head,
          active: fc.boolean(),
          limits: fc.constantFrom([], [{ name: 'minute', kind: 'rate', max: 5, window: '1m' }]),
        })),
        each('credential', credentials, () => ({ ...head, auth: fc.oneof(auth) })),
        each('collection', collections, (slug) => ({
          ...head,
          base_path: fc.constant(`/${slug}`),
          status: fc.constantFrom('draft', 'published'),
          upstream: fc.constant({ targets: [{ url: 'http://127.0.0.1:9000' }] }),
          policy: oneOf(policies, null),
          credential: oneOf(credentials, null),
          max_body: fc.nat(1_000_000),
        })),
        ...collections.map((collection) =>
          each('proxy', ['get', 'put'], (slug) => ({
            ...head,
            collection: fc.constant(collection),
            methods: fc.constant([slug.toUpperCase()]),
            path: fc.constantFrom('/', '/v1/{id}', '/files/*'),
            credential: oneOf(credentials, 'inherit', 'none'),
            policy: oneOf(policies, null),
            status: fc.constantFrom('draft', 'published'),
          })),
        ),
        each('origin', origins, () => ({
          ...head,
          url: fc.constantFrom('http://127.0.0.1:9002/mcp', 'https://mcp.example.com/mcp?a=b'),
          credential: oneOf(credentials, null),
          policy: oneOf(policies, null),
          active: fc.boolean(),
          catalog_refresh: fc.constantFrom('15m', '1h'),
        })),
        each('origin', collections.length === 0 ? [] : ['own'], () => ({
          ...head,
          kind: fc.constant('collection'),
          collection: oneOf(collections),
          policy: oneOf(policies, null),
        })),
        ...(origins.length === 0
          ? []
          : [
              each('virtual_mcp', desks, () => ({
                ...head,
                members: fc
                  .uniqueArray(fc.constantFrom(...origins), { minLength: 1 })
                  .map((some) => some.map((origin) => ({ origin }))),
                status: fc.constantFrom('draft', 'published'),
                prefix: fc.constantFrom('auto', 'always'),
                policy: oneOf(policies, null),
              })),
            ]),
        each('client', clients, () => ({
          ...head,
          collections: someOf(collections),
          virtual_mcps: someOf(origins.length === 0 ? [] : desks),
          policy: oneOf(policies, null),
          active: fc.boolean(),
        })),
        ...clients.map((client) =>
          each('profile', ['one', 'two'], () => ({
            ...head,
            client: fc.constant(client),
            auth: fc.constantFrom({ type: 'none' }, { type: 'token', expires_in: null }, { type: 'token' }),
            collections: optional(someOf(collections)),
            endpoints: fc.constantFrom(
              {},
              ...collections.map((one) => ({ allow: [`proxy/${one}:get`, 'tag:x'], deny: [] })),
            ),
          })),
        ),
        each('role', roles, () => ({ ...head, permissions: fc.constant(['proxies:read']) })),
        each('service_identity', identities, () => ({ ...head, active: fc.boolean() })),
        ...identities.map((identity) =>
          each('grant', ['all'], () => ({
            ...head,
            service_identity: fc.constant(identity),
            role: oneOf(roles, 'viewer'),
            scope: someOf(collections).map((some) => ({ collections: some })),
          })),
        ),
      )
      .map((parts) => escaped(parts.flat())),
  )
  .chain((documents) => fc.shuffledSubarray([...documents], { minLength: documents.length }))

/** What looks like a variable is a text here. */
function escaped(documents: readonly Doc[]): Doc[] {
  return JSON.parse(JSON.stringify(documents).replaceAll(/(\$+)\{var\./g, '$1$${var.')) as Doc[]
}

const SET = { managed_by: 's', prune: true }

async function applied(control: Control, documents: readonly unknown[]): Promise<void> {
  await control.run('config.apply', { documents, ...SET, allow_deletes: 10_000 })
}

test('whatever is exported makes an empty instance the same, and then there is nothing to plan', async () => {
  const [one, other] = [await startControl(), await startControl()]
  const empty = async (): Promise<void> => {
    for (const control of [one, other]) await applied(control, [])
  }
  await fc.assert(
    fc
      .asyncProperty(configuration, async (documents) => {
        await applied(one, documents)
        const first = Exported.parse((await one.run('config.export', {})).output).documents
        assert.equal(first.length, documents.length)
        await applied(other, [toYaml(first)])
        assert.deepEqual(Exported.parse((await other.run('config.export', {})).output).documents, first)
        for (const [control, given] of [
          [other, first],
          [one, documents],
        ] as const) {
          const { output } = await control.run('config.plan', { documents: given, ...SET })
          assert.deepEqual([output['items'], output['drift']], [[], []])
        }
      })
      .afterEach(empty),
    { numRuns: fuzzCases(4, 60) },
  )
  for (const control of [one, other]) {
    assert.deepEqual((await control.run('config.export', {})).output['documents'], [])
    await control.close()
  }
})

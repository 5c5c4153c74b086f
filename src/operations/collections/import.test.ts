import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { after, before, test } from 'node:test'
import { secured, UNSERVED } from '../../../test/control.ts'
import { corpusText } from '../../../test/fixtures/openapi.ts'
import { openTestStore } from '../../../test/support/test-database.ts'
import type { Role } from '../../access/principal.ts'
import { createClock } from '../../base/clock.ts'
import type { ContractsFragment, Fragment, SchemasFragment } from '../../snapshot/fragments.ts'
import type { SnapshotDelta } from '../../snapshot/packed-fragments.ts'
import type { ConfigStore } from '../../store/ports/config.ts'
import { openVault } from '../../vault/open.ts'
import type { Invoked } from '../engine/call.ts'
import type { Invoke } from '../engine/define.ts'
import { createFragmentPublisher } from '../engine/fragments.ts'
import { createInvoke } from '../engine/invoke.ts'
import type { WriteOptions } from '../engine/write-options.ts'
import { OPERATIONS } from '../registry.ts'

const orders = readFileSync(resolve(import.meta.dirname, '../../../examples/orders/openapi.yaml'), 'utf8')
const upstream = 'http://127.0.0.1:9'

let directory: string
let store: ConfigStore
let invoke: Invoke
const published: SnapshotDelta[] = []

before(async () => {
  directory = mkdtempSync(join(tmpdir(), 'postern-import-'))
  store = await openTestStore(join(directory, 'config.db'))
  const vault = await openVault(store, join(directory, 'vault.key'))
  await secured(directory, store, vault)
  invoke = createInvoke({
    store,
    vault,
    clock: createClock(),
    ...UNSERVED,
    publisher: createFragmentPublisher({
      reader: store.read,
      revision: 0,
      send: async (delta) => {
        published.push(delta)
        return { pending: false }
      },
    }),
  })
})
after(async () => {
  await store.close()
  rmSync(directory, { recursive: true })
})

function run(
  name: string,
  input: object,
  options: WriteOptions = {},
  role: Role = 'admin',
): Promise<Invoked> {
  const operation = OPERATIONS.find((one) => `${one.resource}.${one.action}` === name)
  assert.ok(operation, `no operation ${name}`)
  return invoke(
    operation,
    input,
    options,
    { id: role, type: 'user', name: role, authMethod: 'test', grants: [{ role }], expiresAt: null },
    { surface: 'management_api', requestId: 'req_1', ip: null, userAgent: null, http: null, agent: null },
  )
}

const fragments = (): Fragment[] => published.at(-1)?.put.map((entry) => entry.fragment) ?? []

test('a description becomes a collection, its proxies and its schemas in one change with one audit entry', async () => {
  const { status, output, configRevision } = await run('collections.import', {
    document: orders,
    base_path: '/shop',
    upstream,
    publish: true,
  })
  assert.equal(status, 201)
  const { collection, proxies, schemas, warnings } = output as {
    collection: { slug: string; status: string; upstream: { targets: { url: string }[] }; schemas: string }
    proxies: number
    schemas: number
    warnings: object[]
  }
  assert.equal(collection.slug, 'orders')
  assert.equal(collection.status, 'published')
  assert.equal(collection.upstream.targets[0]?.url, `${upstream}/api`)
  assert.deepEqual(warnings, [])
  const list = (await run('proxies.list', { collection: 'orders', limit: 200 })).output['items'] as object[]
  assert.equal(list.length, proxies)
  assert.ok(schemas > 5)

  const audit = (await run('audit.list', { operation: 'collections.import' })).output['items'] as {
    config_revision: number
    outcome: string
    resource: { slug: string }
    diff: { path: string }[]
  }[]
  assert.equal(audit.length, 1)
  assert.equal(audit[0]?.config_revision, configRevision)
  assert.equal(audit[0]?.resource.slug, 'orders')
  assert.ok(audit[0]?.diff.some((entry) => entry.path === '/proxies/cancel-order'))

  const contracts = fragments().find((one): one is ContractsFragment => one.kind === 'contracts')
  const shared = fragments().find((one): one is SchemasFragment => one.kind === 'schemas')
  assert.equal(contracts?.schemas, `schemas:${collection.schemas}`)
  assert.equal(shared?.id, collection.schemas)
  assert.ok(Object.hasOwn(JSON.parse(shared!.json), 'Order'))
})

test('without publish the collection is a draft, and publishing it is the one step that is left', async () => {
  await run('collections.import', { document: orders, base_path: '/drafts', slug: 'drafts', upstream })
  assert.equal((await run('collections.get', { id: 'drafts' })).output['status'], 'draft')
  assert.deepEqual(
    fragments().filter((one) => one.kind === 'collection'),
    [],
  )
  await run('collections.publish', { id: 'drafts' })
  const collection = fragments().find((one) => one.kind === 'collection')
  assert.ok(collection !== undefined && collection.proxies.length > 5)
})

test('an existing slug or base path is refused, and nothing is stored', async () => {
  const revision = await store.read.revision()
  await assert.rejects(
    run('collections.import', { document: orders, base_path: '/new', slug: 'orders', upstream }),
    {
      code: 'already_exists',
      message:
        'There is already a collection with the slug "orders". Give another slug. To import a newer version of a description into that collection, use reimport.',
    },
  )
  await assert.rejects(
    run('collections.import', { document: orders, base_path: '/shop', slug: 'other', upstream }),
    {
      code: 'already_exists',
    },
  )
  assert.equal(await store.read.revision(), revision)
})

test('without a base path it answers where the description says, or under its slug, and a conflict is told', async () => {
  const described = (url: string, title: string) => ({
    openapi: '3.1.0',
    info: { title, version: '1' },
    servers: [{ url }],
    paths: { '/pets': { get: { responses: {} } } },
  })
  const placed = async (url: string, title: string) => {
    const { output } = await run('collections.import', { document: described(url, title) })
    return (output['collection'] as { base_path: string }).base_path
  }
  assert.equal(await placed('https://pets.example/api/v3/', 'Pets'), '/api/v3')
  assert.equal(await placed('https://cats.example', 'Cats'), '/cats')
  assert.equal(await placed('https://reserved.example/mcp/v1', 'Dogs'), '/dogs')
  await assert.rejects(placed('https://more.example/api/v3', 'More'), {
    code: 'already_exists',
    message:
      'The base path /api/v3 belongs to the collection "pets". The base path comes from the description: give another base_path.',
  })
  await assert.rejects(placed('https://none.example/mcp', 'MCP'), {
    code: 'input_invalid',
    message: 'Give the base_path under which it is published.',
  })
})

test('a broken document is refused with its pointer, and nothing is stored', async () => {
  const revision = await store.read.revision()
  const document = { openapi: '3.1.0', info: { title: 'T' }, paths: { orders: {} } }
  await assert.rejects(run('collections.import', { document, base_path: '/broken', upstream }), {
    code: 'document_invalid',
    facts: {
      detail: 'The document is broken at /paths/orders: a path must start with /.',
      errors: [{ pointer: '/paths/orders', reason: 'a path must start with /' }],
    },
  })
  await assert.rejects(run('collections.import', { document: 'no', base_path: '/mcp', upstream }), {
    code: 'input_invalid',
  })
  assert.equal(await store.read.revision(), revision)
})

test('the answer says how many proxies stay drafts', async () => {
  const elsewhere = { responses: {}, servers: [{ url: 'https://files.example' }] }
  const { output } = await run('collections.import', {
    document: {
      openapi: '3.1.0',
      info: { title: 'Halves', version: '1' },
      servers: [{ url: 'https://h.example' }],
      paths: { '/a': { get: { responses: {} } }, '/upload': { post: elsewhere } },
    },
    base_path: '/halves',
    publish: true,
  })
  assert.deepEqual([output['proxies'], output['draft_proxies']], [2, 1])
})

test('a dry run shows what would be made and makes nothing', async () => {
  const revision = await store.read.revision()
  const { output, diff } = await run(
    'collections.import',
    { document: `${orders}\nx-postern: {}\n`, base_path: '/dry', slug: 'dry', upstream },
    { dryRun: true },
  )
  assert.match(JSON.stringify(output['warnings']), /"\/x-postern","reason":"is ignored by an import/)
  assert.ok(Number(output['proxies']) > 5)
  assert.ok(diff?.some((entry) => entry.path.startsWith('/proxies/')))
  assert.equal(await store.read.revision(), revision)
})

test('who may not create may not import', async () => {
  for (const role of ['viewer', 'auditor'] as const)
    await assert.rejects(run('collections.import', { document: orders, base_path: '/no' }, {}, role), {
      code: 'permission_denied',
    })
})

test('a description with hundreds of operations imports, and its audit entry stays small', async () => {
  const { output } = await run('collections.import', {
    document: JSON.parse(corpusText('kubernetes.io')) as object,
    base_path: '/k8s',
    upstream,
    publish: true,
  })
  assert.equal(output['proxies'], 845)
  const [entry] = (await run('audit.list', { operation: 'collections.import', limit: 1 })).output[
    'items'
  ] as object[]
  assert.ok(JSON.stringify(entry).length < 400_000, `${JSON.stringify(entry).length} characters`)
  const collection = fragments().find((one) => one.kind === 'collection')
  assert.equal(collection?.proxies.length, 845)
})

test('YAML is read beside the main thread and outside of the transaction', async () => {
  const text = `openapi: 3.1.0\ninfo: {title: Long, version: "1"}\npaths: {}\nx-list:\n${'- 1\n'.repeat(60_000)}`
  let turns = 0
  const ticking = setInterval(() => turns++, 1)
  const importing = run('collections.import', { document: text, base_path: '/long', upstream })
  // Another change is through while the text is being read.
  const made = await run('policies.create', { name: 'Meanwhile' })
  const { output, configRevision } = await importing
  clearInterval(ticking)
  assert.ok(made.configRevision! < configRevision!)
  assert.equal((output['collection'] as { slug: string }).slug, 'long')
  assert.ok(turns > 10, `${turns} turns of the event loop`)
})

test('YAML that cannot be read is refused', async () => {
  for (const document of ['a: *b', '- 1', `a: &a [1]\nb: ${'[*a,'.repeat(3)}`, 'x: &x {y: *x}'])
    await assert.rejects(run('collections.import', { document, base_path: '/none' }), {
      code: 'document_invalid',
    })
})

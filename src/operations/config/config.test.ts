import assert from 'node:assert/strict'
import { afterEach, beforeEach, test } from 'node:test'
import { type Control, example, refused, startControl } from '../../../test/control.ts'
import type { Grant } from '../../access/principal.ts'
import type { AuditEntry } from '../../model/access/audit.ts'
import type { WriteOptions } from '../engine/write-options.ts'
import { PLANS_EACH_MAX } from './apply.ts'

interface Doc {
  readonly kind: string
  readonly slug: string
  readonly spec: Record<string, unknown>
}
interface Item {
  readonly action: string
  readonly item: string
  readonly side: string | null
  readonly diff: readonly { readonly op: string; readonly path: string; readonly value?: unknown }[]
}

let control: Control
beforeEach(async () => {
  control = await startControl()
  await example(control)
})
afterEach(() => control.close())

const exported = async (from: Control = control, select: string[] = []): Promise<Doc[]> =>
  (await from.run('config.export', { select })).output['documents'] as Doc[]
type More = Record<string, unknown> & { options?: WriteOptions & { grants?: readonly Grant[] } }
const ask = async (action: string, documents: readonly unknown[], { options, ...more }: More = {}) =>
  (await control.run(`config.${action}`, { documents, ...more }, options)).output
const apply = (documents: readonly unknown[], more?: More) => ask('apply', documents, more)
const plan = async (documents: readonly unknown[], more?: More) => {
  const output = await ask('plan', documents, more)
  const items = output['items'] as Item[]
  return {
    id: String(output['plan_id']),
    output,
    items,
    lines: linesOf(items),
    drift: output['drift'] as Item[],
  }
}
const linesOf = (items: readonly Item[]): string[] => items.map(({ action, item }) => `${action} ${item}`)
const policy = (slug: string, more: object = {}): Doc => ({
  kind: 'policy',
  slug,
  spec: { name: slug, ...more },
})
const credential = (auth: object): Doc => ({ kind: 'credential', slug: 'bank', spec: { name: 'Bank', auth } })

test('what is exported is adopted once, and then nothing changes', async () => {
  const documents = await exported()
  assert.deepEqual(
    documents.map(({ kind, slug }) => `${kind}/${slug}`),
    [
      ...['policy/gold', 'collection/orders', 'client/acme'],
      // Nodes of a workflow may refer to clients and profiles
      ...['profile/default', 'profile/open', 'profile/sandbox', 'proxy/get-order'],
    ],
  )
  const { id, output } = await plan(documents, { managed_by: 'all' })
  assert.deepEqual([output['create'], output['update'], output['adopt'], output['remove']], [0, 0, 7, 0])
  assert.equal((await apply(documents, { managed_by: 'all', plan_id: id }))['adopt'], 7)
  const again = await control.run('config.apply', { documents, managed_by: 'all' })
  assert.deepEqual([again.output['unchanged'], again.output['items'], again.configRevision], [7, [], null])
  assert.equal((await control.run('collections.get', { id: 'orders' })).output['managed_by'], 'all')
})

test('documents in any order make an empty instance the same, in one revision and one delta', async () => {
  await control.run('collections.import', {
    document: {
      openapi: '3.1.0',
      info: { title: 'Pets', version: '1' },
      paths: {
        '/pets': {
          post: {
            requestBody: {
              content: { 'application/json': { schema: { $ref: '#/components/schemas/Pet' } } },
            },
            responses: { 200: { description: 'ok' } },
          },
        },
      },
      components: { schemas: { Pet: { type: 'object', required: ['name'] } } },
    },
    base_path: '/pets',
    upstream: 'http://127.0.0.1:9000',
  })
  const proxies = (await control.run('proxies.list', {})).output['items'] as { id: string }[]
  await control.run('profiles.update', {
    id: 'acme:open',
    description: 'costs $\u007bvar.money} and $$\u007bvar.more}',
    endpoints: { allow: [proxies[0]!.id, 'tag:x'], deny: ['GET /orders/v1'] },
  })
  const documents = await exported()
  const open = documents.find(({ slug }) => slug === 'open')!
  assert.deepEqual((open.spec['endpoints'] as { allow: string[] }).allow, ['proxy/orders:get-order', 'tag:x'])
  const other = await startControl()
  const { output } = await other.run('config.apply', { documents: documents.toReversed() })
  assert.equal(output['create'], documents.length)
  assert.deepEqual(await exported(other), documents)
  assert.equal(await other.store.read.revision(), 1)
  assert.equal(other.published.length, 1)
  const { output: nothing } = await other.run('config.plan', { documents })
  assert.deepEqual(nothing['items'], [])
  await other.close()
})

test('each resource has an entry of its own in the trail, tied to that of the apply', async () => {
  const old = policy('old')
  await apply([old], { managed_by: 'a' })
  const [orders] = (await exported(control, ['collection/orders'])) as [Doc]
  const documents = [policy('new'), { ...orders, spec: { ...orders.spec, max_body: 9 } }]
  const output = await apply(documents, { managed_by: 'a', prune: true, options: { reason: 'tidy' } })
  const { items } = await control.store.read.auditEntries({ limit: 4 })
  const told = ({ action, resource, plan_id, config_revision, reason }: AuditEntry) =>
    [action, resource.type, resource.slug, plan_id === output['plan_id'], config_revision, reason].join(' ')
  const revision = await control.store.read.revision()
  assert.deepEqual(items.map(told).reverse(), [
    `DELETE policy old true ${revision} tidy`,
    `CREATE policy new true ${revision} tidy`,
    `UPDATE collection orders true ${revision} tidy`,
    `UPDATE config a true ${revision} tidy`,
  ])
  assert.deepEqual(
    items[1]!.diff.map(({ path, value }) => [path, value]),
    [
      ['/max_body', 9],
      ['/managed_by', 'a'],
    ],
  )
  assert.equal(items[0]!.detail, 'Created 1, updated 1, adopted 0, removed 1, left 0.')
})

test('what is wrong anywhere leaves everything as it was, and says where', async () => {
  const revision = await control.store.read.revision()
  const taken = { name: 'X', base_path: '/orders' }
  const clash = await refused(
    apply([policy('fine'), { kind: 'collection', slug: 'x', spec: taken }]),
    'already_exists',
  )
  assert.match(clash.message, /^collection\/x: The base path \/orders belongs/)
  assert.equal(clash.facts.errors?.[0]?.pointer, '/documents/1/spec/base_path')
  const wrong = await refused(
    apply([
      policy('a', { limit: 1 }),
      policy('b'),
      policy('b'),
      { kind: 'thing', slug: 'A', more: 1 },
      { kind: 'client', slug: 'c', spec: { name: '$\u007bvar.NAME}', slug: 'c' } },
      'kind: policy\nslug: in-text\nspec: {name: 1}',
    ]),
    'input_invalid',
  )
  assert.deepEqual(
    wrong.facts.errors?.map(({ pointer }) => pointer),
    [
      '/documents/3/more',
      '/documents/3/kind',
      '/documents/3/slug',
      '/documents/3/spec',
      '/documents/4',
      '/documents/4/spec/slug',
    ],
  )
  const judged = await refused(apply([policy('a', { limit: 1 }), policy('b'), policy('b')]), 'input_invalid')
  assert.deepEqual(
    judged.facts.errors?.map(({ pointer }) => pointer),
    ['/documents/0/spec/limit', '/documents/2'],
  )
  const lost = { kind: 'client', slug: 'c', spec: { name: 'C', collections: ['nowhere'], policy: 'later' } }
  const missing = await refused(apply([lost, policy('later')]), 'input_invalid')
  assert.deepEqual(
    missing.facts.errors?.map(({ pointer }) => pointer),
    ['/documents/0/spec/collections/0'],
  )
  assert.equal(await control.store.read.revision(), revision)
})

test('a set changes what it owns and nobody else does, and prunes nothing but that', async () => {
  await apply([policy('one'), policy('two')], { managed_by: 'a' })
  const foreign = await refused(
    apply([policy('one', { description: 'mine' })], { managed_by: 'b' }),
    'managed_elsewhere',
  )
  assert.match(foreign.message, /policy\/one is managed by "a".*or apply as that set \(name\)/)
  await refused(plan([policy('one')], { managed_by: 'b' }), 'managed_elsewhere')
  assert.deepEqual((await plan([policy('one')], { managed_by: 'b', take_over: true })).lines, [
    'adopt policy/one',
  ])
  await apply([policy('one')], { managed_by: 'b', take_over: true })
  // Without prune nothing is removed, with it what the set owns
  assert.deepEqual((await plan([], { managed_by: 'a' })).lines, [])
  assert.deepEqual((await plan([], { managed_by: 'a', prune: true })).lines, ['remove policy/two'])
  await apply([], { managed_by: 'a', prune: true })
  const left = (await control.run('policies.list', {})).output['items'] as { slug: string }[]
  assert.deepEqual(
    left.map(({ slug }) => slug),
    ['gold', 'one'],
  )
})

test('many removals need a word, and what others need is not removed', async () => {
  const many = Array.from({ length: 12 }, (_, n) => policy(`p${n}`))
  await apply(many, { managed_by: 'a' })
  await apply(many.slice(3), { managed_by: 'a', prune: true })
  const unsaid = await refused(apply([], { managed_by: 'a', prune: true }), 'deletions_unconfirmed')
  assert.match(unsaid.message, /remove 9 of the 9 .* allow_deletes: 9/)
  await refused(apply([], { managed_by: 'a', prune: true, allow_deletes: 8 }), 'deletions_unconfirmed')
  await control.run('clients.update', { id: 'acme', policy: 'p5' })
  const used = await refused(apply([], { managed_by: 'a', prune: true, allow_deletes: 9 }), 'in_use')
  assert.match(used.message, /^policy\/p5: "p5" is used by clients\/acme/)
  // Made by hand below what the set owns
  const shop = { kind: 'collection', slug: 'shop', spec: { name: 'Shop', base_path: '/shop' } }
  await apply([shop], { managed_by: 's' })
  await control.run('proxies.create', { collection: 'shop', name: 'Buy', methods: ['POST'], path: '/buy' })
  const held = await refused(apply([], { managed_by: 's', prune: true }), 'in_use')
  assert.match(held.message, /contains proxies\/buy, which the set does not own/)
})

test('what is given up by one document may be taken by another in the same apply', async () => {
  const at = (slug: string, base_path: string, more: object = {}): Doc => ({
    kind: 'collection',
    slug,
    spec: { name: slug, base_path, ...more },
  })
  const client = (collections: string[]): Doc => ({
    kind: 'client',
    slug: 'shopper',
    spec: { name: 'S', collections },
  })
  await apply([at('a', '/a'), at('b', '/b'), client(['a'])], { managed_by: 's' })
  // The new one takes the path of the removed one, which its client lets go; b moves out of the way of c
  const next = [at('c', '/b'), at('b', '/bb'), at('d', '/a'), client(['d'])]
  const { lines } = await plan(next, { managed_by: 's', prune: true })
  assert.ok(lines.indexOf('update collection/b') < lines.indexOf('create collection/c'), lines.join())
  assert.equal((await apply(next, { managed_by: 's', prune: true }))['remove'], 1)
  assert.deepEqual((await plan(next, { managed_by: 's', prune: true })).lines, [])
})

test('changes of either side since the last apply are told apart', async () => {
  const set = { managed_by: 's' }
  await apply(
    ['a', 'b', 'c', 'd', 'e'].map((slug) => policy(slug)),
    set,
  )
  for (const id of ['a', 'b', 'd']) await control.run('policies.update', { id, description: 'by hand' })
  await control.run('policies.delete', { id: 'e' }, { confirm: 'e' })
  const { items, drift } = await plan(
    [
      policy('a'),
      policy('b', { description: 'by document' }),
      policy('c', { description: 'by document' }),
      policy('d', { description: 'by hand' }),
      policy('e'),
    ],
    set,
  )
  assert.deepEqual(items.map(({ action, item, side }) => `${action} ${item} ${side}`).sort(), [
    'create policy/e instance',
    'update policy/a instance',
    'update policy/b both',
    'update policy/c documents',
  ])
  assert.deepEqual(drift.map(({ item, side }) => `${item} ${side}`).sort(), [
    'policy/a instance',
    'policy/b both',
    'policy/e instance',
  ])
  assert.deepEqual(drift[0]!.diff, [{ op: 'replace', path: '/description', from: '', value: 'by hand' }])
})

test('of the plans of one principal the oldest goes', async () => {
  const documents = [policy('gold', { description: 'planned' })]
  const { id } = await plan(documents)
  for (let more = 1; more < PLANS_EACH_MAX; more++) await plan([policy('gold')])
  await apply(documents, { plan_id: id, options: { dryRun: true } })
  await plan([policy('gold')])
  await refused(apply(documents, { plan_id: id }), 'not_found')
})

test('what was planned is what is applied, or nothing is', async () => {
  const documents = [policy('gold', { description: 'planned' })]
  const { id } = await plan(documents)
  // What the plan does not touch may change
  await control.run('clients.update', { id: 'acme', description: 'other' })
  await apply(documents, { plan_id: id, options: { dryRun: true } })
  const other = await refused(apply([policy('gold')], { plan_id: id }), 'revision_conflict')
  assert.deepEqual(other.facts.members?.['moved'], ['documents'])
  await refused(apply(documents, { plan_id: id, prune: true }), 'revision_conflict')
  await control.run('policies.update', { id: 'gold', name: 'Meanwhile' })
  const moved = await refused(apply(documents, { plan_id: id }), 'revision_conflict')
  assert.deepEqual(moved.facts.members?.['moved'], ['policy/gold'])
  assert.match(moved.message, /policy\/gold/)
  await refused(apply(documents, { plan_id: 'pln_none' }), 'not_found')
  const revision = await control.store.read.revision()
  await refused(apply(documents, { options: { expectedRevision: revision - 1 } }), 'revision_conflict')
  await apply(documents, { options: { expectedRevision: revision } })
  await refused(apply(documents, { options: { mode: 'draft' } }), 'input_invalid')
})

test('a dry run does all of it and leaves nothing', async () => {
  const revision = await control.store.read.revision()
  const done = await control.run('config.apply', { documents: [policy('new')] }, { dryRun: true })
  assert.equal(done.output['create'], 1)
  assert.ok(done.diff!.some(({ path }) => path === '/policies/new'))
  assert.equal(await control.store.read.revision(), revision)
  await refused(control.run('policies.get', { id: 'new' }), 'not_found')
})

test('secrets are taken in and never given out', async () => {
  const planted = 'planted-S3cret-7f1e9c55a0'
  const told: unknown[] = []
  const text = [credential({ type: 'bearer', token: planted })]
  told.push(await plan(text), await apply(text), await exported())
  // The same text is no change, another is
  assert.deepEqual((await plan(text)).lines, [])
  const other = await plan([credential({ type: 'bearer', token: `${planted}2` })])
  assert.deepEqual(other.items[0]!.diff, [{ op: 'replace', path: '/auth/token', value: 'changed' }])
  // Left out, it stays
  const without = credential({ type: 'bearer' })
  assert.deepEqual((await plan([without])).lines, [])
  await apply([{ ...without, spec: { ...without.spec, description: 'kept' } }])
  assert.deepEqual(
    (await plan(text)).items.map(({ diff }) => diff.map(({ path }) => path)),
    [['/description']],
  )
  const { output } = await control.run('config.export', { select: ['credential/bank'] })
  assert.deepEqual(output['set_elsewhere'], [{ item: 'credential/bank', field: 'token' }])
  assert.deepEqual((output['documents'] as Doc[])[0]!.spec['auth'], { type: 'bearer' })
  // Where it is read may be told
  const read = [credential({ type: 'bearer', token: { env: 'SECRET_BANK' } })]
  await apply(read)
  assert.deepEqual((await plan([without])).lines, [])
  assert.deepEqual((await exported(control, ['credential']))[0]!.spec['auth'], {
    type: 'bearer',
    token: { env: 'SECRET_BANK' },
  })
  const missing = await refused(apply([{ ...without, slug: 'unset' }]), 'input_invalid')
  assert.deepEqual(
    missing.facts.errors?.map(({ pointer }) => pointer),
    ['/documents/0/spec/auth/token'],
  )
  told.push(other, missing.message, await control.store.read.auditEntries({ limit: 100 }))
  assert.ok(!JSON.stringify(told).includes('planted'))
})

test('each document needs the permission that writing it singly needs', async () => {
  const orders = String((await control.run('collections.get', { id: 'orders' })).output['id'])
  const scope = { types: [], verbs: [], collections: [], tags: [] }
  const proxies: Grant[] = [
    { role: 'modifier', scope: { ...scope, types: ['proxies'], collections: [orders] } },
  ]
  const documents = await exported()
  const proxy = documents.find(({ kind }) => kind === 'proxy')!
  const changed = { ...proxy, spec: { ...proxy.spec, description: 'By a pipeline' } }
  const as = (grants: readonly Grant[]): More => ({ options: { grants } })
  assert.deepEqual((await control.run('config.export', {}, { grants: proxies })).output['documents'], [proxy])
  assert.deepEqual((await plan([changed], as(proxies))).lines, ['update proxy/orders:get-order'])
  await apply([changed], as(proxies))
  const refusal = await refused(apply([changed, policy('new')], as(proxies)), 'permission_denied')
  assert.match(refusal.message, /^policy\/new: .*policies:create/)
  await refused(apply([credential({ type: 'bearer', token: 'x' })], as(proxies)), 'permission_denied')
  const collection = documents.find(({ kind }) => kind === 'collection')!
  await refused(plan([collection], as(proxies)), 'permission_denied')
  await refused(apply([changed], as([{ role: 'viewer' }])), 'permission_denied')
  await refused(plan([changed], as([{ role: 'auditor' }])), 'permission_denied')
  const denied = (await control.store.read.auditEntries({ limit: 1 })).items[0]!
  assert.deepEqual([denied.operation, denied.outcome], ['config.plan', 'denied'])
  // Sending a credential elsewhere is no change of the collection alone
  await apply([credential({ type: 'bearer', token: 'x' })])
  await control.run('collections.update', { id: 'orders', credential: 'bank' })
  const [upstream] = (await exported(control, ['collection/orders'])) as [Doc]
  const elsewhere = {
    ...upstream,
    spec: { ...upstream.spec, upstream: { targets: [{ url: 'http://127.0.0.1:1' }] } },
  }
  const narrow: Grant[] = [{ role: 'modifier', scope: { ...scope, types: ['collections'] } }]
  assert.match(
    (await refused(apply([elsewhere], as(narrow)), 'permission_denied')).message,
    /credentials:use/,
  )
})

test('texts that are made to harm are refused, and others hold any number of documents', async () => {
  const levels = 'bcdefgh'
    .split('')
    .map((name, at) => `${name}: &${name} [${Array(10).fill(`*${'abcdefg'[at]}`)}]`)
  const bomb = `a: &a [1,1,1,1,1,1,1,1,1,1]\n${levels.join('\n')}`
  // Each document has less than one may add
  const bombs = Array(20)
    .fill(`${bomb.split('\n').slice(0, 5).join('\n')}`)
    .join('\n---\n')
  for (const text of [
    bomb,
    bombs,
    'kind: a\nkind: b',
    `${'['.repeat(2000)}`,
    'a: *b',
    '!!js/function x',
    '{',
  ])
    await refused(apply([text]), 'document_invalid')
  await refused(control.run('config.apply', { documents: ['a'.repeat(9 * 1024 ** 2)] }), 'input_invalid')
  await refused(apply(['just text']), 'input_invalid')
  const text =
    '---\nkind: policy\nslug: a\nspec: {name: A}\n---\n# nothing\n---\n- {kind: policy, slug: b, spec: {name: B}}\n'
  assert.deepEqual((await plan([text])).lines, ['create policy/a', 'create policy/b'])
})

test('two sets of documents are compared without the instance', async () => {
  const output = await ask('diff', [policy('a', { description: 'x' }), policy('b'), policy('same')], {
    against: [policy('a'), policy('c'), policy('same')],
  })
  assert.deepEqual(linesOf(output['items'] as Item[]), [
    'update policy/a',
    'remove policy/c',
    'create policy/b',
  ])
  assert.equal(output['unchanged'], 1)
  const { output: drift } = await control.run('config.diff', { documents: [policy('gold')] })
  assert.deepEqual(linesOf(drift['items'] as Item[]), ['update policy/gold'])
})

import assert from 'node:assert/strict'
import { after, beforeEach, test } from 'node:test'
import { ORDERS, refused } from '../../../test/control.ts'
import { requestOf, startApprovals } from '../../../test/support/approvals.ts'
import type { Permission } from '../../access/principal.ts'
import { permits } from '../../access/roles.ts'
import type { ChangeRequest } from '../../model/access/approval.ts'
import { createOpener } from '../../vault/vault.ts'
import { requesterOf } from './change-request.ts'
import type { WriteOptions } from './write-options.ts'

const { control, ids, past, rule, as, approve, revision, entriesOf } = await startApprovals()
after(() => control.close())
beforeEach(() => rule('*:*'))

test('what a rule covers waits, and is done when another person approves it', async () => {
  const [before, published] = [await revision(), control.published.length]
  const asked = await as(
    'ada',
    'proxies.update',
    { id: 'get-order', description: 'New' },
    { reason: 'asked' },
  )
  const request = requestOf(asked)
  assert.equal(asked.output['waits_for_approval'], true)
  assert.equal(request.state, 'open')
  assert.deepEqual(request.diff, [{ op: 'replace', path: '/description', from: '', value: 'New' }])
  assert.deepEqual(request.requester, { id: ids['ada'], type: 'user', name: 'ada' })
  assert.deepEqual(request.rules, ['Two of us'])
  assert.equal(await revision(), before)
  assert.equal(control.published.length, published)
  const done = await approve('bob', request.id)
  assert.equal(done.status, 200)
  assert.equal(done.output['state'], 'applied')
  assert.deepEqual(done.output['decided_by'], { id: ids['bob'], name: 'bob' })
  assert.equal(done.configRevision, before + 1)
  assert.equal(control.published.length, published + 1)
  const proxy = (await control.run('proxies.get', { id: 'get-order' })).output
  assert.deepEqual([proxy['description'], proxy['updated_by']], ['New', 'ada'])
  const [entry] = await entriesOf('proxies.update')
  assert.equal(entry?.actor.name, 'ada')
  assert.equal(entry.reason, 'asked')
  assert.deepEqual(entry.approver, { id: ids['bob'], type: 'user', name: 'bob' })
  assert.deepEqual(
    (await entriesOf('change_requests.create')).map(({ resource, request: told }) => [resource.id, told]),
    [[request.id, { id: 'get-order', description: 'New' }]],
  )
  assert.equal((await entriesOf('change_requests.approve'))[0]?.actor.name, 'bob')
})

test('what no rule covers, and what changes nothing, does not wait', async () => {
  assert.equal((await as('ada', 'proxies.update', { id: 'get-order', description: 'New' })).status, 200)
  await rule(['policies:delete', 'clients:*'])
  assert.equal((await as('ada', 'proxies.update', { id: 'get-order', description: '' })).status, 200)
  assert.equal((await as('ada', 'personal_tokens.create', { name: 'mine' })).status, 201)
  requestOf(await as('ada', 'clients.update', { id: 'acme', description: 'x' }))
})

test('a rule for a collection or a tag holds for what lies there, and for taking it away from there', async () => {
  await past([])
  await control.run('collections.create', {
    ...ORDERS,
    name: 'Payments',
    slug: 'payments',
    base_path: '/payments',
  })
  await control.run('proxies.create', {
    collection: 'payments',
    name: 'Pay',
    methods: ['POST'],
    path: '/pay',
    tags: ['money'],
  })
  const update = (id: string, changes: object) => as('ada', 'proxies.update', { id, ...changes })
  await rule('proxies:*', {}, { collections: ['payments'] })
  requestOf(await update('pay', { description: 'x' }))
  assert.equal((await update('get-order', { description: 'elsewhere' })).status, 200)
  requestOf(
    await as('ada', 'proxies.create', {
      collection: 'payments',
      name: 'Other',
      methods: ['GET'],
      path: '/other',
    }),
  )
  // Its removal would let another of its slug go free
  await refused(control.run('collections.delete', { id: 'payments' }, { confirm: 'payments' }), 'in_use')
  await rule('proxies:delete', {}, { tags: ['money'] })
  assert.equal((await update('pay', { description: 'x' })).status, 200)
  requestOf(await update('pay', { tags: [] }))
  await rule('clients:*', {}, { tags: ['money'] })
  const { approval } = await as('ada', 'proxies.update', { id: 'pay', tags: [] }, { dryRun: true })
  assert.equal(approval, undefined, 'the rule is about no proxies')
  await rule('proxies:delete', {}, { tags: ['money'] })
  const documents = [
    JSON.stringify({
      kind: 'proxy',
      slug: 'pay',
      spec: { collection: 'payments', name: 'Pay', methods: ['POST'], path: '/pay' },
    }),
  ]
  requestOf(await as('ada', 'config.apply', { documents, managed_by: 'files' }))
})

test('what takes paths from a collection is an update of it, to its rules and to those who approve', async () => {
  await past([])
  const at = (slug: string, more: object) => ({ ...ORDERS, name: slug, slug, ...more })
  await control.run('collections.create', at('bank', { base_path: '/bank' }))
  await control.run('collections.create', at('bystander', { base_path: '/by' }))
  await rule('collections:update', {}, { collections: ['bank'] })
  const request = requestOf(
    await as('ada', 'collections.create', at('near', { base_path: '/bank/transfers', tags: ['mine'] })),
  )
  assert.ok(request.diff.length > 0)
  const touched = (await control.store.read.changeRequest(request.id))!.touches.map(({ slug }) => slug)
  assert.deepEqual(touched, ['near', 'bank'])
  requestOf(await as('ada', 'collections.create', at('host', { base_path: '/bank', hosts: ['a.test'] })))
  requestOf(await as('ada', 'collections.update', { id: 'bystander', base_path: '/bank/by' }))
  const spec = { name: 'Far', base_path: '/bank/far', upstream: ORDERS.upstream }
  const documents = [JSON.stringify({ kind: 'collection', slug: 'far', spec })]
  requestOf(await as('ada', 'config.apply', { documents, managed_by: 'files' }))
  assert.equal((await as('ada', 'collections.update', { id: 'bystander', base_path: '/ban' })).status, 200)
  assert.equal((await as('bob', 'change_requests.approve', { id: request.id })).status, 200)
  assert.equal((await control.run('collections.get', { id: 'near' })).status, 200)
})

test('what is brought into the scope of a rule by a tag was neither made nor published there, and waits', async () => {
  await past([])
  const apart = { ...ORDERS, name: 'Apart', slug: 'apart', base_path: '/apart', tags: ['own'] }
  await control.run('collections.create', apart)
  const tagged = (tags: string[]) => as('ada', 'collections.update', { id: 'apart', tags })
  for (const permission of ['collections:create', 'collections:publish', 'proxies:publish']) {
    await rule(permission, {}, { tags: ['live'] })
    requestOf(await tagged(['own', 'live']))
    assert.equal((await tagged(['own'])).status, 200)
  }
  await rule('collections:delete', {}, { tags: ['live'] })
  assert.equal((await tagged(['own', 'live'])).status, 200, 'it is about neither')
})

test('publishing is held back however it is done, and so is a new secret', async () => {
  await rule(['*:publish', '*:rotate'])
  const draft = { collection: 'orders', name: 'Early', methods: ['GET'], path: '/early' }
  assert.equal((await as('ada', 'proxies.create', draft)).status, 201)
  const published = { status: 'published' }
  const documents = [JSON.stringify({ kind: 'proxy', slug: 'early', spec: { ...draft, ...published } })]
  for (const [name, input] of [
    ['proxies.publish', { id: 'early' }],
    ['proxies.update', { id: 'early', ...published }],
    ['proxies.put', { id: 'early', ...draft, ...published }],
    ['proxies.create', { ...draft, name: 'Late', path: '/late', ...published }],
    ['proxies.bulk_update', { ids: ['early'], changes: published }],
    ['collections.publish', { id: 'orders', cascade: true }],
    ['collections.create', { ...ORDERS, slug: 'live', base_path: '/live', ...published }],
    ['config.apply', { documents, managed_by: 'files' }],
  ] as const)
    assert.deepEqual(requestOf(await as('ada', name, input)).operation, name)
  const auth = { type: 'bearer', token: 'planted-first-secret' }
  assert.equal((await as('ada', 'credentials.create', { name: 'Bank', auth })).status, 201)
  const update = (auth: object) => as('ada', 'credentials.update', { id: 'bank', auth })
  requestOf(await update({ token: 'planted-second-secret' }))
  // Under another name, or from another place
  requestOf(await update({ type: 'basic', username: 'u', password: 'planted-second-secret' }))
  requestOf(await update({ token: { env: 'OTHER_SECRET' } }))
  assert.equal((await as('ada', 'credentials.update', { id: 'bank', description: 'same' })).status, 200)
})

test('a rule for some holds for them alone, and for the members of their teams', async () => {
  await past([])
  await control.run('teams.create', { name: 'Interns', members: [{ user: 'cleo' }] })
  const change = (name: string, description: string) =>
    as(name, 'clients.update', { id: 'acme', description })
  await rule('*:*', { users: ['bob'] })
  requestOf(await change('bob', 'b'))
  assert.equal((await change('ada', 'a')).status, 200)
  await rule('*:*', { service_identities: ['pipeline'] })
  requestOf(await change('pipeline', 'p'))
  assert.equal((await change('bob', 'b')).status, 200)
  await rule('*:*', { teams: ['interns'] })
  requestOf(await change('cleo', 'c'))
  assert.equal((await change('ada', 'a')).status, 200)
})

test('nobody approves what they asked for themselves, by whatever proves them', async () => {
  const { id } = requestOf(await as('ada', 'clients.update', { id: 'acme', description: 'self' }))
  const itself = { id }
  await refused(approve('ada', id), 'permission_denied')
  for (const authMethod of ['personal_token', 'local_token'])
    await refused(as('ada', 'change_requests.approve', itself, {}, { authMethod }), 'permission_denied')
  // A machine of theirs, and one with the data directory
  await refused(approve('pipeline', id), 'permission_denied')
  await refused(control.run('change_requests.approve', itself), 'permission_denied')
  await past([])
  await as('ada', 'service_identities.create', { name: 'robot' })
  const robot = await control.run('service_identities.get', { id: 'robot' })
  ids['robot'] = String(robot.output['id'])
  await control.run('grants.create', { name: 'all', service_identity: 'robot', role: 'admin' })
  // Who has its secret could be it
  await as('cleo', 'service_identities.issue_secret', { id: 'robot' })
  await rule('*:*')
  const by = requestOf(await as('robot', 'clients.update', { id: 'acme', description: 'robot' }))
  for (const name of ['ada', 'cleo'])
    assert.match((await refused(approve(name, by.id), 'permission_denied')).message, /could act as it/)
  assert.equal((await approve('bob', by.id)).output['state'], 'applied')
  assert.equal((await control.run('change_requests.get', itself)).output['state'], 'open')
  await past([])
  // A trust rule that proved whoever asked goes before the approval; one of another service identity is no hand in this one
  for (const [name, service_identity] of [
    ['cleo', 'pipeline'],
    ['bob', 'robot'],
  ] as const) {
    const conditions = [{ claim: 'sub', equals: 'x' }]
    const trust = { name, service_identity, issuer: 'https://ci.test', audience: 'postern', conditions }
    const { id } = (await as(name, 'trust_rules.create', trust)).output
    await as(name, 'trust_rules.delete', { id }, { confirm: name })
  }
  await rule('*:*')
  const through = requestOf(await as('pipeline', 'clients.update', { id: 'acme', description: 'pipeline' }))
  assert.match((await refused(approve('cleo', through.id), 'permission_denied')).message, /could act as it/)
  assert.equal((await approve('bob', through.id)).output['state'], 'applied')
})

test('approving needs config:approve for all that it touches, and seeing it', async () => {
  await past([])
  const made = await control.run('users.create', { name: 'dora' })
  ids['dora'] = String(made.output['id'])
  const collections = ['payments']
  await control.run('grants.create', {
    name: 'narrow',
    user: 'dora',
    role: 'approver',
    scope: { collections },
  })
  await rule('*:*')
  const far = requestOf(await as('ada', 'proxies.update', { id: 'get-order', description: 'far' }))
  await refused(approve('dora', far.id), 'not_found')
  await refused(as('dora', 'change_requests.get', { id: far.id }), 'not_found')
  const near = requestOf(await as('ada', 'proxies.update', { id: 'pay', description: 'near' }))
  const { output } = await as('dora', 'change_requests.list', {})
  assert.deepEqual((output['items'] as ChangeRequest[]).map(({ id }) => id).slice(0, 1), [near.id])
  assert.ok(!JSON.stringify(output).includes('"far"'))
  assert.equal((await approve('dora', near.id)).output['state'], 'applied')
  // Whoever may read nothing sees what they asked for, and looks through no others
  const blind = async (name: string) => {
    const { items } = (await as(name, 'change_requests.list', {}, {}, { grants: [] })).output
    return (items as ChangeRequest[]).map(({ requester }) => requester.name)
  }
  assert.deepEqual([new Set(await blind('ada')), await blind('dora')], [new Set(['ada']), []])
  const viewer = [{ role: 'viewer' as const }]
  await refused(
    as('bob', 'change_requests.approve', { id: far.id }, {}, { grants: viewer }),
    'permission_denied',
  )
  const read = await as('bob', 'change_requests.get', { id: far.id }, {}, { grants: viewer })
  assert.equal(read.output['state'], 'open')
  await refused(
    as('bob', 'change_requests.reject', { id: far.id }, {}, { grants: viewer }),
    'permission_denied',
  )
  const rejected = await as('bob', 'change_requests.reject', { id: far.id }, { reason: 'not now' })
  assert.deepEqual([rejected.output['state'], rejected.output['decision_reason']], ['rejected', 'not now'])
  await refused(approve('cleo', far.id), 'already_decided')
  const own = requestOf(await as('ada', 'proxies.update', { id: 'get-order', description: 'mine' }))
  assert.equal((await as('ada', 'change_requests.reject', { id: own.id })).output['state'], 'rejected')
})

test('a change that moves something is for who may approve on both sides, and one of no resource for few', async () => {
  await past([])
  const grant = { user: 'dora', role: 'approver', scope: { tags: ['partner'] } }
  await control.run('grants.create', { ...grant, name: 'tagged' })
  const made = await as('ada', 'personal_tokens.create', { name: 'script' })
  await rule('*:*')
  const move = requestOf(await as('ada', 'proxies.update', { id: 'get-order', tags: ['partner'] }))
  await refused(as('dora', 'change_requests.get', { id: move.id }), 'not_found')
  await approve('bob', move.id)
  const out = requestOf(await as('ada', 'proxies.update', { id: 'get-order', tags: ['mine'] }))
  await refused(as('dora', 'change_requests.get', { id: out.id }), 'not_found')
  const within = requestOf(await as('ada', 'proxies.update', { id: 'get-order', description: 'within' }))
  assert.equal((await approve('dora', within.id)).output['state'], 'applied')
  const revoked = requestOf(await as('cleo', 'personal_tokens.revoke', { id: made.output['id'] }))
  await refused(as('dora', 'change_requests.get', { id: revoked.id }), 'not_found')
  assert.equal((await approve('bob', revoked.id)).output['state'], 'applied')
  await refused(as('ada', 'personal_tokens.get', { id: made.output['id'] }), 'not_found')
  await as('ada', 'change_requests.reject', { id: out.id })
})

test('a grant touches all that it is for', async () => {
  await past([])
  await control.run('users.create', { name: 'fay', tags: ['partner'] })
  const permissions = ['config:approve', 'grants:read', 'proxies:read']
  await control.run('roles.create', { name: 'Grants', permissions })
  const grant = { name: 'grants', user: 'dora', role: 'grants', scope: { tags: ['partner'] } }
  await control.run('grants.create', grant)
  await rule('grants:*')
  const ask = async (name: string, scope: object) =>
    requestOf(await as('ada', 'grants.create', { name, user: 'fay', role: 'modifier', scope })).id
  const wide = [await ask('all', {}), await ask('tag', { tags: ['partner', 'mine'] })]
  wide.push(await ask('place', { collections: ['orders'] }))
  for (const id of wide) await refused(approve('dora', id), 'not_found')
  const near = await ask('near', { tags: ['partner'] })
  assert.equal((await approve('dora', near)).output['state'], 'applied')
  assert.equal((await approve('bob', wide[2]!)).output['state'], 'applied')
  for (const id of wide.slice(0, 2)) await as('ada', 'change_requests.reject', { id })
})

test('nobody has more than a hundred that wait', async () => {
  const { id } = requestOf(await as('pipeline', 'policies.create', { name: 'First' }))
  const first = await control.store.read.changeRequest(id)
  assert.ok(first)
  await control.store.write(async (writer) => {
    for (let n = 10; n < 110; n++)
      await writer.putChangeRequest({
        ...first,
        id: `chg_${String(n).padStart(26, '0')}`,
        fingerprint: `other ${n}`,
      })
  })
  await refused(as('pipeline', 'policies.create', { name: 'Second' }), 'configuration_invalid')
  requestOf(await as('pipeline', 'policies.create', { name: 'First' }))
})

test('of two who approve at once one does it', async () => {
  const { id } = requestOf(await as('ada', 'clients.update', { id: 'acme', description: 'once' }))
  const before = await revision()
  const ends = await Promise.allSettled([approve('bob', id), approve('cleo', id)])
  assert.deepEqual(ends.map(({ status }) => status).sort(), ['fulfilled', 'rejected'])
  assert.equal(await revision(), before + 1)
})

test('what it touches, or whoever asked, may not have changed since', async () => {
  const ask = async (description: string) =>
    requestOf(await as('ada', 'clients.update', { id: 'acme', description })).id
  const stale = await ask('1')
  await past([])
  await control.run('clients.update', { id: 'acme', description: 'meanwhile' })
  await rule('*:*')
  const before = await revision()
  const refusal = await refused(approve('bob', stale), 'change_request_outdated')
  assert.match(refusal.message, /"acme" is at revision \d+ now, not \d+/)
  assert.equal((await control.run('clients.get', { id: 'acme' })).output['description'], 'meanwhile')
  assert.equal(await revision(), before)
  const fresh = await ask('2')
  await past([])
  const grant = await control.run('grants.get', { id: 'ada:all' })
  await control.run('grants.delete', { id: 'ada:all' }, { confirm: 'all' })
  assert.match((await refused(approve('bob', fresh), 'change_request_outdated')).message, /clients:update/)
  await control.run('users.update', { id: 'ada', active: false })
  assert.match(
    (await refused(approve('bob', fresh), 'change_request_outdated')).message,
    /"ada".* is inactive/,
  )
  await control.run('users.update', { id: 'ada', active: true })
  await control.run('grants.create', { name: 'all', user: 'ada', role: String(grant.output['role']) })
  assert.equal((await approve('bob', fresh)).output['state'], 'applied')
  assert.equal((await control.run('change_requests.get', { id: stale })).output['state'], 'open')
})

test('what a request names is what it named when it was asked, whatever has its slug now', async () => {
  const swap = async () => {
    for (const [id, slug] of [
      ['orders', 'aside'],
      ['payments', 'orders'],
      ['aside', 'payments'],
    ])
      await control.run('collections.update', { id, slug })
  }
  await past([])
  await control.run('clients.create', { name: 'Bare' })
  await rule(['clients:*', 'proxies:*', 'settings:*', 'records:*'])
  const assign = requestOf(await as('ada', 'clients.assign', { id: 'bare', collections: ['payments'] }))
  const copy = requestOf(await as('ada', 'proxies.duplicate', { id: 'payments:pay', path: '/again' }))
  const settings = { approvals: [{ name: 'One', permissions: ['*:*'], scope: { collections: ['orders'] } }] }
  const rules = requestOf(await as('ada', 'settings.update', settings))
  const purge = requestOf(await as('ada', 'records.purge', { collection: 'orders' }, { confirm: 'records' }))
  assert.deepEqual(purge.diff, [
    { op: 'remove', path: '/records', from: { collection: 'orders', matching: 0 } },
  ])
  await swap()
  for (const { id } of [assign, rules, purge])
    assert.match((await refused(approve('bob', id), 'change_request_outdated')).message, /something else/)
  await swap()
  for (const { id } of [assign, copy, purge, rules])
    assert.equal((await approve('bob', id)).output['state'], 'applied')
})

test('a secret that is shown once is made when whoever asked repeats the call, for nobody else', async () => {
  const input = { client: 'acme', name: 'Second', slug: 'second', auth: { type: 'token' } }
  const request = requestOf(await as('ada', 'profiles.create', input))
  assert.equal(request.repeats, true)
  assert.ok(!JSON.stringify(request).includes('pst_pk_'))
  assert.equal((await approve('bob', request.id)).output['state'], 'approved')
  await refused(control.run('profiles.get', { id: 'acme:second' }), 'not_found')
  // Somebody else, and another call
  requestOf(await as('cleo', 'profiles.create', input))
  requestOf(await as('ada', 'profiles.create', { ...input, slug: 'third' }))
  const made = await as('ada', 'profiles.create', input)
  assert.equal(made.status, 201)
  assert.match(String(made.output['token']), /^pst_pk_/)
  assert.equal((await control.run('change_requests.get', { id: request.id })).output['state'], 'applied')
  const [entry] = await entriesOf('profiles.create')
  assert.equal(entry?.approver?.name, 'bob')
  const again = requestOf(await as('ada', 'profiles.rotate', { id: 'acme:second' }))
  assert.equal((await approve('bob', again.id)).output['state'], 'approved')
  await past([])
  await control.run('profiles.update', { id: 'acme:second', description: 'moved' })
  await rule('*:*')
  assert.notEqual(requestOf(await as('ada', 'profiles.rotate', { id: 'acme:second' })).id, again.id)
})

test('the same call is the same request, and its key tells how it went', async () => {
  const call = (options: WriteOptions = {}) =>
    as('ada', 'clients.update', { id: 'acme', description: 'keyed' }, options)
  const first = requestOf(await call({ idempotencyKey: 'k1' }))
  assert.equal(requestOf(await call({ idempotencyKey: 'k1' })).id, first.id)
  assert.equal(requestOf(await call()).id, first.id)
  await approve('bob', first.id)
  const told = await call({ idempotencyKey: 'k1' })
  assert.equal(told.output['waits_for_approval'], false)
  assert.equal(requestOf(told).state, 'applied')
})

test('what is drawn anew each time, ids and slugs and times, is no other change', async () => {
  await past([])
  const auth = { type: 'bearer', token: 'planted-first-secret' }
  await control.run('credentials.create', { name: 'Wire', auth })
  await control.run('profiles.create', { client: 'acme', name: 'Drawn', auth: { type: 'token' } })
  await rule('*:*')
  const rotation = { id: 'wire', auth: { token: 'planted-second-secret' }, overlap: '1h', untested: true }
  for (const [operation, input] of [
    ['credentials.rotate', rotation],
    ['policies.create', { name: '日本' }],
    ['profiles.revoke', { id: 'acme:drawn' }],
  ] as const) {
    const { id } = requestOf(await as('ada', operation, input))
    control.move(61_000)
    assert.equal(requestOf(await as('ada', operation, input)).id, id, operation)
    assert.equal((await approve('bob', id)).output['state'], 'applied', operation)
  }
})

test('keys and records are left alone until somebody approves', async () => {
  const purge = requestOf(await as('ada', 'records.purge', { collection: 'orders' }, { confirm: 'records' }))
  await refused(as('ada', 'records.purge', { collection: 'orders' }), 'confirmation_required')
  const secret = 'planted-in-arguments'
  const auth = { type: 'bearer', token: secret }
  const sealed = requestOf(await as('ada', 'credentials.create', { name: 'Sealed', auth }))
  const [key] = control.vault.keys()
  const kept = requestOf(await as('ada', 'keys.rotate', { keep_old: true }))
  const rotate = requestOf(await as('ada', 'keys.rotate', {}))
  const leaving = { op: 'add', path: '/keys/leaving/-', value: key?.id }
  assert.deepEqual(rotate.diff, [...kept.diff, leaving])
  await as('ada', 'change_requests.reject', { id: kept.id })
  const headers = [{ name: 'X-Key', secret }]
  const header = requestOf(await as('ada', 'proxies.update', { id: 'get-order', headers }))
  const asked = control.asked.length
  assert.equal((await approve('bob', purge.id)).output['state'], 'applied')
  assert.equal(control.asked.length, asked + 1)
  assert.equal((await approve('bob', rotate.id)).output['state'], 'applied')
  assert.notEqual(control.vault.keys()[0]?.id, key?.id)
  assert.equal(control.vault.keys().length, 1)
  // What waits is sealed by the new key, and opens
  const stored = await control.store.read.changeRequest(sealed.id)
  assert.ok(!JSON.stringify(stored).includes(secret))
  assert.ok(!JSON.stringify(sealed).includes(secret))
  const told = await control.store.read.auditEntries({ limit: 5, text: secret, bodies: true })
  assert.deepEqual(told.items, [])
  assert.ok(control.vault.areArgumentsCurrent(stored?.sealed ?? '', sealed.id))
  assert.throws(() => createOpener(control.vault.gatewayKey())(stored?.sealed ?? '', sealed.id, 'arguments'))
  assert.equal((await approve('bob', sealed.id)).output['state'], 'applied')
  assert.equal((await control.store.read.changeRequest(sealed.id))?.sealed, null)
  assert.equal((await control.run('credentials.get', { id: 'sealed' })).output['name'], 'Sealed')
  assert.ok(!JSON.stringify([header, await control.store.read.changeRequest(header.id)]).includes(secret))
  assert.deepEqual(header.diff.at(-1), { op: 'add', path: '/headers/x-key', value: 'changed' })
  assert.equal((await approve('bob', header.id)).output['state'], 'applied')
  const { output } = await control.run('proxies.get', { id: 'get-order' })
  assert.match(JSON.stringify(output['headers']), /"set":true,"source":"value","last4":"ents"/)
})

test('a request that an older version has sealed with the keys of credentials is approved, and a rotation reseals it', async () => {
  const { store, vault } = control
  const askOfOlder = async (name: string): Promise<string> => {
    const { id } = requestOf(await as('ada', 'policies.create', { name }))
    const stored = (await store.read.changeRequest(id))!
    const text = vault.openArguments(stored.sealed!, id)
    const sealed = vault.seal(text, id, 'arguments')
    await store.write((writer) => writer.putChangeRequest({ ...stored, sealed }))
    return id
  }
  const sealedOf = async (id: string): Promise<string> => (await store.read.changeRequest(id))?.sealed ?? ''
  assert.equal((await approve('bob', await askOfOlder('Older'))).output['state'], 'applied')
  const id = await askOfOlder('Older still')
  assert.equal(
    createOpener(vault.gatewayKey())(await sealedOf(id), id, 'arguments').reveal().length > 0,
    true,
  )
  const rotate = requestOf(await as('ada', 'keys.rotate', {}))
  assert.equal((await approve('bob', rotate.id)).output['state'], 'applied')
  assert.ok(vault.areArgumentsCurrent(await sealedOf(id), id))
  const sealed = await sealedOf(id)
  assert.throws(() => createOpener(vault.gatewayKey())(sealed, id, 'arguments'))
  assert.equal((await approve('bob', id)).output['state'], 'applied')
})

test('what narrowed whoever asked narrows the carrying out', async () => {
  const proxies = { types: ['proxies'], verbs: [], collections: [], tags: [] }
  const grants = [{ role: { permissions: new Set(['proxies:update', 'proxies:read']) }, scope: proxies }]
  const asked = await as(
    'ada',
    'proxies.update',
    { id: 'get-order', description: 'narrow' },
    {},
    {
      grants,
      unnarrowed: [{ role: 'admin' }],
    },
  )
  const { id } = requestOf(asked)
  const stored = await control.store.read.changeRequest(id)
  assert.ok(stored)
  const requester = await requesterOf(stored, control.store.read, Date.now())
  const may = (permission: Permission) => permits(requester, permission)
  assert.deepEqual([may('proxies:update'), may('proxies:delete'), may('users:read')], [true, false, false])
  assert.equal((await approve('bob', id)).output['state'], 'applied')
})

import assert from 'node:assert/strict'
import { after, before, beforeEach, test } from 'node:test'
import { type Control, operationOf, principalOf, refused, startControl, VIA } from '../../../test/control.ts'
import type { Grant, Principal } from '../../access/principal.ts'
import type { Invoked } from '../engine/call.ts'
import type { WriteOptions } from '../engine/write-options.ts'

const DAY_MS = 86_400_000

let control: Control
let collection = ''
before(async () => {
  control = await startControl()
  for (const [slug, requestable] of [
    ['open', true],
    ['more', true],
    ['closed', false],
  ] as const) {
    const { output } = await control.run('collections.create', {
      name: slug,
      base_path: `/${slug}`,
      requestable,
      tags: [slug],
    })
    if (slug === 'open') collection = String(output['id'])
  }
})
after(() => control.close())

let client = ''
let count = 0
beforeEach(async () => {
  client = `client-${++count}`
  await control.run('clients.create', { name: client, tags: ['partners'] })
})

const scoped = (role: 'viewer' | 'modifier' | 'admin', ...tags: string[]): Grant => ({
  role,
  scope: { types: [], verbs: [], collections: [], tags },
})

const who = (name: string, ...grants: Grant[]): Principal => ({
  ...principalOf('viewer', grants),
  id: `usr_${name}`,
  name,
})
const ada = who('ada', { role: 'viewer' })
const bob = who('bob', scoped('modifier', 'partners', 'open', 'more'))

function run(
  principal: Principal,
  action: string,
  input: object,
  options: WriteOptions = {},
): Promise<Invoked> {
  return control.invoke(operationOf(`access_requests.${action}`), input, options, principal, VIA)
}

async function ask(collections = ['open'], principal = ada): Promise<string> {
  return String((await run(principal, 'create', { client, collections })).output['id'])
}

async function seen(principal: Principal, input: object = {}): Promise<unknown[]> {
  const { output } = await run(principal, 'list', { client, ...input })
  return (output['items'] as { id: string }[]).map(({ id }) => id)
}

const assigned = async (): Promise<unknown> =>
  (await control.run('clients.get', { id: client })).output['collections']

const last = async () => (await control.store.read.auditEntries({ limit: 1 })).items[0]!

test('what is asked for is assigned when it is approved, in one entry with both names', async () => {
  const { output, status, configRevision } = await run(ada, 'create', {
    client,
    collections: ['open', 'more'],
    message: ' For the app. ',
  })
  const id = String(output['id'])
  assert.deepEqual([status, configRevision], [201, null])
  const { created_at, expires_at, ...rest } = output
  assert.equal(Date.parse(String(expires_at)) - Date.parse(String(created_at)), 30 * DAY_MS)
  const asked = { id, requester: 'ada', client, collections: ['open', 'more'], message: 'For the app.' }
  const undecided = { decided_at: null, decided_by: null, reason: null }
  assert.deepEqual(rest, { ...asked, state: 'open', ...undecided })
  const told = await last()
  assert.deepEqual([told.operation, told.resource.id, told.actor.name], ['access_requests.create', id, 'ada'])
  assert.deepEqual((await run(ada, 'get', { id })).output, output)

  const dry = await run(bob, 'approve', { id }, { dryRun: true })
  assert.deepEqual(
    dry.diff?.map(({ path }) => path),
    [`/access_requests/${id}/state`, '/collections/0', '/collections/1'],
  )
  assert.deepEqual(await assigned(), [])
  const approved = await run(bob, 'approve', { id }, { reason: 'A partner' })
  assert.equal(typeof approved.configRevision, 'number')
  assert.deepEqual(await assigned(), ['open', 'more'])
  const decision = { state: 'applied', decided_by: 'bob', reason: 'A partner' }
  assert.partialDeepStrictEqual(approved.output, { ...asked, ...decision })
  const entry = await last()
  assert.deepEqual([entry.actor.name, entry.resource.slug, entry.reason], ['bob', client, 'A partner'])
  assert.equal(entry.detail, `Approved ${id}, requested by ada.`)
  await refused(run(bob, 'approve', { id }), 'already_decided')
  await refused(run(bob, 'reject', { id }, { reason: 'x' }), 'already_decided')
})

test('nobody asks for what they do not see, nor for what cannot be asked for, nor twice', async () => {
  const nobody = who('nobody')
  const auditor = who('auditor', { role: 'auditor' })
  const outside = who('outside', scoped('viewer', 'partners'))
  const clientsAlone = who('clients', { role: { permissions: new Set(['clients:read']) } })
  for (const principal of [nobody, auditor, clientsAlone])
    await refused(ask(['open'], principal), 'not_found')
  assert.match((await refused(ask(['open'], outside), 'not_found')).message, /collection "open"/)
  const { facts } = await refused(ask(['open', 'closed']), 'configuration_invalid')
  assert.deepEqual(facts.errors, [
    { pointer: '/collections/1', reason: 'access to "closed" cannot be requested' },
  ])
  const id = await ask(['open', 'more'])
  assert.match((await refused(ask(['more']), 'already_exists')).message, new RegExp(id))
  await control.run('clients.assign', { id: client, collections: ['open'] })
  await refused(ask(['open']), 'already_exists')
})

test('requests are shown to who asks and to who could assign it, and decided by these alone', async () => {
  const id = await ask()
  const others = {
    nobody: who('nobody'),
    viewer: who('eve', { role: 'viewer' }),
    elsewhere: who('elsewhere', scoped('admin', 'else')),
    seesAll: who('sees', { role: 'viewer' }, scoped('modifier', 'else')),
    withoutCollection: who('half', scoped('admin', 'partners')),
  }
  for (const [name, principal] of Object.entries(others)) {
    assert.deepEqual(await seen(principal), [], name)
    await refused(run(principal, 'get', { id }), 'not_found')
    await refused(run(principal, 'reject', { id }, { reason: 'x' }), 'not_found')
  }
  for (const principal of [others.elsewhere, others.seesAll, others.withoutCollection])
    await refused(run(principal, 'approve', { id }), 'not_found')
  for (const principal of [others.nobody, others.viewer, ada])
    await refused(run(principal, 'approve', { id }), 'permission_denied')
  for (const principal of [ada, bob]) assert.deepEqual(await seen(principal), [id])

  const own = await ask(['more'], who('part', { role: 'viewer' }, scoped('modifier', 'else')))
  await refused(
    run(who('part', { role: 'viewer' }, scoped('modifier', 'else')), 'approve', { id: own }),
    'permission_denied',
  )
  assert.deepEqual(await assigned(), [])
  assert.deepEqual(await seen(bob, { limit: 1 }), [id])
})

test('a request is rejected with a reason, and taken back without one', async () => {
  const id = await ask()
  const { facts } = await refused(run(bob, 'reject', { id }), 'input_invalid')
  assert.equal(facts.errors?.[0]?.pointer, '/reason')
  const { output } = await run(bob, 'reject', { id }, { reason: 'Not yet' })
  assert.partialDeepStrictEqual(output, { state: 'rejected', decided_by: 'bob', reason: 'Not yet' })
  assert.equal((await last()).detail, `Rejected ${id}, requested by ada.`)
  const again = await ask()
  assert.equal((await run(ada, 'reject', { id: again })).output['state'], 'rejected')
  assert.deepEqual(await seen(ada, { state: 'rejected' }), [id, again])
  assert.deepEqual(await assigned(), [])
})

test('who asks may approve it only where they could have assigned it', async () => {
  const able = who('able', scoped('modifier', 'partners', 'open'))
  await run(able, 'approve', { id: await ask(['open'], able) })
  assert.deepEqual(await assigned(), ['open'])
})

test('what nobody decides expires, and what is old is forgotten', async () => {
  const id = await ask()
  const old = client
  control.move(29 * DAY_MS)
  assert.deepEqual(await seen(ada, { state: 'open' }), [id])
  control.move(DAY_MS)
  assert.deepEqual(await seen(ada, { state: 'open' }), [])
  assert.deepEqual(await seen(ada, { state: 'expired' }), [id])
  assert.equal((await run(ada, 'get', { id })).output['state'], 'expired')
  assert.match((await refused(run(bob, 'approve', { id }), 'already_decided')).message, /has expired/)
  const later = await ask()
  control.move(91 * DAY_MS)
  await ask(['more'], who('cleo', { role: 'viewer' }))
  assert.deepEqual(await seen(ada, { client: old }), [later])
})

test('deleting the client, a collection or the requester ends what is open', async () => {
  const states = async (id: string) => (await run(ada, 'get', { id })).output
  const first = await ask()
  await control.run('clients.delete', { id: client }, { confirm: client })
  assert.partialDeepStrictEqual(await states(first), { state: 'expired', decided_by: null })
  assert.match(String((await states(first))['reason']), /was deleted/)
  await refused(run(bob, 'approve', { id: first }), 'not_found')

  client = 'kept'
  await control.run('clients.create', { name: client, tags: ['partners'] })
  const gone = { name: 'Gone', base_path: '/gone', requestable: true }
  await control.run('collections.create', gone)
  const [second, untouched] = [await ask(['more', 'gone']), await ask(['open'])]
  await control.run('collections.delete', { id: 'gone' }, { confirm: 'gone' })
  assert.equal((await states(second))['state'], 'expired')
  assert.equal((await states(untouched))['state'], 'open')

  const user = String((await control.run('users.create', { name: 'Dora' })).output['id'])
  const dora = { ...who('dora', { role: 'viewer' }), id: user }
  const third = await ask(['open'], dora)
  await control.run('users.delete', { id: 'dora' }, { confirm: 'dora' })
  await refused(run(who('admin', { role: 'admin' }), 'approve', { id: third }), 'already_decided')
})

test('one requester has a bounded number of open requests', async () => {
  const many = who('many', { role: 'viewer' })
  for (let n = 0; n < 20; n++) {
    client = `many-${n}`
    await control.run('clients.create', { name: client })
    await ask([n % 2 === 0 ? 'open' : collection], many)
  }
  client = 'one-more'
  await control.run('clients.create', { name: client })
  await refused(ask(['open'], many), 'configuration_invalid')
  const [first] = (await run(many, 'list', { limit: 1 })).output['items'] as { id: string }[]
  await run(many, 'reject', { id: first?.id })
  await ask(['open'], many)
  assert.equal(((await run(many, 'list', { limit: 100 })).output['items'] as unknown[]).length, 21)
})

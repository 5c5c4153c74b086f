import assert from 'node:assert/strict'
import { afterEach, beforeEach, test } from 'node:test'
import { inspect } from 'node:util'
import { type Control, example, refused, startControl } from '../../../test/control.ts'
import { checkFragment } from '../../snapshot/compile/check.ts'
import type { CollectionFragment, Fragment } from '../../snapshot/fragments.ts'
import { linkCollection } from '../../snapshot/link/collection.ts'
import { createOpener } from '../../vault/vault.ts'

const PLANTED = 'planted-s3cret-value-0042'
const OTHER = 'planted-s3cret-other-0043'

let control: Control
beforeEach(async () => {
  control = await startControl({ deps: { check: checkFragment } })
  await example(control)
})
afterEach(() => control.close())

const EDITS = [
  'collections:read',
  'collections:update',
  'collections:create',
  'proxies:read',
  'proxies:create',
]
const SEALED = { name: 'X-Key', secret: PLANTED }
const update = (headers: unknown, options: object = {}) =>
  control.run('collections.update', { id: 'orders', headers }, options)
const headersOf = async (type = 'collections', id = 'orders') =>
  (await control.run(`${type}.get`, { id })).output['headers'] as {
    name: string
    value?: string
    secret: Record<string, unknown>
  }[]
const isCollection = (fragment: Fragment): fragment is CollectionFragment => fragment.kind === 'collection'

/** What is sent at the only proxy, as the last fragment has it; or why nothing is. */
function sent(): string {
  const fragment = control.published
    .flatMap(({ put }) => put.map((one) => one.fragment))
    .filter(isCollection)
    .at(-1)!
  const { headers } = linkCollection(fragment, null, createOpener(control.vault.gatewayKey())).proxies[0]!
  return headers.fault ?? headers.text
}
const fieldsOf = async (type: 'collections' | 'proxies', id: string): Promise<string[]> => {
  const owner = String((await control.run(`${type}.get`, { id })).output['id'])
  return (await control.store.read.secretsOf([owner])).map(({ field }) => field)
}

test('the secret of a header is sent and shown nowhere, and that of a proxy goes before that of its collection', async () => {
  const seen: unknown[] = [await update([SEALED, { name: 'X-Stage', value: 'test' }])]
  const [key, stage] = await headersOf()
  assert.deepEqual(stage, { name: 'X-Stage', value: 'test' })
  const { updated_at, ...state } = key!.secret
  assert.deepEqual([key?.name, state], ['X-Key', { set: true, source: 'value', last4: '0042' }])
  assert.equal(typeof updated_at, 'string')
  assert.equal(sent(), `X-Key: ${PLANTED}\r\nX-Stage: test\r\n`)
  seen.push(
    await control.run('proxies.update', { id: 'get-order', headers: [{ name: 'x-key', secret: OTHER }] }),
  )
  assert.equal(sent(), `X-Stage: test\r\nx-key: ${OTHER}\r\n`)
  const { diff } = await update([{ ...SEALED, secret: { value: OTHER } }], { dryRun: true })
  assert.deepEqual(diff?.at(-1), { op: 'replace', path: '/headers/x-key', value: 'changed' })
  for (const wrong of [`${PLANTED}\n`, { value: PLANTED, env: 'SECRET_A' }, [PLANTED]])
    seen.push(await refused(update([{ name: 'X-Key', secret: wrong }]), 'input_invalid'))
  seen.push(await refused(update([{ ...SEALED, value: 'plain' }]), 'input_invalid'))
  await refused(update([SEALED, { name: 'x-key', value: 'plain' }]), 'input_invalid')
  for (const name of ['collections.list', 'audit.list', 'config.export', 'revisions.list'])
    seen.push(await control.run(name, name === 'audit.list' ? { bodies: true } : {}))
  seen.push(control.published)
  assert.ok(!inspect(seen, { depth: 20, maxStringLength: null, maxArrayLength: null }).includes('planted-s3'))
})

test('a header that says nothing of its secret keeps it, and one that is left out forgets it', async () => {
  await refused(update([{ name: 'X-Key' }]), 'input_invalid')
  await update([SEALED])
  await update([{ name: 'x-key' }, { name: 'X-Stage', value: 'test' }])
  assert.equal(sent(), `x-key: ${PLANTED}\r\nX-Stage: test\r\n`)
  await control.run('collections.update', { id: 'orders', description: 'more' })
  assert.equal(sent(), `x-key: ${PLANTED}\r\nX-Stage: test\r\n`)
  await update([{ name: 'X-Key', secret: { env: 'SECRET_KEY' } }])
  assert.deepEqual(await fieldsOf('collections', 'orders'), [])
  assert.equal(sent(), 'header X-Key: the secret is not set')
  const [read] = await headersOf()
  const state = read!.secret
  assert.deepEqual([state['source'], state['reference']], ['env', 'SECRET_KEY'])
  await update([{ name: 'X-Key' }])
  assert.equal((await headersOf())[0]?.secret['reference'], 'SECRET_KEY')
  await update([SEALED])
  await update([])
  assert.deepEqual(await fieldsOf('collections', 'orders'), [])
  await refused(update([{ name: 'X-Key' }]), 'input_invalid')
})

test('a draft keeps secrets of headers and takes no text of one; what publishing drops is forgotten', async () => {
  await update([SEALED])
  await refused(update([{ name: 'X-Other', secret: OTHER }], { mode: 'draft' }), 'input_invalid')
  await update([{ name: 'X-Key' }, { name: 'X-Read', secret: { file: 'key' } }], { mode: 'draft' })
  const { output } = await control.run('collections.get', { id: 'orders' })
  const draft = output['pending_draft'] as { headers: { secret: { source: string } }[] }
  assert.deepEqual(
    draft.headers.map(({ secret }) => secret.source),
    ['value', 'file'],
  )
  await update([{ name: 'X-Stage', value: 'test' }], { mode: 'draft' })
  assert.deepEqual(await fieldsOf('collections', 'orders'), ['headers/x-key'])
  await control.run('collections.publish', { id: 'orders' })
  assert.deepEqual(await fieldsOf('collections', 'orders'), [])
  assert.equal(sent(), 'X-Stage: test\r\n')
})

test('a new key of the vault seals the secrets of headers anew, and what opens is the same', async () => {
  await update([SEALED])
  await control.run('proxies.update', { id: 'get-order', headers: [{ name: 'X-Own', secret: OTHER }] })
  const before = control.published.length
  await control.run('keys.rotate', {})
  assert.ok(
    control.published.slice(before).some(({ put }) => put.some(({ fragment }) => isCollection(fragment))),
  )
  assert.equal(control.vault.keys().length, 1)
  assert.equal(sent(), `X-Key: ${PLANTED}\r\nX-Own: ${OTHER}\r\n`)
})

test('who may not use credentials reads no secret elsewhere, sends none elsewhere and copies none', async () => {
  await update([SEALED])
  await control.run('proxies.update', { id: 'get-order', headers: [{ name: 'X-Own', secret: OTHER }] })
  const as = { grants: [{ role: { permissions: new Set(EDITS) } }] }
  const elsewhere = { upstream: { targets: [{ url: 'http://127.0.0.1:9001' }] } }
  const denied = (name: string, input: object) => refused(control.run(name, input, as), 'permission_denied')
  await denied('collections.update', {
    id: 'orders',
    headers: [{ name: 'X-Key', secret: { env: 'SECRET_A' } }],
  })
  await denied('collections.update', { id: 'orders', ...elsewhere })
  await denied('proxies.duplicate', { id: 'get-order', path: '/v2/{id}' })
  await denied('collections.duplicate', { id: 'orders', base_path: '/copy' })
  await control.run(
    'collections.update',
    { id: 'orders', headers: [{ name: 'X-Key' }], description: 'same' },
    as,
  )
  await update([{ name: 'X-Key', secret: { env: 'SECRET_A' } }])
  const id = String(await control.store.read.revision())
  await update([SEALED])
  const roles = { grants: [{ role: { permissions: new Set([...EDITS, 'config:update']) } }] }
  const back = control.run('revisions.rollback', { id }, { ...roles, confirm: id })
  const refusal = await refused(back, 'permission_denied')
  assert.equal(refusal.facts.members?.['permission'], 'credentials:use')
  // Those of its proxies go the same way
  await update([])
  await denied('collections.update', { id: 'orders', ...elsewhere })
  await control.run('proxies.update', { id: 'get-order', headers: [] })
  await control.run('collections.update', { id: 'orders', ...elsewhere }, as)
})

test('a copy sends the same secrets, sealed for itself', async () => {
  await update([SEALED])
  await control.run('proxies.update', { id: 'get-order', headers: [{ name: 'X-Own', secret: OTHER }] })
  await control.run('collections.duplicate', { id: 'orders', base_path: '/copy', slug: 'copy' })
  await control.run('collections.publish', { id: 'copy' })
  await control.run('proxies.publish', { id: 'copy:get-order' })
  assert.equal(sent(), `X-Key: ${PLANTED}\r\nX-Own: ${OTHER}\r\n`)
  await control.run('collections.delete', { id: 'orders' }, { confirm: 'orders' })
  assert.deepEqual((await control.store.read.secrets()).map(({ field }) => field).sort(), [
    'headers/x-key',
    'headers/x-own',
  ])
})

test('documents say that a header has a secret, which stays, and apply tells whether it is another one', async () => {
  await update([SEALED, { name: 'X-Read', secret: { env: 'SECRET_A' } }])
  const exported = await control.run('config.export', { select: ['collection/orders'] })
  const documents = exported.output['documents'] as { slug: string; spec: Record<string, unknown> }[]
  assert.deepEqual(documents[0]?.spec['headers'], [
    { name: 'X-Key' },
    { name: 'X-Read', secret: { env: 'SECRET_A' } },
  ])
  assert.deepEqual(exported.output['set_elsewhere'], [{ item: 'collection/orders', field: 'headers/x-key' }])
  const plan = async (headers: unknown) => {
    const [first, ...rest] = documents
    const changed = [{ ...first!, spec: { ...first!.spec, headers } }, ...rest]
    const { output } = await control.run('config.plan', { documents: changed })
    const items = output['items'] as { action: string; item: string; diff: { op: string; path: string }[] }[]
    return { changed, diff: items.find(({ item }) => item === 'collection/orders')?.diff }
  }
  await control.run('config.apply', { documents })
  assert.equal((await plan(documents[0]?.spec['headers'])).diff, undefined)
  assert.equal((await plan([{ name: 'X-Key', secret: PLANTED }, { name: 'X-Read' }])).diff, undefined)
  const other = await plan([
    { name: 'X-Key', secret: OTHER },
    { name: 'X-Read', secret: { env: 'SECRET_A' } },
  ])
  assert.deepEqual(other.diff, [{ op: 'replace', path: '/headers/x-key', value: 'changed' }])
  await control.run('config.apply', { documents: other.changed })
  assert.equal((await plan(documents[0]?.spec['headers'])).diff, undefined)
  await refused(plan([{ name: 'X-None' }]), 'input_invalid')
  const drifted = await control.run('config.plan', { documents: other.changed })
  assert.deepEqual(drifted.output['drift'], [])
})

test('a rollback leaves the secrets of headers as they are, and says which are gone', async () => {
  await update([SEALED])
  const revision = await control.store.read.revision()
  await update([
    { name: 'X-Key', secret: OTHER },
    { name: 'X-Stage', value: 'test' },
  ])
  const back = () =>
    control.run('revisions.rollback', { id: String(revision) }, { confirm: String(revision) })
  await back()
  assert.equal(sent(), `X-Key: ${OTHER}\r\n`)
  await update([])
  const { output } = await back()
  assert.match(JSON.stringify(output), /the secret of header X-Key was deleted/)
  assert.equal(sent(), 'header X-Key: the secret is not set')
})

test('who may not use credentials has no version take the secret of a header from the other one and send it elsewhere', async () => {
  const as = { grants: [{ role: { permissions: new Set([...EDITS, 'collections:publish']) } }] }
  const elsewhere = { upstream: { targets: [{ url: 'http://127.0.0.1:9001' }] } }
  const edit = (members: object, mode?: 'draft') =>
    control.run('collections.update', { id: 'orders', ...members }, { ...as, ...(mode && { mode }) })
  await update([SEALED, { name: 'X-Read', secret: { env: 'SECRET_A' } }])
  // The draft keeps what the live version gives up to go elsewhere
  await edit({ description: 'kept' }, 'draft')
  await edit({ ...elsewhere, headers: [] })
  await refused(edit({ headers: [{ name: 'X-Key' }] }), 'permission_denied')
  await refused(edit({ ...elsewhere, headers: [{ name: 'X-Key' }] }, 'draft'), 'permission_denied')
  await refused(edit({ ...elsewhere, headers: [{ name: 'X-Read' }] }, 'draft'), 'permission_denied')
  await refused(control.run('collections.publish', { id: 'orders' }, as), 'permission_denied')
  await edit({ headers: [{ name: 'X-Read', secret: OTHER }] })
  await refused(edit({ ...elsewhere, headers: [{ name: 'X-Read' }] }, 'draft'), 'permission_denied')
  assert.equal(sent(), `X-Read: ${OTHER}\r\n`)
})

test('a draft that goes elsewhere lets no rollback send secrets of headers there', async () => {
  const to = (port: number, options: object = {}) =>
    control.run(
      'collections.update',
      { id: 'orders', upstream: { targets: [{ url: `http://127.0.0.1:${port}` }] } },
      options,
    )
  const own = (secret: string) =>
    control.run('proxies.update', { id: 'get-order', headers: [{ name: 'X-Own', secret }] })
  await to(9001)
  await own(PLANTED)
  const id = String(await control.store.read.revision())
  await to(9002)
  await own(OTHER)
  await to(9001, { mode: 'draft' })
  const permissions = new Set([...EDITS, 'proxies:update', 'config:update'])
  const as = { grants: [{ role: { permissions } }] }
  await refused(control.run('revisions.rollback', { id }, { ...as, confirm: id }), 'permission_denied')
  await control.run('revisions.rollback', { id }, { confirm: id })
})

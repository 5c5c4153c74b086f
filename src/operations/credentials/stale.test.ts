import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type Control, example, refused, startControl } from '../../../test/control.ts'
import { toTime } from '../../base/clock.ts'

const DAY_MS = 86_400_000

let control: Control
before(async () => {
  control = await startControl()
  await example(control)
  await control.run('clients.update', { id: 'acme', tags: ['partner'] })
  const auth = { type: 'bearer', token: 'planted-secret-of-upstream' }
  await control.run('credentials.create', { name: 'Old', auth })
  const expires_at = toTime(Date.now() + 103 * DAY_MS)
  await control.run('credentials.create', { name: 'Ending', tags: ['partner'], auth, expires_at })
  control.move(100 * DAY_MS)
  await control.run('profiles.rotate', { id: 'acme:sandbox' })
  await control.run('credentials.create', { name: 'Fresh', auth })
  await control.run('credentials.update', { id: 'fresh', rotate_every: '2d' })
  control.move(60_000)
})
after(() => control.close())

const stale = async (input: object = {}, options: object = {}) => {
  const { output } = await control.run('credentials.stale', input, options)
  return (output['items'] as { ref: string; why: string[]; age_days: number | null }[]).map(
    ({ ref, why, age_days }) => [ref, why.join(' '), age_days],
  )
}

test('what is old or about to end is listed, oldest first, without any secret', async () => {
  assert.deepEqual(await stale(), [
    // The token of acme:default came with the client; the one of acme:sandbox was rotated
    ['ending', 'old expiring', 100],
    ['old', 'old', 100],
  ])
  const { output } = await control.run('credentials.stale', {})
  assert.ok(!JSON.stringify(output).includes('planted'))
  assert.deepEqual(await stale({ older_than: '101d' }), [['ending', 'expiring', 100]])
  assert.deepEqual((await stale({ older_than: '1s', expiring_within: '1s' })).map(([ref]) => ref).sort(), [
    'acme:sandbox',
    'ending',
    'fresh',
    'old',
  ])
})

test('a credential is due when it is as old as it may become, and not old before', async () => {
  const due = async (id: string) => (await control.run('credentials.state', { id })).output['rotation_due_at']
  const rotateEvery = async (id: string, rotate_every: string | null) =>
    (await control.run('credentials.update', { id, rotate_every })).output
  const { output } = await control.run('credentials.get', { id: 'fresh' })
  const changed = (output['auth'] as { token: { updated_at: string } }).token.updated_at
  assert.equal(await due('fresh'), toTime(Date.parse(changed) + 2 * DAY_MS))
  assert.equal(output['rotation_due_at'], await due('fresh'))
  assert.equal(await due('old'), null)
  await rotateEvery('old', '101d')
  assert.ok(!(await stale()).some(([ref]) => ref === 'old'))
  assert.deepEqual((await stale({ older_than: '99d' })).at(-1), ['old', 'old', 100])
  await rotateEvery('old', '60d')
  assert.deepEqual((await stale()).at(-1), ['old', 'due', 100])
  await rotateEvery('old', null)

  const auth = { type: 'bearer', token: { env: 'SECRET_A' } }
  const elsewhere = { name: 'Elsewhere', auth, rotate_every: '1d' }
  const made = await control.run('credentials.create', elsewhere)
  assert.equal((made.output['warnings'] as { pointer: string }[])[0]!.pointer, '/rotate_every')
  assert.equal(await due('elsewhere'), null)
  await control.run('credentials.delete', { id: 'elsewhere' }, { confirm: 'elsewhere' })
  for (const rotate_every of ['3651d', 'soon'])
    await refused(control.run('credentials.update', { id: 'old', rotate_every }), 'input_invalid')
})

test('a tag means the thing itself, or the client it belongs to; pages follow each other', async () => {
  const all = { older_than: '1s' }
  assert.deepEqual(
    (await stale({ ...all, tag: 'partner' })).map(([ref]) => ref),
    ['ending', 'acme:sandbox'],
  )
  const first = await control.run('credentials.stale', { ...all, limit: 3 })
  const rest = await control.run('credentials.stale', {
    ...all,
    limit: 3,
    cursor: first.output['next_cursor'],
  })
  assert.deepEqual([(rest.output['items'] as unknown[]).length, rest.output['next_cursor']], [1, null])
  await refused(control.run('credentials.stale', { cursor: 'x' }), 'input_invalid')
})

test('a scope and permissions bound what is listed', async () => {
  const scope = { types: [], verbs: [], collections: [], tags: ['partner'] }
  assert.deepEqual(await stale({ older_than: '1s' }, { grants: [{ role: 'viewer', scope }] }), [
    ['ending', 'old expiring', 100],
    ['acme:sandbox', 'old', 0],
  ])
  const grants = [{ role: { permissions: new Set(['credentials:read']) } }]
  assert.ok(!(await stale({ older_than: '1s' }, { grants })).some(([ref]) => String(ref).includes(':')))
  await refused(control.run('credentials.stale', {}, { role: 'auditor' }), 'permission_denied')
})

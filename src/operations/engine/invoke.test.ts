import assert from 'node:assert/strict'
import { test } from 'node:test'
import { z } from 'zod'
import { example, principalOf, refused, startControl, UNSERVED, VIA } from '../../../test/control.ts'
import { createClock } from '../../base/clock.ts'
import type { AuditEntry } from '../../model/access/audit.ts'
import { createUnauthenticatedAudit } from '../audit/audit.ts'
import { policyKind } from '../policies/kind.ts'
import { about, define } from './define.ts'
import { createInvoke } from './invoke.ts'
import { createResource } from './write-resource.ts'

type Control = Awaited<ReturnType<typeof startControl>>

const trail = async (control: Control, filter = {}): Promise<readonly AuditEntry[]> =>
  (await control.store.read.auditEntries({ limit: 200, ...filter })).items

const GOLD = {
  name: 'Gold',
  slug: 'gold',
  limits: [{ name: 'minute', kind: 'rate', max: 10, window: '1m' }],
}

test('a handler that throws after writing leaves neither change nor success entry', async () => {
  const control = await startControl()
  const broken = define({
    resource: 'policies',
    action: 'break',
    effect: 'act',
    tool: null,
    group: 'manage_policies',
    summary: 'Breaks',
    input: z.strictObject({}),
    output: z.object({}),
    permission: 'policies:update',
    refuses: [],
    columns: [],
    ...about(policyKind),
    handle: async (_input, context) => {
      await createResource(context, policyKind, { ...GOLD, tags: [], description: '', active: true })
      throw new Error('a fault')
    },
  })
  const published: unknown[] = []
  const invoke = createInvoke({
    store: control.store,
    vault: control.vault,
    clock: createClock(),
    ...UNSERVED,
    publisher: {
      publish: async (revision) => {
        published.push(revision)
        return { acknowledged: Promise.resolve({ pending: false }) }
      },
    },
  })
  await assert.rejects(invoke(broken, {}, {}, principalOf('admin'), VIA), /a fault/)
  assert.deepEqual((await control.run('policies.list', {})).output['items'], [])
  assert.deepEqual(published, [])
  const entries = await trail(control)
  assert.deepEqual(
    entries.map((one) => [one.outcome, one.error]),
    [['failed', 'internal_error']],
  )
  assert.equal(JSON.stringify(entries).includes('a fault'), false)
  await control.close()
})

test('a dry run answers with the difference and stores, audits and publishes nothing', async () => {
  const control = await startControl()
  await example(control)
  const before = { entries: (await trail(control)).length, published: control.published.length }
  const dry = await control.run('collections.update', { id: 'orders', name: 'New' }, { dryRun: true })
  assert.equal(dry.output['name'], 'New')
  assert.deepEqual(dry.diff, [{ op: 'replace', path: '/name', from: 'Orders', value: 'New' }])
  const made = await control.run(
    'profiles.create',
    { client: 'acme', name: 'X', auth: { type: 'token' } },
    { dryRun: true },
  )
  assert.equal('token' in made.output, false)
  await refused(
    control.run('collections.update', { id: 'orders', upstream: null }, { dryRun: true }),
    'configuration_invalid',
  )
  assert.equal((await control.run('collections.get', { id: 'orders' })).output['name'], 'Orders')
  assert.deepEqual({ entries: (await trail(control)).length, published: control.published.length }, before)
  await control.close()
})

test('who may not do a thing is told so before the input is looked at', async () => {
  const control = await startControl()
  const viewer = { role: 'viewer' } as const
  await refused(control.run('policies.create', { nonsense: 1 }, viewer), 'permission_denied')
  await refused(control.run('policies.create', GOLD, { ...viewer, idempotencyKey: ' ' }), 'permission_denied')
  await refused(control.run('policies.create', { nonsense: 1 }), 'input_invalid')
  await control.close()
})

test('a write at another revision than expected is refused with the present one', async () => {
  const control = await startControl()
  await control.run('policies.create', GOLD)
  const first = await control.run('policies.update', { id: 'gold', name: 'G2' }, { expectedRevision: 1 })
  assert.equal(first.revision, 2)
  for (const [name, input] of [
    ['policies.update', { id: 'gold', name: 'G3' }],
    ['policies.put', { id: 'gold', name: 'G3' }],
    ['policies.toggle', { id: 'gold', active: false }],
    ['policies.delete', { id: 'gold' }],
  ] as const) {
    const refusal = await refused(
      control.run(name, input, { expectedRevision: 1, confirm: 'gold' }),
      'revision_conflict',
    )
    assert.equal(refusal.facts.members?.['revision'], 2, name)
  }
  await refused(
    control.run('policies.put', { id: 'new', name: 'N' }, { expectedRevision: 1 }),
    'revision_conflict',
  )
  await control.close()
})

test('the same idempotency key gives the first answer again for a day', async () => {
  const control = await startControl()
  const options = { idempotencyKey: 'k-1' }
  const first = await control.run('policies.create', GOLD, options)
  assert.deepEqual(await control.run('policies.create', GOLD, options), first)
  assert.equal((await trail(control, { outcome: 'ok' })).length, 1)
  await refused(control.run('policies.create', { ...GOLD, name: 'Other' }, options), 'idempotency_conflict')
  // Another principal and another operation have keys of their own.
  await refused(control.run('policies.create', GOLD, { ...options, role: 'modifier' }), 'already_exists')
  await control.run('policies.update', { id: 'gold', name: 'Z' }, options)
  control.move(24 * 3_600_000 + 1)
  await refused(control.run('policies.create', GOLD, options), 'already_exists')
  await control.close()
})

test('equal calls at the same time with one key run once', async () => {
  const control = await startControl()
  const all = await Promise.all(
    Array.from({ length: 8 }, () => control.run('policies.create', GOLD, { idempotencyKey: 'k' })),
  )
  assert.equal(new Set(all.map((one) => one.output['id'])).size, 1)
  await control.close()
})

test('a repeated call that showed a secret says so and shows none', async () => {
  const control = await startControl()
  const first = await control.run('clients.create', { name: 'Acme' }, { idempotencyKey: 'k' })
  const [profile] = first.output['profiles'] as { token: string }[]
  assert.match(profile!.token, /^pst_pk_/)
  const refusal = await refused(
    control.run('clients.create', { name: 'Acme' }, { idempotencyKey: 'k' }),
    'secret_already_shown',
  )
  assert.equal(JSON.stringify(refusal).includes(profile!.token), false)
  const none = { client: 'acme', name: 'Open', auth: { type: 'none' } }
  const open = await control.run('profiles.create', none, { idempotencyKey: 'o' })
  assert.deepEqual(await control.run('profiles.create', none, { idempotencyKey: 'o' }), open)
  await control.close()
})

test('input is refused by pointers, unknown members by name, and never repeats a value', async () => {
  const control = await startControl()
  const refusal = await refused(
    control.run('collections.create', {
      name: '',
      base_path: '/mcp',
      nonsense: 1,
      upstream: { targets: [{ url: 'ftp://planted-value' }] },
    }),
    'input_invalid',
  )
  const pointers = refusal.facts.errors!.map((error) => error.pointer)
  assert.deepEqual(pointers.sort(), ['/base_path', '/name', '/nonsense', '/upstream/targets/0/url'])
  assert.equal(JSON.stringify(refusal.facts).includes('planted-value'), false)
  const missing = await refused(control.run('collections.create', { name: 'X' }), 'input_invalid')
  assert.deepEqual(missing.facts.errors, [{ pointer: '/base_path', reason: 'required' }])
  await refused(control.run('collections.create', 'text'), 'input_invalid')
  await refused(control.run('policies.create', GOLD, { idempotencyKey: 'a b' }), 'input_invalid')
  const auth = await refused(
    control.run('credentials.create', { name: 'C', auth: { type: 'bearer', token: 'planted\nvalue' } }),
    'input_invalid',
  )
  assert.deepEqual(auth.facts.errors?.[0]?.pointer, '/auth/token')
  assert.equal(JSON.stringify(auth.facts).includes('planted'), false)
  await control.close()
})

test('changes are published in the order of their revisions, and a slow thread is told as pending', async () => {
  const revisions: number[] = []
  const control = await startControl({
    deps: {
      publisher: {
        publish: async (revision) => {
          revisions.push(revision)
          return { acknowledged: Promise.resolve({ pending: revision === 2 }) }
        },
      },
    },
  })
  const answers = await Promise.all(
    Array.from({ length: 10 }, (_, n) => control.run('policies.create', { name: `P${n}` })),
  )
  assert.deepEqual(revisions, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
  assert.deepEqual(
    answers.map((one) => one.pending),
    revisions.map((one) => one === 2),
  )
  await control.close()
})

test('a change that ends sign-ins is pending while another node may accept them', async () => {
  const ended: (readonly string[])[] = []
  const control = await startControl({
    deps: {
      grantsEnded: async (ids) => {
        ended.push(ids)
        return { pending: ids.includes('g1') }
      },
    },
  })
  const answers: boolean[] = []
  for (const [name, grant] of [
    ['Ann', 'g1'],
    ['Bob', 'g2'],
  ] as const) {
    const { output } = await control.run('users.create', { name })
    await control.store.writeOAuth((oauth) =>
      oauth.put({
        ...{ kind: 'Grant', id: grant, sealed: '', grant_id: null, other_id: null, used_at: null },
        ...{ account_id: String(output['id']), created_at: 0, expires_at: null },
      }),
    )
    const off = await control.run('users.toggle', { id: String(output['slug']), active: false })
    answers.push(off.pending)
  }
  assert.deepEqual(
    [answers, ended],
    [
      [true, false],
      [['g1'], ['g2']],
    ],
  )
  await control.close()
})

test('a fault while publishing leaves a committed change pending, not failed', async () => {
  const faults: unknown[] = []
  const control = await startControl({
    deps: {
      publisher: {
        publish: () => {
          throw new Error('no threads')
        },
      },
      fault: (error) => faults.push(error),
    },
  })
  assert.equal((await control.run('policies.create', GOLD)).pending, true)
  assert.equal(faults.length, 1)
  assert.deepEqual(
    (await trail(control)).map((one) => one.outcome),
    ['ok'],
  )
  await control.close()
})

test('what gateway threads could not link is refused and not stored', async () => {
  const control = await startControl({
    deps: {
      check: (fragment) =>
        fragment.kind === 'policy' ? [{ pointer: '/limits', reason: 'cannot be linked' }] : [],
    },
  })
  const refusal = await refused(control.run('policies.create', GOLD), 'configuration_invalid')
  assert.deepEqual(refusal.facts.errors, [{ pointer: '/limits', reason: 'cannot be linked' }])
  assert.equal(await control.store.read.revision(), 0)
  await control.close()
})

test('an entry has who, what, from where, why, and what differs', async () => {
  const control = await startControl()
  await control.run('policies.create', GOLD)
  await control.run(
    'policies.update',
    { id: 'gold', limits: [] },
    {
      role: 'modifier',
      reason: 'ticket 7',
      via: {
        surface: 'management_mcp',
        agent: { name: 'Claude', version: '1', sessionId: 's', conversationId: null },
      },
    },
  )
  const [entry] = await trail(control)
  assert.equal(entry?.actor.name, 'modifier')
  assert.deepEqual(
    [entry?.operation, entry?.action, entry?.resource.type, entry?.resource.slug],
    ['policies.update', 'UPDATE', 'policy', 'gold'],
  )
  assert.equal(entry?.surface, 'management_mcp')
  assert.equal(entry?.agent.name, 'Claude')
  assert.equal(entry?.reason, 'ticket 7')
  assert.deepEqual([entry?.revision_before, entry?.revision_after, entry?.config_revision], [1, 2, 2])
  assert.deepEqual(entry?.diff, [{ op: 'remove', path: '/limits/0', from: GOLD.limits[0] }])
  assert.equal(entry?.http?.status, 200)
  await control.close()
})

test('a write that changes nothing counts no revision and publishes nothing', async () => {
  const control = await startControl()
  await control.run('policies.create', GOLD)
  const again = await control.run('policies.update', { id: 'gold', name: 'Gold' })
  assert.deepEqual([again.revision, again.configRevision], [1, null])
  assert.equal((await control.run('policies.put', { id: 'gold', ...GOLD })).status, 200)
  assert.equal(control.published.length, 1)
  await control.close()
})

test('the configuration and the trail are there again after a restart', async () => {
  const control = await startControl()
  await example(control)
  const before = await control.run('collections.get', { id: 'orders' })
  const { output: exported } = await control.run('config.export', {})
  await control.store.close()
  const again = await startControl({ directory: control.directory })
  assert.deepEqual(await again.run('collections.get', { id: 'orders' }), before)
  assert.deepEqual((await again.run('config.export', {})).output, exported)
  assert.equal((await trail(again)).length, 7)
  await again.close()
})

test('refusals of unknown callers are one entry per source and minute', async () => {
  const control = await startControl()
  const audit = createUnauthenticatedAudit(control.store, createClock(control.cell))
  const caller = { surface: 'management_api', ip: '192.0.2.1', reason: 'unknown', userAgent: 'x' } as const
  for (let n = 0; n < 500; n++) audit.note(caller)
  audit.note({ ...caller, ip: '192.0.2.2' })
  for (let n = 0; n < 3000; n++) audit.note({ ...caller, ip: `10.0.${n >> 8}.${n & 255}` })
  await audit.flush()
  assert.equal((await trail(control)).length, 0, 'the minute is not over')
  control.move(60_000)
  await audit.flush()
  const { items } = await control.store.read.auditEntries({ limit: 5000 })
  assert.equal(items.length, 1001)
  assert.equal(items.find((one) => one.ip === '192.0.2.1')?.count, 500)
  assert.equal(
    items.reduce((sum, one) => sum + one.count, 0),
    3501,
  )
  await audit.flush(true)
  await control.close()
})

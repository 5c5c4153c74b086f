import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { type Control, startControl, trailIn } from '../../test/control.ts'
import { type AuditFile, openAuditFile } from '../../test/support/audit-file.ts'
import { openTamper } from '../../test/support/tamper.ts'
import { jumpClock } from '../base/clock.ts'
import type { AuditTrail } from './audit-chain.ts'
import { createAuditSigner } from './audit-walk.ts'

const DAY_MS = 86_400_000
const RULE = { keepMs: 30 * DAY_MS, hold: false }

/** A trail of `days` days with four entries each, the last of each day signed, a day from one to the next. */
async function trailOf(days: number): Promise<{ control: Control; trail: AuditTrail }> {
  const control = await startControl()
  const trail = trailIn(control)
  for (let day = 0; day < days; day++) {
    for (let n = 0; n < 4; n++) await control.run('policies.create', { name: `P${day}-${n}` })
    await trail.checkpoint()
    control.move(DAY_MS)
  }
  return { control, trail }
}

const entriesOf = async ({ store }: Control) => (await store.read.auditEntries({ limit: 1000 })).items

test('what is too old goes up to a checkpoint, is told of, and the rest verifies from there on', async () => {
  const { control, trail } = await trailOf(5)
  const whole = await trail.verify(null)
  assert.equal(await trail.retain(RULE), 0, 'nothing is too old')
  control.move(26.5 * DAY_MS)
  assert.equal(await trail.retain({ ...RULE, hold: true }), 0, 'a hold keeps everything')
  assert.equal(await trail.retain({ ...RULE, keepMs: 31 * DAY_MS }), 0, 'it waits until a day is too old')

  // Of the days 0 to 4, the first two are more than 30 days ago, and one of them by more than a day
  assert.equal(await trail.retain(RULE), 8)
  const [latest, ...others] = await entriesOf(control)
  assert.equal(others.length, 12)
  assert.deepEqual(
    [latest?.operation, latest?.action, latest?.surface, latest?.actor.type, latest?.outcome],
    ['audit.retention', 'DELETE', 'system', 'system', 'ok'],
  )
  assert.match(latest?.detail ?? '', /^8 entries were removed, up to number 8 with the link [0-9a-f]{64}\.$/)
  const found = await trail.verify(null)
  assert.deepEqual(
    [found.ok, found.entries, found.checkpoints, found.removed?.entries, found.head?.seq],
    [true, 13, 3, 8, 21],
  )
  assert.equal((await trail.verify(whole.head)).ok, true, 'with a link that was kept from before')
  assert.equal(await trail.retain(RULE), 0, 'nothing more')

  control.move(3 * DAY_MS)
  await control.run('policies.create', { name: 'Later' })
  await trail.checkpoint()
  assert.equal(await trail.retain(RULE), 12)
  const later = await trail.verify(null)
  assert.deepEqual([later.ok, later.entries, later.removed?.entries], [true, 3, 20])
  await control.close()
})

test('a trail of which all is too old keeps the entry that says so, and goes on from it', async () => {
  const { control, trail } = await trailOf(2)
  control.move(100 * DAY_MS)
  assert.equal(await trail.retain(RULE), 8)
  assert.deepEqual(
    (await entriesOf(control)).map(({ operation }) => operation),
    ['audit.retention'],
  )
  await control.run('policies.create', { name: 'Next' })
  const { ok, entries, removed } = await trail.verify(null)
  assert.deepEqual([ok, entries, removed?.entries], [true, 2, 8])
  const gone = control.run('audit.verify', { seq: 8, hash: 'a'.repeat(64) })
  await assert.rejects(
    gone,
    /Number 8 cannot be compared, because retention has removed all entries up to number 8/,
  )
  await control.close()
})

test('a clock that jumps ahead makes no entry too old, and the trail is whole when it is set right', async () => {
  const { control, trail } = await trailOf(2)
  jumpClock(control.cell, 500 * DAY_MS)
  assert.equal(await trail.retain(RULE), 0)
  jumpClock(control.cell, -500 * DAY_MS)
  const { ok, entries } = await trail.verify(null)
  assert.deepEqual([ok, entries], [true, 8])
  await control.close()
})

test('what is not signed is not removed, and a verification meanwhile finds nothing wrong', async () => {
  const { control, trail } = await trailOf(3)
  await control.run('policies.create', { name: 'Unsigned' })
  control.move(100 * DAY_MS)
  const [found, removed] = await Promise.all([trail.verify(null), trail.retain(RULE)])
  assert.deepEqual([found.ok, removed], [true, 12], JSON.stringify(found))
  assert.deepEqual(
    (await entriesOf(control)).map(({ operation }) => operation),
    ['audit.retention', 'policies.create'],
  )
  await control.close()
})

test('retention removes nothing of a trail that somebody has changed, as that would be the evidence', async () => {
  const { control, trail } = await trailOf(3)
  control.move(100 * DAY_MS)
  {
    await using file = await openAuditFile(control.directory)
    await file.execute("update audit set actor_name = 'nobody' where seq = 3")
  }
  await assert.rejects(
    trail.retain(RULE),
    /because the audit trail was changed: at number 3, the entry does not follow/,
  )
  assert.equal((await entriesOf(control)).length, 12)
  await control.close()
})

describe('a trail that retention has cut', () => {
  let control: Control
  let trail: AuditTrail
  let file: AuditFile
  before(async () => {
    ;({ control, trail } = await trailOf(5))
    control.move(26.5 * DAY_MS)
    assert.equal(await trail.retain(RULE), 8)
    control.move(2 * DAY_MS)
    assert.equal(await trail.retain(RULE), 8)
    await control.run('policies.create', { name: 'After' })
  })
  after(() => control.close())

  test('lets go of nothing but what an anchor covers, and takes no anchor that says what is not', async () => {
    await using tamper = await openTamper(control.directory)
    const hashAt = async (seq: number): Promise<string> =>
      String((await tamper.rows('select hash from audit_chain where seq = ?', seq))[0]?.['hash'])
    const link = await hashAt(20)
    const [head] = await tamper.rows('select seq, hash from audit_chain order by seq desc limit 1')
    const anchor = (...values: (string | number)[]) =>
      tamper.execute("insert into audit_anchors values (?, ?, ?, ?, ?, 'now', 'key', 'signature')", ...values)
    const own = [22, await hashAt(22)] as const
    const statements: readonly (readonly [string, () => Promise<unknown>])[] = [
      ...['audit', 'audit_chain', 'audit_checkpoints', 'audit_anchors'].flatMap((table) => [
        [`deletes from ${table}`, () => tamper.execute(`delete from ${table} where seq >= 16`)] as const,
        [`updates ${table}`, () => tamper.execute(`update ${table} set seq = seq + 100`)] as const,
      ]),
      ['an anchor of another link', () => anchor(20, 'x', 4, ...own)],
      ['an anchor where there is no checkpoint', () => anchor(19, link, 3, ...own)],
      ['an anchor of other numbers', () => anchor(20, link, 5, ...own)],
      [
        'an anchor of no entry of retention',
        () => anchor(20, link, 4, Number(head?.['seq']), String(head?.['hash'])),
      ],
      ['an anchor before the last one', () => anchor(8, link, 8, ...own)],
    ]
    for (const [what, run] of statements) await assert.rejects(run, /never|an anchor stands/, what)
  })

  const found = async (tamper: () => unknown) => {
    file = await openAuditFile(control.directory)
    return file.tampered(tamper, () => trail.verify(null)).finally(() => file[Symbol.asyncDispose]())
  }
  const run = (sql: string) => () => file.execute(sql)

  const TAMPERINGS: Readonly<Record<string, readonly [tamper: () => unknown, says: RegExp]>> = {
    'an entry that is changed': [run("update audit set actor_name = 'x' where seq = 18"), /does not follow/],
    'the first entry that is left, changed': [
      run("update audit set actor_name = 'x' where seq = 17"),
      /does not follow/,
    ],
    'an entry that is removed': [run('delete from audit where seq = 18'), /an entry was removed/],
    'first entries that are removed with their links': [
      run('delete from audit where seq <= 18; delete from audit_chain where seq <= 18'),
      /entries were removed before this one/,
    ],
    'first entries that are removed up to a checkpoint': [
      run(
        'delete from audit where seq <= 20; delete from audit_chain where seq <= 20; delete from audit_checkpoints where seq <= 20',
      ),
      /entries were removed before this one/,
    ],
    'an entry that is inserted before the cut': [
      run(
        `insert into audit select 5, 'aud_x', time, actor_id, actor_name, surface, operation, action, resource_type,
         resource_id, resource_slug, collection_id, collection_slug, outcome, entry, approver, request, response
         from audit where seq = 18`,
      ),
      /inserted where retention had removed all/,
    ],
    'two entries that changed places': [
      run(
        'update audit set seq = -1 where seq = 18; update audit set seq = 18 where seq = 19; update audit set seq = 19 where seq = -1',
      ),
      /moved/,
    ],
    'an end that is cut off with its checkpoints': [
      run(
        'delete from audit where seq > 20; delete from audit_chain where seq > 20; delete from audit_checkpoints where seq > 20',
      ),
      /the trail ends before number 22, which retention at .* records/,
    ],
    'everything that is cut off': [
      run('delete from audit; delete from audit_chain; delete from audit_checkpoints'),
      /the trail ends before number 22/,
    ],
    'an anchor that is removed': [
      run('delete from audit_anchors where seq = 16'),
      /entries were removed before this one/,
    ],
    'all anchors that are removed': [
      run('delete from audit_anchors'),
      /entries were removed before this one/,
    ],
    'an earlier anchor that is removed': [
      run('delete from audit_anchors where seq = 8'),
      /an anchor before the anchor of retention at .* was removed/,
    ],
    'an anchor that is changed': [
      run('update audit_anchors set time = (select time from audit_anchors where seq = 8) where seq = 16'),
      /signature of the anchor of retention .* is wrong/,
    ],
    'an anchor that another key has signed': [
      async () => {
        const forger = createAuditSigner(new Uint8Array(32).fill(7))
        const [row] = await file.rows('select * from audit_chain where seq = 20')
        const [last] = await file.rows('select * from audit_chain where seq = 22')
        const forged = forger.anchor({
          seq: 20,
          hash: String(row?.['hash']),
          entries: 4,
          head_seq: 22,
          head_hash: String(last?.['hash']),
          time: '2027-01-01T00:00:00.000Z',
        })
        await file.execute(
          'insert into audit_anchors values (?, ?, ?, ?, ?, ?, ?, ?)',
          ...Object.values(forged),
        )
        await run('delete from audit where seq <= 20; delete from audit_chain where seq <= 20')()
      },
      /the anchor of retention at 2027.* is signed with another key/,
    ],
    'an anchor with the signature of a checkpoint': [
      async () => {
        await file.execute(`insert into audit_anchors select seq, hash, 4, 22, hash, time, key, signature
          from audit_checkpoints where seq = 20`)
        await run('delete from audit where seq <= 20; delete from audit_chain where seq <= 20')()
      },
      /signature of the anchor of retention .* is wrong/,
    ],
    'all links made anew from the cut on': [
      async () => {
        await run("update audit set actor_name = 'x' where seq = 17")()
        await file.relink(17)
      },
      /not keyed: it was created without the key/,
    ],
  }
  for (const [what, [tamper, says]] of Object.entries(TAMPERINGS))
    test(`${what} is found`, async () => {
      const verified = await found(tamper)
      assert.equal(verified.ok, false)
      assert.match(verified.break?.what ?? '', says, JSON.stringify(verified.break))
    })

  test('that nobody has touched is whole', async () => {
    const verified = await found(() => {})
    assert.deepEqual([verified.ok, verified.removed?.entries], [true, 16], JSON.stringify(verified))
  })
})

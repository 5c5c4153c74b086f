import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import fc from 'fast-check'
import { type Control, refused, startControl, trailIn } from '../../test/control.ts'
import { type AuditFile, openAuditFile } from '../../test/support/audit-file.ts'
import { createClock } from '../base/clock.ts'
import { AUDIT_COLUMNS } from '../store/ports/audit-chain.ts'
import { type AuditTrail, createAuditTrail } from './audit-chain.ts'

const ENTRIES = 12
const SIGNED = 8

let control: Control
let trail: AuditTrail
let file: AuditFile
const execute = (statements: string): Promise<void> => file.execute(statements)
before(async () => {
  control = await startControl()
  trail = trailIn(control)
  for (let n = 1; n <= ENTRIES; n++) {
    await control.run('policies.create', { name: `P${n}` }, { reason: `reason ${n}` })
    // What leaves no entry leaves no gap
    await control.run('policies.create', { name: 'Never' }, { dryRun: true })
    if (n === 4 || n === SIGNED) await trail.checkpoint()
  }
  file = await openAuditFile(control.directory)
})
after(async () => {
  await file[Symbol.asyncDispose]()
  await control.close()
})

const hashAt = async (seq: number): Promise<string> =>
  String((await file.rows('select hash from audit_chain where seq = ?', seq))[0]?.['hash'])

/** What verify finds after somebody has written to the file. */
const tampered = (tamper: () => unknown, anchor: Parameters<AuditTrail['verify']>[0] = null) =>
  file.tampered(tamper, () => trail.verify(anchor))

test('a trail that nobody has touched is whole, and its head names its last entry', async () => {
  const found = await trail.verify(null)
  assert.deepEqual([found.ok, found.entries, found.checkpoints, found.break], [true, ENTRIES, 2, null])
  assert.equal(found.head?.seq, ENTRIES)
  assert.equal((await trail.verify(found.head)).ok, true)
})

test('any change of any column of any entry is found where it is', async () => {
  const column = fc.constantFrom(...AUDIT_COLUMNS.filter((name) => name !== 'seq'))
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: ENTRIES }), column, fc.string(), async (seq, name, text) => {
      const [was] = await file.rows(`select ${name} as it from audit where seq = ?`, seq)
      fc.pre(was?.['it'] !== text)
      const found = await tampered(() =>
        file.execute(`update audit set ${name} = ? where seq = ?`, text, seq),
      )
      assert.equal(found.ok, false)
      assert.equal(found.break?.seq, seq)
    }),
    { numRuns: 60 },
  )
})

test('any change of what filters find an entry by is found where it is', async () => {
  const [row = {}] = await file.rows('select * from audit_filters where seq = 5')
  const names = Object.keys(row).filter((name) => name !== 'seq')
  assert.ok(names.length > 15)
  const numbers = ['status', 'revision_before', 'revision_after', 'config_revision']
  for (const name of names)
    for (const value of [numbers.includes(name) ? 7 : 'x', null]) {
      if (row[name] === value) continue
      const found = await tampered(() =>
        file.execute(`update audit_filters set ${name} = ? where seq = 5`, value),
      )
      assert.deepEqual([found.ok, found.break?.seq], [false, 5], name)
      assert.match(found.break!.what, /the columns for filters were changed/)
    }
  const removed = await tampered(() => execute('delete from audit_filters where seq = 5'))
  assert.deepEqual([removed.ok, removed.break?.seq], [false, 5])
})

const TAMPERINGS: Readonly<Record<string, readonly [tamper: () => unknown, seq: number, what: RegExp]>> = {
  'an entry that is removed': [() => execute('delete from audit where seq = 5'), 5, /removed/],
  'an entry that is removed with its link': [
    () => execute('delete from audit where seq = 5; delete from audit_chain where seq = 5'),
    6,
    /removed before/,
  ],
  'an entry that is inserted': [
    () =>
      execute(
        `insert into audit select 13, 'aud_x', time, actor_id, actor_name, surface, operation, action, resource_type,
         resource_id, resource_slug, collection_id, collection_slug, outcome, entry, approver, request, response from audit where seq = 3`,
      ),
    13,
    /inserted/,
  ],
  'two entries that changed places': [
    () =>
      execute(
        'update audit set seq = -1 where seq = 5; update audit set seq = 5 where seq = 6; update audit set seq = 6 where seq = -1',
      ),
    5,
    /moved/,
  ],
  'an entry that is changed with all links after it': [
    async () => {
      await execute("update audit set actor_name = 'nobody' where seq = 2")
      await file.relink(2)
    },
    2,
    /not keyed: it was created without the key/,
  ],
  'an end that is cut off': [
    () => execute(`delete from audit where seq > 6; delete from audit_chain where seq > 6`),
    SIGNED,
    /ends before number 8.*checkpoint/,
  ],
  'a trail made anew from its first entry, without checkpoints and anchors': [
    async () => {
      await execute("update audit set actor_name = 'nobody' where seq = 2")
      await execute('delete from audit_checkpoints; delete from audit_key_anchor')
      await file.relink(1)
    },
    ENTRIES,
    /the mark records another entry here/,
  ],
  'a keyed anchor that is moved to the end': [
    async () => {
      await file.relink(1)
      await execute(
        `update audit_key_anchor set seq = ${ENTRIES}, hash = (select hash from audit_chain where seq = ${ENTRIES})`,
      )
    },
    4,
    /the checkpoint of .* records another entry/,
  ],
  'a keyed anchor that is moved to the end, without checkpoints': [
    async () => {
      await file.relink(1)
      await execute(
        `delete from audit_checkpoints; update audit_key_anchor set seq = ${ENTRIES}, hash = (select hash from audit_chain where seq = ${ENTRIES})`,
      )
    },
    ENTRIES,
    /the keyed anchor was changed, or created with another key/,
  ],
  'a last entry that is removed with its link': [
    () => execute(`delete from audit where seq = ${ENTRIES}; delete from audit_chain where seq = ${ENTRIES}`),
    ENTRIES,
    /the trail ends before number 12, which the mark records/,
  ],
  'a checkpoint that is made up': [
    () => execute('update audit_checkpoints set hash = upper(hash) where seq = 4'),
    4,
    /signature.*wrong/,
  ],
  'a checkpoint of another key': [
    () => execute("update audit_checkpoints set key = 'other' where seq = 4"),
    4,
    /another key, other/,
  ],
}
for (const [what, [tamper, seq, says]] of Object.entries(TAMPERINGS))
  test(`${what} is found`, async () => {
    const found = await tampered(tamper)
    assert.equal(found.ok, false)
    assert.equal(found.break?.seq, seq, JSON.stringify(found.break))
    assert.match(found.break?.what ?? '', says)
  })

test('what is changed after the last checkpoint with plain links made anew is found without a link that was kept elsewhere', async () => {
  const found = await tampered(async () => {
    await execute(`update audit set actor_name = 'nobody' where seq = ${SIGNED + 1}`)
    await file.relink(SIGNED + 1)
  })
  assert.deepEqual([found.break?.seq, found.keyed_from, found.mark?.seq], [SIGNED + 1, 1, ENTRIES])
  assert.match(found.break?.what ?? '', /not keyed/)
})

test('a link that was kept elsewhere finds an end that is cut off, when the mark is from before it too', async () => {
  const { head } = await trail.verify(null)
  const before = { ...head!, seq: SIGNED, revision: 0, hash: await hashAt(SIGNED) }
  const earlier = createAuditTrail(control.store, createClock(control.cell), control.vault.trailKey(), {
    place: before,
    move: () => Promise.resolve(),
  })
  const cut = () =>
    execute(`delete from audit where seq > ${SIGNED}; delete from audit_chain where seq > ${SIGNED}`)
  assert.equal((await file.tampered(cut, () => earlier.verify(null))).ok, true, 'as the page says')
  const found = await file.tampered(cut, () => earlier.verify(head))
  assert.match(found.break?.what ?? '', /ends before number 12, which the anchor records/)
})

test('a trail that another program has changed is not signed, and takes no entry', async () => {
  const signed = (await control.store.read.checkpoints()).length
  const cut = async () => {
    await execute(`delete from audit where seq = ${ENTRIES}; delete from audit_chain where seq = ${ENTRIES}`)
  }
  await file.tampered(cut, async () => {
    await assert.rejects(trail.checkpoint(), /not signed: another program has changed it.*ends at number 11/)
    const change = control.run('policies.create', { name: 'Late' })
    await refused(change, 'store_unavailable')
  })
  assert.equal((await control.store.read.checkpoints()).length, signed)
  await control.run('policies.create', { name: 'Late' })
})

test('a checkpoint is signed once for a link, and the trail reads in pieces', async () => {
  const count = async () => (await control.store.read.checkpoints()).length
  await trail.checkpoint()
  const signed = await count()
  await trail.checkpoint()
  assert.equal(await count(), signed)
  await control.store.write(async (writer) => {
    const [entry] = (await writer.auditEntries({ limit: 1 })).items
    for (let n = 0; n < 1200; n++) await writer.appendAudit({ ...entry!, id: `aud_${n}` })
  })
  const found = await trail.verify(null)
  assert.equal(found.ok, true, JSON.stringify(found.break))
  assert.ok(found.entries > 1200)
})

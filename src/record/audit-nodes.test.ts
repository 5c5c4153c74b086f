/** The audit trail of several nodes on one database, each with a mark of its own. */
import assert from 'node:assert/strict'
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { entry } from '../../test/store/place.ts'
import { onPostgres, tamperWithDatabase } from '../../test/support/postgres-databases.ts'
import { createClock, createClockCell, moveClock } from '../base/clock.ts'
import type { DatabaseAddress } from '../base/net/database-url.ts'
import type { ConfigStore } from '../store/ports/config.ts'
import { openConfigStore } from '../store/postgres/config.ts'
import { keyedProofOf, openVault } from '../vault/open.ts'
import { createAuditTrail } from './audit-chain.ts'
import { secureTrail } from './audit-continuity.ts'
import { openMarkOf } from './audit-mark.ts'

const DAY = 86_400_000

await onPostgres(({ create }) => {
  const openNodes = async (ends: AsyncDisposableStack) => {
    const address = await create()
    const root = mkdtempSync(join(tmpdir(), 'postern-'))
    ends.defer(() => rmSync(root, { recursive: true }))
    const cell = createClockCell()
    const a = await openNode(address, root, 'a')
    ends.defer(() => a.store.close())
    copyFileSync(join(root, 'a.key'), join(root, 'b.key'))
    const b = await openNode(address, root, 'b')
    ends.defer(() => b.store.close())
    return { address, a, b, move: (ms: number) => moveClock(cell, ms) }

    async function openNode(at: DatabaseAddress, directory: string, name: string) {
      const store = await openConfigStore(at)
      const vault = await openVault(store, join(directory, `${name}.key`))
      const clock = createClock(cell)
      const place = mkdtempSync(join(directory, name))
      const openMark = () => openMarkOf(place, vault, (error) => assert.fail(String(error)))
      const secure = (its: ReturnType<typeof openMark>) =>
        secureTrail({ store, clock, seed: vault.trailKey(), mark: its, proof: keyedProofOf(vault) })
      const mark = openMark()
      assert.deepEqual((await secure(mark)).fault, null)
      /** As the next start. */
      const start = () => secure(openMark())
      const trail = createAuditTrail(store, clock, vault.trailKey(), mark)
      /** The mark as the next start reads it. */
      const kept = () => openMark().place.seq
      return { store, mark, trail, kept, start }
    }
  }
  const append = (store: ConfigStore, id: string, its = {}) =>
    store.write((writer) => writer.appendAudit(entry(id, its)))

  test('the mark of a node follows what another one has added, with its next entry or the next probe', async () => {
    await using ends = new AsyncDisposableStack()
    const { a, b } = await openNodes(ends)
    // The entry of its mark, which was missing
    const start = b.mark.place.seq
    for (let at = 1; at <= 3; at++) await append(a.store, `aud_${at}`)
    assert.deepEqual([b.mark.place.seq, b.kept()], [start, start])
    await b.store.probe()
    assert.deepEqual(
      [b.store.fault, b.mark.place, b.kept()],
      [null, { ...a.mark.place, revision: 0 }, start + 3],
    )
    await append(b.store, 'aud_4')
    await append(a.store, 'aud_5')
    assert.deepEqual([a.mark.place.seq, b.mark.place.seq], [start + 5, start + 4])
    for (const node of [a, b]) assert.equal((await node.trail.verify(null)).ok, true)
    // A probe moves it forward, and nothing moves it back
    await b.store.probe()
    await a.store.probe()
    assert.deepEqual([a.kept(), b.kept()], [start + 5, start + 5])
  })

  test('an entry that was made without the key is never followed, and stops the next entry of every node', async () => {
    await using ends = new AsyncDisposableStack()
    const { a, b, address } = await openNodes(ends)
    await append(a.store, 'aud_1')
    {
      await using tamper = await tamperWithDatabase(address)
      const [row = {}] = await tamper.rows('select * from audit order by seq desc limit 1')
      const made = { ...row, seq: Number(row['seq']) + 1, id: 'aud_made' }
      const names = Object.keys(made)
      await tamper.execute(
        `insert into audit (${names.join()}) values (${names.map(() => '?').join()})`,
        ...(Object.values(made) as string[]),
      )
      await tamper.execute('insert into audit_chain (seq, hash) values (?, ?)', made.seq, 'f'.repeat(64))
    }
    for (const node of [a, b]) {
      const { seq } = node.mark.place
      await assert.rejects(append(node.store, 'aud_2'), { fault: 'changed' })
      await node.store.probe()
      assert.equal(node.store.fault?.fault, 'changed')
      assert.equal(node.mark.place.seq, seq)
      await assert.rejects(node.trail.checkpoint(), /another program has changed it/)
    }
  })

  test('a trail that was set back is found by the node that knows more, whatever the other one has added since', async () => {
    await using ends = new AsyncDisposableStack()
    const { a, b, address } = await openNodes(ends)
    await append(a.store, 'aud_1')
    await b.store.probe()
    await append(a.store, 'aud_2')
    {
      await using tamper = await tamperWithDatabase(address)
      await tamper.unguardAudit()
      const last = a.mark.place.seq
      for (const table of ['audit', 'audit_chain', 'audit_filters'])
        await tamper.execute(`delete from ${table} where seq = ?`, last)
    }
    for (let at = 3; at <= 6; at++) await append(b.store, `aud_${at}`)
    await assert.rejects(append(a.store, 'aud_7'), { fault: 'changed' })
    assert.match((await a.start()).fault ?? '', /the mark records another entry here/)
  })

  test('a node signs entries of others, and two that sign at once sign once', async () => {
    await using ends = new AsyncDisposableStack()
    const { a, b } = await openNodes(ends)
    await append(a.store, 'aud_1')
    await b.trail.checkpoint()
    assert.deepEqual(
      (await a.store.read.checkpoints()).map(({ seq }) => seq),
      [a.mark.place.seq],
    )
    await append(a.store, 'aud_2')
    await Promise.all([a, b, a, b].map(({ trail }) => trail.checkpoint()))
    assert.equal((await a.store.read.checkpoints()).length, 2)
    assert.equal((await b.trail.verify(null)).ok, true)
  })

  test('retention of one node leaves the others a trail that they follow, and two at once remove once', async () => {
    await using ends = new AsyncDisposableStack()
    const { a, b, move } = await openNodes(ends)
    const time = new Date().toISOString()
    for (let at = 1; at <= 4; at++) await append(a.store, `aud_${at}`, { time })
    await a.trail.checkpoint()
    for (let day = 0; day < 5; day++) move(DAY)
    const rule = { keepMs: DAY, hold: false }
    const removed = await Promise.all([a.trail.retain(rule), b.trail.retain(rule)])
    // With the entry of the second mark
    assert.deepEqual(removed.toSorted(), [0, 5])
    assert.equal((await a.store.read.auditAnchors()).length, 1)
    // The mark of the other is at what was removed
    await append(b.store, 'aud_5', { time })
    await append(a.store, 'aud_6', { time })
    for (const node of [a, b]) {
      const found = await node.trail.verify(null)
      assert.deepEqual([found.ok, found.entries], [true, 3])
      assert.equal((await node.start()).fault, null)
    }
  })
})

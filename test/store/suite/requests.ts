import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { StoredAccessRequest } from '../../../src/store/ports/access-requests.ts'
import type { StoredChangeRequest } from '../../../src/store/ports/change-requests.ts'
import { type MakePlace, policy } from '../place.ts'

const NOW = 1_800_000_000_000

/** A part of a change request: what the store looks at, and a member that it only keeps. */
function changeRequest(id: string, its: Partial<StoredChangeRequest> = {}): StoredChangeRequest {
  const known: Partial<StoredChangeRequest> = {
    id,
    state: 'open',
    asker: 'ann',
    expires_at: NOW,
    sealed: 'sealed',
    fingerprint: 'f',
    touches: [],
    ...its,
  }
  // The store keeps the other members as they are
  return known as StoredChangeRequest
}

const accessRequest = (id: string, its: Partial<StoredAccessRequest> = {}): StoredAccessRequest => ({
  id,
  requester: 'usr_1',
  requester_name: 'Ann',
  client: 'cli_1',
  collections: ['col_1'],
  message: 'please',
  state: 'open',
  created_at: NOW,
  expires_at: NOW + 100,
  decided_at: null,
  decided_by: null,
  reason: null,
  ...its,
})

/** Change requests and requests for access. */
export function requestsSuite(name: string, make: MakePlace): void {
  test(`${name}: change requests are listed newest first, by asker and by state, and counted in characters`, async () => {
    const store = await (await make()).open()
    await store.write(async (writer) => {
      await writer.putChangeRequest(changeRequest('chr_1', { sealed: 'é\u{1f600}x' }))
      await writer.putChangeRequest(changeRequest('chr_2', { asker: 'bob', state: 'approved' }))
      await writer.putChangeRequest(changeRequest('chr_3', { state: 'rejected', sealed: 'not counted' }))
      await writer.putChangeRequest(changeRequest('chr_4', { sealed: 'before' }))
      await writer.putChangeRequest(changeRequest('chr_4', { sealed: 'four' }))
    })
    const { read } = store
    const { sealed: _sealed, ...facts } = changeRequest('chr_4')
    assert.deepEqual(await read.changeRequest('chr_4'), changeRequest('chr_4', { sealed: 'four' }))
    assert.equal(await read.changeRequest('none'), undefined)
    const listed = await read.changeRequests({ limit: 2 })
    assert.deepEqual(listed[0], facts)
    assert.deepEqual(
      listed.map(({ id }) => id),
      ['chr_4', 'chr_3'],
    )
    const older = await read.changeRequests({ limit: 9, last: 'chr_3', asker: 'ann' })
    assert.deepEqual(
      older.map(({ id }) => id),
      ['chr_1'],
    )
    const pending = async (asker?: string) => (await read.pendingChangeRequests(asker)).map(({ id }) => id)
    assert.deepEqual([await pending(), await pending('bob')], [['chr_1', 'chr_2', 'chr_4'], ['chr_2']])
    assert.deepEqual([await read.pendingSize('ann'), await read.pendingSize('nobody')], [7, 0])
    await store.write(async (writer) => {
      await writer.putChangeRequest(changeRequest('chr_1', { state: 'expired', sealed: null }))
      await writer.forgetChangeRequests(NOW)
    })
    assert.equal((await read.changeRequest('chr_1'))?.sealed, null)
    await store.write((writer) => writer.forgetChangeRequests(NOW + 1))
    assert.deepEqual(
      (await read.changeRequests({ limit: 9 })).map(({ id }) => id),
      ['chr_4', 'chr_2'],
    )
    await store.close()
  })

  test(`${name}: many change requests are read in several statements, each once`, async () => {
    const store = await (await make()).open()
    const ids = Array.from({ length: 45 }, (_, at) => `chr_${String(at).padStart(3, '0')}`)
    await store.write(async (writer) => {
      for (const id of ids) await writer.putChangeRequest(changeRequest(id))
    })
    const read = async (limit: number, order: 'newest' | 'oldest', last?: string): Promise<string[]> => {
      const query = { limit, order, ...(last === undefined ? {} : { last }) }
      return (await store.read.changeRequests(query)).map(({ id }) => id)
    }
    for (const limit of [20, 21, 40, 45, 50]) {
      assert.deepEqual(await read(limit, 'oldest'), ids.slice(0, limit))
      assert.deepEqual(await read(limit, 'newest'), ids.toReversed().slice(0, limit))
    }
    assert.deepEqual(await read(50, 'oldest', ids[20]), ids.slice(21))
    assert.deepEqual(
      (await store.read.pendingChangeRequests('ann')).map(({ id }) => id),
      ids,
    )
    await store.close()
  })

  test(`${name}: requests for access are listed by state at a moment, and forgotten by age`, async () => {
    const store = await (await make()).open()
    await store.write(async (writer) => {
      await writer.putAccessRequest(accessRequest('arq_1', { expires_at: NOW }), 0)
      await writer.putAccessRequest(accessRequest('arq_2', { client: 'cli_2' }), 0)
      await writer.putAccessRequest(accessRequest('arq_3', { state: 'expired', requester: 'usr_2' }), 0)
      await writer.putAccessRequest(accessRequest('arq_4', { collections: [] }), 0)
      await writer.putAccessRequest(
        accessRequest('arq_4', { state: 'applied', collections: ['col_1', 'col_2'], decided_at: NOW }),
        0,
      )
    })
    const { read } = store
    const ids = async (query: Partial<Parameters<typeof read.accessRequests>[0]>) =>
      (await read.accessRequests({ limit: 9, now: NOW, ...query })).map(({ id }) => id)
    assert.deepEqual(await ids({}), ['arq_1', 'arq_2', 'arq_3', 'arq_4'])
    assert.deepEqual(await ids({ limit: 1, after: 'arq_2' }), ['arq_3'])
    assert.deepEqual(await ids({ state: 'open' }), ['arq_2'])
    assert.deepEqual(await ids({ state: 'expired' }), ['arq_1', 'arq_3'])
    assert.deepEqual(await ids({ state: 'expired', requester: 'usr_2' }), ['arq_3'])
    assert.deepEqual(await ids({ client: 'cli_2' }), ['arq_2'])
    assert.deepEqual((await read.accessRequest('arq_4'))?.collections, ['col_1', 'col_2'])
    await store.write((writer) =>
      writer.putAccessRequest(accessRequest('arq_5', { created_at: NOW + 1 }), NOW + 1),
    )
    assert.deepEqual(await ids({}), ['arq_5'])
    await store.close()
  })

  test(`${name}: an open request ends with its requester, its client and each of its collections`, async () => {
    const store = await (await make()).open()
    const things = ['usr_1', 'cli_1', 'col_1', 'col_2']
    await store.write(async (writer) => {
      for (const id of things) await writer.insert(policy(id, id))
      for (const [index, id] of things.entries()) {
        const other = { requester: 'x', client: 'x', collections: ['x'] }
        await writer.putAccessRequest(
          accessRequest(`arq_${index}`, {
            ...other,
            ...(id === 'usr_1' ? { requester: id } : {}),
            ...(id === 'cli_1' ? { client: id } : {}),
            ...(id.startsWith('col') ? { collections: ['y', id] } : {}),
          }),
          0,
        )
      }
      await writer.putAccessRequest(
        accessRequest('arq_9', { state: 'rejected', client: 'x', requester: 'x', collections: ['col_1'] }),
        0,
      )
    })
    for (const [index, id] of things.entries()) {
      const state = async () => (await store.read.accessRequest(`arq_${index}`))?.state
      assert.equal(await state(), 'open')
      await store.write((writer) => writer.remove(id))
      assert.equal(await state(), 'expired')
    }
    assert.equal((await store.read.accessRequest('arq_9'))?.state, 'rejected')
    await store.close()
  })
}

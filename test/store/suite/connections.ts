import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ConfigStore } from '../../../src/store/ports/config.ts'
import type { StoredConnection } from '../../../src/store/ports/connections.ts'
import { type MakePlace, plain } from '../place.ts'

const NOW = 1_800_000_000_000

const connection = (user: string, origin: string, its: Partial<StoredConnection> = {}): StoredConnection => ({
  user,
  origin,
  id: `${user} at ${origin}`,
  kind: 'oauth',
  state: 'connected',
  active: true,
  account_label: '',
  issuer: 'https://as.example',
  scope: '',
  sealed: 'sealed',
  expires_at: null,
  created_at: NOW,
  updated_at: NOW,
  ...its,
})

const put = (store: ConfigStore, ...all: readonly StoredConnection[]): Promise<void> =>
  store.writeOAuth(async ({ connections }) => {
    for (const one of all) await connections.put(one)
  })

/** Accounts of people at origins. */
export function connectionsSuite(name: string, make: MakePlace): void {
  test(`${name}: a person has one connection at an origin, which the last write decides`, async () => {
    const store = await (await make()).open()
    await put(
      store,
      connection('ann', 'o1', { sealed: 'before' }),
      connection('ann', 'o1', { active: false }),
    )
    await put(store, connection('bob', 'o1'))
    const { connections } = store.read
    assert.deepEqual(plain(await connections.one('ann', 'o1')), connection('ann', 'o1', { active: false }))
    assert.equal(await connections.one('ann', 'o2'), undefined)
    await store.writeOAuth((oauth) => oauth.connections.remove('ann', 'o1', 0))
    assert.equal(await connections.one('ann', 'o1'), undefined)
    assert.deepEqual(plain(await connections.one('bob', 'o1')), connection('bob', 'o1'))
    await store.close()
  })

  test(`${name}: connections are listed by person and origin, page by page`, async () => {
    const store = await (await make()).open()
    const all = ['ann', 'bob'].flatMap((user) => ['o1', 'o2', 'o3'].map((origin) => connection(user, origin)))
    await put(store, ...all.toReversed())
    const { connections } = store.read
    const idsOf = (found: readonly StoredConnection[]) => found.map(({ id }) => id)
    assert.deepEqual(idsOf(await connections.list({}, 4)), idsOf(all.slice(0, 4)))
    assert.deepEqual(idsOf(await connections.list({}, 4, ['bob', 'o1'])), idsOf(all.slice(4)))
    assert.deepEqual(idsOf(await connections.list({ user: 'bob' }, 9)), idsOf(all.slice(3)))
    assert.deepEqual(idsOf(await connections.list({ origin: 'o2' }, 9)), ['ann at o2', 'bob at o2'])
    assert.deepEqual(idsOf(await connections.list({ origin: 'o2' }, 9, ['ann', 'o2'])), ['bob at o2'])
    await store.close()
  })

  test(`${name}: the usable connections of an origin are connected and active, the latest first`, async () => {
    const store = await (await make()).open()
    await put(
      store,
      connection('ann', 'o1', { updated_at: NOW + 1 }),
      connection('bob', 'o1', { updated_at: NOW + 2 }),
      connection('cid', 'o1', { updated_at: NOW + 3, active: false }),
      connection('dan', 'o1', { updated_at: NOW + 4, state: 'refresh_failed' }),
      connection('eve', 'o2', { updated_at: NOW + 5 }),
    )
    const usable = await store.read.connections.usable('o1', 9)
    assert.deepEqual(
      usable.map(({ user }) => user),
      ['bob', 'ann'],
    )
    assert.equal((await store.read.connections.usable('o1', 1)).length, 1)
    await store.close()
  })
}

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ConfigStore } from '../../../src/store/ports/config.ts'
import type { StoredConnection } from '../../../src/store/ports/connections.ts'
import type { OAuthArtifact, OAuthKey, OAuthWriter } from '../../../src/store/ports/oauth.ts'
import { type MakePlace, plain } from '../place.ts'

const NOW = 1_800_000_000_000

const artifact = (id: string, its: Partial<OAuthArtifact> = {}): OAuthArtifact => ({
  kind: 'RefreshToken',
  id,
  sealed: `sealed ${id}`,
  grant_id: 'g',
  other_id: null,
  account_id: 'ann',
  created_at: NOW,
  expires_at: NOW + 100,
  used_at: null,
  ...its,
})

const change = <T>(store: ConfigStore, work: (oauth: OAuthWriter) => Promise<T>): Promise<T> =>
  store.writeOAuth(work)

async function idsOf(store: ConfigStore, ids: string, kind = 'RefreshToken'): Promise<string> {
  const found = await Promise.all([...ids].map((id) => store.read.oauth.artifact(kind, id)))
  return found.flatMap((one) => one?.id ?? []).join('')
}

const connectionOf = (id: string): StoredConnection => ({
  ...{ user: 'ann', origin: 'desk', id, kind: 'oauth', state: 'connected', active: true, account_label: '' },
  ...{ issuer: '', scope: '', sealed: '', expires_at: null, created_at: NOW, updated_at: NOW },
})

/** What the authorization server keeps. */
export function oauthSuite(name: string, make: MakePlace): void {
  test(`${name}: an artifact is read by its ids, used once and prolonged`, async () => {
    const store = await (await make()).open()
    const device = artifact('d', { kind: 'DeviceCode', other_id: 'user-code', grant_id: null })
    await change(store, async (oauth) => {
      await oauth.put(artifact('a', { sealed: 'before' }))
      await oauth.put(artifact('a'))
      await oauth.put(device)
    })
    const { oauth } = store.read
    assert.deepEqual(plain(await oauth.artifact('RefreshToken', 'a')), artifact('a'))
    assert.equal(await oauth.artifact('DeviceCode', 'a'), undefined)
    assert.deepEqual(plain(await oauth.artifactByOther('DeviceCode', 'user-code')), device)
    const use = (id: string) => change(store, (writer) => writer.use('RefreshToken', id, NOW + 1))
    assert.deepEqual([await use('a'), await use('a'), await use('none')], [true, false, false])
    await change(store, (writer) => writer.prolong('RefreshToken', 'a', NOW + 2, NOW + 500))
    assert.deepEqual(
      plain(await oauth.artifact('RefreshToken', 'a')),
      artifact('a', { used_at: NOW + 2, expires_at: NOW + 500 }),
    )
    await store.close()
  })

  test(`${name}: a later use within the grant is found`, async () => {
    const store = await (await make()).open()
    await change(store, async (oauth) => {
      await oauth.put(artifact('a'))
      await oauth.put(artifact('b', { created_at: NOW + 10 }))
      await oauth.put(artifact('c', { grant_id: 'other', used_at: NOW + 50 }))
    })
    const { oauth } = store.read
    const found = async () => [
      await oauth.isFollowed(artifact('a'), NOW + 10),
      await oauth.isFollowed(artifact('a'), NOW + 11),
      await oauth.isOvertaken(artifact('a')),
    ]
    assert.deepEqual(await found(), [false, false, false])
    await change(store, (writer) => writer.use('RefreshToken', 'b', NOW + 20))
    assert.deepEqual(await found(), [true, false, true])
    await store.close()
  })

  test(`${name}: of a kind with a bound the oldest that was never used gives way`, async () => {
    const store = await (await make()).open()
    await change(store, async (oauth) => {
      await oauth.put(artifact('a', { used_at: NOW }), 3)
      await oauth.put(artifact('c', { created_at: NOW + 2 }), 3)
      await oauth.put(artifact('b', { created_at: NOW + 1 }), 3)
      await oauth.put(artifact('s', { kind: 'Session' }), 3)
    })
    assert.equal(await idsOf(store, 'abc'), 'abc')
    await change(store, (oauth) => oauth.put(artifact('d', { created_at: NOW + 3 }), 3))
    assert.equal(await idsOf(store, 'abcd'), 'acd')
    await change(store, (oauth) => oauth.put(artifact('e', { created_at: NOW + 4 }), 1))
    assert.equal(await idsOf(store, 'abcde'), 'a')
    assert.equal(await idsOf(store, 's', 'Session'), 's')
    await store.close()
  })

  test(`${name}: artifacts end by id, grant, account and time`, async () => {
    const store = await (await make()).open()
    await change(store, async (oauth) => {
      for (const id of 'abc') await oauth.put(artifact(id))
      await oauth.put(artifact('d', { grant_id: 'other' }))
      await oauth.put(artifact('e', { grant_id: null, account_id: 'bob' }))
      await oauth.put(artifact('f', { grant_id: null, account_id: null, expires_at: null }))
      await oauth.put(artifact('g', { grant_id: null, account_id: null, expires_at: NOW }))
      await oauth.remove('RefreshToken', 'a')
      await oauth.removeOfGrant('Session', 'g')
    })
    assert.equal(await idsOf(store, 'abcdefg'), 'bcdefg')
    await change(store, (oauth) => oauth.removeOfGrant('RefreshToken', 'g'))
    assert.equal(await idsOf(store, 'abcdefg'), 'defg')
    await change(store, (oauth) => oauth.removeOfAccount('ann', NOW))
    await change(store, (oauth) => oauth.sweep(NOW))
    assert.equal(await idsOf(store, 'abcdefg'), 'efg')
    await change(store, (oauth) => oauth.sweep(NOW + 1))
    assert.equal(await idsOf(store, 'abcdefg'), 'ef')
    await store.close()
  })

  test(`${name}: endings have numbers that grow whatever the clock says, and are forgotten after an hour`, async () => {
    const store = await (await make()).open()
    const { oauth } = store.read
    assert.equal(await oauth.lastEnding(), 0)
    const numbers: number[] = []
    for (const end of [
      (writer: OAuthWriter) => writer.noteEnding('session', NOW),
      (writer: OAuthWriter) => writer.removeOfAccount('ann', NOW),
      (writer: OAuthWriter) => writer.removeOfAccount('ann', NOW - 60_000),
      (writer: OAuthWriter) => writer.noteEnding('other', NOW + 60_000),
    ]) {
      await change<unknown>(store, end)
      numbers.push(await oauth.lastEnding())
    }
    assert.deepEqual(
      numbers,
      [...new Set(numbers)].sort((a, b) => a - b),
    )
    const [first = 0, second = 0, third = 0] = numbers
    const answers = [oauth.hasEnded('ann', 0), oauth.hasEnded('ann', first), oauth.hasEnded('ann', second)]
    assert.deepEqual(await Promise.all(answers), [true, true, true])
    const later = [oauth.hasEnded('ann', third), oauth.hasEnded('session', first), oauth.hasEnded('bob', 0)]
    assert.deepEqual(await Promise.all(later), [false, false, false])
    await change(store, (writer) => writer.sweep(NOW + 3_600_001))
    assert.deepEqual(
      [await oauth.hasEnded('session', 0), await oauth.hasEnded('ann', 0), await oauth.hasEnded('other', 0)],
      [false, false, true],
    )
    await store.close()
  })

  test(`${name}: what has ended since another ending is read in order, with grants and accounts at origins`, async () => {
    const store = await (await make()).open()
    const { oauth } = store.read
    assert.deepEqual(await oauth.endedSince(0), [])
    await change(store, async (writer) => {
      await writer.put(artifact('g1', { kind: 'Grant' }))
      await writer.put(artifact('g2', { kind: 'Grant', account_id: 'bob' }))
      await writer.connections.put(connectionOf('c1'))
    })
    await change(store, (writer) => writer.removeOfAccount('ann', NOW))
    const before = await oauth.lastEnding()
    await change(store, async (writer) => {
      await writer.connections.put(connectionOf('c1'))
      await writer.connections.put(connectionOf('c2'))
      await writer.connections.remove('ann', 'desk', NOW)
      await writer.connections.remove('ann', 'desk', NOW)
      // The clock of another process is behind
      await writer.endGrant('g2', NOW - 60_000)
    })
    const ids = async (number: number) => (await oauth.endedSince(number)).map(({ id }) => id)
    assert.deepEqual(await ids(0), ['ann', 'g1', 'c1', 'c2', 'g2'])
    assert.deepEqual(await ids(before), ['c1', 'c2', 'g2'])
    assert.equal(await oauth.artifact('Grant', 'g2'), undefined)
    // Also where all are old: a later one must not be taken for one that was read
    const last = await oauth.lastEnding()
    await change(store, (writer) => writer.sweep(NOW + 3_600_001))
    assert.deepEqual(await ids(0), ['g2'])
    await change(store, (writer) => writer.noteEnding('later', NOW - 60_000))
    assert.deepEqual(await ids(last), ['later'])
    await store.close()
  })

  test(`${name}: what was issued for an account is counted by its kind, without what has ended`, async () => {
    const store = await (await make()).open()
    await change(store, async (oauth) => {
      await oauth.put(artifact('a'))
      await oauth.put(artifact('b', { expires_at: null }))
      await oauth.put(artifact('c', { expires_at: NOW }))
      await oauth.put(artifact('d', { kind: 'Session' }))
      await oauth.put(artifact('e', { account_id: 'bob' }))
    })
    const count = (kind: string, account: string) => store.read.oauth.countOfAccount(kind, account, NOW)
    assert.deepEqual(
      [await count('RefreshToken', 'ann'), await count('Session', 'ann'), await count('Grant', 'ann')],
      [2, 1, 0],
    )
    assert.equal(await count('RefreshToken', 'bob'), 1)
    await store.close()
  })

  test(`${name}: keys are in order of creation`, async () => {
    const store = await (await make()).open()
    const key = (id: string, created_at: number): OAuthKey => ({
      id,
      purpose: 'signing',
      public: '{}',
      sealed: id,
      created_at,
      retired_at: null,
    })
    await change(store, async (oauth) => {
      await oauth.putKey(key('b', NOW))
      await oauth.putKey(key('c', NOW - 1))
      await oauth.putKey(key('a', NOW))
      await oauth.putKey({ ...key('b', NOW), retired_at: NOW + 1 })
      await oauth.putKey({ ...key('x', NOW), purpose: 'cookies', public: null })
      await oauth.removeKey('x')
    })
    assert.deepEqual(await store.read.oauth.keys(), [
      key('c', NOW - 1),
      key('a', NOW),
      { ...key('b', NOW), retired_at: NOW + 1 },
    ])
    await store.close()
  })
}

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { StoredPersonalToken, StoredSetUpLink } from '../../../src/store/ports/config.ts'
import { type MakePlace, policy } from '../place.ts'

/** Milliseconds that no 32-bit number holds. */
const NOW = 1_800_000_000_000

const personal = (id: string, owner: string): StoredPersonalToken => ({
  id,
  lookup: `look-${id}`,
  hash: 'hash',
  name: id,
  grants: [
    { role: 'viewer', scope: { collections: ['col_1'], tags: [], types: ['proxies'], verbs: ['read'] } },
  ],
  audience: 'management',
  method: 'personal_token',
  created_at: NOW,
  expires_at: NOW + 1,
  revoked_at: null,
  owner,
  last_used_at: null,
})

/** What is kept beside resources: tokens, secrets, sign-in, answers, plans. */
export function keptSuite(name: string, make: MakePlace): void {
  test(`${name}: tokens and secrets of a resource are read as written, and go with it`, async () => {
    const store = await (await make()).open()
    const token = {
      id: 'tok_1',
      profile: 'prf_1',
      lookup: 'look',
      hash: 'hash',
      created_at: NOW,
      expires_at: null,
      retires_at: null,
      revoked_at: null,
    }
    const secret = { owner: 'prf_1', field: 'b', sealed: 'sealed', last4: null, updated_at: '2026' }
    await store.write(async (writer) => {
      await writer.insert({ ...policy('prf_1', 'p'), type: 'profiles' })
      await writer.putToken({ ...token, id: 'tok_2', lookup: 'other' })
      await writer.putToken(token)
      await writer.putToken({ ...token, revoked_at: NOW + 5 })
      await writer.putSecret(secret)
      await writer.putSecret({ ...secret, field: 'a' })
      await writer.putSecret({ ...secret, last4: '1234' })
    })
    const { read } = store
    assert.deepEqual(await read.tokensOf(['prf_1', 'none']), [
      { ...token, revoked_at: NOW + 5 },
      { ...token, id: 'tok_2', lookup: 'other' },
    ])
    const secrets = [
      { ...secret, field: 'a' },
      { ...secret, last4: '1234' },
    ]
    assert.deepEqual(await read.secretsOf(['prf_1']), secrets)
    assert.equal((await read.secrets()).length, 2)
    await store.write((writer) => writer.removeSecret('prf_1', 'a'))
    assert.deepEqual(await read.secretsOf(['prf_1']), secrets.slice(1))
    await store.write((writer) => writer.remove('prf_1'))
    assert.deepEqual([await read.tokensOf(['prf_1']), await read.secrets()], [[], []])
    await store.close()
  })

  test(`${name}: the state of a resource is kept by part, and goes with it`, async () => {
    const store = await (await make()).open()
    await store.write(async (writer) => {
      await writer.insert({ ...policy('ori_1', 'o'), type: 'origins' })
      await writer.putState('ori_1', 'names', '["first"]')
      await writer.putState('ori_1', 'names', '["second"]')
      await writer.putState('ori_1', 'catalogue', '{"tools":[]}')
      await writer.putState('vmc_1', 'names', '{}')
      await writer.putState('vmc_2', 'names', '{}')
      await writer.putState('vmc_2', 'names', null)
      await writer.putState('vmc_2', 'none', null)
    })
    const { read } = store
    const catalogue = { owner: 'ori_1', part: 'catalogue', json: '{"tools":[]}' }
    const names = { owner: 'ori_1', part: 'names', json: '["second"]' }
    const other = { owner: 'vmc_1', part: 'names', json: '{}' }
    assert.deepEqual(await read.statesOf(['vmc_1', 'none', 'vmc_2', 'ori_1']), [catalogue, names, other])
    assert.deepEqual(await read.statesOf(['ori_1', 'vmc_1'], 'names'), [names, other])
    assert.deepEqual(await read.statesOf([]), [])
    await store.write((writer) => writer.remove('ori_1'))
    assert.deepEqual(await read.statesOf(['ori_1', 'vmc_1']), [other])
    const undone = store.write((writer) => writer.putState('vmc_1', 'names', '[]'), { rollback: true })
    await undone
    assert.deepEqual(await read.statesOf(['vmc_1']), [other])
    await store.close()
  })

  test(`${name}: schemas and named values are kept once`, async () => {
    const store = await (await make()).open()
    await store.write(async (writer) => {
      await writer.putSchema('h', '{"b":1,"a":2}')
      await writer.putSchema('h', 'other')
      await writer.setMeta('m', 'one')
      await writer.setMeta('m', 'two')
    })
    assert.deepEqual(
      [await store.read.schema('h'), await store.read.schema('none'), await store.read.meta('m')],
      ['{"b":1,"a":2}', undefined, 'two'],
    )
    assert.equal(await store.read.meta('none'), undefined)
    await store.close()
  })

  test(`${name}: personal tokens are listed by owner and page, without revoked ones`, async () => {
    const store = await (await make()).open()
    const { owner: _owner, last_used_at: _used, ...plain } = { ...personal('tok_0', ''), lookup: 'plain' }
    await store.write(async (writer) => {
      await writer.putAccessToken(plain)
      for (const [id, owner] of [
        ['tok_1', 'ann'],
        ['tok_2', 'bob'],
        ['tok_3', 'ann'],
        ['tok_4', 'ann'],
      ] as const)
        await writer.putAccessToken(personal(id, owner))
      await writer.putAccessToken({ ...personal('tok_3', 'ann'), revoked_at: NOW })
      await writer.usedPersonalToken('tok_1', NOW + 7)
      // Another process has noted a use of before
      await writer.usedPersonalToken('tok_1', NOW + 3)
    })
    const { read } = store
    const ids = async (query: Parameters<typeof read.personalTokens>[0]) =>
      (await read.personalTokens(query)).map(({ id }) => id)
    assert.deepEqual(await ids({ owner: null, limit: 9 }), ['tok_1', 'tok_2', 'tok_4'])
    assert.deepEqual(await ids({ owner: 'ann', limit: 1, after: 'tok_1' }), ['tok_4'])
    assert.deepEqual(await read.personalToken({ id: 'tok_1' }), {
      ...personal('tok_1', 'ann'),
      last_used_at: NOW + 7,
    })
    assert.equal((await read.personalToken({ lookup: 'look-tok_3' }))?.revoked_at, NOW)
    assert.equal(await read.personalToken({ lookup: 'plain' }), undefined)
    assert.deepEqual((await read.accessToken('plain'))?.grants, plain.grants)
    await store.close()
  })

  test(`${name}: a set-up link replaces those of its purpose and user, and is spent once`, async () => {
    const store = await (await make()).open()
    const link = (hash: string, its: Partial<StoredSetUpLink> = {}): StoredSetUpLink => ({
      hash,
      user: 'usr_1',
      purpose: 'invite',
      expires_at: NOW + 10,
      ...its,
    })
    await store.write(async (writer) => {
      await writer.insert({ ...policy('usr_1', 'u'), type: 'users' })
      await writer.putSetUpLink(link('a'), NOW)
      await writer.putSetUpLink(link('b'), NOW)
      await writer.putSetUpLink(link('c', { purpose: 'reset' }), NOW)
      for (const hash of ['d', 'e'])
        await writer.putSetUpLink(link(hash, { user: null, purpose: 'first' }), NOW)
      await writer.putSetUpLink(link('f', { user: null, purpose: 'reset' }), NOW)
    })
    const there = async () => {
      const found = await Promise.all([...'abcdef'].map((hash) => store.read.setUpLink(hash)))
      return found.flatMap((one) => one?.hash ?? []).join('')
    }
    // Processes that share a store have each printed one for the first administrator
    assert.equal(await there(), store.isShared ? 'bcdef' : 'bcef')
    assert.deepEqual(await store.read.setUpLink('b'), link('b'))
    const spend = (hash: string, its?: Partial<StoredSetUpLink>) =>
      store.write((writer) => writer.spendSetUpLink(link(hash, its)))
    assert.deepEqual([await spend('b'), await spend('b')], [true, false])
    assert.equal(await spend('e', { user: null, purpose: 'first' }), true)
    assert.equal(await there(), 'c')
    await store.write((writer) => writer.putPassword('usr_1', 'one', NOW))
    await store.write((writer) => writer.putPassword('usr_1', 'two', NOW))
    assert.deepEqual([await there(), await store.read.password('usr_1')], ['', 'two'])
    await store.write((writer) => writer.putSetUpLink(link('a', { expires_at: NOW }), NOW - 1))
    await store.write((writer) => writer.putSetUpLink(link('c', { purpose: 'reset' }), NOW))
    assert.equal(await there(), 'c')
    await store.write((writer) => writer.removePassword('usr_2'))
    assert.deepEqual([await there(), await store.read.password('usr_1')], ['c', 'two'])
    await store.write((writer) => writer.removePassword('usr_1'))
    assert.deepEqual([await there(), await store.read.password('usr_1')], ['', undefined])
    await store.write((writer) => writer.putPassword('usr_1', 'three', NOW))
    await store.write((writer) => writer.putSetUpLink(link('c', { purpose: 'reset' }), NOW))
    await store.write((writer) => writer.remove('usr_1'))
    assert.deepEqual([await there(), await store.read.password('usr_1')], ['', undefined])
    await store.close()
  })

  test(`${name}: answers are replaced, and forgotten when they have expired`, async () => {
    const store = await (await make()).open()
    const answer = { scope: 's', fingerprint: 'f', answer: { b: 1, a: null }, expires_at: NOW }
    await store.write((writer) => writer.putAnswer({ ...answer, answer: null }, NOW))
    await store.write((writer) => writer.putAnswer(answer, NOW))
    assert.deepEqual(await store.read.answer('s'), answer)
    await store.write((writer) => writer.putAnswer({ ...answer, scope: 't', expires_at: NOW + 9 }, NOW + 1))
    assert.equal(await store.read.answer('s'), undefined)
    await store.close()
  })

  test(`${name}: of the plans of one principal the last are kept`, async () => {
    const store = await (await make()).open()
    const put = (id: string, made_by: string, created_at: number, since = 1) =>
      store.write((writer) =>
        writer.putPlan(
          { id, made_by, created_at, owner: 'all', documents: 'd', steps: [], revision: 1 },
          since,
          2,
        ),
      )
    await put('a', 'ann', 10)
    await put('b', 'bob', 11)
    await put('c', 'ann', 12)
    await put('d', 'ann', 12)
    const kept = async () => {
      const found = await Promise.all([...'abcde'].map((id) => store.read.plan(id)))
      return found.map((plan) => plan?.made_by)
    }
    assert.deepEqual(await kept(), [undefined, 'bob', 'ann', 'ann', undefined])
    await put('e', 'cid', 20, 12)
    assert.deepEqual(await kept(), [undefined, undefined, 'ann', 'ann', 'cid'])
    await store.close()
  })

  test(`${name}: what was applied is kept by set and address`, async () => {
    const store = await (await make()).open()
    const applied = { owner: 'o', address: 'policy/a', resource: 'pol_1', spec: { b: 1, a: [] } }
    await store.write(async (writer) => {
      await writer.putApplied({ ...applied, resource: 'pol_0' })
      await writer.putApplied(applied)
      await writer.putApplied({ ...applied, address: 'policy/b' })
      await writer.putApplied({ ...applied, owner: 'p' })
      await writer.removeApplied('o', 'policy/b')
    })
    assert.deepEqual(await store.read.applied('o'), [applied])
    await store.close()
  })
}

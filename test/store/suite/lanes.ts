import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import type { OAuthArtifact } from '../../../src/store/ports/oauth.ts'
import { type MakePlace, policy } from '../place.ts'

const session = (id: string, account = 'ann'): OAuthArtifact => ({
  kind: 'Session',
  id,
  sealed: '',
  grant_id: null,
  other_id: null,
  account_id: account,
  created_at: 1_800_000_000_000,
  expires_at: null,
  used_at: null,
})

/** The write lanes of the configuration and of OAuth. */
export function lanesSuite(name: string, make: MakePlace): void {
  test(`${name}: a write of each lane commits and is undone for itself, also at the same time`, async () => {
    const store = await (await make()).open()
    const write = async (id: string, fails: boolean): Promise<void> =>
      store.write(async (writer) => {
        await writer.insert(policy(id, id))
        await turn()
        await writer.nextRevision()
        if (fails) throw new Error(`undo ${id}`)
      })
    const writeOAuth = async (id: string, fails: boolean): Promise<void> =>
      store.writeOAuth(async (oauth) => {
        await oauth.put(session(id))
        await turn()
        assert.equal((await oauth.artifact('Session', id))?.id, id)
        if (fails) throw new Error(`undo ${id}`)
      })
    const ends = await Promise.allSettled([
      write('a', false),
      writeOAuth('a', true),
      write('b', true),
      writeOAuth('b', false),
      writeOAuth('c', true),
      write('c', false),
    ])
    assert.deepEqual(
      ends.map((end) => (end.status === 'rejected' ? String(end.reason.message) : '')),
      ['', 'undo a', 'undo b', '', 'undo c', ''],
    )
    assert.deepEqual(
      (await store.read.all('policies')).map(({ slug }) => slug),
      ['a', 'c'],
    )
    assert.equal(await store.read.revision(), 2)
    const kept = await Promise.all(['a', 'b', 'c'].map((id) => store.read.oauth.artifact('Session', id)))
    assert.deepEqual(
      kept.map((one) => one?.id),
      [undefined, 'b', undefined],
    )
    await store.close()
  })

  test(`${name}: a change of the configuration that joins OAuth is one transaction, and each lane goes on after it`, async () => {
    const store = await (await make()).open()
    await store.writeOAuth(async (oauth) => {
      await oauth.put(session('a'))
      await oauth.put(session('b', 'bob'))
    })
    const ended = async (): Promise<boolean> =>
      (await store.read.oauth.artifact('Session', 'a')) === undefined
    const end = (rollback: boolean): Promise<void> =>
      store.write(
        async (writer) => {
          await writer.setMeta('a', '1')
          const oauth = await writer.joinOAuth()
          await oauth.removeOfAccount('ann', 1)
          assert.equal(await writer.oauth.artifact('Session', 'a'), undefined, 'the change sees what it did')
          assert.equal(await ended(), false)
        },
        { rollback },
      )
    await end(true)
    assert.deepEqual([await store.read.meta('a'), await ended()], [undefined, false])
    const both = await Promise.allSettled([
      end(false),
      store.writeOAuth((oauth) => oauth.put(session('c', 'cid'))),
      store.write((writer) => writer.setMeta('b', '2')),
    ])
    assert.deepEqual(
      both.map(({ status }) => status),
      ['fulfilled', 'fulfilled', 'fulfilled'],
    )
    assert.deepEqual(
      [await store.read.meta('a'), await store.read.meta('b'), await ended()],
      ['1', '2', true],
    )
    assert.equal((await store.read.oauth.artifact('Session', 'b'))?.account_id, 'bob')
    assert.equal((await store.read.oauth.artifact('Session', 'c'))?.account_id, 'cid')
    await store.close()
  })

  test(`${name}: a transaction of either lane inside of one is refused`, async () => {
    const store = await (await make()).open()
    const { write, writeOAuth } = store
    await assert.rejects(
      write(() => writeOAuth(async () => {})),
      /inside of a transaction/,
    )
    await assert.rejects(
      writeOAuth(() => write(async () => {})),
      /inside of a transaction/,
    )
    await writeOAuth((oauth) => oauth.put(session('a')))
    await store.close()
  })
}

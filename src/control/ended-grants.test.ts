import assert from 'node:assert/strict'
import { test } from 'node:test'
import { onPostgres } from '../../test/support/postgres-databases.ts'
import { createClock } from '../base/clock.ts'
import { openControlState } from '../serve/control-state.ts'
import { openEndedIds } from '../shared-state/memory/key-memory.ts'
import { createSharedCells, createThreadEvents } from '../shared-state/memory/shared-cells.ts'
import type { ConfigStore } from '../store/ports/config.ts'
import type { StoredConnection } from '../store/ports/connections.ts'
import type { OAuthArtifact, OAuthWriter } from '../store/ports/oauth.ts'
import { openConfigStore } from '../store/postgres/config.ts'
import { createEndedGrants, type EndedGrants, type EndingNodes } from './ended-grants.ts'

const NOW = Date.UTC(2026, 10, 28)

await onPostgres(({ create }) => {
  /** Two nodes on one database: each has the memory of a process, and hears of the other as `wired` says. */
  async function startNodes(wired: (other: () => Node) => EndingNodes | null) {
    const address = await create()
    const clock = { ...createClock(), now: () => NOW }
    const ends = new AsyncDisposableStack()
    async function start(other: () => Node) {
      const store = await openConfigStore(address)
      ends.defer(() => store.close())
      const cells = createSharedCells()
      const told: string[] = []
      const events = createThreadEvents(({ topic, text }) => void told.push(`${topic} ${text}`))
      const state = openControlState(cells, clock, events, null)
      const ids = openEndedIds(cells.endedGrants, cells.endedEpoch)
      const ended = createEndedGrants({ reader: store.read.oauth, state, clock, nodes: wired(other) })
      return { store, ended, told, refuses: (id: string) => ids.has(id, NOW + 15 * 60_000) }
    }
    const a: Node = await start(() => b)
    const b: Node = await start(() => a)
    return { a, b, [Symbol.asyncDispose]: () => ends.disposeAsync() }
  }
  interface Node {
    readonly store: ConfigStore
    readonly ended: EndedGrants
    readonly told: readonly string[]
    readonly refuses: (id: string) => boolean
  }

  /** Each node answers for itself, as one that is told over the network does. */
  const connected = (other: () => Node): EndingNodes => ({
    async unread(number) {
      await other().ended.catchUp()
      return other().ended.read >= number ? [] : ['other']
    },
  })

  const write = (node: Node, work: (oauth: OAuthWriter) => Promise<unknown>) => node.store.writeOAuth(work)

  test('a grant that one node ends is refused by another one when the end is answered', async () => {
    await using nodes = await startNodes(connected)
    const { a, b } = nodes
    await write(a, (oauth) => oauth.put(grant('g1')))
    await write(b, (oauth) => oauth.endGrant('g1', NOW))
    assert.deepEqual(await b.ended.end(['g1']), { pending: false, nodes: [] })
    assert.deepEqual([a.refuses('g1'), b.refuses('g1'), a.refuses('g2')], [true, true, false])
    // Streams that stand look again
    assert.deepEqual(a.told, ['grant_ended g1'])
    assert.equal(await a.store.read.oauth.artifact('Grant', 'g1'), undefined)
  })

  test('a person who is offboarded on one node has no grant and no account at an origin left on another one', async () => {
    await using nodes = await startNodes(connected)
    const { a, b } = nodes
    await write(a, async (oauth) => {
      for (const id of ['g1', 'g2']) await oauth.put(grant(id))
      for (const origin of ['desk', 'crm']) await oauth.connections.put(connection(origin, `${origin} 1`))
    })
    const ids = await b.store.write(async (writer) => {
      const oauth = await writer.joinOAuth()
      const grants = await oauth.removeOfAccount('ann', NOW)
      await oauth.connections.remove('ann', 'desk', NOW)
      // Switched off: under another id
      await oauth.connections.put({ ...connection('crm', 'crm 2'), active: false })
      return [...grants, 'desk 1', 'crm 1']
    })
    assert.deepEqual(await b.ended.end(ids), { pending: false, nodes: [] })
    const all = ['g1', 'g2', 'desk 1', 'crm 1', 'crm 2']
    assert.deepEqual(all.map(a.refuses), [true, true, true, true, false])
  })

  test('an end waits for a node that has not read it, which reads it later whatever messages were lost', async () => {
    await using nodes = await startNodes(() => ({ unread: async () => ['a'] }))
    const { a, b } = nodes
    await write(b, (oauth) => oauth.endGrant('g1', NOW))
    assert.deepEqual(await b.ended.end(['g1']), { pending: true, nodes: ['a'] })
    assert.deepEqual(await b.ended.end([]), { pending: true, nodes: ['a'] }, 'whoever repeats it waits too')
    assert.deepEqual([a.refuses('g1'), b.refuses('g1')], [false, true])
    // The clock of this node is behind
    await write(a, (oauth) => oauth.endGrant('g2', NOW - 60_000))
    await a.ended.catchUp()
    await b.ended.catchUp()
    assert.deepEqual([a.refuses('g1'), b.refuses('g2')], [true, true])
    assert.equal(a.ended.read, await b.store.read.oauth.lastEnding())
  })

  test('a node that starts knows what was ended before', async () => {
    await using nodes = await startNodes(() => null)
    const { a, b } = nodes
    await write(b, (oauth) => oauth.endGrant('g1', NOW))
    assert.equal(a.ended.read, 0)
    await a.ended.catchUp()
    assert.equal(a.refuses('g1'), true)
  })
})

function grant(id: string): OAuthArtifact {
  return {
    ...{ kind: 'Grant', id, sealed: 'sealed', grant_id: null, other_id: null, account_id: 'ann' },
    ...{ created_at: NOW, expires_at: NOW + 3_600_000, used_at: null },
  }
}

function connection(origin: string, id: string): StoredConnection {
  return {
    ...{ user: 'ann', origin, id, kind: 'oauth', state: 'connected', active: true, account_label: '' },
    ...{ issuer: 'https://as.test', scope: '', sealed: 'sealed', expires_at: null },
    ...{ created_at: NOW, updated_at: NOW },
  }
}

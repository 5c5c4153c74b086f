import assert from 'node:assert/strict'
import { test } from 'node:test'
import { connect, given } from '../../test/support/connected.ts'
import { ExchangingIssuer } from '../../test/support/exchanging-issuer.ts'
import { connectedOrigin, startFederation } from '../../test/support/federation.ts'
import { onPostgres } from '../../test/support/postgres-databases.ts'
import { ScriptedServer } from '../../test/support/scripted-as.ts'
import { type ClockCell, createClock, createClockCell, moveClock } from '../base/clock.ts'
import type { ConfigStore } from '../store/ports/config.ts'
import { openConfigStore } from '../store/postgres/config.ts'
import { asOnlyOneOf } from './refresh-claims.ts'
import { createIdentityTokens, type KeptIdentityTokens } from './sign-in/identity-tokens.ts'

const HOUR = 3600_000

await onPostgres(({ create }) => {
  /** Two nodes on one database. */
  async function openNodes(ends: AsyncDisposableStack): Promise<readonly [ConfigStore, ConfigStore]> {
    const address = await create()
    const open = async () => {
      const store = await openConfigStore(address)
      ends.defer(() => store.close())
      return store
    }
    return [await open(), await open()]
  }

  test('two nodes whose calls need a new token at the same time refresh once, and both use the new token', async () => {
    await using ends = new AsyncDisposableStack()
    const server = ends.use(await new ScriptedServer().listen())
    const nodes = (await openNodes(ends)).map((store) => startFederation({ store }))
    const [a, b] = nodes as [(typeof nodes)[0], (typeof nodes)[0]]
    const origin = connectedOrigin(server.mcp)
    for (const node of nodes) node.know(origin)
    await connect(a, origin)
    const before = given(await b.federation.answer('ada', origin.id, null))
    for (let round = 1; round <= 3; round++) {
      for (const node of nodes) node.move(HOUR)
      const answers = await Promise.all(
        [a, b, b, a].map(({ federation }) => federation.answer('ada', origin.id, null)),
      )
      const values = new Set(answers.map((one) => given(one).value))
      assert.equal(values.size, 1)
      assert.ok(!values.has(before.value))
      assert.equal(server.refreshes(), round)
    }
    // The server takes each refresh token once
    assert.deepEqual(
      [...a.happened, ...b.happened].map(({ event }) => event),
      ['connected'],
    )
  })

  test('two nodes at which people connect accounts at the same time register one client at the server', async () => {
    await using ends = new AsyncDisposableStack()
    const server = ends.use(await new ScriptedServer().listen())
    const origin = connectedOrigin(server.mcp)
    const nodes = (await openNodes(ends)).map((store) => startFederation({ store }))
    for (const node of nodes) node.know(origin)
    await Promise.all(nodes.map((node, at) => connect(node, origin, `user ${at}`)))
    assert.equal(server.clients.size, 1)
  })

  test('tokens of an identity provider are refreshed by one of two nodes', async () => {
    await using ends = new AsyncDisposableStack()
    const idp = ends.use(await new ExchangingIssuer().listen())
    const provider = {
      ...{ issuer: idp.url, clientId: 'postern', clientAuth: null, scopes: 'openid' },
      ...{ slug: null, furtherSlugs: [], groupsClaim: 'groups', roleMap: [] },
      proof: async () => ({ secret: 'secret', key: null }),
    }
    const people: KeptIdentityTokens[] = []
    const nodes = (await openNodes(ends)).map((store) =>
      startFederation({
        store,
        identity: (shared) => {
          people.push(createIdentityTokens({ ...shared, providers: [provider], isWanted: async () => true }))
          return people.at(-1)!
        },
      }),
    )
    idp.now = () => nodes[0]!.clock.now()
    idp.person = { sub: 'ada', email: 'ada@example.com', groups: [] }
    await people[0]!.keep('ada', idp.tokens('ada', 300) as never)
    for (const node of nodes) node.move(300_000)
    const [first, second] = await Promise.all(people.map((node) => node.tokensOf('ada')))
    assert.ok(first)
    assert.deepEqual(second, first)
  })

  test('a node that was killed during a refresh holds up the others for half a minute at most', async () => {
    await using ends = new AsyncDisposableStack()
    const cell: ClockCell = createClockCell()
    const [killed, other] = (await openNodes(ends)).map((store) => asOnlyOneOf(store, createClock(cell)))
    const begun = Promise.withResolvers<void>()
    const end = Promise.withResolvers<void>()
    const lost = killed!('grant', () => {
      begun.resolve()
      return end.promise
    })
    ends.defer(() => {
      end.resolve()
      return lost
    })
    await begun.promise
    let isDone = false
    const waiting = other!('grant', async () => {
      isDone = true
    })
    // Another key waits for nobody
    assert.equal(await other!('another grant', async () => 'done'), 'done')
    moveClock(cell, 29_000)
    assert.equal(await other!('a third grant', async () => isDone), false)
    moveClock(cell, 1000)
    await waiting
    assert.equal(isDone, true)
  })

  test('a claim is given back when the work fails', async () => {
    await using ends = new AsyncDisposableStack()
    const [a, b] = (await openNodes(ends)).map((store) => asOnlyOneOf(store, createClock()))
    await assert.rejects(
      a!('grant', async () => {
        throw new Error('no answer')
      }),
      /no answer/,
    )
    assert.equal(await b!('grant', async () => 'done'), 'done')
  })
})

/** Streams that stand at origins: what is heard on them, and how they end and begin again. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { eventually } from '../support/eventually.ts'
import { textTool } from './fixture/catalogue.ts'
import { startFixture } from './fixture/fixture.ts'
import { startHostileOrigin } from './hostile/hostile.ts'
import { startLegacyOrigin } from './legacy.ts'
import { LEGACY_NOTE } from './legacy-server.ts'
import { openWatching } from './open-stream.ts'
import { ERAS } from './raw-client.ts'
import { startVirtualMcp, type VirtualMcp } from './virtual-mcp.ts'

const WATCHED = 'test://watched-resource'
const newsOf = ({ news }: VirtualMcp): readonly string[] => news.map(([, what]) => what)
const pause = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms))

for (const era of ERAS) {
  test(`changed lists of a ${era} origin are gathered and heard`, async () => {
    await using origin = await startFixture({ eras: era })
    await using desk = await startVirtualMcp({ demo: origin.url })
    desk.watch()
    await eventually(() => newsOf(desk).includes('opened'))
    for (let count = 0; count < 50; count++) origin.catalogue.putTool(textTool(`more_${count}`))
    origin.catalogue.removePrompt('test_simple_prompt')
    await eventually(() => newsOf(desk).includes('changed'))
    await pause(100)
    assert.ok(newsOf(desk).length <= 4, newsOf(desk).join())
  })

  test(`the stream to a ${era} origin that is restarted stands again, with all that was wanted`, async () => {
    const first = await startFixture({ eras: era })
    await using desk = await startVirtualMcp({ demo: first.url })
    desk.watch()
    await using client = await openWatching(desk, 'modern', WATCHED)
    const updates = (): number =>
      client.messages.filter(({ method }) => method === 'notifications/resources/updated').length
    await eventually(() => (era === 'modern' ? first.listens : first.streams * first.subscriptions) === 1)
    await first[Symbol.asyncDispose]()
    await eventually(() => newsOf(desk).includes('failed'))
    await using second = await startFixture({ eras: era, port: first.port })
    await eventually(() => (era === 'modern' ? second.listens === 1 : second.subscriptions === 1))
    await eventually(() => newsOf(desk).includes('changed'))
    const before = updates()
    second.catalogue.touch(WATCHED)
    await eventually(() => updates() > before)
  })

  test(`a ${era} origin that is switched off is left, and leaves nothing behind`, async () => {
    await using origin = await startFixture({ eras: era })
    await using desk = await startVirtualMcp({ demo: origin.url })
    desk.watch()
    await eventually(() => newsOf(desk).includes('opened'))
    desk.served.apply(desk.fragments.map((one) => (one.kind === 'origin' ? { ...one, active: false } : one)))
    await eventually(() => origin.listens + origin.streams + origin.sessions.size === 0)
  })

  test(`what makes no difference to the stream at a ${era} origin leaves it as it is`, async () => {
    await using origin = await startFixture({ eras: era })
    await using desk = await startVirtualMcp({ demo: origin.url })
    const watch = desk.watch()
    await eventually(() => newsOf(desk).includes('opened'))
    const opened = origin.requests.length
    desk.served.apply(
      desk.fragments.map((one) => (one.kind === 'origin' ? { ...one, name: 'Other', total_ms: 1 } : one)),
    )
    watch.take(() => true)
    await pause(100)
    assert.equal(origin.requests.length, opened)
    watch.take(() => false)
    await eventually(() => origin.listens + origin.streams === 0)
  })

  test(`a ${era} origin without streams is asked for one once`, async () => {
    // Says no to GET, and does not know the method
    await using origin = await startHostileOrigin({ eras: era, on: { 'subscriptions/listen': 'not_found' } })
    await using desk = await startVirtualMcp({ demo: origin.url })
    desk.watch()
    desk.served.apply(
      desk.fragments.map((one) =>
        one.kind === 'origin'
          ? { ...one, verdict: { ...one.verdict!, capabilities: '{"tools":{"listChanged":true}}' } }
          : one,
      ),
    )
    const asked = (): number =>
      origin.requests.filter(
        ({ method, rpcMethod }) => method === 'GET' || rpcMethod === 'subscriptions/listen',
      ).length
    await eventually(() => asked() === 1)
    await pause(300)
    assert.equal(asked(), 1)
  })

  test(`a storm of a ${era} origin is heard a bounded number of times, and the origin is left alone for a while`, async () => {
    const method = era === 'modern' ? 'subscriptions/listen' : 'GET'
    await using origin = await startHostileOrigin({ eras: era, on: { [method]: 'list_changed_storm' } })
    await using desk = await startVirtualMcp({ demo: origin.url })
    desk.watch()
    desk.served.apply(
      desk.fragments.map((one) =>
        one.kind === 'origin'
          ? { ...one, verdict: { ...one.verdict!, capabilities: '{"tools":{"listChanged":true}}' } }
          : one,
      ),
    )
    await eventually(() => newsOf(desk).includes('changed'))
    await pause(1000)
    assert.ok(newsOf(desk).length <= 20, `${newsOf(desk).length}`)
    const asked = origin.requests.filter(
      ({ method: verb, rpcMethod }) => verb === 'GET' || rpcMethod === 'subscriptions/listen',
    ).length
    assert.ok(asked >= 2 && asked <= 16, `${asked}`)
  })
}

test('the session at an origin of SDK v1 that is forgotten is opened anew', async () => {
  await using origin = await startLegacyOrigin()
  await using desk = await startVirtualMcp({ demo: origin.url })
  desk.watch()
  await using client = await openWatching(desk, 'legacy', LEGACY_NOTE)
  const updates = (): number =>
    client.messages.filter(({ method }) => method === 'notifications/resources/updated').length
  await eventually(() => {
    origin.touch(LEGACY_NOTE)
    return updates() > 0
  })
  assert.equal(origin.sessions.size, 1)
  await origin.forgetSessions()
  await eventually(() => origin.sessions.size === 1)
  const before = updates()
  await eventually(() => {
    origin.touch(LEGACY_NOTE)
    return updates() > before + 1
  })
  origin.addTool('another')
  await eventually(() => newsOf(desk).includes('changed'))
})

/** An origin of 2026-07-28 that wants other arguments in headers than its catalogue says (-32020). */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startHeaderOrigin } from './header-origin.ts'
import { ERAS, type RawAnswer, rawClient } from './raw-client.ts'
import { startVirtualMcp } from './virtual-mcp.ts'

const REGION = { region: 'eu' }
/** As the catalogue of Postern says. */
const FIELDS = { 'mcp-param-region': 'eu' }

for (const era of ERAS)
  test(`${era} client: a call that is refused for its headers is sent once more, with those that the origin lists now`, async () => {
    await using origin = await startHeaderOrigin()
    await using desk = await startVirtualMcp({ demo: origin.url })
    const client = await rawClient(desk, era)
    const call = (): Promise<RawAnswer> =>
      client.ask('tools/call', { name: 'moved', arguments: REGION }, undefined, FIELDS)
    assert.match((await call()).text, /"text":"called"/)
    const listed = origin.lists
    assert.deepEqual([origin.calls.length, desk.news], [1, []])
    origin.mark('Area')
    assert.match((await call()).text, /"text":"called"/)
    assert.deepEqual([origin.calls.length, origin.lists - listed], [3, 1])
    assert.deepEqual(desk.news, [['ori_demo', 'changed']])
    // Until the catalogue is read, the thread knows by itself
    assert.match((await call()).text, /"text":"called"/)
    assert.deepEqual([origin.calls.length, origin.lists - listed], [4, 1])
  })

test('calls that are refused at the same time have the tools listed once', async () => {
  await using origin = await startHeaderOrigin()
  await using desk = await startVirtualMcp({ demo: origin.url })
  const client = await rawClient(desk, 'modern')
  const listed = origin.lists
  origin.mark('Area')
  const calls = Array.from({ length: 10 }, () =>
    client.ask('tools/call', { name: 'moved', arguments: REGION }, undefined, FIELDS),
  )
  for (const { text } of await Promise.all(calls)) assert.match(text, /"text":"called"/)
  assert.equal(origin.lists - listed, 1)
  assert.ok(origin.calls.length <= 20, String(origin.calls.length))
})

for (const [name, calls, why] of [
  ['refuses', 2, 'that is refused again'],
  ['refuses_late', 1, 'of which the origin has said something before it refused it'],
  ['refuses_well', 1, 'that is refused with status 200, which says nothing of when'],
] as const)
  test(`a call ${why} is not repeated`, async () => {
    await using origin = await startHeaderOrigin()
    await using desk = await startVirtualMcp({ demo: origin.url })
    const client = await rawClient(desk, 'modern')
    origin.mark('Area')
    const params = { name, arguments: REGION, _meta: { progressToken: 'mine' } }
    const { error } = (await client.ask('tools/call', params, undefined, FIELDS)).messages.at(-1)!
    assert.deepEqual(
      [error?.code, error?.message],
      [-32603, 'The origin refused the request: Header mismatch'],
    )
    assert.deepEqual(
      origin.calls,
      Array.from({ length: calls }, () => name),
    )
  })

test('a call is not repeated where the origin lists the headers that it had', async () => {
  await using origin = await startHeaderOrigin()
  await using desk = await startVirtualMcp({ demo: origin.url })
  const client = await rawClient(desk, 'modern')
  const listed = origin.lists
  for (let n = 0; n < 3; n++)
    await client.ask('tools/call', { name: 'refuses', arguments: REGION }, undefined, FIELDS)
  assert.equal(origin.calls.length, 3)
  assert.equal(origin.lists - listed, 1)
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { gunzipSync } from 'node:zlib'
import { eventually } from '../../support/eventually.ts'
import { PEERS } from '../../support/mcp-clients.ts'
import { BEHAVIOURS, type BehaviourName, gzipBomb } from './behaviours.ts'
import { CATALOGUES, type CatalogueName } from './catalogues.ts'
import { type HostileOrigin, startHostileOrigin } from './hostile.ts'

/** These never end: a client hangs up. */
const ENDLESS: ReadonlySet<BehaviourName> = new Set<BehaviourName>([
  'endless_stream',
  'endless_comments',
  'endless_event',
  'endless_body',
  'progress_for_ever',
  'silent',
  'silent_stream',
])

function send(
  origin: HostileOrigin,
  method: string,
  params: object,
  signal?: AbortSignal,
): Promise<Response> {
  return fetch(origin.url, {
    method: 'POST',
    redirect: 'manual',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }),
    ...(signal === undefined ? {} : { signal }),
  })
}

for (const [name, connect] of Object.entries(PEERS))
  test(`${name} takes the hostile origin for an honest one`, async () => {
    await using origin = await startHostileOrigin()
    const peer = await connect(origin.url, {})
    assert.equal((await peer.tools()).length, 1 + Object.keys(BEHAVIOURS).length)
    assert.equal((await peer.call('echo', { a: 1 })).content[0]?.text, '{"a":1}')
    assert.equal((await peer.call('hostile_odd_stream', {})).content[0]?.text, '{}')
    await peer.close()
  })

test('each behaviour that ends does so, and leaves the origin honest', async () => {
  await using origin = await startHostileOrigin({ largeBytes: 1024 * 1024, slowMs: 0 })
  for (const behaviour of Object.keys(BEHAVIOURS) as BehaviourName[]) {
    if (ENDLESS.has(behaviour)) continue
    // Some answers break in the middle, or cannot be unpacked: that is what they are for
    await send(origin, 'tools/call', { name: `hostile_${behaviour}` }).then(
      (answer) => answer.text().catch(() => ''),
      () => '',
    )
  }
  const honest = await send(origin, 'tools/call', { name: 'echo', arguments: { a: 1 } })
  assert.match(await honest.text(), /\{\\"a\\":1\}/)
})

test('what never ends stops when the client hangs up, and goes no faster than the client reads', async () => {
  await using origin = await startHostileOrigin()
  for (const behaviour of ENDLESS) {
    const stop = new AbortController()
    const call = send(origin, 'tools/call', { name: `hostile_${behaviour}` }, stop.signal)
    if (behaviour === 'silent') await eventually(() => origin.requests.length > 0)
    else await call
    stop.abort()
    await call.catch(() => {})
    await eventually(() => origin.connections === 0)
  }
  // What lies in the buffers of both systems, for five that write
  assert.ok(origin.bytesSent < 256 * 1024 * 1024, String(origin.bytesSent))
})

test('a behaviour can be chosen for a method, and taken back', async () => {
  await using origin = await startHostileOrigin({ on: { 'tools/list': 'redirect_to_metadata' } })
  const moved = await send(origin, 'tools/list', {})
  assert.match(moved.headers.get('location')!, /169\.254/)
  origin.on('tools/list', null)
  assert.equal((await send(origin, 'tools/list', {})).status, 200)
})

test('each catalogue is a list', async () => {
  await using origin = await startHostileOrigin()
  for (const name of Object.keys(CATALOGUES) as CatalogueName[]) {
    origin.list(name)
    const text = await (await send(origin, 'tools/list', {})).text()
    assert.match(text, /^\{"jsonrpc":"2\.0","id":1,"result":\{.*"tools":\[/, name)
  }
})

test('a bomb unpacks to what it says', () => {
  const packed = gzipBomb(8 * 1024 * 1024, '{}')
  const unpacked = gunzipSync(packed)
  assert.equal(unpacked.length, 8 * 1024 * 1024 + 2)
  assert.ok(packed.length * 100 < unpacked.length)
})

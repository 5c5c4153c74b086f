import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { test } from 'node:test'
import { getRequestListener } from '@hono/node-server'
import { eventually } from '../../test/support/eventually.ts'
import { CallerMemory } from '../wire/caller-memory.ts'
import { type ControlParts, createControlListener } from './listener.ts'

const notAsked = () => assert.fail('not asked for')
const UNASKED: ControlParts = {
  rest: notAsked,
  oauth: notAsked,
  mcp: { close() {}, handle: notAsked },
  console: notAsked,
  signInPages: null,
  registry: notAsked,
  page: notAsked,
  keep: notAsked,
  fault: (error) => assert.fail(String(error)),
}

test('a request is answered whatever the spelling of the IPv6 address in its Host', async (t) => {
  const rest = getRequestListener(({ url }) => new Response(new URL(url).host), {
    overrideGlobalObjects: false,
  })
  const server = createServer(createControlListener({ ...UNASKED, rest }))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  const { port } = server.address() as AddressInfo
  const hostsSeen = ['[0:0:0:0:0:0:0:1]:9901', '[::0001]', '[::ffff:127.0.0.1]:9901', '127.0.0.1:9901'].map(
    async (host) => {
      const asking = connect(port, '127.0.0.1')
      asking.end(`GET /management/v1/whoami HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`)
      const answer = Buffer.concat(await asking.toArray()).toString()
      return answer.slice(answer.indexOf('\r\n\r\n') + 4)
    },
  )
  assert.deepEqual(await Promise.all(hostsSeen), [
    '[::1]:9901',
    '[::1]',
    '[::ffff:7f00:1]:9901',
    '127.0.0.1:9901',
  ])
})

test('messages of one principal that are kept at once are bounded, and given back', async (t) => {
  const memory = new CallerMemory(1_000_000)
  const server = createServer(
    createControlListener({
      ...UNASKED,
      mcp: {
        close() {},
        handle: async ({ header, body }) => {
          const bytes = await body(header('x-who') ?? '').catch((error) => Buffer.from(error.code))
          return {
            status: 200,
            headers: {},
            body: `${memory.bytes > 0} ${bytes.length} ${bytes.subarray(0, 20)}`,
          }
        },
      },
      keep: (principal) => memory.open(principal),
    }),
  )
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  const { port } = server.address() as AddressInfo
  const ask = async (who: string, bytes: number): Promise<string> => {
    const asked = { method: 'POST', headers: { 'x-who': who }, body: 'b'.repeat(bytes) }
    return (await fetch(`http://127.0.0.1:${port}/management/mcp`, asked)).text()
  }
  assert.equal(await ask('one', 200_000), `true 200000 ${'b'.repeat(20)}`)
  assert.equal(memory.bytes, 0)

  const slow = connect(port, '127.0.0.1')
  slow.write('POST /management/mcp HTTP/1.1\r\nHost: a\r\nX-Who: one\r\nContent-Length: 800000\r\n\r\n')
  slow.write('b'.repeat(400_000))
  await eventually(
    () => memory.bytes >= 400_000,
    () => 'half of a message',
  )
  assert.match(await ask('one', 200_000), / overloaded$/)
  assert.match(await ask('two', 100_000), / b+$/)
  slow.destroy()
  await eventually(
    () => memory.bytes === 0,
    () => `${memory.bytes} bytes to be given back`,
  )
})

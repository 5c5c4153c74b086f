import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { test } from 'node:test'
import { eventually } from '../../test/support/eventually.ts'
import { CallerMemory } from '../wire/caller-memory.ts'
import { createControlListener } from './listener.ts'

test('messages of one principal that are kept at once are bounded, and given back', async (t) => {
  const memory = new CallerMemory(1_000_000)
  const server = createServer(
    createControlListener({
      rest: () => assert.fail('not asked for'),
      oauth: () => assert.fail('not asked for'),
      console: () => assert.fail('not asked for'),
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
      signInPages: null,
      registry: () => assert.fail('not asked for'),
      page: () => assert.fail('not asked for'),
      keep: (principal) => memory.open(principal),
      fault: (error) => assert.fail(String(error)),
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

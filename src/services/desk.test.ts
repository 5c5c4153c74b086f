import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, createServer, type Server } from 'node:net'
import { after, test } from 'node:test'
import { EGRESS } from '../../test/support/egress.ts'
import { createClock, createClockCell } from '../base/clock.ts'
import { createDesk } from './desk.ts'
import type { ServiceResult } from './port.ts'
import { createConnect } from './socket.ts'

const servers: Server[] = []
after(() => {
  for (const server of servers) server.close()
})

/** Port of a server that answers each command with these bytes. */
async function redis(reply: string): Promise<number> {
  const server = createServer((socket) => socket.on('data', () => socket.end(reply)).on('error', () => {}))
  servers.push(server)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

const DEEP = `${'['.repeat(50_000)}${']'.repeat(50_000)}`
const REPLIES: Readonly<Record<string, string>> = {
  'JSON that is nested without end': `$${DEEP.length}\r\n${DEEP}\r\n`,
  'lists that are nested without end': `${'*1\r\n'.repeat(50_000)}:1\r\n`,
}
for (const [what, reply] of Object.entries(REPLIES))
  test(`${what} is a failure of its question, and the next one has its answer`, async () => {
    const results: ServiceResult[] = []
    const heard = Promise.withResolvers<void>()
    const desk = createDesk(createConnect(EGRESS), createClock(createClockCell()), (_, result) => {
      results.push(result)
      if (results.length === 2) heard.resolve()
    })
    for (const [id, port] of [await redis(reply), await redis('$3\r\n[1]\r\n')].entries())
      desk.take({
        id,
        task: {
          holder: '',
          to: { host: '127.0.0.1', port, tls: false, ca: null },
          login: null,
          work: { service: 'redis', database: 0, command: 'GET', args: ['a'], encoding: 'json' },
        },
      })
    await heard.promise
    assert.deepEqual(results.map((one) => (one.ok ? one.json : 'failed')).sort(), ['[1]', 'failed'])
  })

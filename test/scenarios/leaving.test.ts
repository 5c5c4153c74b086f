import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import { test } from 'node:test'
import { pending, startAskingAgent } from '../support/asking-agent.ts'
import { startTestServer } from './server.ts'

test('a caller of the management surfaces that leaves in the middle of a body is no fault, and a question ends with its session and with the process', async () => {
  await using server = await startTestServer()
  const { hostname, port } = new URL(server.running.controlUrl)
  for (const path of ['/management/v1/collections', '/management/mcp']) {
    const socket = connect(Number(port), hostname)
    await once(socket, 'connect')
    const head = `POST ${path} HTTP/1.1\r\nHost: ${hostname}:${port}\r\nAuthorization: Bearer ${server.adminToken}\r\n`
    const fields =
      'Content-Type: application/json\r\nAccept: application/json, text/event-stream\r\nContent-Length: 100\r\n'
    await new Promise((done) => socket.write(`${head}${fields}\r\n{"name":`, done))
    socket.resetAndDestroy()
    await once(socket, 'close')
  }
  assert.equal((await server.manage('GET', '/collections')).status, 200)
  await server.manage('POST', '/policies', { name: 'Asked', slug: 'asked', limits: [] })
  const agent = await startAskingAgent(server.running.controlUrl, server.adminToken)
  const ending = pending(await agent.call('delete_policy', { id: 'asked' }))
  assert.equal(await agent.end(), 204)
  assert.match(JSON.stringify(await ending.rest()), /the question ended/)
  const other = await startAskingAgent(server.running.controlUrl, server.adminToken)
  const stopped = pending(await other.call('delete_policy', { id: 'asked' }))
  const told = stopped.rest()
  await server.stop()
  assert.match(JSON.stringify(await told), /the question ended/)
  assert.deepEqual(server.faults(), [])
})

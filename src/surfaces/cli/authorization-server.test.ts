import assert from 'node:assert/strict'
import { createServer } from 'node:https'
import { type AddressInfo, createServer as createTcpServer, type Server } from 'node:net'
import { after, test } from 'node:test'
import { issue } from '../../../test/certificates.ts'
import { createNamedClient } from '../client/send.ts'
import { discoverResource } from './authorization-server.ts'
import type { CliPorts } from './ports.ts'

const servers: Server[] = []
after(() => {
  for (const server of servers) server.close()
})

async function portOf(server: Server): Promise<number> {
  servers.push(server)
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', () => listening()))
  return (server.address() as AddressInfo).port
}

// The fetch of the process
const PORTS = {} as CliPorts

test('signing in at a certificate of a private authority names what to set, and so does any other command', async () => {
  const authority = issue({ name: 'Private authority', ca: true })
  const { certificate, key } = issue({
    name: 'localhost',
    issuer: authority,
    dns: ['localhost'],
    usage: 'server',
  })
  const url = `https://localhost:${await portOf(createServer({ cert: certificate, key }))}`
  const says = /Nothing answered at .* does not trust the authority .*NODE_EXTRA_CA_CERTS/
  await assert.rejects(discoverResource(PORTS, url), says)
  await assert.rejects(createNamedClient({ url, token: 'any' }).call('policies.list', {}), says)
})

test('plain HTTP to a port with TLS, and TLS to a port without, name the other scheme', async () => {
  const answer =
    'HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\nThis port speaks TLS. Use https instead of http.\n'
  const port = await portOf(createTcpServer((socket) => socket.once('data', () => socket.end(answer))))
  await assert.rejects(
    discoverResource(PORTS, `http://127.0.0.1:${port}`),
    /speaks TLS.*https instead of http/,
  )
  await assert.rejects(
    discoverResource(PORTS, `https://127.0.0.1:${port}`),
    /does not speak TLS .*http instead of https/,
  )
})

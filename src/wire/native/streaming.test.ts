import assert from 'node:assert/strict'
import { createServer, request as httpRequest, type Server } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { type TestContext, test } from 'node:test'
import { eventually } from '../../../test/support/eventually.ts'
import { type Gateway, startGateway } from '../../../test/wire/peers.ts'

const PIECE = Buffer.alloc(65_536, 'x')
const TOTAL = 200 * 1024 ** 2
/** Less than the whole, and room for garbage that was not collected yet: server and client live in this process too. */
const GROWTH_MAX = 150 * 1024 ** 2

async function start(t: TestContext, server: Server): Promise<Gateway> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  // A TCP server's address is an object
  const { port } = server.address() as AddressInfo
  const gateway = await startGateway({ host: '127.0.0.1', port })
  t.after(() => {
    gateway.close()
    server.close()
    server.closeAllConnections()
    assert.deepEqual(gateway.faults, [])
  })
  return gateway
}

/** Writes pieces as fast as they are taken. */
function pour(writable: NodeJS.WritableStream, total: number, end: () => void): void {
  let left = total
  const more = (): void => {
    while (left > 0) {
      left -= PIECE.length
      if (!writable.write(PIECE)) {
        writable.once('drain', more)
        return
      }
    }
    end()
  }
  more()
}

for (const framing of ['a length', 'chunks'] as const) {
  test(`200 MB of an answer with ${framing} pass in bounded memory`, async (t) => {
    const server = createServer((_request, response) => {
      response.writeHead(200, framing === 'a length' ? { 'content-length': TOTAL } : {})
      pour(response, TOTAL, () => response.end())
    })
    const gateway = await start(t, server)
    const before = process.memoryUsage.rss()
    let peak = 0
    let received = 0
    await new Promise<void>((resolve, reject) => {
      httpRequest({ port: gateway.port, host: '127.0.0.1', agent: false }, (response) => {
        response.on('data', (bytes: Buffer) => {
          received += bytes.length
          if (received % 100 === 0) peak = Math.max(peak, process.memoryUsage.rss())
        })
        response.on('end', resolve)
        response.on('error', reject)
      }).end()
    })
    assert.equal(received, TOTAL)
    assert.ok(peak - before < GROWTH_MAX, `${peak - before} bytes more`)
    assert.equal(gateway.finished[0]?.outcome.bytesOut, TOTAL)
  })

  test(`200 MB of a request with ${framing} pass in bounded memory`, async (t) => {
    let received = 0
    const server = createServer((request, response) => {
      request.on('data', (bytes: Buffer) => {
        received += bytes.length
      })
      request.on('end', () => response.end('done'))
    })
    const gateway = await start(t, server)
    const before = process.memoryUsage.rss()
    await new Promise<void>((resolve, reject) => {
      const headers =
        framing === 'a length' ? { 'content-length': TOTAL } : { 'transfer-encoding': 'chunked' }
      const request = httpRequest(
        { port: gateway.port, host: '127.0.0.1', method: 'POST', headers, agent: false },
        (response) => {
          response.resume()
          response.on('end', resolve)
        },
      )
      request.on('error', reject)
      pour(request, TOTAL, () => request.end())
    })
    assert.equal(received, TOTAL)
    assert.ok(
      process.memoryUsage.rss() - before < GROWTH_MAX,
      `${process.memoryUsage.rss() - before} bytes more`,
    )
    assert.equal(gateway.finished[0]?.outcome.bytesIn, TOTAL)
  })
}

test('an upstream that does not read holds the caller back', async (t) => {
  const server = createServer((request) => request.pause())
  const gateway = await start(t, server)
  const socket = connect(gateway.port, '127.0.0.1')
  t.after(() => socket.destroy())
  socket.write(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${TOTAL}\r\n\r\n`)
  pour(socket, TOTAL, () => {})
  let before = -1
  await eventually(
    () => {
      const bytesIn = gateway.seen[0]?.outcome.bytesIn ?? 0
      const isStill = bytesIn > 0 && bytesIn === before
      before = bytesIn
      return isStill
    },
    () => 'the stream to stand still',
  )
  assert.ok(before < TOTAL / 4, `${before} bytes were taken`)
})

test('a body goes both ways at once', async (t) => {
  const server = createServer((request, response) => {
    response.writeHead(200)
    request.pipe(response)
  })
  const gateway = await start(t, server)
  const total = 8 * 1024 ** 2
  let received = 0
  await new Promise<void>((resolve, reject) => {
    const request = httpRequest(
      { port: gateway.port, host: '127.0.0.1', method: 'POST', agent: false },
      (response) => {
        response.on('data', (bytes: Buffer) => {
          received += bytes.length
        })
        response.on('end', resolve)
      },
    )
    request.on('error', reject)
    pour(request, total, () => request.end())
  })
  assert.equal(received, total)
})

/**
 * A listener that takes no connection before it is let go: the system completes as many as fit its queue and drops
 * what else asks. Posts its port, then each piece of what it receives, with the number of connections so far.
 */
import { createServer } from 'node:net'
import { parentPort, workerData } from 'node:worker_threads'

/** Connections that wait to be taken; Linux completes one more. */
const BACKLOG = 1

// The test builds it by this very type.
const gate = new Int32Array(workerData as SharedArrayBuffer)
let connections = 0
const server = createServer((socket) => {
  connections++
  socket.on('error', () => {})
  socket.on('data', (bytes) => {
    parentPort!.postMessage({ connections, text: bytes.toString('latin1') })
    socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
  })
})
server.listen({ port: 0, host: '127.0.0.1', backlog: BACKLOG }, () => {
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  parentPort!.postMessage({ port: address.port })
  Atomics.wait(gate, 0, 0)
})

/** A thread that holds a call whose attachments get their own payload, and then nothing. It spins, or ends, as it is told. */
import { parentPort, workerData } from 'node:worker_threads'
import { createThreadHeldCalls, type SentAttachment } from '../../src/shared-state/memory/held-calls.ts'

const main = parentPort!
const calls = createThreadHeldCalls({ slot: 0, send: () => {} })
const { id } = calls.hold({
  attached(payload, line) {
    line.message(payload)
    if (workerData === 'exits') setImmediate(() => process.exit())
    return { drained() {}, left() {} }
  },
})
main.on('message', (sent: SentAttachment) => calls.deliver(sent))
main.postMessage(id)
if (workerData === 'spins')
  setImmediate(() => setImmediate(() => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)))

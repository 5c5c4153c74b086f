import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import { Worker } from 'node:worker_threads'
import { ownPort } from './ports.ts'

test('test files whose processes have the same remainder take ports of different ranges', async (t) => {
  // A thread has the number of its process, and modules of its own
  const ask = `const { parentPort, workerData } = require('node:worker_threads')
    import(workerData).then(async ({ ownPort }) => {
      parentPort.postMessage(await ownPort())
      // The thread, and with it what it has claimed, lasts until the test ends it
      parentPort.on('message', () => {})
    })`
  const workerData = new URL('./ports.ts', import.meta.url).href
  const others = Array.from({ length: 3 }, () => new Worker(ask, { eval: true, workerData }))
  t.after(() => Promise.all(others.map((other) => other.terminate())))
  const answers = await Promise.all(others.map((other) => once(other, 'message')))
  const ports = [await ownPort(), ...answers.map(([port]) => Number(port))]
  const ranges = new Set(ports.map((port) => Math.floor(port / 100)))
  assert.equal(ranges.size, ports.length, ports.join(' '))
})

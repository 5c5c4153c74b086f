import assert from 'node:assert/strict'
import { once } from 'node:events'
import { getPriority } from 'node:os'
import { test } from 'node:test'
import { Worker } from 'node:worker_threads'

const MODULE = new URL('./thread-priority.ts', import.meta.url).href

test('a thread lets others go before it, and they keep their priority', async (t) => {
  if (process.platform !== 'linux') return t.skip('threads have a priority of their own on Linux alone')
  const before = getPriority()
  const code = `
    const { readlinkSync } = require('node:fs')
    const { getPriority } = require('node:os')
    import(${JSON.stringify(MODULE)}).then(({ yieldToOthers }) => {
      yieldToOthers(7)
      const id = Number(readlinkSync('/proc/thread-self').split('/')[2])
      require('node:worker_threads').parentPort.postMessage(getPriority(id))
    })`
  const worker = new Worker(code, { eval: true })
  const [priority] = (await once(worker, 'message')) as [number]
  assert.equal(priority, 7)
  assert.equal(getPriority(), before)
  await worker.terminate()
})

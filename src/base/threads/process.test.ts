import assert from 'node:assert/strict'
import { once } from 'node:events'
import { globSync, readFileSync } from 'node:fs'
import { getPriority } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { Worker } from 'node:worker_threads'

const MODULE = new URL('./process.ts', import.meta.url).href

/** Collects in a thread of its own, and tells whether what nothing refers to is gone, what is free given back, and the rest there. */
const PROGRAM = `
import { parentPort } from 'node:worker_threads'
import { setImmediate as turn } from 'node:timers/promises'
import { getHeapSpaceStatistics } from 'node:v8'
const { collectGarbage } = await import(${JSON.stringify(MODULE)})
const kept = { large: new Array(1000).fill('kept') }
const gone = new WeakRef({ large: new Array(1000).fill('gone') })
// A WeakRef keeps its target until the turn has ended
await turn()
let lists = []
for (let n = 0; n < 300_000; n += 1) lists.push({ n, text: 'garbage ' + n })
const young = () => getHeapSpaceStatistics().find(({ space_name }) => space_name === 'new_space').space_size
const before = young()
lists = null
await collectGarbage()
parentPort.postMessage({
  isGone: gone.deref() === undefined,
  kept: kept.large.length,
  isSmaller: young() < before / 4,
})
`

test('a thread collects what nothing refers to, gives back what its young generation held, and keeps the rest', async () => {
  const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(PROGRAM)}`))
  const exit = once(worker, 'exit')
  const told: unknown = await Promise.race([
    once(worker, 'message').then(([message]) => message),
    exit.then(([code]) => `the thread ended with ${code}`),
  ])
  assert.deepEqual(told, { isGone: true, kept: 1000, isSmaller: true })
  await exit
})

test('no module of the program makes a second context', () => {
  const root = join(import.meta.dirname, '../..')
  const modules = globSync('**/*.ts', { cwd: root }).filter((path) => !path.endsWith('.test.ts'))
  assert.ok(modules.length > 500)
  const making = modules.filter((path) =>
    /import \{[^}]*\b(runIn\w*Context|createContext)\b[^}]*\} from 'node:vm'/.test(
      readFileSync(join(root, path), 'utf8'),
    ),
  )
  assert.deepEqual(making, [])
})

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

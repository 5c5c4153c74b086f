/** Node is started with a bound of the main thread's young generation, as `npm start` does. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { PROGRAM } from '../src/base/program.ts'

const FLAG = '--max-semi-space-size=8'
const MB = 1024 ** 2

/** Makes garbage and says how many bytes the space of young objects came to. */
const FILL = `
  const { getHeapSpaceStatistics } = require('node:v8')
  let most = 0
  for (let round = 0, kept = []; round < 300; round++, kept = []) {
    for (let n = 0; n < 20000; n++) kept.push({ round, n: [n] })
    most = Math.max(most, getHeapSpaceStatistics().find(({ space_name: name }) => name === 'new_space').space_size)
  }`

test('what bounds the main thread is no bound of the threads that the program starts', () => {
  const { scripts } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'))
  for (const script of ['start', 'postern']) assert.ok(scripts[script].includes(FLAG), script)
  const script = `
    process.exit = () => {}
    process.argv = [process.execPath, 'postern.js', '--version']
    import(${JSON.stringify(pathToFileURL(`${PROGRAM}/postern.js`).href)}).then(() => {
      ${FILL}
      const { Worker } = require('node:worker_threads')
      const code = ${JSON.stringify(`${FILL}; require('node:worker_threads').parentPort.postMessage(most)`)}
      new Worker(code, { eval: true, resourceLimits: { maxYoungGenerationSizeMb: 96 } })
        .on('message', (thread) => console.error(JSON.stringify({ main: most, thread })))
    })`
  const flags = ['--disable-warning=ExperimentalWarning', FLAG]
  const child = spawnSync(process.execPath, [...flags, '-e', script], { encoding: 'utf8' })
  const { main, thread } = JSON.parse(child.stderr)
  assert.ok(main <= 24 * MB, `the main thread: ${main}`)
  assert.ok(thread > 24 * MB, `a thread: ${thread}`)
})

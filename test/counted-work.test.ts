/**
 * What a request costs, in counts that are the same on each machine where times are not. The bounds are what was counted and
 * about 3 %: a change that adds to them is slower for each request, and says here why it is worth it.
 */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { resolve } from 'node:path'
import { before, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { COUNTING_FLAGS, type WorkCounts } from './support/count-work.ts'
import { nativeAlone } from './wire/peers.ts'

const { skip } = nativeAlone('its work is counted')
const support = (name: string): string => resolve(import.meta.dirname, 'support', name)
let counted: { readonly costs: Readonly<Record<string, WorkCounts>>; readonly all: WorkCounts }

before(async () => {
  if (skip !== false) return
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [
      ...['--disable-warning=ExperimentalWarning', '--disable-warning=DEP0111', ...COUNTING_FLAGS],
      ...['--import', pathToFileURL(support('count-work.ts')).href, support('counted-program.ts')],
    ],
    { env: { ...process.env, RUN_SOURCES: 'true' } },
  )
  counted = JSON.parse(stdout) as typeof counted
})

for (const [name, most] of Object.entries({
  plain: { bytes: 9900, promises: 0, writes: 2 },
  governed: { bytes: 12_700, promises: 0, writes: 2 },
  execute_call: { bytes: 43_800, promises: 0, writes: 2 },
} satisfies Record<string, WorkCounts>))
  test(`what the gateway thread does for a request of kind ${name} stays within its bounds`, {
    skip,
  }, (t) => {
    const cost = counted.costs[name]!
    t.diagnostic(
      `${cost.bytes.toFixed(0)} bytes of heap, ${cost.promises} promises, ${cost.writes} writes to sockets`,
    )
    // Fewer than one to the upstream and one to the caller were not counted; the start of a thread makes promises
    assert.ok(cost.bytes > 1000 && cost.writes >= 2 && counted.all.promises > 10, JSON.stringify(counted))
    for (const kind of ['bytes', 'promises', 'writes'] as const)
      assert.ok(cost[kind] <= most[kind], `${cost[kind]} ${kind}, more than ${most[kind]}`)
  })

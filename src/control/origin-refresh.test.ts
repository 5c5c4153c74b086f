import assert from 'node:assert/strict'
import { after, beforeEach, test } from 'node:test'
import { EMPTY_FOUND, startControl } from '../../test/control.ts'
import { createClock, jumpClock } from '../base/clock.ts'
import { type CatalogueState, EMPTY_CATALOGUE } from '../model/mcp/capability-drift.ts'
import { refreshOrigins } from './origin-refresh.ts'

const MINUTE = 60_000
/** The clock also goes by itself. */
const SLACK = 20_000
const TOOLS = { ...EMPTY_FOUND, catalogue: { ...EMPTY_CATALOGUE, tools: [{ name: 'echo' }] } }

let found: CatalogueState | null = EMPTY_FOUND
let asked: string[] = []
const origins = {
  probe: async ({ slug }: { readonly slug: string }) => {
    asked.push(slug)
    if (slug === 'broken') throw new Error('no thread answers')
    return { steps: [], found }
  },
}
const control = await startControl({ deps: { origins } })
after(() => control.close())
const faults: unknown[] = []
const refresh = async (isStopped = false): Promise<string[]> => {
  asked = []
  const clock = createClock(control.cell)
  await refreshOrigins({
    ...control,
    origins,
    clock,
    isStopped: () => isStopped,
    fault: (error) => faults.push(error),
  })
  return asked
}
const revision = () => control.store.read.revision()
beforeEach(() => {
  found = EMPTY_FOUND
})

const URL = 'https://mcp.example.com/mcp'
await control.run('origins.create', { name: 'One', url: URL, probe: false, catalog_refresh: '5m' })

test('an origin of which nothing is known is read at once, then after its interval, and leaves an entry where it differs', async () => {
  found = TOOLS
  const before = await revision()
  // Once to learn that it differs, and once by the operation
  assert.deepEqual(await refresh(), ['one', 'one'])
  assert.equal(await revision(), before + 1)
  const [entry] = (await control.store.read.auditEntries({ limit: 1 })).items
  assert.deepEqual([entry?.operation, entry?.actor.type], ['origins.refresh_catalog', 'system'])
  assert.deepEqual(await refresh(), [])
  control.move(5 * MINUTE - SLACK)
  assert.deepEqual(await refresh(), [])
  control.move(SLACK)
  assert.deepEqual(await refresh(), ['one'])
  assert.equal(await revision(), before + 1)
  const [last] = (await control.store.read.auditEntries({ limit: 1 })).items
  assert.equal(last?.id, entry?.id)
  assert.deepEqual(await refresh(), [])
})

test('what the origin says of its lists goes before the interval, and is never below a minute', async () => {
  found = { ...TOOLS, ttl_ms: 10 }
  control.move(5 * MINUTE)
  assert.deepEqual(await refresh(), ['one', 'one'])
  control.move(MINUTE - SLACK)
  assert.deepEqual(await refresh(), [])
  control.move(SLACK)
  found = { ...TOOLS, ttl_ms: 3_600_000 }
  assert.deepEqual(await refresh(), ['one', 'one'])
  control.move(59 * MINUTE)
  assert.deepEqual(await refresh(), [])
  control.move(MINUTE)
  assert.deepEqual(await refresh(), ['one'])
})

test('an origin that fails keeps its catalogue and is tried after waits that double, up to its interval', async () => {
  const before = await revision()
  found = null
  control.move(60 * MINUTE)
  assert.deepEqual(await refresh(), ['one'])
  const { reachable, capabilities } = (await control.run('origins.get', { id: 'one' })).output
  assert.equal(reachable, 'unreachable')
  assert.equal((capabilities as { tools: number }).tools, 1)
  for (const minutes of [1, 2, 4, 5, 5]) {
    control.move(minutes * MINUTE - SLACK)
    assert.deepEqual(await refresh(), [], `${minutes}`)
    control.move(SLACK)
    assert.deepEqual(await refresh(), ['one'], `${minutes}`)
  }
  assert.equal(await revision(), before)
})

test('an origin that was read before the clock was set back is read at once, and then after its interval', async () => {
  const DAYS = 500 * 86_400_000
  control.move(DAYS)
  await refresh()
  jumpClock(control.cell, DAYS)
  assert.deepEqual(await refresh(), ['one'])
  jumpClock(control.cell, -DAYS)
  assert.deepEqual(await refresh(), ['one'])
  assert.deepEqual(await refresh(), [])
})

test('a change of what is asked is read at once; an origin that is switched off is not asked', async () => {
  await control.run('origins.update', { id: 'one', url: `${URL}/2`, probe: false })
  await refresh()
  assert.deepEqual([...new Set(asked)], ['one'])
  await control.run('origins.update', { id: 'one', active: false })
  control.move(60 * MINUTE)
  assert.deepEqual(await refresh(), [])
})

test('one that cannot be asked keeps no other from being asked, and nothing is asked once the process ends', async () => {
  for (const name of ['Broken', 'Two', 'Three'])
    await control.run('origins.create', { name, url: URL, probe: false })
  assert.deepEqual(await refresh(true), [])
  await refresh()
  assert.deepEqual([...new Set(asked)].sort(), ['broken', 'three', 'two'])
  assert.equal(faults.length, 1)
})

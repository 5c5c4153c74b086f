import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { EMPTY_FOUND, startControl } from '../../test/control.ts'
import { createClock } from '../base/clock.ts'
import type { OriginProbed } from '../model/mcp/origin.ts'
import { createOriginOutages } from './origin-probing.ts'
import { isAsked, refreshOrigin } from './origin-refresh.ts'

const STEP = { step: 'discover', latency_ms: 1, error: null } as const
const WELL: OriginProbed = { steps: [{ ...STEP, ok: true, status: 200 }], found: EMPTY_FOUND }
const OUT: OriginProbed = {
  steps: [{ ...STEP, ok: false, status: null, error: 'connection refused' }],
  found: null,
  isOutage: true,
}
const REFUSED: OriginProbed = { steps: [{ ...STEP, ok: false, status: 401 }], found: null, isOutage: false }

let came = WELL
const origins = { probe: async () => came }
const control = await startControl({ deps: { origins } })
after(() => control.close())
const told: (readonly string[])[] = []
const clock = createClock(control.cell)
const look = createOriginOutages({ store: control.store, clock, tell: (ids) => void told.push(ids) }, isAsked)
const { output } = await control.run('origins.create', { name: 'One', url: 'https://mcp.example.com/mcp' })
const id = String(output['id'])
const probe = async (next: OriginProbed): Promise<void> => {
  came = next
  const options = {
    ...control,
    origins,
    clock,
    isStopped: () => false,
    fault: (error: unknown) => assert.fail(String(error)),
  }
  await refreshOrigin(id, options)
  await look()
}
const shown = async () => (await control.run('origins.get', { id: 'one' })).output

test('an outage is told when it begins and when it ends, counts no revision, and keeps when it began', async () => {
  const revision = await control.store.read.revision()
  await probe(OUT)
  assert.deepEqual(told, [[id]])
  const { down_since, last_error } = await shown()
  assert.match(String(last_error), /connection refused/)
  control.move(20_000)
  await probe(OUT)
  assert.equal((await shown())['down_since'], down_since)
  assert.equal(told.length, 1)
  await probe(WELL)
  assert.deepEqual(told, [[id], []])
  assert.equal((await shown())['down_since'], null)
  assert.equal(await control.store.read.revision(), revision)
})

test('an origin that comes and goes is told of each 15 seconds at most, and what it came to is told', async () => {
  control.move(20_000)
  told.length = 0
  for (let second = 0; second < 60; second++) {
    await probe(second % 2 === 0 ? OUT : WELL)
    control.move(1000)
  }
  assert.ok(told.length <= 5, `${told.length}`)
  await probe(WELL)
  control.move(15_000)
  await look()
  assert.deepEqual(told.at(-1), [])
})

test('a server that refuses is not down; one that has another URL now, is switched off or deleted is not any more', async () => {
  control.move(20_000)
  told.length = 0
  await probe(REFUSED)
  assert.equal((await shown())['reachable'], 'unreachable')
  assert.deepEqual(told, [])
  await probe(OUT)
  control.move(20_000)
  await control.run('origins.update', { id: 'one', active: false })
  await look()
  assert.deepEqual(told, [[id], []])
  control.move(20_000)
  await control.run('origins.update', { id: 'one', active: true, probe: false })
  await look()
  assert.deepEqual(told.at(-1), [id])
  control.move(20_000)
  await control.run('origins.update', { id: 'one', url: 'https://mcp.example.com/other', probe: false })
  await look()
  assert.deepEqual(told.at(-1), [])
})

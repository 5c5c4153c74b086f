/** Hostile origins as they are probed, and where they answer what is no call of a tool. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { hasUnseen } from '../../src/base/visible.ts'
import { BEHAVIOURS, type BehaviourName } from './hostile/behaviours.ts'
import { CATALOGUES, type CatalogueName } from './hostile/catalogues.ts'
import { type HostileOrigin, startHostileOrigin } from './hostile/hostile.ts'
import { ERAS, rawClient } from './raw-client.ts'
import { startVirtualMcp, type VirtualMcp } from './virtual-mcp.ts'

const TIMEOUTS = { connect: '1s', first_byte: '300ms', idle: '300ms', total: '500ms' }
/** Each request is as long as `total` at most; with what a loaded machine adds. */
const ENOUGH_MS = 15_000
const NAMES = Object.keys(BEHAVIOURS) as BehaviourName[]
const PROBED = ['server/discover', 'initialize', 'tools/list', 'resources/templates/list']
const ASKED = [
  ['prompts/get', { name: 'greet' }],
  ['resources/read', { uri: 'hostile://page' }],
] as const

let hostile: HostileOrigin
let desk: VirtualMcp
before(async () => {
  hostile = await startHostileOrigin({ largeBytes: 8 * 1024 * 1024, slowMs: 20 })
  desk = await startVirtualMcp({ hostile: hostile.url }, { timeouts: TIMEOUTS })
})
after(async () => {
  await desk[Symbol.asyncDispose]()
  await hostile[Symbol.asyncDispose]()
})

for (const name of Object.keys(CATALOGUES) as CatalogueName[])
  test(`a probe takes of the catalogue ${name} what is fit`, async () => {
    await using origin = await startHostileOrigin({ catalogue: name })
    await using slowDesk = await startVirtualMcp({})
    const { steps, found } = await slowDesk.probe(origin.url)
    if (name === 'deep') {
      assert.equal(found, null)
      assert.match(steps.at(-1)?.error ?? '', /nested deeper/)
      return
    }
    assert.ok(found !== null, JSON.stringify(steps))
    const { tools } = found.catalogue
    assert.ok(tools.length <= 2000)
    assert.ok(JSON.stringify(found.catalogue).length <= 17 * 1024 * 1024)
    const names = tools.map((tool) => tool['name'])
    assert.equal(new Set(names).size, names.length)
    for (const one of names) assert.ok(typeof one === 'string' && one !== '' && !hasUnseen(one))
    for (const warning of found.warnings) assert.ok(!hasUnseen(warning), warning)
    assert.ok(origin.requests.length < 250)
    if (name === 'strange_text') assert.match(found.warnings.join(), /"strange" has text that people do not see/)
    if (name === 'bad_names') assert.match(found.warnings.join(), /characters that people do not see/)
  })

for (const method of PROBED)
  for (const name of NAMES)
    test(`a probe outlives ${name} at ${method}`, async () => {
      await using origin = await startHostileOrigin({
        eras: method === 'initialize' ? 'legacy' : 'dual',
        largeBytes: 8 * 1024 * 1024,
        on: { [method]: name },
      })
      const startedAt = performance.now()
      const { steps, found } = await desk.probe(origin.url)
      assert.ok(performance.now() - startedAt < ENOUGH_MS)
      assert.ok(steps.length > 0)
      if (found === null) assert.ok(steps.some(({ ok }) => !ok))
      for (const { error } of steps) assert.ok(error === null || !hasUnseen(error), error ?? '')
      for (const { path } of origin.requests) assert.equal(path, '/mcp')
    })

for (const era of ERAS)
  for (const [method, params] of ASKED)
    test(`a ${era} client outlives all that may come for ${method}`, async () => {
      const client = await rawClient(desk, era)
      for (const name of NAMES) {
        hostile.on(method, name)
        const { messages, text } = await client.ask(method, params)
        const { result, error } = messages.at(-1)!
        assert.ok((result === undefined) !== (error === undefined), `${name}: ${text.slice(0, 200)}`)
        const code = error?.code ?? 0
        assert.ok(code > -32_020 || code < -32_099, String(code))
        assert.doesNotMatch(text, /of-nobody|second answer/)
        hostile.on(method, null)
        desk.served.moveClock(60_000)
        assert.match((await client.ask(method, params)).text, /Hello/, name)
      }
    })

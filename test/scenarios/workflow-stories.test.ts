/** What people do with workflows that run, each by the doors of assistants, of programs and of the command line. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { Door } from '../support/doors.ts'
import { atEachDoor, done, doorsOf } from '../support/stories.ts'
import { type Flows, startFlows } from './flows.ts'
import { until } from './server.ts'

let flows: Flows
let doors: readonly Door[]
let closeDoors: () => Promise<void>

before(async () => {
  flows = await startFlows({ workers: 1 })
  const opened = await doorsOf(flows.server, 'erin', { role: 'modifier' })
  doors = opened.doors
  closeDoors = opened.close
})
after(async () => {
  await closeDoors?.()
  await flows?.stop()
})

const definitionOf = (nodes: readonly object[], edges: readonly object[]) => ({
  nodes: [{ id: 'http', type: 'http_trigger' }, ...nodes],
  edges,
})
/** Answers with a text. */
const release = (name: string) =>
  definitionOf(
    [{ id: 'ok', type: 'response_node', inputs: { body: { release: name } } }],
    [{ from: 'http', to: 'ok' }],
  )
const get = async (path: string) => (await flows.get(`/orders${path}`)).json

test('a pipeline promotes a workflow to production, and the next call is answered by it', async () => {
  const trail = await atEachDoor(flows.server, 'erin', doors, async (door, suffix) => {
    const path = `/release${suffix}`
    const made = { collection: 'orders', name: `Release${suffix}`, methods: ['GET'], path }
    const proxy = await done(door, 'proxies.create', {
      ...made,
      workflow: release('41'),
      status: 'published',
    })
    assert.deepEqual(await get(path), { release: '41' })
    const definition = release('42')
    assert.deepEqual((await done(door, 'workflows.validate', { definition })).findings, [])
    await done(door, 'proxies.set_workflow', { id: proxy.id, definition })
    assert.deepEqual(await get(path), { release: '42' })
  })
  assert.deepEqual(
    trail.map(({ operation, outcome, slug }) => [operation, outcome, slug]),
    [
      ['proxies.create', 'ok', 'release'],
      ['proxies.set_workflow', 'ok', 'release'],
    ],
  )
})

test('an assistant learns which workflow a live endpoint enforces, at which revision', async () => {
  const made = await flows.addProxy('Enforced', {
    methods: ['GET'],
    path: '/enforced',
    workflow: release('7'),
  })
  assert.equal(made.status, 201, made.text)
  assert.deepEqual(await get('/enforced'), { release: '7' })
  for (const door of doors) {
    const shown = await done(door, 'proxies.workflow', { id: made.json.id })
    assert.equal(shown.runs, true)
    assert.deepEqual(shown.definition.nodes.at(-1).inputs, { body: { release: '7' } })
    assert.equal(shown.revision, (await done(door, 'proxies.get', { id: made.json.id })).revision)
  }
})

test('a failing workflow is found in metrics and records, called again as an agent does, mended, and fails no more', async () => {
  const code = (text: string) =>
    definitionOf(
      [
        {
          id: 'price',
          type: 'code_node',
          config: { code: text },
          inputs: { input: '{{ $.http.request.query }}' },
        },
        { id: 'ok', type: 'response_node', inputs: { body: '{{ $.price.value }}' } },
      ],
      [
        { from: 'http', to: 'price' },
        { from: 'price', to: 'ok' },
      ],
    )
  const trail = await atEachDoor(flows.server, 'erin', doors, async (door, suffix) => {
    const path = `/price${suffix}`
    const made = await flows.addProxy(`Price${suffix}`, {
      methods: ['GET'],
      path,
      workflow: code('({ coupon }) => ({ price: 10 - coupon.length })'),
    })
    assert.equal(made.status, 201, made.text)
    for (const query of ['?coupon=a', '', '', '']) await flows.get(`/orders${path}${query}`)
    const endpoint = `GET /orders${path}`

    const worst = () => done(door, 'metrics.error_endpoints', { from: '-1h' })
    const { items } = await until(worst, (answer) =>
      answer.items.some(
        (one: { endpoint: string; errors: number }) => one.endpoint === endpoint && one.errors === 3,
      ),
    )
    const [found] = items.filter((one: { endpoint: string }) => one.endpoint === endpoint)
    assert.deepEqual([found.error_rate, found.codes], [0.75, [{ code: 'workflow_failed', requests: 3 }]])

    const records = await done(door, 'records.list', {
      code: 'workflow_failed',
      route: `/orders${path}`,
      limit: 1,
    })
    const record = await done(door, 'records.get', { id: records.items[0].id })
    assert.match(record.reason, /^node "price": TypeError: cannot read property 'length' of undefined/)

    const call = { endpoint }
    const failed = await flows.executeCall(call)
    assert.deepEqual([failed.status, failed.body.code], [500, 'workflow_failed'], JSON.stringify(failed))
    const mended = code('({ coupon = "" }) => ({ price: 10 - coupon.length })')
    await done(
      door,
      'proxies.set_workflow',
      { id: made.json.id, definition: mended },
      { reason: 'calls without a coupon' },
    )
    const answered = await flows.executeCall(call)
    assert.deepEqual([answered.status, answered.body], [200, { price: 10 }])
    for (let calls = 0; calls < 3; calls += 1) assert.deepEqual(await get(path), { price: 10 })
    const rate = async () =>
      (await worst()).items.find((one: { endpoint: string }) => one.endpoint === endpoint).error_rate
    assert.ok((await until(rate, (now) => now < 0.75)) < found.error_rate)
  })
  assert.deepEqual(
    trail.map(({ operation, outcome, slug, reason }) => [operation, outcome, slug, reason]),
    [['proxies.set_workflow', 'ok', 'price', 'calls without a coupon']],
  )
})

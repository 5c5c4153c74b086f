import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type Control, example, refused, startControl } from '../../../test/control.ts'

let control: Control
before(async () => {
  control = await startControl()
  await example(control)
})
after(() => control.close())

const SMALL = {
  nodes: [
    { id: 'http', type: 'http_trigger' },
    { id: 'end', type: 'response_node' },
  ],
  edges: [{ from: 'http', to: 'end' }],
}
/** Runs each of these workflows, one after another. */
const running = (...workflows: string[]) => {
  const ids = workflows.map((_, index) => `run${index}`)
  const from = ['http', ...ids]
  return {
    nodes: [
      { id: 'http', type: 'http_trigger' },
      ...workflows.map((workflow, index) => ({
        id: ids[index]!,
        type: 'subworkflow_node',
        config: { workflow },
      })),
      { id: 'end', type: 'response_node' },
    ],
    edges: [...ids, 'end'].map((to, index) => ({
      from: from[index]!,
      to,
      ...(index === 0 ? {} : { handle: 'success' }),
    })),
  }
}
const make = (name: string, definition: object) => control.run('workflows.create', { name, definition })
const change = (id: string, definition: object) => control.run('workflows.update', { id, definition })

test('a workflow that would run itself, directly or through others, is refused when it is saved', async () => {
  await make('A', SMALL)
  await make('B', running('a'))
  await make('C', running('b', 'b'))
  for (const [id, inner, pointer] of [
    ['a', ['a'], '/definition/nodes/1/config/workflow'],
    ['a', ['b'], '/definition/nodes/1/config/workflow'],
    ['a', ['c'], '/definition/nodes/1/config/workflow'],
    ['b', ['a', 'c'], '/definition/nodes/2/config/workflow'],
  ] as const) {
    const refusal = await refused(change(id, running(...inner)), 'configuration_invalid')
    assert.deepEqual(refusal.facts.errors, [{ pointer, reason: 'it leads back to this workflow' }])
  }
  assert.deepEqual((await control.run('workflows.get', { id: 'a' })).output['used_by'], ['workflows/b'])
  const shown = (await control.run('workflows.get', { id: 'b' })).output['definition'] as typeof SMALL
  assert.equal((shown.nodes[1] as unknown as { config: { workflow: string } }).config.workflow, 'a')
})

test('workflows run within one another at most five deep, wherever the chain grows', async () => {
  await make('L0', SMALL)
  for (let level = 1; level <= 5; level++) await make(`L${level}`, running(`l${level - 1}`))
  assert.match(
    (await refused(make('L6', running('l5')), 'configuration_invalid')).message,
    /would run within one another 6 deep/,
  )
  await make('Leaf', SMALL)
  await refused(change('l0', running('leaf')), 'configuration_invalid')
  await change('l1', running('leaf'))
  // L5 has five workflows below it, so it is the sixth below a proxy with a workflow of its own
  const below = (inner: string) =>
    control.run('proxies.set_workflow', { id: 'get-order', definition: running('a', inner) })
  await refused(below('l5'), 'configuration_invalid')
  await below('l4')
})

test('a workflow that others run cannot be deleted, and faults of it keep a published proxy from running it', async () => {
  await refused(control.run('workflows.delete', { id: 'a' }, { confirm: 'a' }), 'in_use')
  await make('Broken', { nodes: [] })
  await make('Outer', running('broken'))
  const own = { id: 'get-order', definition: running('outer') }
  const refusal = await refused(control.run('proxies.set_workflow', own), 'configuration_invalid')
  assert.match(refusal.message, /but it runs the workflow "broken", which has errors/)
  assert.deepEqual(refusal.facts.errors?.[0]?.pointer, '/workflow/nodes/1/config/workflow')
  await refused(
    control.run('proxies.set_workflow', { id: 'get-order', workflow: 'outer' }),
    'configuration_invalid',
  )
  await change('broken', SMALL)
  await control.run('proxies.set_workflow', own)
  // From now on it must stay free of errors, though no proxy names it
  await refused(change('broken', { nodes: [] }), 'configuration_invalid')
  await refused(change('outer', { nodes: [] }), 'configuration_invalid')
  await make('Other', { nodes: [] })
  await refused(change('broken', running('other')), 'configuration_invalid')
  await control.run('proxies.set_workflow', { id: 'get-order', definition: null })
  await change('broken', { nodes: [] })
})

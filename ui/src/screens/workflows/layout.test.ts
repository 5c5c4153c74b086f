import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Definition } from './definition.ts'
import { heightOf, NODE_WIDTH, placed, startView } from './layout.ts'

const node = (id: string) => ({ id, type: 'code_node' })
const edge = (from: string, handle: string, to: string) => ({ from, handle, to })

function at(
  nodes: readonly string[],
  edges: readonly ReturnType<typeof edge>[],
  handles: Record<string, string[]>,
) {
  return placed({ nodes: nodes.map(node), edges } as unknown as Definition, {}, handles)
}

test('nodes behind a node stand in the order of its handles, whatever the order of the edges', () => {
  const handles = { check: ['valid', 'invalid'], call: ['success', 'error'] }
  const nodes = ['http', 'check', 'bad', 'call', 'ok', 'failed']
  const edges = [
    edge('check', 'invalid', 'bad'),
    edge('http', 'default', 'check'),
    edge('call', 'error', 'failed'),
    edge('check', 'valid', 'call'),
    edge('call', 'success', 'ok'),
  ]
  for (const some of [edges, edges.toReversed()]) {
    const places = at(nodes, some, handles)
    assert.ok(places['call']!.y < places['bad']!.y, JSON.stringify(places))
    assert.ok(places['ok']!.y < places['failed']!.y, JSON.stringify(places))
  }
})

test('nodes of a column do not overlap', () => {
  const many = Array.from({ length: 6 }, (_, index) => `n${index}`)
  const handles = { switch: many.toReversed() }
  const places = at(
    ['switch', ...many],
    many.map((id) => edge('switch', id, id)),
    handles,
  )
  const tops = many.map((id) => places[id]!.y).sort((one, other) => one - other)
  for (const [index, top] of tops.slice(1).entries()) assert.ok(top >= tops[index]! + heightOf(1))
  assert.ok(places['n5']!.y < places['n0']!.y)
})

test('what has a place keeps it', () => {
  const definition = { nodes: [node('a'), node('b')], edges: [edge('a', 'default', 'b')] }
  const kept = { x: 5, y: 7 }
  const places = placed(definition as unknown as Definition, { a: kept }, {})
  assert.deepEqual(places['a'], kept)
  assert.ok(places['b']!.x > kept.x)
})

test('a graph that fits opens whole and in the middle, and a larger one at its start with text that can be read', () => {
  const ids = Array.from({ length: 12 }, (_, index) => `n${index}`)
  const chain = (count: number) =>
    ({
      nodes: ids.slice(0, count).map(node),
      edges: ids.slice(1, count).map((id, index) => edge(ids[index]!, 'default', id)),
    }) as unknown as Definition
  const view = (count: number, width: number) => {
    const definition = chain(count)
    const places = placed(definition, {}, {})
    return { places, ...startView(definition, places, {}, { width, height: 480 }) }
  }
  const small = view(1, 1000)
  assert.equal(small.zoom, 1)
  assert.equal(small.x + small.places['n0']!.x + NODE_WIDTH / 2, 500)
  const large = view(12, 358)
  assert.equal(large.zoom, 0.6)
  const left = large.x + large.places['n0']!.x * large.zoom
  assert.ok(left >= 0 && left < 40, `${left}`)
})

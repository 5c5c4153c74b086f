import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { CHECKED } from './checked-order.ts'
import {
  addNode,
  clipOf,
  connect,
  definitionOf,
  idFault,
  insertNode,
  isSame,
  nodeOf,
  paste,
  readClip,
  removeNodes,
  renameNode,
  retarget,
  updateNode,
} from './definition.ts'

test('a stored definition gets the defaults that it leaves out', () => {
  assert.deepEqual(CHECKED.nodes[0], {
    id: 'http',
    type: 'http_trigger',
    inputs: {},
    config: {},
    on_error: 'fail',
  })
  assert.equal(CHECKED.edges[0]!.handle, 'default')
})

test('a new node gets a free id and stands behind the handle', () => {
  const first = addNode(CHECKED, 'validate_node', { from: 'check', handle: 'invalid' })
  assert.equal(first.id, 'validate')
  const second = addNode(first.definition, 'validate_node', null)
  assert.equal(second.id, 'validate_2')
  assert.deepEqual(first.definition.edges.at(-1), { from: 'check', handle: 'invalid', to: 'validate' })
})

test('a node is put into an edge, and removed from it again', () => {
  const edge = CHECKED.edges[0]!
  const { definition, id } = insertNode(CHECKED, edge, 'log_node', 'default')
  assert.deepEqual(definition.edges.slice(0, 2), [
    { from: 'http', handle: 'default', to: 'log' },
    { from: 'log', handle: 'default', to: 'check' },
  ])
  const back = removeNodes(definition, [id])
  assert.deepEqual(back, CHECKED)
})

test('a removed node takes its edges with it', () => {
  const left = removeNodes(CHECKED, ['check'])
  assert.deepEqual(left.edges, [{ from: 'call', handle: 'success', to: 'ok' }])
})

test('edges are added once, led to another node, and never to their own', () => {
  const edge = { from: 'check', handle: 'invalid', to: 'bad' }
  assert.equal(connect(CHECKED, edge), CHECKED)
  assert.equal(connect(CHECKED, { ...edge, to: 'check' }), CHECKED)
  const moved = retarget(CHECKED, edge, 'ok')
  assert.deepEqual(moved.edges[2], { ...edge, to: 'ok' })
  assert.equal(retarget(CHECKED, edge, null).edges.length, 3)
})

test('a renamed node keeps its name in edges, expressions and tests', () => {
  const tested = {
    ...CHECKED,
    tests: [{ name: 'one', mocks: { call: {} }, expect: { branches: { call: 'success' } } }],
  }
  const renamed = renameNode(tested, 'call', 'upstream')
  assert.deepEqual(nodeOf(renamed, 'ok')!.inputs, { body: { order: '{{ $.upstream.body.id }}' } })
  assert.deepEqual(renamed.edges.slice(1), [
    { from: 'check', handle: 'valid', to: 'upstream' },
    { from: 'check', handle: 'invalid', to: 'bad' },
    { from: 'upstream', handle: 'success', to: 'ok' },
  ])
  assert.deepEqual(renamed.tests, [
    { name: 'one', mocks: { upstream: {} }, expect: { branches: { upstream: 'success' } } },
  ])
  assert.match(idFault(CHECKED, 'call', 'ok')!, /already/)
  assert.match(idFault(CHECKED, 'call', '1st')!, /letters/)
})

test('members of a node change, and undefined takes one away', () => {
  const timed = updateNode(CHECKED, 'call', { timeout: '2s' })
  assert.equal(nodeOf(timed, 'call')!.timeout, '2s')
  assert.ok(isSame(updateNode(timed, 'call', { timeout: undefined }), CHECKED))
  assert.ok(!isSame(timed, CHECKED))
})

test('a paste gives new ids, and edges and expressions of the clip follow them', () => {
  const clip = clipOf(CHECKED, ['call', 'ok'])
  const { definition, ids } = paste(CHECKED, clip)
  assert.deepEqual(ids, ['call_2', 'ok_2'])
  assert.deepEqual(nodeOf(definition, 'ok_2')!.inputs, { body: { order: '{{ $.call_2.body.id }}' } })
  // The trigger is not in the clip, so its name stays
  assert.deepEqual(nodeOf(definition, 'call_2')!.inputs, { path: '/v1/{{ $.http.request.body.order }}' })
  assert.deepEqual(definition.edges.at(-1), { from: 'call_2', handle: 'success', to: 'ok_2' })
  assert.equal(nodeOf(definition, 'ok')!.inputs, nodeOf(CHECKED, 'ok')!.inputs)
})

test('ids stay unique whatever is pasted how often', () => {
  const id = fc.constantFrom('a', 'a_2', 'a_3', 'b', 'b_2')
  fc.assert(
    fc.property(fc.uniqueArray(id), fc.uniqueArray(id), (own, clip) => {
      const definition = definitionOf({ nodes: own.map((one) => ({ id: one, type: 'set_node' })) })
      const nodes = clip.map((one) => ({ id: one, type: 'set_node' }))
      const { definition: pasted } = paste(definition, definitionOf({ nodes }))
      const ids = pasted.nodes.map((node) => node.id)
      assert.equal(new Set(ids).size, own.length + clip.length)
    }),
  )
})

test('the clipboard may hold a clip, a definition, or anything else', () => {
  assert.deepEqual(
    readClip(JSON.stringify(clipOf(CHECKED, ['call'])))?.nodes.map(({ id }) => id),
    ['call'],
  )
  assert.equal(readClip(JSON.stringify({ name: 'x', definition: CHECKED }))?.nodes.length, 5)
  for (const text of ['', 'hello', '[]', '{}', '{"nodes":[{"id":"1 2","type":"x"}]}'])
    assert.equal(readClip(text), null)
  fc.assert(fc.property(fc.oneof(fc.string(), fc.json()), (text) => void readClip(text)))
})

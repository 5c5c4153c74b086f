import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CHECKED } from './checked-order.ts'
import { addNode, connect } from './definition.ts'
import {
  ancestorsOf,
  freeExit,
  handlesOf,
  kindsFor,
  leadsBack,
  type NodeKind,
  neighbourOf,
  orderOf,
  sentenceOf,
} from './graph.ts'
import { heightOf, NODE_WIDTH, placed } from './layout.ts'

const kind = (type: string, phase: string, handles: readonly string[]): NodeKind => ({
  type,
  phase,
  handles,
  summary: '',
  inputs: {},
  outputs: {},
})
const KINDS = [
  kind('http_trigger', 'trigger', ['default']),
  kind('validate_node', 'decide', ['valid', 'invalid']),
  kind('switch_node', 'decide', ['default', 'a label']),
  kind('proxy_node', 'call', ['success', 'error']),
  kind('response_node', 'end', []),
]
const node = (id: string) => CHECKED.nodes.find((one) => one.id === id)!

const HANDLES = { check: ['valid', 'invalid'], call: ['success', 'error'] }

test('rows follow the ways, one after the other', () => {
  assert.deepEqual(
    orderOf(CHECKED).map(({ id }) => id),
    ['http', 'check', 'call', 'ok', 'bad'],
  )
  const circle = connect(CHECKED, { from: 'bad', handle: 'default', to: 'http' })
  assert.equal(orderOf(circle).length, 5)
})

test('handles are those that the server tells, of the type until then, and those in use', () => {
  assert.deepEqual(handlesOf(node('check'), KINDS, {}, CHECKED), ['valid', 'invalid'])
  const { definition, id } = addNode(CHECKED, 'switch_node', null)
  const added = definition.nodes.find((one) => one.id === id)!
  assert.deepEqual(handlesOf(added, KINDS, {}, definition), ['default'])
  assert.deepEqual(handlesOf(added, KINDS, { switch: ['default', 'big'] }, definition), ['default', 'big'])
  const used = connect(definition, { from: id, handle: 'small', to: 'ok' })
  assert.deepEqual(handlesOf(added, KINDS, {}, used), ['default', 'small'])
})

test('a node reads as a sentence', () => {
  assert.equal(
    sentenceOf(node('check'), ['valid', 'invalid'], CHECKED),
    'check, validate, valid to call, invalid to bad',
  )
  assert.equal(sentenceOf(node('http'), ['default'], CHECKED), 'http, HTTP trigger, to check')
  assert.equal(sentenceOf(node('ok'), [], CHECKED), 'ok, response')
})

test('arrows walk along edges and to nodes beside', () => {
  assert.equal(neighbourOf(CHECKED, 'http', 'next'), 'check')
  assert.equal(neighbourOf(CHECKED, 'check', 'previous'), 'http')
  assert.equal(neighbourOf(CHECKED, 'call', 'below'), 'bad')
  assert.equal(neighbourOf(CHECKED, 'bad', 'above'), 'call')
  assert.equal(neighbourOf(CHECKED, 'http', 'above'), null)
})

test('nodes that run before are those on the ways to a node', () => {
  assert.deepEqual([...ancestorsOf(CHECKED, 'ok')].sort(), ['call', 'check', 'http'])
  assert.ok(leadsBack(CHECKED, 'ok', 'http'))
  assert.ok(!leadsBack(CHECKED, 'bad', 'ok'))
})

test('the next free way out is no way of failures, unless the node handles those', () => {
  assert.equal(freeExit(node('call'), ['success', 'error'], CHECKED), null)
  assert.deepEqual(freeExit({ ...node('call'), on_error: 'handle' }, ['success', 'error'], CHECKED), {
    from: 'call',
    handle: 'error',
  })
})

test('a trigger is offered at the start of an empty workflow alone', () => {
  assert.ok(!kindsFor(KINDS, CHECKED, 'start').some(({ phase }) => phase === 'trigger'))
  assert.ok(kindsFor(KINDS, { nodes: [], edges: [] }, 'start').some(({ phase }) => phase === 'trigger'))
})

test('nodes without a place get one that overlaps no other, and the others keep theirs', () => {
  const all = placed(CHECKED, {}, HANDLES)
  const boxes = CHECKED.nodes.map(({ id }) => ({
    id,
    ...all[id]!,
    height: heightOf(id === 'check' || id === 'call' ? 2 : 0),
  }))
  for (const a of boxes)
    for (const b of boxes)
      if (a.id < b.id)
        assert.ok(
          a.x + NODE_WIDTH <= b.x ||
            b.x + NODE_WIDTH <= a.x ||
            a.y + a.height <= b.y ||
            b.y + b.height <= a.y,
          `${a.id} and ${b.id} overlap`,
        )
  const moved = { ...all, call: { x: 900, y: 900 } }
  const { definition, id } = addNode(CHECKED, 'response_node', { from: 'call', handle: 'error' })
  const again = placed(definition, moved, HANDLES)
  assert.deepEqual(again['call'], { x: 900, y: 900 })
  assert.ok(again[id]!.x > 900)
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { JsonObject } from '../../build/document.ts'
import { isTold, secretLabel } from './answers.ts'

const text = { type: 'string' }
const item = { type: 'object', properties: { id: text, name: text, warnings: {} } }
const token = { ...text, 'x-postern-secret': true }
const schemas = {
  actions: {
    get: { input: {}, output: { $ref: '#/$defs/Item' } },
    toggle: { input: {}, output: item },
    issue: { input: {}, output: { type: 'object', properties: { id: text, name: token } } },
  },
  $defs: { Item: item },
}

test('an answer is told by its page unless there is a secret, a warning or a result of its own to read', () => {
  const told = (action: string, output: JsonObject, effect: 'act' | 'read' = 'act'): boolean =>
    isTold({ resource: 'items', action, effect } as never, output, schemas)
  assert.equal(told('toggle', { id: 'itm_1', name: 'One' }), true)
  assert.equal(told('toggle', { id: 'itm_1', warnings: [], pending: true }), true)
  assert.equal(told('toggle', { id: 'itm_1', warnings: ['covers nothing'] }), false)
  assert.equal(told('toggle', { id: 'itm_1', revoked: 2 }), false)
  assert.equal(told('toggle', { id: 'itm_1' }, 'read'), false)
  assert.equal(told('issue', { id: 'itm_1', name: 'once' }), false)
})

test('a secret is labelled by whose it is, never by its path', () => {
  const profiles: readonly JsonObject[] = [{ slug: 'live', name: 'Live' }, { slug: 'test' }]
  assert.equal(
    secretLabel('profiles[0].token', { name: 'Acme', profiles: profiles.slice(0, 1) }),
    'Token of Acme',
  )
  assert.equal(secretLabel('profiles[0].token', { name: 'Acme', profiles }), 'Token of Acme, profile Live')
  assert.equal(
    secretLabel('profiles[1].signing_secret', { name: 'Acme', profiles }),
    'Signing secret of Acme, profile test',
  )
  assert.equal(secretLabel('token', { client: 'acme', slug: 'live', name: 'Live' }), 'Token of acme:live')
  assert.equal(secretLabel('secret', {}, 'Deploy bot'), 'Secret of Deploy bot')
  assert.equal(secretLabel('token', {}), 'Token')
})

test('an answer of a resource that has no page is shown', () => {
  const lone = { actions: { toggle: schemas.actions.toggle }, $defs: schemas.$defs }
  const row = { resource: 'items', action: 'toggle', effect: 'act' } as never
  assert.equal(isTold(row, { id: 'itm_1' }, lone), false)
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createdMembers, isSimpleCreation } from './created.ts'

test('a creation shows the members that have a value, and leaves out those that say nothing', () => {
  const value = {
    name: 'Acme',
    description: '',
    policy: null,
    tags: [],
    ip: { allow: [], deny: null },
    active: false,
    max: 0,
    profiles: [{ name: 'Key', note: '' }],
  }
  assert.deepEqual(createdMembers([{ op: 'add', path: '', value }]), {
    name: 'Acme',
    active: false,
    max: 0,
    profiles: [{ name: 'Key', note: '' }],
  })
  assert.deepEqual(
    createdMembers([
      { op: 'add', path: '/name', value: 'Acme' },
      { op: 'add', path: '/tags', value: [] },
      { op: 'remove', path: '/old', from: 'x' },
    ]),
    { name: 'Acme' },
  )
})

test('a client is created by one press, and a grant after its difference was seen', () => {
  assert.equal(isSimpleCreation({ effect: 'create', resource: 'clients' }), true)
  assert.equal(isSimpleCreation({ effect: 'create', resource: 'grants' }), false)
  assert.equal(isSimpleCreation({ effect: 'update', resource: 'clients' }), false)
})

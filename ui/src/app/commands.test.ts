import assert from 'node:assert/strict'
import { test } from 'node:test'
import { commandOf } from './commands.ts'

const row = {
  resource: 'clients',
  action: 'create',
  effect: 'create',
  summary: 'Create a client',
  byId: false,
}
const WAYS = [{ label: 'Add a server', to: '/origins/add', does: 'origins.create' }]

test('the palette has the words of the buttons, and the name of the operation beside them', () => {
  assert.deepEqual(commandOf(row, WAYS), { to: '/clients/new', label: 'New client', hint: 'clients.create' })
  assert.deepEqual(commandOf({ ...row, resource: 'origins' }, WAYS), {
    to: '/origins/add',
    label: 'Add a server',
    hint: 'origins.create',
  })
  const publish = { ...row, resource: 'virtual_mcps', action: 'publish', effect: 'act', byId: true }
  assert.equal(commandOf(publish, WAYS).label, 'Publish: virtual MCP')
  assert.equal(commandOf({ ...publish, action: 'toggle' }, WAYS).label, 'Activate or deactivate: virtual MCP')
  const audit = { ...row, resource: 'audit', action: 'verify', effect: 'read', summary: 'Verify the chain' }
  assert.deepEqual(commandOf(audit, WAYS), {
    to: '/run/audit.verify',
    label: 'Verify the chain',
    hint: 'audit.verify',
  })
})

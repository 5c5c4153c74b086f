import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ruleSentence } from './rule-sentence.ts'

const RULE = {
  name: 'Four eyes',
  permissions: ['proxies:update'],
  scope: { resource_types: [], verbs: [], collections: [], virtual_mcps: [], tags: [] },
  subjects: { users: [], teams: [], service_identities: [] },
}

test('a rule without limits is read as one sentence', () => {
  assert.equal(ruleSentence(RULE), 'Changing proxies needs the approval of another person.')
  assert.equal(
    ruleSentence({ ...RULE, permissions: ['*:delete', 'virtual_mcps:*', 'keys:rotate'] }),
    'Deleting anything, any change of virtual MCPs and rotating keys need the approval of another person.',
  )
})

test('places, tags and requesters of a rule are part of its sentence', () => {
  assert.equal(
    ruleSentence({
      ...RULE,
      scope: { ...RULE.scope, collections: ['orders', 'payments'], tags: ['money'] },
      subjects: { users: ['ada'], teams: ['support'], service_identities: ['pipeline'] },
    }),
    'Changing proxies, in the collections orders and payments, with the tag money, needs the approval of another person' +
      ' if ada, a member of the team support or the service identity pipeline requests the change.',
  )
  assert.match(
    ruleSentence({
      ...RULE,
      permissions: ['*:update'],
      scope: { ...RULE.scope, resource_types: ['policies'], verbs: ['update'], virtual_mcps: ['desk'] },
    }),
    /^Changing anything, only for policies, by update, in the virtual MCP desk, needs/,
  )
})

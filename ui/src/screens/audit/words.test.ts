import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  type AuditEntry,
  chainSentence,
  entrySentence,
  interfaceOf,
  resourceOf,
  shortResourceOf,
  type Verification,
} from './words.ts'

const ENTRY = {
  actor: { name: 'ann' },
  agent: { name: null },
  approver: null,
  operation: 'policies.update',
  resource: { type: 'policy', id: 'pol_1', slug: 'gold' },
  surface: 'admin_ui',
  outcome: 'ok',
  error: null,
  count: 1,
} as unknown as AuditEntry

test('an entry says who ran what on which resource, over which interface, and how it ended', () => {
  const of = (members: object) => entrySentence({ ...ENTRY, ...members } as AuditEntry)
  assert.equal(of({}), 'ann ran policies.update on policy gold over the console.')
  assert.equal(
    of({ approver: { name: 'bob' }, surface: 'cli' }),
    'ann ran policies.update on policy gold over the command line. bob approved it.',
  )
  assert.equal(
    of({ outcome: 'denied', error: 'permission_denied', count: 1200, agent: { name: 'Claude' } }),
    'ann, through the agent Claude, ran policies.update 1,200 times on policy gold over the console. It was refused: permission_denied.',
  )
})

test('interfaces and types of resources are words; an id stands only where a sentence needs it', () => {
  assert.deepEqual(['admin_ui', 'cli', 'not_known'].map(interfaceOf), [
    'Console',
    'Command line',
    'not_known',
  ])
  const of = (resource: object) => ({ ...ENTRY, resource }) as unknown as AuditEntry
  const request = of({ type: 'change_request', id: 'chg_01', slug: null })
  assert.deepEqual(
    [resourceOf(request), shortResourceOf(request)],
    ['change request chg_01', 'change request'],
  )
  const client = of({ type: 'oauth_client', id: 'postern-console', slug: 'postern-console' })
  assert.equal(shortResourceOf(client), 'OAuth client postern-console')
})

test('the state of the chain is a sentence that names the first broken entry', () => {
  const found = { ok: true, entries: 1200, checkpoints: 3, removed: null, keyed_from: 1, break: null }
  const of = (members: object) => chainSentence({ ...found, ...members } as unknown as Verification)
  assert.equal(
    of({}),
    'No entry was changed, removed, inserted or moved: 1,200 entries and 3 signed links were checked.',
  )
  assert.match(
    of({ removed: { entries: 50, time: '' } }),
    /Retention removed 50 older entries and signed the removal\.$/,
  )
  assert.match(of({ keyed_from: 9 }), /Entries before number 9 have no keyed link\.$/)
  assert.equal(
    of({ ok: false, break: { seq: 7, id: null, what: 'its link does not fit' } }),
    'The chain of the audit log is broken at entry 7: its link does not fit.',
  )
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createClock } from '../../base/clock.ts'
import { unstorableIn } from '../../base/json/storable.ts'
import { AUDIT_CHARS_MAX, type AuditEntry, newAuditEntry } from './audit.ts'

const clock = createClock()
const long = 'x'.repeat(100_000)

function entryBy(type: AuditEntry['actor']['type'], diff: AuditEntry['diff']): AuditEntry {
  return newAuditEntry(clock, {
    actor: { id: long, type, name: long, auth_method: 'none' },
    agent: { name: long, version: long, session_id: long, conversation_id: long },
    surface: 'oauth',
    operation: 'oauth.register_client',
    action: 'CREATE',
    resource: { type: 'oauth_client', id: long, slug: `/${long}`, collection: null },
    diff,
    reason: long,
    detail: long,
    http: { method: 'POST', url: `/${long}`, status: 201 },
    user_agent: long,
  })
}

test('every text that a caller chooses is cut at its bound in an audit entry, and says how long it was', () => {
  const { actor, agent, resource, http, ...entry } = entryBy('user', [])
  const texts: (readonly [string | null | undefined, number])[] = [
    [actor.id, AUDIT_CHARS_MAX.name],
    [actor.name, AUDIT_CHARS_MAX.name],
    ...Object.values(agent).map((value) => [value, AUDIT_CHARS_MAX.name] as const),
    [resource.id, AUDIT_CHARS_MAX.ref],
    [resource.slug, AUDIT_CHARS_MAX.ref],
    [http?.url, AUDIT_CHARS_MAX.url],
    [entry.reason, AUDIT_CHARS_MAX.text],
    [entry.detail, AUDIT_CHARS_MAX.text],
    [entry.user_agent, AUDIT_CHARS_MAX.userAgent],
  ]
  for (const [text, max] of texts) {
    assert.equal(text?.length, max)
    assert.match(text!, /… \(10000[01] characters\)$/)
  }
})

test('a diff is bounded by value and as a whole, for callers who have not signed in more narrowly', () => {
  const many = Array.from({ length: 1000 }, (_, i) => ({ op: 'add' as const, path: `/${i}`, value: long }))
  const nested = [{ op: 'replace' as const, path: '/spec', from: { deep: [long] }, value: { deep: [] } }]
  const size = (entry: AuditEntry): number => JSON.stringify(entry.diff).length
  const known = entryBy('user', many)
  assert.ok(size(known) < AUDIT_CHARS_MAX.diff + 2000, `${size(known)}`)
  assert.match(String(known.diff.at(-1)?.value), /^… and \d+ more changes$/)
  assert.ok(size(entryBy('anonymous', many)) < AUDIT_CHARS_MAX.anonymousDiff + 2000)
  const [change] = entryBy('user', nested).diff
  assert.match(String(change?.from), /^\{"deep":\["x+… \(100013 characters\)$/)
  assert.deepEqual(change?.value, { deep: [] })
})

test('what fits is kept as it is', () => {
  const diff: AuditEntry['diff'] = [
    { op: 'replace', path: '/name', from: 'Orders', value: 'Order desk' },
    { op: 'add', path: '/tags', value: ['a', 'b'] },
    { op: 'remove', path: '/description', from: null },
  ]
  assert.deepEqual(entryBy('user', diff).diff, diff)
})

test('what callers say of themselves has no characters that no store keeps, and a cut leaves no half of one', () => {
  const half = `${'x'.repeat(AUDIT_CHARS_MAX.name - 30)}${'😀'.repeat(100)}`
  const entry = newAuditEntry(createClock(), {
    actor: { id: 'a\0', type: 'anonymous', name: half, auth_method: 'none' },
    surface: 'management_api',
    operation: 'x.y',
    action: 'READ',
    resource: { type: 'x', id: 'a\0b', slug: null, collection: null },
    user_agent: 'agent/1\0',
    reason: 'why\ud800',
    agent: { name: '\0', version: half.slice(1), session_id: null, conversation_id: null },
    request: { 'na\0me': ['\udfff'] },
  })
  assert.deepEqual(unstorableIn(entry), [])
  assert.deepEqual(
    [entry.actor.id, entry.user_agent, entry.reason],
    ['a\ufffd', 'agent/1\ufffd', 'why\ufffd'],
  )
})

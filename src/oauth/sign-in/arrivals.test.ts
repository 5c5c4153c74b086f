import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { toArrival } from './oidc.ts'

const SLUGS = ['partner', 'partner-two', 'a'] as const
const groupsOf = (slug: string | null, groups: readonly string[]): readonly string[] =>
  toArrival(
    { groups },
    'ada',
    { issuer: 'https://id.example', slug, furtherSlugs: SLUGS, groupsClaim: 'groups', roleMap: [] },
    null,
  ).groups

test('groups of a further provider stand below its slug, and those of the first stay as they are', () => {
  assert.deepEqual(groupsOf(null, ['devs', '/platform', 'acme/devs', 'partner']), [
    ...['devs', '/platform', 'acme/devs', 'partner'],
  ])
  assert.deepEqual(groupsOf('partner', ['devs', '/platform', 'a/devs']), [
    ...['partner/devs', 'partner//platform', 'partner/a/devs'],
  ])
})

test('no group of one provider has the name of a group of another one', () => {
  const word = fc.oneof(fc.constantFrom('', '/', ...SLUGS, 'devs', '-two'), fc.string({ maxLength: 3 }))
  const group = fc.array(word, { maxLength: 4 }).map((words) => words.join('/'))
  const provider = fc.constantFrom(null, ...SLUGS)
  fc.assert(
    fc.property(provider, group, provider, group, (one, mine, other, theirs) => {
      fc.pre(one !== other)
      const names = new Set(groupsOf(one, [mine]))
      for (const name of groupsOf(other, [theirs])) assert.ok(!names.has(name), name)
    }),
    { numRuns: 5000 },
  )
})

test('a rule about groups names them as its provider does', () => {
  const reading = {
    ...{ issuer: 'https://id.example', slug: 'partner', furtherSlugs: ['partner'], groupsClaim: 'groups' },
    roleMap: [
      { claim: 'group', value: 'devs', grant: 'viewer' },
      { claim: 'group', value: 'partner/devs', grant: 'admin' },
    ],
  }
  assert.deepEqual(toArrival({ groups: ['devs'] }, 'ada', reading, null).grants, ['viewer'])
})

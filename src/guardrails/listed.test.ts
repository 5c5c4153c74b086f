import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Plain } from '../base/json/storable.ts'
import { listedItem, listedText } from './listed.ts'
import { compileRule, type Rule, type RuleAction } from './rule.ts'
import { Tally } from './tally.ts'

const rule = (action: RuleAction, more: Partial<Parameters<typeof compileRule>[0]> = {}): Rule =>
  compileRule({
    id: `gdr_${action}`,
    slug: action,
    detector: { detector: 'regex', patterns: [{ kind: 'word', pattern: 'SECRET' }] },
    action,
    isObserved: false,
    passesFailures: false,
    refusesCompressed: false,
    bytesMax: 10_000,
    ...more,
  })
const REDACTED = '[REDACTED:word]'

test('a rule that changes texts leaves alone what clients and servers compare', () => {
  const tool = {
    name: 'add',
    title: 'SECRET title',
    description: 'a SECRET',
    annotations: { title: 'SECRET', readOnlyHint: true },
    inputSchema: {
      type: 'object',
      description: 'SECRET',
      properties: {
        SECRET: { type: 'string', title: 'SECRET', enum: ['SECRET'], const: 'SECRET', default: 'SECRET' },
        description: { type: 'string', pattern: 'SECRET', examples: ['SECRET'] },
      },
      required: ['SECRET'],
      anyOf: [{ $comment: 'SECRET' }],
    },
  }
  const tally = new Tally()
  assert.deepEqual(listedItem([rule('redact')], tool, 'name', tally), {
    name: 'add',
    title: `${REDACTED} title`,
    description: `a ${REDACTED}`,
    annotations: { title: REDACTED, readOnlyHint: true },
    inputSchema: {
      type: 'object',
      description: REDACTED,
      properties: {
        SECRET: { type: 'string', title: REDACTED, enum: ['SECRET'], const: 'SECRET', default: REDACTED },
        description: { type: 'string', pattern: 'SECRET', examples: [REDACTED] },
      },
      required: ['SECRET'],
      anyOf: [{ $comment: REDACTED }],
    },
  })
  const counted = tally.list().map(({ leg, action, count }) => [leg, action, count])
  assert.deepEqual(counted, [['list', 'redact', 8]])
})

test('an item is left out by a rule that blocks, wherever it finds something, and by any rule that would change its name', () => {
  const plain = { name: 'a', inputSchema: { enum: ['SECRET'] } }
  for (const [item, key, action] of [
    [plain, 'name', 'block'],
    [{ name: 'a', inputSchema: { properties: { SECRET: {} } } }, 'name', 'block'],
    [{ name: 'SECRET' }, 'name', 'mask'],
    [{ uri: 'a://SECRET', name: 'a' }, 'uri', 'redact'],
  ] as const)
    assert.equal(listedItem([rule(action)], item, key, new Tally()), null, JSON.stringify(item))
  assert.equal(listedItem([rule('log')], plain, 'name', new Tally()), plain)
  assert.equal(listedItem([rule('block', { isObserved: true })], plain, 'name', new Tally()), plain)
  const argued = { name: 'p', arguments: [{ name: 'SECRET', description: 'SECRET' }] }
  assert.deepEqual(listedItem([rule('remove')], argued, 'name', new Tally()), {
    name: 'p',
    arguments: [{ name: 'SECRET', description: '' }],
  })
  const named = { uri: 'a://b', name: 'SECRET' }
  assert.deepEqual(listedItem([rule('redact')], named, 'uri', new Tally()), { uri: 'a://b', name: REDACTED })
})

test('an item that is too long to be looked at is left out, unless the rule lets failures pass', () => {
  const long = { name: 'a', description: 'x'.repeat(11_000) }
  assert.equal(listedItem([rule('redact')], long, 'name', new Tally()), null)
  assert.equal(listedItem([rule('redact', { passesFailures: true })], long, 'name', new Tally()), long)
})

test('a text for models is changed, or empty', () => {
  assert.equal(listedText([rule('redact')], 'a SECRET', new Tally()), `a ${REDACTED}`)
  assert.equal(listedText([rule('block')], 'a SECRET', new Tally()), '')
})

test('any item without something to find is the same object, and no item is changed in place', () => {
  const item = fc.dictionary(
    fc.constantFrom('name', 'title', 'description', 'inputSchema', 'arguments', 'annotations', 'uri'),
    fc.jsonValue(),
  )
  fc.assert(
    fc.property(item, fc.constantFrom<RuleAction>('redact', 'block', 'log'), (given, action) => {
      const before = JSON.stringify(given)
      const after = listedItem([rule(action)], given as Plain, 'name', new Tally())
      if (!before.includes('SECRET')) assert.equal(after, given)
      assert.equal(JSON.stringify(given), before)
    }),
    { numRuns: 300 },
  )
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { applyJson, applyPairs, applyValue } from './apply.ts'
import { applyContent } from './content.ts'
import { compileRule, type RuleSettings } from './rule.ts'
import { Tally } from './tally.ts'

const CARD = '4111 1111 1111 1111'

function rule(members: Partial<RuleSettings> = {}) {
  return compileRule({
    id: 'gdr_1',
    slug: 'one',
    detector: { detector: 'pii', kinds: ['card'] },
    action: 'redact',
    isObserved: false,
    passesFailures: false,
    refusesCompressed: false,
    bytesMax: 1000,
    ...members,
  })
}

test('a parsed value is changed field by field, names of members too, and is the same object without a finding', () => {
  const tally = new Tally()
  const clean = { a: ['x', 1] }
  assert.equal(applyValue([rule()], clean, 'response', tally).value, clean)
  const { value, stop } = applyValue([rule()], { [CARD]: [CARD, { n: 1 }] }, 'response', tally)
  assert.deepEqual([value, stop], [{ '[REDACTED:card]': ['[REDACTED:card]', { n: 1 }] }, null])
})

test('limits of size judge a parsed value as a whole', () => {
  const size = rule({ detector: { detector: 'size', depth: 2 }, action: 'block' })
  const stopOf = (value: unknown) => applyValue([size], value, 'request', new Tally()).stop
  assert.equal(stopOf([[1]]), null)
  assert.equal(stopOf([[[1]]])?.rule, size)
})

test('a blocking rule sees what the rule before it has left, and no rule after it acts', () => {
  const block = rule({ id: 'gdr_2', action: 'block' })
  const later = rule({ id: 'gdr_3' })
  const tally = new Tally()
  assert.equal(applyJson([rule(), block], JSON.stringify([CARD]), 'request', tally).stop, null)
  assert.equal(applyJson([block, later], JSON.stringify([CARD]), 'request', tally).stop?.rule, block)
  assert.deepEqual(
    tally.list().map(({ rule: id, count }) => [id, count]),
    [
      ['gdr_1', 1],
      ['gdr_2', 1],
    ],
  )
})

test('pairs without a finding keep their spelling', () => {
  const text = 'a=%41+b&&c&=d&%zz=1&e=4111111111111111'
  const { value } = applyPairs([rule()], text, 'request', new Tally())
  assert.equal(value, 'a=%41+b&&c&=d&%zz=1&e=%5BREDACTED%3Acard%5D')
})

test('a sequence that cannot be decoded hides nothing beside it', () => {
  const encoded = [...'4111111111111111'].map((digit) => `%3${digit}`).join('')
  for (const rest of ['%zz', '%', '%ff', '%C3', '%E9é', '+%&a=%'])
    for (const text of [`card=${encoded}+${rest}`, `${encoded}+${rest}`, `card=${rest}+${encoded}`]) {
      const { stop } = applyPairs([rule({ action: 'block' })], text, 'request', new Tally())
      assert.equal(stop?.cause, 'found', text)
    }
})

test('a content under a schema is JSON that fits it, whatever else the media type says', () => {
  const schema = compileRule(
    {
      id: 'gdr_schema',
      slug: 'schema',
      detector: { detector: 'schema', schema: {} },
      action: 'block',
      isObserved: false,
      passesFailures: false,
      refusesCompressed: false,
      bytesMax: 1000,
    },
    (value) => value === 1,
  )
  const kindOf = (text: string, type: string): string | undefined => {
    const tally = new Tally()
    const { stop } = applyContent([schema], Buffer.from(text), type, 'request', tally)
    assert.equal(stop !== null, tally.entries.length > 0)
    return Object.keys(tally.entries[0]?.hits['schema'] ?? {})[0]
  }
  assert.equal(kindOf('1', 'application/json'), undefined)
  assert.equal(kindOf('2', 'application/json'), 'schema')
  assert.equal(kindOf('1\n1\n', 'application/x-ndjson'), undefined)
  assert.equal(kindOf('1\n2\n', 'application/x-ndjson'), 'schema')
  for (const type of [
    'text/plain',
    'application/pdf',
    'application/x-www-form-urlencoded',
    'multipart/form-data',
  ])
    assert.equal(kindOf('1', type), 'not_json', type)
  assert.equal(kindOf('data: 1\n\n', 'text/event-stream'), undefined)
})

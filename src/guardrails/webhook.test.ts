import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { WebhookSettings } from '../detectors/settings.ts'
import { readWebhookAnswer, webhookBody } from './webhook.ts'

const PRESIDIO: WebhookSettings = {
  detector: 'webhook',
  format: 'presidio',
  timeout_ms: 1,
} as WebhookSettings
const SIGNED: WebhookSettings = { ...PRESIDIO, format: 'signed' }
const read = (settings: WebhookSettings, texts: readonly string[], answer: unknown) =>
  readWebhookAnswer(
    settings,
    texts.map((text) => ({ name: '', text })),
    Buffer.from(typeof answer === 'string' ? answer : JSON.stringify(answer)),
  )
const entity = (start: number, end: number, more = {}) => ({
  entity_type: 'PERSON',
  start,
  end,
  score: 0.9,
  ...more,
})

test('places of an analyzer count characters over all texts, and are given by text in code units', () => {
  const answer = read(PRESIDIO, ['😀 Ada', 'of', 'Ada'], [entity(2, 5), entity(9, 12), entity(4, 7)])
  assert.deepEqual(answer, {
    kind: 'places',
    places: [
      [
        { start: 3, end: 6, kind: 'person', confidence: 0.9 },
        { start: 5, end: 6, kind: 'person', confidence: 0.9 },
      ],
      [{ start: 0, end: 1, kind: 'person', confidence: 0.9 }],
      [{ start: 0, end: 3, kind: 'person', confidence: 0.9 }],
    ],
  })
})

test('kinds that Postern knows have its names, and scores below the threshold and allowed values do not count', () => {
  const settings = { ...PRESIDIO, threshold: 0.8, allow: ['ada'] }
  const found = [entity(0, 3), entity(4, 7, { entity_type: 'CREDIT_CARD' }), entity(4, 7, { score: 0.7 })]
  assert.deepEqual(read(settings, ['Ada 411'], found), {
    kind: 'places',
    places: [[{ start: 4, end: 7, kind: 'card', confidence: 0.9 }]],
  })
})

test('names of members stand before their values, and nothing in them is found', () => {
  const texts = [{ name: 'card', text: '411' }]
  const body = JSON.parse(webhookBody({ slug: 'a' }, PRESIDIO, 'request', texts))
  assert.equal(body.text, 'card: 411')
  const answer = readWebhookAnswer(PRESIDIO, texts, Buffer.from(JSON.stringify([entity(0, 9)])))
  assert.deepEqual(answer, {
    kind: 'places',
    places: [[{ start: 0, end: 3, kind: 'person', confidence: 0.9 }]],
  })
})

test('what is no answer is a failure', () => {
  for (const answer of [
    '',
    '{',
    {},
    [1],
    [entity(0, 99)],
    [entity(2, 1)],
    [entity(-1, 1)],
    [entity(0, 1.5)],
    [entity(0, 1, { entity_type: 'a b' })],
    [entity(0, 1, { score: '1' })],
  ])
    assert.equal(read(PRESIDIO, ['a b'], answer).kind, 'failed', JSON.stringify(answer))
  for (const answer of [
    [],
    {},
    { verdict: 'maybe' },
    { verdict: 'modify' },
    { verdict: 'modify', texts: [] },
    { verdict: 'modify', texts: [1] },
  ])
    assert.equal(read(SIGNED, ['a b'], answer).kind, 'failed', JSON.stringify(answer))
})

test('any answer gives places within their texts, or a failure', () => {
  const offset = fc.oneof(fc.nat(40), fc.anything())
  const one = fc.record({
    entity_type: fc.constantFrom('A', 'B_C', ''),
    start: offset,
    end: offset,
    score: fc.double(),
  })
  fc.assert(
    fc.property(
      fc.array(fc.string({ unit: 'binary' })),
      fc.oneof(fc.array(one), fc.jsonValue()),
      (texts, given) => {
        for (const settings of [PRESIDIO, SIGNED]) {
          const answer = read(
            settings,
            texts,
            JSON.stringify(given, (_key, value) => (typeof value === 'bigint' ? 1 : value)) ?? '',
          )
          if (answer.kind !== 'places') continue
          assert.equal(answer.places.length, texts.length)
          for (const [index, places] of answer.places.entries())
            for (const { start, end } of places)
              assert.ok(start >= 0 && start < end && end <= texts[index]!.length)
        }
      },
    ),
    { numRuns: 500 },
  )
})

test('an answer with many places over many texts is a failure, and costs no time that grows with both', () => {
  const texts = Array.from({ length: 10_000 }, () => 'a')
  const answer = read(
    PRESIDIO,
    texts,
    Array.from({ length: 10_000 }, () => entity(0, 19_999)),
  )
  assert.equal(answer.kind, 'failed')
})

test('an answer that gives a long text again and again costs no time that grows with both', () => {
  const text = 'A'.repeat(200_000)
  const answer = read(
    { ...PRESIDIO, allow: ['aaa'] },
    [text],
    [...Array.from({ length: 20_000 }, () => entity(0, text.length)), entity(0, 3)],
  )
  assert.ok(answer.kind === 'places')
  assert.equal(answer.places[0]!.length, 20_000)
})

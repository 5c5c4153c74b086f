import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type AskWebhook, judgedWith, type WebhookAnswer } from './asked.ts'
import { applyContent } from './content.ts'
import { compileRule, type Rule, type RuleAction } from './rule.ts'
import { Tally } from './tally.ts'

const base = { isObserved: false, passesFailures: false, refusesCompressed: false, bytesMax: 10_000 }
const webhook = (slug: string, action: RuleAction, more: Partial<typeof base> = {}): Rule =>
  compileRule({
    ...base,
    ...more,
    id: `gdr_${slug}`,
    slug,
    detector: { detector: 'webhook', format: action === 'decide' ? 'signed' : 'presidio', timeout_ms: 1000 },
    action,
  })
const word = (pattern: string, action: RuleAction): Rule =>
  compileRule({
    ...base,
    id: `gdr_${pattern}`,
    slug: pattern,
    detector: { detector: 'regex', patterns: [{ kind: 'word', pattern }] },
    action,
  })

/** Finds a word, as an analyzer would. */
const finds =
  (wanted: string): AskWebhook =>
  async (_rule, _leg, texts) => ({
    kind: 'places',
    places: texts.map(({ text }) =>
      [...text.matchAll(new RegExp(wanted, 'g'))].map(({ index }) => ({
        start: index,
        end: index + wanted.length,
        kind: 'word',
        confidence: 1,
      })),
    ),
  })

async function judged(chain: readonly Rule[], text: string, ask: AskWebhook, type = 'application/json') {
  const tally = new Tally()
  const { value, stop } = await judgedWith([chain], 'request', tally, ask, (run) =>
    applyContent(run.chain(chain), Buffer.from(text), type, 'request', run.tally),
  )
  return { text: Buffer.from(value).toString(), stop, hits: tally.list() }
}

test('rules without a webhook are run once, at once', () => {
  let runs = 0
  const value = judgedWith([[word('a', 'redact')], null], 'request', new Tally(), finds('a'), () => ++runs)
  assert.equal(value, 1)
})

test('each webhook is asked about what the rules before it have left', async () => {
  const asked: [string, readonly string[]][] = []
  const chain = [
    word('ONE', 'redact'),
    webhook('two', 'redact'),
    word('THREE', 'redact'),
    webhook('four', 'mask'),
  ]
  const { text } = await judged(chain, '["ONE TWO", "THREE FOUR", "ONE TWO"]', (rule, leg, texts) => {
    asked.push([rule.slug, texts.map((one) => one.text)])
    return finds(rule.slug.toUpperCase())(rule, leg, texts)
  })
  assert.equal(
    text,
    '["[REDACTED:word] [REDACTED:word]", "[REDACTED:word] ********", "[REDACTED:word] [REDACTED:word]"]',
  )
  assert.deepEqual(asked, [
    ['two', ['[REDACTED:word] TWO', 'THREE FOUR']],
    ['four', ['[REDACTED:word] [REDACTED:word]', '[REDACTED:word] FOUR']],
  ])
})

test('a rule that is not run by the one who asks is a failure', () => {
  const chain = [webhook('one', 'redact')]
  const { stop } = applyContent(chain, Buffer.from('"a"'), 'application/json', 'request', new Tally())
  assert.deepEqual([stop?.cause, stop?.reason], ['failed', 'the webhook was not called'])
})

test('a failure is counted once, and decided by the failure mode', async () => {
  const down: AskWebhook = async () => ({ kind: 'failed', reason: 'it is down' })
  const closed = await judged([webhook('one', 'redact')], '["a","b"]', down)
  assert.deepEqual([closed.stop?.reason, closed.hits[0]?.count], ['it is down', 1])
  const open = await judged([webhook('one', 'redact', { passesFailures: true })], '["a","b"]', down)
  assert.deepEqual([open.stop, open.text, open.hits[0]?.action], [null, '["a","b"]', 'failed'])
})

test('a rule that throws is a failure, and no promise is rejected', async () => {
  const broken: Rule = {
    ...word('a', 'redact'),
    detectors: {
      ...word('a', 'redact').detectors,
      find() {
        throw new RangeError('too deep')
      },
    },
  }
  const { stop } = await judged([webhook('one', 'redact'), broken], '["a"]', finds('a'))
  assert.deepEqual([stop?.cause, stop?.reason], ['failed', 'the content cannot be checked'])
})

test('texts of which there are more bytes than max_body are not sent to a webhook', async () => {
  const refuse: AskWebhook = () => assert.fail('it was asked')
  const { stop } = await judged(
    [webhook('one', 'redact', { bytesMax: 10 })],
    'x'.repeat(11),
    refuse,
    'text/plain',
  )
  assert.equal(stop?.reason, 'the content is longer than max_body')
})

test('a verdict holds for all texts: pass, block, and other texts in their places', async () => {
  const chain = [webhook('one', 'decide')]
  const say =
    (answer: WebhookAnswer): AskWebhook =>
    () =>
      Promise.resolve(answer)
  assert.equal((await judged(chain, '{"a": "b"}', say({ kind: 'pass' }))).text, '{"a": "b"}')
  const blocked = await judged(chain, '{"a": "b"}', say({ kind: 'block' }))
  assert.deepEqual(
    [blocked.stop?.cause, blocked.hits.map(({ action, count }) => [action, count])],
    ['found', [['block', 1]]],
  )
  const modified = await judged(chain, '{"a": "b"}', say({ kind: 'modify', texts: ['a', '"c"'] }))
  assert.deepEqual([modified.text, modified.hits[0]?.action], ['{"a": "\\"c\\""}', 'replace'])
  const observed = await judged(
    [webhook('one', 'decide', { isObserved: true })],
    '{"a": "b"}',
    say({ kind: 'block' }),
  )
  assert.deepEqual([observed.stop, observed.hits[0]?.observed], [null, true])
})

test('a webhook is asked about each value, also where a name and a text have what parts them', async () => {
  const given = '{"a": "XY\\u0000b", "a\\u0000XY": "b", "1": "XY", "": "1 XY"}'
  const { text } = await judged([webhook('one', 'redact')], given, finds('XY'))
  assert.doesNotMatch(text, /XY/)
})

test('any JSON gives what a rule of the same pattern in this process gives', async () => {
  await fc.assert(
    fc.asyncProperty(fc.jsonValue(), async (value) => {
      const text = JSON.stringify(value).replaceAll('a', 'XY')
      const here = await judged([word('XY', 'redact')], text, finds(''))
      const there = await judged([webhook('one', 'redact')], text, finds('XY'))
      assert.equal(there.text, here.text)
      assert.equal(there.hits[0]?.count, here.hits[0]?.count)
    }),
    { numRuns: 300 },
  )
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { ALONE, executedLater } from '../../../test/support/executed.ts'
import type { Plain } from '../../base/json/storable.ts'
import { NodeFailure, type UsedTokens } from '../run.ts'
import { llmNode } from './definition.ts'
import { llmRun, readCompletion, statusFailure } from './run.ts'

const CONFIG = { base_url: 'https://api.example.com/v1', model: 'small' }
const MESSAGES = { messages: [{ role: 'user', content: 'hi' }] }
const NO_USAGE = { prompt_tokens: null, completion_tokens: null, total_tokens: null }

/** Runs the node once with an answer of the server. */
async function asked(config: Plain, response: Plain) {
  const requests: unknown[] = []
  const tokens: UsedTokens[] = []
  const result = await executedLater(llmRun, { ...CONFIG, ...config }, MESSAGES, {
    ...ALONE,
    callServer: async (request) => {
      requests.push(request)
      return response
    },
    countTokens: (used) => void tokens.push(used),
  })
  return { result, requests, tokens }
}
const answered = (message: Plain, more: Plain = {}): Plain => ({
  status: 200,
  headers: {},
  body: { choices: [{ message, finish_reason: 'stop' }], ...more },
})

test('the request has the settings and the messages, and the tokens of the answer are counted', async () => {
  const usage = { prompt_tokens: 3, completion_tokens: 2 }
  const { result, requests, tokens } = await asked(
    {},
    answered({ content: 'hello' }, { usage, model: 'small-2' }),
  )
  assert.deepEqual(requests, [
    {
      method: 'POST',
      path: '/chat/completions',
      bytesMax: 1_048_576,
      body: { model: 'small', max_tokens: 1024, ...MESSAGES },
    },
  ])
  assert.deepEqual(result, {
    handle: 'success',
    outputs: {
      ...{ text: 'hello', json: null, errors: [], model: 'small-2', finish_reason: 'stop' },
      usage: { ...usage, total_tokens: 5 },
    },
  })
  assert.deepEqual(tokens, [{ model: 'small', ...usage, total_tokens: 5 }])
})

test('a schema takes any JSON value, also one that is no object', async () => {
  for (const [schema, content, json] of [
    [true, 'null', null],
    [{ type: 'array' }, ' [1, 2] ', [1, 2]],
    [{ const: 7 }, '7', 7],
  ] as const)
    assert.deepEqual((await asked({ schema }, answered({ content }))).result.outputs['json'], json)
})

test('settings with faults name no server', () => {
  const { destination } = llmNode
  assert.deepEqual(destination!(CONFIG), {
    member: 'base_url',
    url: CONFIG.base_url,
    credential: null,
    tls: null,
  })
  for (const config of [{}, { ...CONFIG, base_url: 'ftp://a' }, { ...CONFIG, verify: false }])
    assert.equal(destination!(config), null, JSON.stringify(config))
})

test('whatever a server answers, the node has outputs of the types that it promises, or fails', async () => {
  const anything = fc.anything({ withNullPrototype: true, maxDepth: 4 })
  const nearly = fc.record(
    {
      choices: fc.array(
        fc.record({ message: fc.record({ content: anything, refusal: anything }), finish_reason: anything }),
        { maxLength: 2 },
      ),
      usage: fc.record({ prompt_tokens: anything, completion_tokens: fc.integer(), total_tokens: anything }),
      model: anything,
    },
    { requiredKeys: [] },
  )
  await fc.assert(
    fc.asyncProperty(
      fc.oneof(anything, nearly),
      fc.oneof({ arbitrary: fc.constant(200), weight: 3 }, fc.integer({ min: 100, max: 599 })),
      fc.dictionary(fc.constantFrom('retry-after', 'date'), anything),
      fc.boolean(),
      async (body, status, headers, hasSchema) => {
        const schema = hasSchema ? { type: 'object' } : null
        try {
          const { result, tokens } = await asked({ schema }, { status, headers, body })
          const { text, json, usage, model, finish_reason } = result.outputs
          for (const name of [text, model, finish_reason]) assert.equal(typeof name, 'string')
          assert.equal(typeof json, 'object')
          for (const count of Object.values(usage as object))
            assert.ok(count === null || (Number.isInteger(count) && count >= 0))
          assert.equal(tokens.length, 1)
        } catch (error) {
          assert.ok(error instanceof NodeFailure, String(error))
          assert.match(error.kind, /^(?:\d{3}|malformed|refused|length|schema)$/)
          const wait = error.told?.retryAfterMs ?? 1
          assert.ok(wait > 0 && wait <= 86_400_000, `${wait}`)
        }
      },
    ),
  )
})

test('members of the prototype are no members of an answer', () => {
  const body: unknown = JSON.parse('{"__proto__":{"choices":[{"message":{"content":"a"}}]},"toString":1}')
  assert.equal(readCompletion(body).fault, 'it has no choice with a message')
  assert.deepEqual(readCompletion(body).usage, NO_USAGE)
})

test('the server says in seconds or as a date when it takes another call', () => {
  const now = Date.UTC(2026, 4, 1, 12)
  const wait = (value: unknown, status = 429) =>
    statusFailure(status, { 'retry-after': value }, null, now).told?.retryAfterMs
  assert.deepEqual(
    [wait('7'), wait('0.5'), wait('Fri, 01 May 2026 12:00:09 GMT', 503), wait('999999999')],
    [7000, 500, 9000, 86_400_000],
  )
  for (const value of ['0', '', '-1', '1e3', ' 7', '7, 8', 7, null, ['7']])
    assert.equal(wait(value), undefined)
  assert.equal(wait('7', 400), undefined, 'another call would do no better')
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { parseKeepingDigits, withDigits } from '../../../base/json/exact.ts'
import { compileRule, type Rule, type RuleAction } from '../../../guardrails/rule.ts'
import type { McpGuardrails } from '../../../snapshot/linked-types/guardrail.ts'
import type { Members } from '../../protocol/message.ts'
import type { RelayedAnswer, RelayedRequest } from '../../protocol/relay-port.ts'
import { MessageGuard } from './message-guard.ts'

const rule = (action: RuleAction, bytesMax = 10_000): Rule =>
  compileRule({
    id: `gdr_${action}`,
    slug: action,
    detector: { detector: 'regex', patterns: [{ kind: 'word', pattern: 'SECRET' }] },
    action,
    isObserved: false,
    passesFailures: false,
    refusesCompressed: false,
    bytesMax,
  })
const guard = (legs: Partial<McpGuardrails>, schema: unknown = null): MessageGuard =>
  new MessageGuard({ request: null, response: null, list: null, fault: null, ...legs }, schema, () =>
    Promise.resolve({ kind: 'pass' }),
  )
const result = (value: unknown) => ({ kind: 'result', text: JSON.stringify(value) }) as const
const REDACTED = '[REDACTED:word]'

test('what the client sends is looked at field by field: arguments, answers to questions and values to complete', () => {
  const redact = guard({ request: [rule('redact')] })
  assert.deepEqual(
    redact.request({
      name: 'SECRET',
      arguments: { a: 'SECRET' },
      inputResponses: { q: { content: 'SECRET' } },
    }),
    { name: 'SECRET', arguments: { a: REDACTED }, inputResponses: { q: { content: REDACTED } } },
  )
  const completed = redact.request({ ref: {}, argument: { name: 'a', value: 'SECRET' } })
  assert.deepEqual(completed, { ref: {}, argument: { name: 'a', value: REDACTED } })
  const uri = { uri: 'a://SECRET' }
  assert.equal(redact.request(uri), uri, 'the URI that was admitted is the URI that is read')
  const block = guard({ request: [rule('block')] })
  assert.equal(block.request(uri), null)
  assert.equal(block.refusal?.code, 'guardrail_blocked')
  // Members of a client are no decision
  const named = { rule: {}, cause: 'found', arguments: {} }
  assert.equal(guard({ request: [rule('block')] }).request(named), named)
})

test('what rules have read as a double goes on as that double, whichever way', () => {
  const params = parseKeepingDigits('{"name":"a","arguments":{"n":12345678901234567890}}') as Members
  const sent = guard({ request: [rule('redact')] }).request(params)
  assert.equal(JSON.stringify(withDigits(sent)), '{"name":"a","arguments":{"n":12345678901234567000}}')
  assert.equal(guard({ response: [rule('redact')] }).request(params), params)
  const one = '{"n":1234567890123456789}'
  const asDouble = '{"n":1234567890123456800}'
  const told: string[] = []
  let asked: unknown = null
  const request = {
    notify: (text: string) => void told.push(text),
    ask: (_method: string, _params: Members, done: (answer: Members) => void) =>
      done(parseKeepingDigits(`{"content":${one}}`) as Members),
  } as unknown as RelayedRequest
  guard({ request: [rule('redact')] }).talk(request).ask!('elicitation/create', {}, (answer) => {
    asked = answer
  })
  assert.equal(JSON.stringify(withDigits(asked)), `{"content":${asDouble}}`)
  const response = guard({ response: [rule('redact')] })
  response.talk(request).notify(`{"method":"a","params":${one}}`)
  assert.deepEqual(told, [`{"method":"a","params":${asDouble}}`])
  const answer = response.answer({ kind: 'result', text: `{"structuredContent":${one}}` })
  assert.deepEqual(answer, { kind: 'result', text: `{"structuredContent":${asDouble}}` })
  const data = parseKeepingDigits(one)
  const error = response.answer({ kind: 'error', code: -1, message: '', data })
  assert.equal(JSON.stringify(withDigits((error as { readonly data?: unknown }).data)), asDouble)
})

test('rules see _meta and members that Postern does not know, and leave the protocol version as it is', () => {
  const version = { 'io.modelcontextprotocol/protocolVersion': '2026-07-28', progressToken: 'SECRET' }
  const info = { 'io.modelcontextprotocol/clientInfo': { name: 'SECRET' }, 'acme/own': ['SECRET'] }
  const params = { name: 'a', other: { b: 'SECRET' }, _meta: { ...version, ...info } }
  assert.deepEqual(guard({ request: [rule('redact')] }).request(params), {
    name: 'a',
    other: { b: REDACTED },
    _meta: {
      ...version,
      'io.modelcontextprotocol/clientInfo': { name: REDACTED },
      'acme/own': [REDACTED],
    },
  })
  const block = (sent: Members): unknown => guard({ request: [rule('block')] }).request(sent)
  assert.equal(block({ name: 'a', _meta: { 'acme/own': 'SECRET' } }), null)
  assert.equal(block({ name: 'a', requestState: 'SECRET' }), null)
  const only = { name: 'a', _meta: version }
  assert.equal(block(only), only)
})

test('questions of an origin and answers of the client pass the rules of both legs', () => {
  const asked: unknown[] = []
  const answers: (Members | null)[] = []
  const request = {
    notify() {},
    ask: (_method: string, params: Members, done: (answer: Members | null) => void) => {
      asked.push(params)
      done({ content: { name: 'SECRET' } })
    },
  } as unknown as RelayedRequest
  const both = guard({ request: [rule('mask')], response: [rule('redact')] })
  both.talk(request).ask!('elicitation/create', { message: 'SECRET?' }, (answer) => answers.push(answer))
  assert.deepEqual([...asked], [{ message: `${REDACTED}?` }])
  assert.deepEqual([...answers], [{ content: { name: '********' } }])
  const blocking = guard({ response: [rule('block')] })
  blocking.talk(request).ask!('elicitation/create', { message: 'SECRET?' }, (answer) => answers.push(answer))
  assert.equal(asked.length, 1, 'a question that is blocked is not put')
  assert.equal(answers[1], null)
})

test('notifications are changed, and left out where a rule blocks', () => {
  const heard: string[] = []
  const request = { notify: (text: string) => heard.push(text), ask: null } as unknown as RelayedRequest
  const note = (data: string) =>
    JSON.stringify({ jsonrpc: '2.0', method: 'notifications/message', params: { data } })
  const changing = guard({ response: [rule('redact')] }).talk(request)
  changing.notify(note('SECRET'))
  changing.notify(note('plain'))
  guard({ response: [rule('block')] })
    .talk(request)
    .notify(note('SECRET'))
  assert.deepEqual(heard, [note(REDACTED), note('plain')])
})

test('results keep their form: what says of what kind they are is not looked at', () => {
  const given = {
    resultType: 'complete',
    content: [
      { type: 'text', text: 'a SECRET' },
      { type: 'text', text: '{"SECRET": 1.0, "b": "SECRET"}' },
      { type: 'image', data: 'SECRET', mimeType: 'image/png' },
      { type: 'resource_link', uri: 'a://b', name: 'SECRET', description: 'SECRET' },
    ],
    structuredContent: { data: 'SECRET' },
    isError: false,
  }
  const answer = guard({ response: [rule('redact')] }).answer(result(given))
  assert.deepEqual(JSON.parse((answer as { text: string }).text), {
    ...given,
    content: [
      { type: 'text', text: `a ${REDACTED}` },
      { type: 'text', text: `{"${REDACTED}": 1.0, "b": "${REDACTED}"}` },
      given.content[2],
      { type: 'resource_link', uri: 'a://b', name: REDACTED, description: REDACTED },
    ],
    structuredContent: { data: REDACTED },
  })
  const error = guard({ response: [rule('redact')] }).answer({
    kind: 'error',
    code: -32_000,
    message: 'SECRET',
  })
  assert.deepEqual(error, { kind: 'error', code: -32_000, message: REDACTED })
})

test('changed structured content fits the output schema of the tool, or is refused', () => {
  const schema = { type: 'object', properties: { a: { type: 'string', maxLength: 10 } } }
  const under = (a: string) => {
    const one = guard({ response: [rule('redact')] }, schema)
    return [one.answer(result({ content: [], structuredContent: { a } })), one.refusal?.code]
  }
  assert.deepEqual(under('SECRET'), [null, 'response_invalid'])
  const short = guard({ response: [rule('remove')] }, schema)
  assert.notEqual(short.answer(result({ content: [], structuredContent: { a: 'SECRET' } })), null)
  const broken = guard({ response: [rule('redact')] }, { type: 'nothing' })
  assert.equal(broken.answer(result({ structuredContent: { a: 'SECRET' } })), null)
})

test('a schema is one of arguments and of structured content; a result without any does not fit', () => {
  const fits = compileRule(
    {
      id: 'gdr_schema',
      slug: 'schema',
      detector: { detector: 'schema', schema: {} },
      action: 'block',
      isObserved: false,
      passesFailures: false,
      refusesCompressed: false,
      bytesMax: 10_000,
    },
    (value) => (value as { a?: unknown }).a === 1,
  )
  const both = () => guard({ request: [fits], response: [fits] })
  const given = { name: 'b', arguments: { a: 1 } }
  assert.equal(both().request(given), given)
  assert.equal(both().request({ name: 'b', arguments: { a: 2 } }), null)
  const passes = (value: object) => both().answer(result(value)) !== null
  assert.ok(passes({ content: [{ type: 'text', text: 'b' }], structuredContent: { a: 1 } }))
  assert.ok(!passes({ content: [], structuredContent: { a: 2 } }))
  assert.ok(!passes({ content: [{ type: 'text', text: '{"a":1}' }] }))
  assert.ok(passes({ content: [], isError: true }))
  assert.ok(passes({ contents: [{ uri: 'a://b', text: 'b' }] }), 'a resource')
  assert.notEqual(both().answer({ kind: 'error', code: 1, message: 'b' }), null)
})

test('a result that is too long to be looked at is refused', () => {
  const short = guard({ response: [rule('redact', 100)] })
  assert.equal(short.answer(result({ content: [{ type: 'text', text: 'x'.repeat(200) }] })), null)
  assert.deepEqual([short.refusal?.code, short.tally.list()[0]?.action], ['response_blocked', 'failed'])
})

test('any result without something to find passes as its origin wrote it, and with it none of it is left', () => {
  const block = fc.record({
    type: fc.constant('text'),
    text: fc.oneof(fc.string(), fc.json(), fc.constant('a SECRET')),
  })
  const any = fc.record(
    {
      content: fc.oneof(fc.array(block), fc.jsonValue()),
      structuredContent: fc.jsonValue(),
      contents: fc.array(fc.record({ uri: fc.string(), text: fc.constantFrom('SECRET', 'b') })),
      messages: fc.array(fc.record({ role: fc.constant('user'), content: block })),
      _meta: fc.dictionary(fc.string(), fc.constantFrom('SECRET', 1, null)),
    },
    { requiredKeys: [] },
  )
  fc.assert(
    fc.property(any, (given) => {
      const asked = result(given)
      const answer = guard({ response: [rule('redact')] }).answer(asked) as RelayedAnswer
      assert.ok(answer !== null && answer.kind === 'result')
      if (asked.text.includes('SECRET'))
        assert.ok(!answer.text.replaceAll(REDACTED, '').includes('SECRET'), answer.text)
      else assert.equal(answer, asked)
    }),
    { numRuns: 500 },
  )
})

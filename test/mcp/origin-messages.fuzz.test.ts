/** Messages of all shapes from an origin: each call has its answer, and nothing that an origin says is a fault of the gateway. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { anyJson } from '../support/any-json.ts'
import { eventually } from '../support/eventually.ts'
import { fuzzCases } from '../support/long.ts'
import { ERAS, rawClient } from './raw-client.ts'
import { startScriptedOrigin } from './scripted-origin.ts'
import { startVirtualMcp } from './virtual-mcp.ts'

type Content = Readonly<Record<string, unknown>>

const any = anyJson({ maxDepth: 2 })
const some = <T>(known: fc.Arbitrary<T>): fc.Arbitrary<unknown> =>
  fc.oneof({ weight: 3, arbitrary: known }, { weight: 1, arbitrary: any })
const members = (model: Record<string, fc.Arbitrary<unknown>>): fc.Arbitrary<Content> =>
  fc.record(model, { requiredKeys: [] })

const said = fc.record(
  {
    method: some(
      fc.constantFrom(
        ...['notifications/progress', 'notifications/message', 'notifications/resources/updated', 'ping'],
        ...[
          'notifications/tools/list_changed',
          'notifications/cancelled',
          'elicitation/create',
          'roots/list',
        ],
      ),
    ),
    id: any,
    params: some(
      members({
        progressToken: any,
        level: any,
        uri: any,
        requestId: any,
        mode: any,
        url: any,
        message: any,
      }),
    ),
  },
  { requiredKeys: ['method'] },
)
const block = some(
  members({
    type: fc.constantFrom('text', 'resource', 'resource_link'),
    text: any,
    uri: any,
    resource: some(members({ uri: any })),
  }),
)
const page = some(members({ url: some(fc.constant('https://pages.example.com/')), message: any }))
const answer = fc.oneof(
  fc.record({
    result: some(
      members({
        resultType: some(fc.constantFrom('complete', 'input_required', 'task')),
        content: some(fc.array(block)),
        isError: some(fc.boolean()),
        inputRequests: any,
        _meta: any,
      }),
    ),
  }),
  fc.record({
    error: some(
      members({
        code: some(fc.constantFrom(-32042, -32002, -32021, -32602, -31000)),
        message: any,
        data: some(members({ elicitations: some(fc.array(page)), requiredCapabilities: any, uri: any })),
      }),
    ),
  }),
)

test('whatever an origin says in a call and beside it, the call is answered and the gateway is at no fault', async () => {
  let [before, last]: [readonly Content[], Content] = [[], {}]
  await using origin = await startScriptedOrigin(
    ({ id, say, out }) => {
      for (const message of before) say(message)
      say({ ...last, id })
      out.end()
    },
    undefined,
    true,
  )
  const timeouts = { connect: '1s', first_byte: '1s', idle: '1s', total: '1s' }
  await using desk = await startVirtualMcp({ demo: origin.url }, { timeouts })
  desk.watch()
  await eventually(() => origin.streams.size > 0)
  const able = { elicitation: { form: {}, url: {} }, roots: {} }
  const clients = await Promise.all(ERAS.map((era) => rawClient(desk, era, able)))
  await fc.assert(
    fc.asyncProperty(
      ...([fc.array(said, { maxLength: 3 }), answer, fc.array(said, { maxLength: 3 }), fc.nat(1)] as const),
      async (first, given, beside, by) => {
        ;[before, last] = [first, given]
        for (const stream of origin.streams)
          for (const message of beside)
            stream.write(`data: ${JSON.stringify({ jsonrpc: '2.0', ...message })}\n\n`)
        const { status, text, messages } = await clients[by]!.ask('tools/call', {
          name: 'work',
          arguments: {},
          _meta: { progressToken: 1 },
        })
        assert.ok(status === 200 || status === 400, text)
        const response = messages.at(-1)!
        assert.notEqual(response.error?.message, 'Internal error')
        assert.doesNotMatch(text, /"internal_error"/)
      },
    ),
    { numRuns: fuzzCases(80, 5000) },
  )
  assert.deepEqual(desk.served.faults, [])
})

/** Numbers pass a virtual MCP with the digits that they were written with, where nothing decides by them. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseExact } from '../../src/base/json/exact.ts'
import { ERAS, rawClient } from './raw-client.ts'
import { type Offer, startRecordingOrigin } from './recording-origin.ts'
import { startVirtualMcp } from './virtual-mcp.ts'

const NUMBERS = ['12345678901234567890', '9007199254740993', '1.0', '0.10', '1e400', '3.14159265358979323846']
const TEXT = `{"ids":[${NUMBERS.join()}],"one":${NUMBERS[0]},"in":{"amount":1.50}}`
/** Written as it stands by JSON.stringify. */
const VALUE = parseExact(TEXT) as Readonly<Record<string, unknown>>
const OFFER: Offer = {
  tools: [
    { name: 'open', inputSchema: { type: 'object' } },
    {
      name: 'mirrored',
      inputSchema: { type: 'object', properties: { one: { type: 'integer', 'x-mcp-header': 'One' } } },
    },
  ],
  // Not in the order in which Postern passes bytes unread
  result: {
    structuredContent: VALUE,
    content: [{ type: 'text', text: 'done' }],
    unknown: null,
    _meta: { n: VALUE },
  },
}

const argumentsIn = (bodies: readonly string[]): string[] =>
  bodies.flatMap((body) => /"arguments":(\{.*?\}\})[,}]/.exec(body)?.[1] ?? [])

for (const originEra of ERAS)
  for (const era of ERAS)
    test(`arguments and results keep their digits: a ${era} client at a ${originEra} origin`, async () => {
      await using origin = await startRecordingOrigin(originEra, OFFER)
      await using desk = await startVirtualMcp({ one: origin.url })
      const client = await rawClient(desk, era)
      origin.forget()
      const { text } = await client.ask('tools/call', { name: 'open', arguments: VALUE })
      assert.deepEqual(argumentsIn(origin.bodies), [TEXT])
      assert.ok(text.includes(`"structuredContent":${TEXT}`), text)
    })

test('fixed arguments are added beside numbers with their digits', async () => {
  await using origin = await startRecordingOrigin('modern', OFFER)
  await using desk = await startVirtualMcp({ one: origin.url })
  const tools = [{ match: { exact: 'open' }, projection: { fixed: { team: { own: {} } } } }]
  desk.publish({ members: [{ origin: 'ori_one', capability_policy: { tools } }] })
  const client = await rawClient(desk, 'modern')
  origin.forget()
  await client.ask('tools/call', { name: 'open', arguments: VALUE })
  assert.match(
    origin.bodies.join(),
    /"arguments":\{"ids":\[12345678901234567890,.*"one":12345678901234567890,.*"team"/,
  )
})

test('a number that a condition has judged is sent as the double that it saw', async () => {
  await using origin = await startRecordingOrigin('modern', OFFER)
  await using desk = await startVirtualMcp({ one: origin.url })
  const tools = [{ match: { exact: 'open' }, when: 'arguments.one != 9007199254740993.0' }]
  desk.publish({ members: [{ origin: 'ori_one', capability_policy: { tools } }] })
  const client = await rawClient(desk, 'modern')
  origin.forget()
  await client.ask('tools/call', { name: 'open', arguments: VALUE })
  const asJudged =
    '{"ids":[12345678901234567000,9007199254740992,1,0.1,null,3.141592653589793],"one":12345678901234567000,"in":{"amount":1.5}}'
  assert.deepEqual(argumentsIn(origin.bodies), [asJudged])
})

test('a number that also travels in a header is the same there and in the body', async () => {
  await using origin = await startRecordingOrigin('modern', OFFER)
  await using desk = await startVirtualMcp({ one: origin.url })
  const client = await rawClient(desk, 'modern')
  origin.forget()
  const given = parseExact('{"one":5.0,"in":{}}') as Readonly<Record<string, unknown>>
  await client.ask('tools/call', { name: 'mirrored', arguments: given }, undefined, { 'mcp-param-one': '5' })
  assert.deepEqual(argumentsIn(origin.bodies), ['{"one":5,"in":{}}'])
})

/** `requestState` of origins of 2026-07-28: it passes between client and origin as it is. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Fixture, startFixture } from './fixture/fixture.ts'
import { type RawAnswer, rawClient } from './raw-client.ts'
import { startVirtualMcp } from './virtual-mcp.ts'

const TOOL = 'test_input_required_result_request_state'
const CAPABILITIES = { elicitation: { form: {} } }
const ANSWERS = { confirm: { action: 'accept', content: { ok: true } } }

const resultOf = ({ messages }: RawAnswer): Readonly<Record<string, unknown>> | undefined =>
  messages.at(-1)!.result

/** Requests of tools that an origin got: the state in each, or none. */
const statesAt = ({ requests }: Fixture): readonly unknown[] =>
  requests.flatMap(({ rpcMethod, body }) =>
    rpcMethod === 'tools/call'
      ? [(JSON.parse(body) as { params: { requestState?: unknown } }).params.requestState]
      : [],
  )

test('the retry reaches the origin that has asked, with the very state, and no other origin', async () => {
  await using first = await startFixture({ eras: 'modern' })
  await using second = await startFixture({ eras: 'modern' })
  await using desk = await startVirtualMcp({ one: first.url, two: second.url })
  const client = await rawClient(desk, 'modern', CAPABILITIES)
  for (const [name, asked, other] of [
    [TOOL, first, second],
    [`two_${TOOL}`, second, first],
  ] as const) {
    for (const origin of [first, second]) origin.forgetRequests()
    const question = resultOf(await client.ask('tools/call', { name, arguments: {} }))
    assert.equal(question?.['resultType'], 'input_required')
    const { requestState } = question
    assert.equal(typeof requestState, 'string')
    const retry = { name, arguments: {}, inputResponses: ANSWERS, requestState }
    const answer = resultOf(await client.ask('tools/call', retry))
    assert.deepEqual(answer?.['content'], [{ type: 'text', text: 'state-ok' }])
    assert.deepEqual(statesAt(asked), [undefined, requestState])
    assert.deepEqual(statesAt(other), [])
  }
})

test('whose state it is, and for which tool, is for its origin to judge: Postern passes it and adds nothing', async () => {
  await using first = await startFixture({ eras: 'modern' })
  await using second = await startFixture({ eras: 'modern' })
  await using desk = await startVirtualMcp({ one: first.url, two: second.url })
  const client = await rawClient(desk, 'modern', CAPABILITIES)
  const { requestState } = resultOf(await client.ask('tools/call', { name: TOOL, arguments: {} }))!
  desk.assignStranger()
  const stranger = await rawClient({ ...desk, headers: desk.strangerHeaders }, 'modern', CAPABILITIES)
  for (const [state, name, asked] of [
    [requestState, TOOL, first],
    [requestState, `two_${TOOL}`, second],
    ['forged', TOOL, first],
  ] as const) {
    asked.forgetRequests()
    const retry = { name, arguments: {}, inputResponses: ANSWERS, requestState: state }
    const { status } = await stranger.ask('tools/call', retry)
    assert.equal(status, 200)
    assert.deepEqual(statesAt(asked), [state])
  }
  // A capability that the caller does not see is unknown, whatever state comes with it
  desk.publish({ members: [{ origin: 'ori_one', capability_policy: { tools: [] } }] })
  first.forgetRequests()
  const hidden = { name: TOOL, arguments: {}, inputResponses: ANSWERS, requestState }
  assert.equal((await stranger.ask('tools/call', hidden)).messages.at(-1)!.error?.code, -32602)
  assert.deepEqual(statesAt(first), [])
})

/** Retries of parked calls, with states and answers of all sorts: none breaks the gateway, and none reaches the call of another caller. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { eventually } from '../support/eventually.ts'
import { fuzzCases } from '../support/long.ts'
import { type RawAnswer, rawClient } from './raw-client.ts'
import { startScriptedOrigin } from './scripted-origin.ts'
import { startVirtualMcp } from './virtual-mcp.ts'

const OWNERS = [0, 1] as const

/** What is done to a valid state. */
const CHANGES: readonly ((state: string, at: number, other: string) => unknown)[] = [
  (state) => state,
  (state, at) => state.slice(0, at % state.length),
  (state, at) => `${state}${'Aa-_'[at % 4]}`,
  (state, at) => {
    const place = at % state.length
    return `${state.slice(0, place)}${state[place] === 'A' ? 'B' : 'A'}${state.slice(place + 1)}`
  },
  (state, at, other) => state.slice(0, at % state.length) + other.slice(at % state.length),
  (state) => [state],
  (state) => state.repeat(20),
  () => '',
  () => null,
]

const attempt = fc.record({
  by: fc.constantFrom(...OWNERS),
  of: fc.constantFrom(...OWNERS),
  arguments: fc.constantFrom(...OWNERS),
  change: fc.nat(CHANGES.length - 1),
  at: fc.nat(1000),
  responses: fc.oneof(
    fc.jsonValue({ maxDepth: 4 }),
    fc.dictionary(
      fc.constantFrom('input_1', 'input_2', 'input_9', '__proto__', 'constructor', ''),
      fc.oneof(
        fc.jsonValue({ maxDepth: 3 }),
        fc.record({ action: fc.constantFrom('accept', 'decline', 'cancel', 'x'), content: fc.jsonValue() }),
      ),
    ),
  ),
})

test('a retry with any state and any answers is answered, and gives answers to the call of its own caller alone', async () => {
  const replies: [owner: unknown, content: unknown][] = []
  const owners = new Map<unknown, unknown>()
  const ends = new Map<unknown, () => void>()
  await using origin = await startScriptedOrigin(
    (work) => {
      const form = `form of ${String(work.id)}`
      owners.set(form, work.given['owner'])
      ends.set(form, () => work.end(`done for ${work.given['owner']}`))
      work.askForm(form)
    },
    (form, { result }) => {
      replies.push([owners.get(form), result])
      ends.get(form)!()
    },
  )
  await using desk = await startVirtualMcp({ demo: origin.url })
  const capabilities = { elicitation: { form: {} } }
  const clients = [
    await rawClient(desk, 'modern', capabilities),
    await rawClient({ url: desk.url, headers: desk.otherHeaders }, 'modern', capabilities),
  ]
  const ask = (by: number, owner: number, more: object = {}): Promise<RawAnswer> =>
    clients[by]!.ask('tools/call', { name: 'work', arguments: { owner }, ...more })
  const stateIn = ({ messages }: RawAnswer): string => {
    const { result } = messages.at(-1)!
    assert.equal(result?.['resultType'], 'input_required')
    return result?.['requestState'] as string
  }
  /** The waiting call of each, by the state that takes it up. */
  const states = [stateIn(await ask(0, 0)), stateIn(await ask(1, 1))]

  await fc.assert(
    fc.asyncProperty(attempt, async ({ by, of, arguments: given, change, at, responses }) => {
      const state = CHANGES[change]!(states[of]!, at, states[1 - of]!)
      const before = replies.length
      const more = { requestState: state, inputResponses: responses }
      const answer = await ask(by, given, more)
      const last = answer.messages.at(-1)!
      assert.ok(answer.status === 200 || answer.status === 400, answer.text)
      // Also where a change of one state made the other
      const isOwn = state === states[by] && given === by
      if (isOwn) {
        assert.equal(last.error, undefined, answer.text)
        // Asked again, or answered
        const isOver = last.result?.['resultType'] === 'complete'
        if (isOver) assert.match(answer.text, new RegExp(`done for ${by}|call_lost|concurrency_exceeded`))
        states[by] = isOver ? stateIn(await ask(by, by)) : stateIn(answer)
      } else if (typeof state === 'string') {
        assert.equal(last.error?.code, -32602, answer.text)
        assert.equal(replies.length, before)
      } else {
        // No state: it is a call of its own
        const own = stateIn(answer)
        await ask(by, given, { requestState: own, inputResponses: { input_1: { action: 'cancel' } } })
        assert.equal(replies.at(-1)![0], given)
      }
      // A call that has ended leaves its place a moment after its answer
      if (desk.parked() !== 2) await eventually(() => desk.parked() === 2)
    }),
    { numRuns: fuzzCases(80, 5000) },
  )
  // Each can still take up its own call
  for (const owner of OWNERS) {
    const inputResponses = { input_1: { action: 'accept', content: { of: owner } } }
    const answer = await ask(owner, owner, { requestState: states[owner], inputResponses })
    assert.match(answer.text, new RegExp(`done for ${owner}`))
    assert.deepEqual(replies.at(-1), [owner, inputResponses.input_1])
  }
  await eventually(() => desk.parked() === 0)
})

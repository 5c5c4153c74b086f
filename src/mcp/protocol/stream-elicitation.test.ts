import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { anyJson } from '../../../test/support/any-json.ts'
import { eventually } from '../../../test/support/eventually.ts'
import { type Given, startDoor } from '../../../test/support/mcp-endpoint.ts'
import { createClock, createClockCell, moveClock } from '../../base/clock.ts'
import { QUESTION_MS, type Reply } from './sealed-elicitation.ts'
import {
  createOpenQuestions,
  KEEP_ALIVE_MS,
  QUESTIONS_EACH_MAX,
  QUESTIONS_MAX,
} from './stream-elicitation.ts'

const ACCEPTED = { action: 'accept', content: { confirm: true } }

function start() {
  const cell = createClockCell()
  const questions = createOpenQuestions(createClock(cell))
  let alive = 0
  /** A question to `identity`, with what became of it. */
  const ask = (identity = 'one', sessionId = `session of ${identity}`, callId: string | number = 1) => {
    const ends: (Reply | null)[] = []
    const id = questions.open(
      { identity, sessionId, callId },
      () => {
        alive++
      },
      (reply) => ends.push(reply),
    )
    return { id, ends, by: { identity, sessionId } }
  }
  return { cell, questions, ask, signs: () => alive }
}

describe('questions that wait', () => {
  test('are answered once, by the session and principal that were asked', () => {
    const { questions, ask } = start()
    const { id, ends, by } = ask()
    for (const [other, otherId] of [
      [{ ...by, identity: 'two' }, id!],
      [{ ...by, sessionId: 'session of two' }, id!],
      [by, `${id}x`],
      [by, 7],
      [by, undefined],
    ] as const)
      questions.answer(other, otherId, ACCEPTED)
    assert.deepEqual(ends, [])
    questions.answer(by, id!, ACCEPTED)
    questions.answer(by, id!, { action: 'decline' })
    assert.deepEqual(ends, [ACCEPTED])
  })

  test('are not confirmed by whatever else a client sends', () => {
    const { questions, ask } = start()
    fc.assert(
      fc.property(fc.oneof(fc.constant(null), fc.dictionary(fc.string(), anyJson())), (result) => {
        const { id, ends, by } = ask()
        questions.answer(by, id!, result)
        assert.deepEqual(ends, [{ action: 'cancel', content: {} }])
      }),
      { numRuns: 200 },
    )
  })

  test('end with their call, their session, or when nobody hears the answer', () => {
    const { questions, ask } = start()
    const called = ask('one', 's', 5)
    const other = ask('one', 's', '5')
    questions.cancel('t', 5)
    questions.cancel('s', 5)
    assert.deepEqual([called.ends, other.ends], [[null], []])
    questions.withdraw(other.id!)
    questions.withdraw(other.id!)
    assert.deepEqual(other.ends, [null])
    const [mine, its] = [ask('one', 's'), ask('two', 't')]
    questions.endSession('s')
    assert.deepEqual([mine.ends[0]?.action, its.ends], ['ended', []])
    questions.close()
    assert.equal(its.ends[0]?.action, 'ended')
    assert.equal(ask('one').id, null)
  })

  test('are few for one principal and not many for all', () => {
    const { questions, ask } = start()
    const first = ask('one')
    for (let more = 1; more < QUESTIONS_EACH_MAX; more++) assert.notEqual(ask('one').id, null)
    assert.equal(ask('one').id, null)
    assert.notEqual(ask('two').id, null)
    questions.answer(first.by, first.id!, ACCEPTED)
    assert.notEqual(ask('one').id, null)
    for (let all = QUESTIONS_EACH_MAX + 1; all < QUESTIONS_MAX; all++)
      assert.notEqual(ask(`many ${all}`).id, null)
    assert.equal(ask('late').id, null)
  })

  test('show that they wait, and end by their time', async () => {
    const { cell, ask, signs } = start()
    const { ends } = ask()
    moveClock(cell, KEEP_ALIVE_MS)
    await eventually(() => signs() === 1)
    moveClock(cell, QUESTION_MS - KEEP_ALIVE_MS)
    await eventually(() => ends.length === 1)
    assert.equal(ends[0]?.action, 'expired')
  })
})

describe('a call that asks on its stream', () => {
  const QUESTION = { kind: 'question', message: 'Sure?', form: { type: 'object' } } as const
  const BOTH = 'application/json, text/event-stream'

  interface Sent {
    readonly id?: string | number
    readonly method?: string
    readonly params?: Record<string, unknown>
    readonly result?: { readonly structuredContent: { readonly said: Reply } }
  }

  /** An endpoint with a tool that asks, in a session of its own, and what a call of it is told. */
  async function open(capabilities: unknown = { elicitation: {} }, version = '2025-11-25') {
    const door = startDoor({}, ({ canAsk, reply }) =>
      canAsk && reply === null
        ? QUESTION
        : { kind: 'result', json: JSON.stringify({ said: reply }), isError: false },
    )
    const { headers } = await door.initialize(version, {}, capabilities)
    const session = { 'mcp-session-id': headers['mcp-session-id'] }
    const call = (fields: Record<string, string | undefined> = session, accept = BOTH): Promise<Given> =>
      door.send(door.request('tools/call', { name: 'asks' }), { ...fields, accept })
    const answer = (id: unknown, result: unknown, caller = 'me', fields = session) =>
      door.send({ jsonrpc: '2.0', id, result }, fields, 'POST', caller)
    return { ...door, session, call, answer }
  }

  /** What is read of a stream. */
  function read({ pieces, headers }: Given) {
    assert.ok(pieces !== undefined)
    assert.equal(headers['content-type'], 'text/event-stream')
    const stream = { text: '', isEnded: false, leave() {} }
    stream.leave = pieces({
      write(piece) {
        assert.ok(!stream.isEnded)
        stream.text += piece
      },
      end() {
        stream.isEnded = true
      },
    })
    const sent = (): Sent[] =>
      [...stream.text.matchAll(/^data: (.+)$/gm)].map(([, data]) => JSON.parse(data!) as Sent)
    return { stream, sent }
  }

  test('goes on with what the person said', async () => {
    const { call, answer } = await open()
    const { stream, sent } = read(await call())
    const { id, method, params } = sent()[0]!
    assert.equal(method, 'elicitation/create')
    assert.deepEqual(params, { mode: 'form', message: 'Sure?', requestedSchema: { type: 'object' } })
    for (const [otherId, caller] of [
      ['other', 'me'],
      [id, 'somebody'],
    ] as const)
      assert.ok([202, 404].includes((await answer(otherId, ACCEPTED, caller)).status))
    assert.equal((await answer(id, ACCEPTED, 'me', { 'mcp-session-id': undefined })).status, 202)
    assert.equal(sent().length, 1)
    const accepted = await answer(id, ACCEPTED)
    assert.deepEqual([accepted.status, accepted.text], [202, ''])
    assert.deepEqual([sent()[1]!.id, sent()[1]!.result?.structuredContent.said], [1, ACCEPTED])
    assert.equal(stream.isEnded, true)
    assert.equal((await answer(id, ACCEPTED)).status, 202)
    assert.equal(sent().length, 2)
  })

  test('is asked without a mode in 2025-06-18', async () => {
    const { sent } = read(await (await open({ elicitation: {} }, '2025-06-18')).call())
    assert.equal(Object.hasOwn(sent()[0]!.params!, 'mode'), false)
  })

  test('is answered alone where there is nobody to ask, or no way', async () => {
    for (const [capabilities, version] of [
      [{}, '2025-11-25'],
      [{ elicitation: { url: {} } }, '2025-11-25'],
      [{ elicitation: {} }, '2025-03-26'],
    ] as const)
      assert.equal((await (await open(capabilities, version)).call()).pieces, undefined)
    const { call, session } = await open()
    assert.equal((await call({})).pieces, undefined)
    assert.equal((await call(session, 'application/json')).pieces, undefined)
    assert.equal((await call(session, 'application/json, */*')).pieces, undefined)
  })

  test('ends without a response when it is cancelled or the stream is left, and the form is taken back', async () => {
    const { call, answer, send, session, calls } = await open()
    const cancelled = read(await call())
    const cancel = { jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 1 } }
    await send(cancel, session)
    assert.deepEqual(cancelled.sent()[1]?.params?.['requestId'], cancelled.sent()[0]!.id)
    assert.deepEqual([cancelled.sent().length, cancelled.stream.isEnded], [2, true])
    const left = read(await call())
    left.stream.leave()
    await answer(left.sent()[0]!.id, ACCEPTED)
    assert.equal(left.sent().length, 1)
    assert.ok(calls.every(({ reply }) => reply === null))
  })

  test('is told when its session ends, when too much is asked, and when the process stops', async () => {
    const { call, send, session, close, initialize } = await open()
    const streams = []
    for (let n = 0; n < QUESTIONS_EACH_MAX; n++) streams.push(read(await call()))
    const crowded = (await call()).json.result?.['structuredContent'] as { said: Reply }
    assert.equal(crowded.said.action, 'crowded')
    await send('', session, 'DELETE')
    for (const { sent, stream } of streams) {
      assert.equal(sent()[2]?.result?.structuredContent.said.action, 'ended')
      assert.equal(stream.isEnded, true)
    }
    const { headers } = await initialize('2025-11-25', {}, { elicitation: {} })
    const last = read(await call({ 'mcp-session-id': headers['mcp-session-id'] }))
    close()
    assert.equal(last.sent()[2]?.result?.structuredContent.said.action, 'ended')
  })

  test('asks nobody when its session has ended before there was a question', async () => {
    const door = startDoor({}, ({ reply }) => {
      if (reply !== null) return { kind: 'result', json: JSON.stringify({ said: reply }), isError: false }
      void door.send('', session, 'DELETE')
      return QUESTION
    })
    const { headers } = await door.initialize('2025-11-25', {}, { elicitation: {} })
    const session = { 'mcp-session-id': headers['mcp-session-id'] }
    const { pieces, json } = await door.send(door.request('tools/call', { name: 'asks' }), {
      ...session,
      accept: BOTH,
    })
    assert.equal(pieces, undefined)
    const ended = json.result?.['structuredContent'] as { said: Reply }
    assert.equal(ended.said.action, 'ended')
  })

  test('that fails after it was answered says so on the stream', async () => {
    const faults = startDoor({}, ({ reply }) => {
      if (reply !== null) throw new Error('a secret reason')
      return QUESTION
    })
    const { headers } = await faults.initialize('2025-11-25', {}, { elicitation: {} })
    const session = { 'mcp-session-id': headers['mcp-session-id'] }
    const { sent, stream } = read(
      await faults.send(faults.request('tools/call', { name: 'asks' }), { ...session, accept: BOTH }),
    )
    await faults.send({ jsonrpc: '2.0', id: sent()[0]!.id, result: ACCEPTED }, session)
    assert.match(stream.text, /-32603/)
    assert.doesNotMatch(stream.text, /secret/)
    assert.equal(faults.faults.length, 1)
  })
})

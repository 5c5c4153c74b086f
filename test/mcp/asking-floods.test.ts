/** Origins of an earlier era that ask too much, and too much at once. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import { CallerMemory } from '../../src/wire/caller-memory.ts'
import { eventually } from '../support/eventually.ts'
import { ATTENDED_PEERS } from '../support/mcp-clients.ts'
import { rawClient } from './raw-client.ts'
import { startScriptedOrigin, type Work } from './scripted-origin.ts'
import { startVirtualMcp } from './virtual-mcp.ts'

const FORMS = { elicitation: { form: {} } }
const MIB = 1024 * 1024
const YES = { action: 'accept', content: {} }

test('questions end with their call: those of a call that has its answer keep no other call from asking', async () => {
  let waiting: Work | null = null
  await using origin = await startScriptedOrigin(
    (work) => {
      const { flood } = work.given
      for (let count = 0; count < (flood === true ? 16 : 1); count++) work.askForm(`form-${count}`)
      if (flood === true) work.end('flooded')
      else waiting = work
    },
    (_id, { result }) => waiting?.end(JSON.stringify(result)),
  )
  await using desk = await startVirtualMcp({ demo: origin.url })
  const silent = await rawClient(desk, 'legacy', FORMS)
  const { messages } = await silent.ask('tools/call', { name: 'work', arguments: { flood: true } })
  assert.equal(messages.filter(({ method }) => method === 'elicitation/create').length, 16)
  // The same principal
  const person = await ATTENDED_PEERS['SDK v1']!(desk.url, desk.headers, () => ({
    action: 'accept',
    content: {},
  }))
  const { content } = await person.call('work', {})
  assert.deepEqual(JSON.parse(content[0]!.text!), YES)
  await person.close()
})

test('the questions and the answer of a parked call are counted for its caller, and given back', async () => {
  const memory = new CallerMemory(64 * MIB)
  let asking: Work | null = null
  await using origin = await startScriptedOrigin(
    (work) => {
      asking = work
      work.askForm('form', 'x'.repeat(8 * MIB))
    },
    () => asking?.askForm('again', 'y'.repeat(3 * MIB)),
  )
  await using desk = await startVirtualMcp({ demo: origin.url }, { memory })
  const client = await rawClient(desk, 'modern', FORMS)
  const call = (more: object) => client.ask('tools/call', { name: 'work', arguments: {}, ...more })
  const stateOf = ({ messages }: Awaited<ReturnType<typeof call>>): unknown =>
    messages.at(-1)!.result?.['requestState']
  const requestState = stateOf(await call({}))
  await eventually(
    () => memory.bytes > 8 * MIB && memory.bytes < 9 * MIB,
    () => String(memory.bytes),
  )
  const second = stateOf(await call({ requestState, inputResponses: { input_1: YES } }))
  await eventually(
    () => memory.bytes > 3 * MIB && memory.bytes < 4 * MIB,
    () => String(memory.bytes),
  )
  // The answer comes while nobody asks for it
  asking!.end('z'.repeat(5 * MIB))
  await eventually(
    () => memory.bytes > 5 * MIB && memory.bytes < 12 * MIB,
    () => String(memory.bytes),
  )
  const { text } = await call({ requestState: second, inputResponses: { input_2: YES } })
  assert.ok(text.length > 5 * MIB)
  await eventually(
    () => memory.bytes === 0 && desk.parked() === 0,
    () => String(memory.bytes),
  )
})

test('questions that no memory is left for end their call', async () => {
  const memory = new CallerMemory(8 * MIB)
  const works: Work[] = []
  await using origin = await startScriptedOrigin((work) => {
    works.push(work)
    work.askForm('first')
  })
  await using desk = await startVirtualMcp({ demo: origin.url }, { memory })
  const client = await rawClient(desk, 'modern', FORMS)
  const asked = await client.ask('tools/call', { name: 'work', arguments: {} })
  const { requestState } = asked.messages.at(-1)!.result!
  const closed = once(works[0]!.out, 'close')
  // Together more than a caller may have
  works[0]!.askForm('second', 'x'.repeat(4 * MIB))
  works[0]!.askForm('third', 'x'.repeat(4 * MIB))
  await closed
  assert.ok(memory.bytes < MIB, String(memory.bytes))
  const retry = { requestState, inputResponses: { input_1: YES } }
  const { text } = await client.ask('tools/call', { name: 'work', arguments: {}, ...retry })
  assert.match(text, /upstream_invalid_response.*too long/)
  await eventually(
    () => memory.bytes === 0 && desk.parked() === 0,
    () => String(memory.bytes),
  )
})

test('an origin that asks too often while nobody waits ends its call, and the next retry learns why', async () => {
  let asking: Work | null = null
  await using origin = await startScriptedOrigin(
    (work) => {
      asking = work
      work.askForm('form')
    },
    () => asking?.askForm('form'),
  )
  await using desk = await startVirtualMcp({ demo: origin.url })
  const client = await rawClient(desk, 'modern', FORMS)
  let more = {}
  for (let round = 1; round <= 8; round++) {
    const { messages } = await client.ask('tools/call', { name: 'work', arguments: {}, ...more })
    const { requestState } = messages.at(-1)!.result!
    more = { requestState, inputResponses: { [`input_${round}`]: YES } }
  }
  asking!.askForm('beyond')
  await eventually(() => origin.count('notifications/cancelled') === 1)
  const { text } = await client.ask('tools/call', { name: 'work', arguments: {}, ...more })
  assert.match(text, /concurrency_exceeded.*more than 8 times/)
  assert.equal(desk.parked(), 0)
})

test('a long answer of a parked call reaches its retry, also where all of it must be escaped twice', async () => {
  let asking: Work | null = null
  const quotes = '"'.repeat(6 * MIB)
  await using origin = await startScriptedOrigin(
    (work) => {
      asking = work
      work.askForm('form')
    },
    () => asking?.end(quotes),
  )
  await using desk = await startVirtualMcp({ demo: origin.url })
  const client = await rawClient(desk, 'modern', FORMS)
  const asked = await client.ask('tools/call', { name: 'work', arguments: {} })
  const { requestState } = asked.messages.at(-1)!.result!
  const retry = { requestState, inputResponses: { input_1: YES } }
  const { messages } = await client.ask('tools/call', { name: 'work', arguments: {}, ...retry })
  const { content } = messages.at(-1)!.result as { content: { text: string }[] }
  assert.ok(content[0]!.text === quotes, content[0]!.text.slice(0, 200))
})

test('what has come of an event counts for the caller of the call', async () => {
  const memory = new CallerMemory(64 * MIB)
  const line = `data: ${'x'.repeat(MIB)}\n`
  await using origin = await startScriptedOrigin(({ out }) => void out.write(line.repeat(6)))
  await using desk = await startVirtualMcp({ demo: origin.url }, { memory })
  const client = await rawClient(desk, 'modern')
  const leaving = new AbortController()
  const call = client.ask('tools/call', { name: 'work', arguments: {} }, leaving.signal)
  await eventually(
    () => memory.bytes > 6 * MIB,
    () => String(memory.bytes),
  )
  leaving.abort()
  await assert.rejects(call)
  await eventually(
    () => memory.bytes === 0,
    () => String(memory.bytes),
  )
})

/** What fails at origins, and what callers notice of it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { eventually } from '../support/eventually.ts'
import { ATTENDED_PEERS } from '../support/mcp-clients.ts'
import { startFixture } from './fixture/fixture.ts'
import { startHostileOrigin } from './hostile/hostile.ts'
import { ERAS, type RawAnswer, rawClient } from './raw-client.ts'
import { startVirtualMcp } from './virtual-mcp.ts'

/** Names of the tools that the list holds, in its order. */
function namesIn({ messages }: RawAnswer): readonly string[] {
  return (messages.at(-1)!.result!['tools'] as { readonly name: string }[]).map(({ name }) => name)
}

/** The problem object that a refused call gives to the model. */
function problemIn({ messages }: RawAnswer): Readonly<Record<string, unknown>> | undefined {
  return messages.at(-1)?.result?.['structuredContent'] as Readonly<Record<string, unknown>> | undefined
}

const TEXT = /\{\\"word\\":\\"(\w+)\\"\}/

test('one dead member of five: the others work, it is named, and its breaker opens', async () => {
  const slugs = ['a', 'b', 'c', 'd', 'e']
  const origins = await Promise.all(slugs.map(() => startHostileOrigin({ catalogue: 'duplicates' })))
  await using desk = await startVirtualMcp(
    Object.fromEntries(slugs.map((slug, at) => [slug, origins[at]!.url])),
  )
  const client = await rawClient(desk, 'modern')
  const before = namesIn(await client.ask('tools/list', {}))
  const echoes = before.filter((name) => name.toLowerCase().endsWith('echo'))
  const reached: string[] = []
  const call = async (name: string): Promise<RawAnswer> =>
    client.ask('tools/call', { name, arguments: { word: 'here' } })
  await origins[2]![Symbol.asyncDispose]()
  for (const name of echoes) {
    const answer = await call(name)
    if (TEXT.test(answer.text)) reached.push(name)
    else {
      const problem = problemIn(answer)
      assert.equal(problem?.['origin'], 'c')
      assert.equal(problem['code'], 'upstream_unreachable')
    }
  }
  assert.equal(reached.length, echoes.length * 0.8)
  assert.deepEqual(namesIn(await client.ask('tools/list', {})), before)
  const dead = echoes.find((name) => !reached.includes(name))!
  const codes: unknown[] = []
  for (let count = 0; count < 6; count += 1) codes.push(problemIn(await call(dead))?.['code'])
  assert.equal(codes.at(-1), 'upstream_unavailable')
  for (const name of reached) assert.match((await call(name)).text, TEXT)
  for (const [at, origin] of origins.entries()) if (at !== 2) await origin[Symbol.asyncDispose]()
})

for (const era of ERAS)
  test(`${era} client: an origin that has forgotten its sessions opens new ones, and no call is lost`, async () => {
    await using origin = await startFixture({ eras: 'legacy' })
    await using desk = await startVirtualMcp({ fixture: origin.url })
    const client = await rawClient(desk, era)
    const call = async (word: string): Promise<RawAnswer> =>
      client.ask('tools/call', { name: 'test_echo', arguments: { word } })
    assert.match((await call('first')).text, /first/)
    await origin.forgetSessions()
    const opened = origin.sessionsOpened
    const words = Array.from({ length: 12 }, (_, at) => `word${at}`)
    const answers = await Promise.all(words.map(call))
    for (const [at, { text }] of answers.entries()) assert.match(text, new RegExp(`\\b${words[at]}\\b`))
    assert.equal(origin.sessionsOpened, opened + 1)
  })

test('an origin that knows no session, not even its newest, is asked twice and no more', async () => {
  await using origin = await startHostileOrigin({ eras: 'legacy' })
  await using desk = await startVirtualMcp({ hostile: origin.url })
  const client = await rawClient(desk, 'modern')
  origin.on('tools/call', 'not_found')
  const asked = (): number => origin.requests.filter(({ rpcMethod }) => rpcMethod === 'tools/call').length
  const answer = await client.ask('tools/call', { name: 'echo', arguments: {} })
  assert.equal(problemIn(answer)?.['code'], 'upstream_unavailable')
  assert.equal(asked(), 2)
  origin.on('tools/call', null)
  assert.match((await client.ask('tools/call', { name: 'echo', arguments: { word: 'back' } })).text, TEXT)
})

for (const originEra of ERAS)
  test(`${originEra} origin: callers in parallel get what is theirs, though they chose the same ids and tokens`, async () => {
    await using origin = await startHostileOrigin({ eras: originEra })
    await using desk = await startVirtualMcp({ hostile: origin.url })
    const clients = await Promise.all(Array.from({ length: 6 }, (_, at) => rawClient(desk, ERAS[at % 2]!)))
    const names = ['echo', 'hostile_many_ids', 'hostile_false_progress', 'hostile_unasked']
    const calls = clients.flatMap((client, at) =>
      names.map(async (name) => {
        const { text } = await client.ask('tools/call', {
          name,
          arguments: { word: `of${at}` },
          _meta: { progressToken: 1 },
        })
        assert.equal(TEXT.exec(text)?.[1], `of${at}`)
        assert.doesNotMatch(text, /somebody else/)
      }),
    )
    await Promise.all(calls)
    const bodies = origin.requests.map(
      ({ body }) =>
        JSON.parse(body || '{}') as { id?: unknown; params?: { _meta?: { progressToken?: unknown } } },
    )
    const tokens = bodies
      .map(({ params }) => params?._meta?.progressToken)
      .filter((token) => token !== undefined)
    assert.equal(tokens.length, 24)
    assert.equal(new Set(tokens).size, 24)
  })

test('the catalogue changes under load, and no call is lost', async () => {
  await using origin = await startHostileOrigin({ slowMs: 2 })
  await using desk = await startVirtualMcp({ hostile: origin.url })
  const client = await rawClient(desk, 'modern')
  const call = async (name: string): Promise<void> =>
    assert.match((await client.ask('tools/call', { name, arguments: { word: 'here' } })).text, TEXT)
  const calls: Promise<void>[] = [call('hostile_slow')]
  for (let round = 0; round < 20; round += 1) {
    calls.push(call('echo'), call('echo'), call('hostile_slow'))
    desk.served.apply(desk.fragments)
    await call('echo')
  }
  await Promise.all(calls)
})

for (const originEra of ERAS)
  for (const clientEra of ERAS)
    test(`a ${clientEra} client leaves a ${originEra} origin: ${clientEra === 'modern' ? 'the call is cancelled' : 'the call goes on'}`, async () => {
      await using origin = await startFixture({ eras: originEra })
      await using desk = await startVirtualMcp({ fixture: origin.url })
      const client = await rawClient(desk, clientEra)
      const stop = new AbortController()
      const ms = clientEra === 'modern' ? 20_000 : 300
      const call = client.ask('tools/call', { name: 'test_slow', arguments: { ms } }, stop.signal)
      call.catch(() => {})
      await eventually(() => origin.started.includes('test_slow'))
      stop.abort()
      if (clientEra === 'modern') await eventually(() => origin.cancelled.includes('test_slow'))
      else {
        const { status } = await desk.served.record(0)
        assert.equal(status, 200)
        assert.deepEqual(origin.cancelled, [])
      }
    })

test('an origin that asks for ever is given up after some rounds', async () => {
  await using origin = await startHostileOrigin({ eras: 'modern' })
  await using desk = await startVirtualMcp({ hostile: origin.url })
  let forms = 0
  const peer = await ATTENDED_PEERS['SDK v1']!(desk.url, desk.headers, () => {
    forms += 1
    return { action: 'accept', content: {} }
  })
  const result = await peer.call('hostile_asks_again', {})
  assert.equal(result.isError, true)
  assert.equal(forms, 8)
  await peer.close()
})

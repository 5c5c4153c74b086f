import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type ConnectionAnswer, type RefusedConnection, SHARED } from '../../model/access/caller.ts'
import { type Connected, type Connection, createConnections } from './connections.ts'

interface Question {
  readonly user: string
  readonly origin: string
  readonly refused: RefusedConnection | null
  /** Answers it. */
  give(answer: Partial<Extract<ConnectionAnswer, { ok: true }>> | 'none'): void
}

const NONE: ConnectionAnswer = {
  ok: false,
  code: 'connect_required',
  reason: 'No account is connected.',
  page: 'https://postern.test/connect/crm',
}

/** The connections of a thread whose questions a test answers itself. */
function thread() {
  const questions: Question[] = []
  const ended = new Set<string>()
  let now = 1_000_000
  let epoch = 0
  const connections = createConnections({
    ask: (user, origin, refused) =>
      new Promise((resolve) => {
        const give: Question['give'] = (answer) => {
          const connection = `con_${user || 'all'}`
          const token = { connection, generation: 1, header: 'Authorization', value: `Bearer ${user}-1` }
          resolve(answer === 'none' ? NONE : { ok: true, ...token, until: now + 60_000, ...answer })
        }
        questions.push({ user, origin, refused, give })
      }),
    hasEnded: (connection) => ended.has(connection),
    epoch: () => epoch,
    clock: { now: () => now },
  })
  return {
    connections,
    questions,
    ended,
    /** A connection has ended of which nobody knows. */
    lose() {
      epoch++
    },
    move(ms: number) {
      now += ms
    },
    /** What is sent for a person, answered with the token `<user>-1`. */
    async connect(user: string, origin = 'ori_a'): Promise<Connected> {
      const came = connections.of(user, origin, 'cli_a')
      questions.at(-1)!.give({})
      return sent(await came)
    },
  }
}

function sent(came: Connection): Connected {
  assert.ok(came.ok, JSON.stringify(came))
  return came
}

function reasonOf(came: Connection): string {
  assert.ok(!came.ok)
  return came.reason
}

test('a token is asked for once and kept until its time, and for ten minutes at most', async () => {
  const { connections, questions, move, connect } = thread()
  const first = await connect('usr_ann')
  assert.equal(first.line, 'Authorization: Bearer usr_ann-1\r\n')
  assert.equal(connections.of('usr_ann', 'ori_a', 'cli_a'), first)
  move(59_999)
  assert.equal(connections.of('usr_ann', 'ori_a', 'cli_a'), first)
  move(1)
  const next = connections.of('usr_ann', 'ori_a', 'cli_a')
  assert.equal(questions.length, 2)
  questions[1]!.give({ until: Number.MAX_SAFE_INTEGER })
  const long = await next
  move(599_999)
  assert.equal(connections.of('usr_ann', 'ori_a', 'cli_a'), long)
  move(1)
  void connections.of('usr_ann', 'ori_a', 'cli_a')
  assert.equal(questions.length, 3)
})

test('fifty requests of one person at an origin that come together ask once', async () => {
  const { connections, questions } = thread()
  const all = Array.from({ length: 50 }, () => connections.of('usr_ann', 'ori_a', 'cli_a'))
  assert.equal(questions.length, 1)
  questions[0]!.give({})
  const tokens = new Set((await Promise.all(all)).map((came) => sent(came).line))
  assert.deepEqual([...tokens], ['Authorization: Bearer usr_ann-1\r\n'])
})

test('two users refreshing the same upstream never receive each other’s token', async () => {
  const { connections, questions } = thread()
  const places = [
    ['usr_ann', 'ori_a'],
    ['usr_bob', 'ori_a'],
    ['usr_ann', 'ori_b'],
    [SHARED, 'ori_a'],
  ] as const
  const asked = places.map(([user, origin]) => connections.of(user, origin, 'cli_a'))
  assert.deepEqual(
    questions.map(({ user, origin }) => [user, origin]),
    places,
  )
  // In another order than that of the questions
  for (const { user, origin, give } of questions.toReversed()) give({ value: `Bearer ${user}@${origin}` })
  const lines = (await Promise.all(asked)).map((came) => sent(came).line)
  const expected = places.map(([user, origin]) => `Authorization: Bearer ${user}@${origin}\r\n`)
  assert.deepEqual(lines, expected)
  assert.deepEqual(
    places.map(([user, origin]) => sent(connections.of(user, origin, 'cli_a') as Connection).line),
    expected,
  )
})

test('a refused token is renewed once for all requests that had it', async () => {
  const { connections, questions, connect } = thread()
  const old = await connect('usr_ann')
  const renewing = Array.from({ length: 50 }, () =>
    connections.instead('usr_ann', 'ori_a', 'cli_a', old, false, null),
  )
  assert.equal(questions.length, 2)
  assert.deepEqual(questions[1]!.refused, { connection: 'con_usr_ann', generation: 1 })
  // The refused token is not sent meanwhile
  const meanwhile = connections.of('usr_ann', 'ori_a', 'cli_a')
  questions[1]!.give({ generation: 2, value: 'Bearer usr_ann-2' })
  for (const came of await Promise.all([...renewing, meanwhile])) assert.equal(sent(came).generation, 2)
  // A request that comes late with the refused token gets the new one
  const late = await connections.instead('usr_ann', 'ori_a', 'cli_a', old, false, null)
  assert.equal(sent(late).line, 'Authorization: Bearer usr_ann-2\r\n')
  assert.equal(questions.length, 2)
})

test('what the main thread says of a refused token is told to all that had it', async () => {
  const { connections, questions, connect } = thread()
  const old = await connect('usr_ann')
  const renewing = Array.from({ length: 3 }, () =>
    connections.instead('usr_ann', 'ori_a', 'cli_a', old, false, null),
  )
  questions[1]!.give('none')
  for (const came of await Promise.all(renewing)) assert.equal(came, NONE)
  assert.equal(questions.length, 2)
})

test('the same token is not sent again after it was refused', async () => {
  const { connections, questions, connect } = thread()
  const old = await connect('usr_ann')
  const renewing = connections.instead('usr_ann', 'ori_a', 'cli_a', old, false, null)
  questions[1]!.give({})
  assert.match(reasonOf(await renewing), /refuses the token/)
})

test('the main thread is told that a token was refused that had replaced a refused one', async () => {
  const { connections, questions, connect } = thread()
  const old = await connect('usr_ann')
  const renewing = connections.instead('usr_ann', 'ori_a', 'cli_a', old, false, null)
  questions[1]!.give({ generation: 2 })
  const renewed = sent(await renewing)
  const again = connections.instead('usr_ann', 'ori_a', 'cli_a', renewed, true, null)
  assert.deepEqual(questions[2]!.refused, { connection: 'con_usr_ann', generation: 2, isAgain: true })
  questions[2]!.give('none')
  assert.equal(await again, NONE)
})

test('a token that lacks scopes for a call stays in use for others, and each challenge is asked about once', async () => {
  const { connections, questions, connect } = thread()
  const old = await connect('usr_ann')
  const ask = (challenge: string) => connections.instead('usr_ann', 'ori_a', 'cli_a', old, false, challenge)
  const lacking = [ask('Bearer scope="a"'), ask('Bearer scope="a"'), ask('Bearer scope="b"')]
  assert.deepEqual(
    questions.slice(1).map(({ refused }) => refused),
    ['a', 'b'].map((scope) => ({
      ...{ connection: 'con_usr_ann', generation: 1, challenge: `Bearer scope="${scope}"` },
    })),
  )
  assert.equal(connections.of('usr_ann', 'ori_a', 'cli_a'), old)
  questions[1]!.give('none')
  questions[2]!.give('none')
  for (const came of await Promise.all(lacking)) assert.equal(came, NONE)
  assert.equal(connections.of('usr_ann', 'ori_a', 'cli_a'), old)
})

test('the token of an ended connection is sent no longer, also when it comes after the end', async () => {
  const { connections, questions, ended, connect } = thread()
  await connect('usr_ann')
  ended.add('con_usr_ann')
  const late = connections.of('usr_ann', 'ori_a', 'cli_a')
  assert.equal(questions.length, 2)
  questions[1]!.give({})
  assert.match(reasonOf(await late), /just ended/)
  const anew = connections.of('usr_ann', 'ori_a', 'cli_a')
  questions[2]!.give({ connection: 'con_new' })
  assert.equal(sent(await anew).connection, 'con_new')
})

test('streams that stand hear of the end of their connection alone', async () => {
  const { connections, ended } = thread()
  const heard: string[] = []
  connections.onEnded('con_a', () => heard.push('a'))
  connections.onEnded('con_b', () => heard.push('b'))
  const leave = connections.onEnded('con_a', () => heard.push('left'))
  leave()
  connections.look()
  assert.deepEqual(heard, [])
  ended.add('con_a')
  connections.look()
  assert.deepEqual(heard, ['a'])
})

test('an answer without a token is not kept: the next request asks again', async () => {
  const { connections, questions, connect } = thread()
  const none = connections.of('usr_ann', 'ori_a', 'cli_a')
  questions[0]!.give('none')
  assert.equal(await none, NONE)
  assert.equal((await connect('usr_ann')).generation, 1)
})

test('a key that no header can carry is not sent, and not told', async () => {
  const { connections, questions } = thread()
  const came = connections.of('usr_ann', 'ori_a', 'cli_a')
  questions[0]!.give({ value: 'secret\r\nX-Other: 1' })
  const reason = reasonOf(await came)
  assert.match(reason, /characters/)
  assert.doesNotMatch(reason, /secret/)
})

test('a caller who asks for many accounts at once leaves places to others', async () => {
  const { connections, questions } = thread()
  const one = Array.from({ length: 600 }, (_, n) => connections.of(`usr_${n}`, 'ori_a', 'cli_many'))
  const refused = await Promise.all(one.slice(128))
  for (const came of refused) assert.match(reasonOf(came), /Too many/)
  assert.equal(questions.length, 128)
  void connections.of('usr_ann', 'ori_a', 'cli_other')
  assert.equal(questions.length, 129)
})

test('a thread keeps 4,096 tokens, and asks again for the one unused for longest', async () => {
  const { connections, questions, connect } = thread()
  for (let n = 0; n <= 4096; n++) await connect(`usr_${n}`)
  const before = questions.length
  assert.ok(!(connections.of('usr_1', 'ori_a', 'cli_a') instanceof Promise))
  assert.ok(connections.of('usr_0', 'ori_a', 'cli_a') instanceof Promise)
  assert.equal(questions.length, before + 1)
})

test('an origin whose accounts do not come leaves places to other origins', async () => {
  const { connections, questions } = thread()
  for (let at = 0; at < 1000; at++) void connections.of(`usr_${at}`, 'ori_slow', `cli_${at}`)
  assert.ok(questions.length < 512, `${questions.length}`)
  const came = connections.of('usr_ann', 'ori_a', 'cli_ann')
  questions.at(-1)!.give({})
  assert.equal(questions.at(-1)!.origin, 'ori_a')
  assert.ok((await came).ok)
})

test('if the end of some connection was not remembered, no token is sent that came before, and streams end', async () => {
  const { connections, questions, connect, lose } = thread()
  await connect('usr_ann')
  let ended = 0
  connections.onEnded('con_usr_ann', () => ended++)
  const late = connections.of('usr_bob', 'ori_a', 'cli_a')
  lose()
  connections.look()
  assert.equal(ended, 1)
  questions[1]!.give({})
  assert.match(reasonOf(await late), /has just ended/)
  await connect('usr_ann')
  assert.equal(questions.length, 3)
  sent(await connections.of('usr_ann', 'ori_a', 'cli_a'))
  assert.equal(questions.length, 3)
})

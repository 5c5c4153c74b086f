/** Servers that misbehave once they have accepted the login, with and without TLS. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { issue } from '../../../test/certificates.ts'
import { PASSWORD, startDesk } from '../../../test/support/asked-desk.ts'
import { eventually } from '../../../test/support/eventually.ts'
import { Misbehaving } from '../../../test/support/misbehaving.ts'
import {
  BOUND,
  columns,
  int32,
  message,
  READY,
  row,
  type Script,
  startPostgresServer,
} from '../../../test/support/postgres-server.ts'

const authority = issue({ name: 'Test authority', ca: true })
const certificate = issue({ name: 'db', issuer: authority, addresses: ['127.0.0.1'], usage: 'server' })
const misbehaving = new Misbehaving()
after(() => {
  close()
  misbehaving.close()
})

const { ask, begin, close } = startDesk({
  service: 'postgres',
  database: 'shop',
  text: 'SELECT 1',
  values: [],
  rowLimit: 10_000,
  readOnly: true,
})
const DONE = message('C', 'SELECT 1\0')
const TEXT = 25
const JSON_TYPE = 114

async function startBoth(script: Script) {
  const plain = await startPostgresServer(misbehaving, script)
  const secure = await startPostgresServer(misbehaving, { ...script, certificate })
  return [
    { ...plain, ca: null },
    { ...secure, ca: authority.certificate },
  ]
}

/** Answers each statement with the same bytes. */
const answering =
  (...bytes: readonly Buffer[]): NonNullable<Script['statement']> =>
  (socket) =>
    socket.write(Buffer.concat(bytes))

test('a server that breaks the protocol ends its connection and nothing else, also over TLS', async () => {
  for (const [what, statement] of [
    ['JSON that is none', answering(BOUND, columns(['a', JSON_TYPE]), row('{x'), DONE, READY)],
    ['a row that is cut', answering(BOUND, columns(['a', TEXT]), message('D', '\0\x05\0\0'), READY)],
    ['a message without a length', answering(BOUND, Buffer.from([0x44, 0, 0, 0, 0]), READY)],
  ] as const)
    for (const { port, ca } of await startBoth({ statement })) {
      const result = await ask(port, ca)
      assert.deepEqual([result.ok, 'kind' in result && result.kind], [false, 'connect'], what)
    }
})

test('a few bytes of rows make no long answer: the names of columns count for each row', async () => {
  const rows = Array.from({ length: 10_000 }, () => row(null))
  const statement = answering(BOUND, columns(['n'.repeat(500_000), TEXT]), ...rows, DONE, READY)
  for (const { port, ca } of await startBoth({ statement })) {
    const result = await ask(port, ca)
    assert.equal('kind' in result && result.kind, 'size')
  }
})

test('a server gets one answer to a challenge of SCRAM: a second challenge ends the connection', async () => {
  for (const { port, ca, sockets } of await startBoth({
    login(socket) {
      socket.write(message('R', int32(10), 'SCRAM-SHA-256\0\0'))
      socket.once('data', (first: Buffer) => {
        const [, nonce] = /r=([^,\0]+)/.exec(first.toString('latin1'))!
        const challenge = message('R', int32(11), `r=${nonce}x,s=QUJD,i=4096`)
        socket.write(Buffer.concat([challenge, challenge]))
      })
    },
  })) {
    const result = await ask(port, ca)
    assert.equal('kind' in result && result.kind, 'connect')
    await eventually(() => sockets.size === 0)
  }
})

test('a connection on which more comes than notices while nothing is asked is closed', async () => {
  // The head of a message of 100 MB, which the driver would gather
  const head = Buffer.from([0x4e, 6, 0, 0, 0])
  for (const { port, ca, sockets } of await startBoth({
    statement: answering(BOUND, columns(['a', TEXT]), row('x'), DONE, READY),
    query(text, socket) {
      if (text.startsWith('ROLLBACK'))
        setImmediate(() => socket.write(Buffer.concat([head, Buffer.alloc(200_000)])))
    },
  })) {
    assert.deepEqual(await ask(port, ca), {
      ok: true,
      json: '{"rows":[{"a":"x"}],"count":1,"truncated":false}',
    })
    await eventually(() => sockets.size === 0)
  }
})

test('an error is told without the password, whatever the server says', async () => {
  const statement = answering(message('E', `SERROR\0C42601\0Mnear ${PASSWORD}\0\0`), READY)
  for (const { port, ca } of await startBoth({ statement }))
    assert.deepEqual(await ask(port, ca), {
      ok: false,
      kind: '42601',
      message: 'PostgreSQL refused the statement (SQLSTATE 42601)',
    })
})

test('a question that is given up in the TLS handshake ends its connection and nothing else', async () => {
  const { port, sockets, received } = await misbehaving.start((socket) => {
    socket.once('data', () => socket.write('S'))
  })
  const { giveUp } = begin(port, authority.certificate)
  await eventually(() => received().length > 100)
  giveUp()
  await eventually(() => sockets.size === 0)
})

/** Servers that misbehave once they have accepted the login, with and without TLS. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { issue } from '../../../test/certificates.ts'
import { PASSWORD, startDesk } from '../../../test/support/asked-desk.ts'
import { eventually } from '../../../test/support/eventually.ts'
import { Misbehaving } from '../../../test/support/misbehaving.ts'
import { column, eof, packet, type Script, startMysqlServer } from '../../../test/support/mysql-server.ts'

const authority = issue({ name: 'Test authority', ca: true })
const certificate = issue({ name: 'db', issuer: authority, addresses: ['127.0.0.1'], usage: 'server' })
const misbehaving = new Misbehaving()
after(() => {
  close()
  misbehaving.close()
})

const { ask, begin, close } = startDesk({
  service: 'mysql',
  database: 'shop',
  text: 'SELECT 1',
  values: [],
  rowLimit: 10_000,
  readOnly: true,
})
/** A row of one text, and of one null, of the binary protocol. */
const TEXT = [0, 0, 1, 65]
const NULL = [0, 4]

async function startBoth(script: Script) {
  const plain = await startMysqlServer(misbehaving, script)
  const secure = await startMysqlServer(misbehaving, { ...script, certificate })
  return [
    { ...plain, ca: null },
    { ...secure, ca: authority.certificate },
  ]
}

const head = (name: string): Buffer => Buffer.concat([packet(1, [1]), column(2, name), eof(3)])

function rows(name: string, count: number, payload: readonly number[]): Buffer {
  const all = Array.from({ length: count }, (_, at) => packet(4 + at, payload))
  return Buffer.concat([head(name), ...all, eof(4 + count)])
}

test('a question that is given up frees its place, wherever the server has fallen silent', async () => {
  const isVersion = (text: string): boolean => text.startsWith('SELECT VERSION')
  const seen: string[] = []
  for (const { port, ca, sockets } of await startBoth({
    query(text) {
      seen.push(text)
      return isVersion(text)
    },
  })) {
    seen.length = 0
    // More than have a place at a time
    const questions = Array.from({ length: 10 }, () => begin(port, ca))
    await eventually(() => seen.length === 8)
    for (const { giveUp } of questions.slice(0, 8)) giveUp()
    await eventually(() => seen.length === 10)
    for (const { giveUp } of questions) giveUp()
    await eventually(() => sockets.size === 0)
  }
})

test('a question that is given up in the TLS handshake ends its connection and nothing else', async () => {
  const { port, sockets, received } = await startMysqlServer(misbehaving, { certificate, isSilent: true })
  const { giveUp } = begin(port, authority.certificate)
  await eventually(() => received().length > 100)
  giveUp()
  await eventually(() => sockets.size === 0)
})

test('the first answer is bounded: a version that never ends closes the connection', async () => {
  for (const { port, ca, sockets } of await startBoth({
    query(text, socket) {
      if (!text.startsWith('SELECT VERSION')) return false
      socket.write(head('version'))
      let sequence = 4
      const more = (): void => {
        if (socket.destroyed) return
        const pieces = Array.from({ length: 1000 }, () => packet(sequence++, [100], 'x'.repeat(100)))
        socket.write(Buffer.concat(pieces), more)
      }
      more()
      return true
    },
  })) {
    const result = await ask(port, ca)
    assert.equal('kind' in result && result.kind, 'connect')
    await eventually(() => sockets.size === 0)
  }
})

test('questions that are given up at a server that ends none of them have no more connections than their places', async () => {
  let [kills, executes] = [0, 0]
  for (const { port, ca, sockets } of await startBoth({
    execute() {
      executes++
    },
    query(text) {
      if (text.startsWith('KILL')) kills++
      return text.startsWith('KILL')
    },
  })) {
    kills = executes = 0
    const questions = Array.from({ length: 8 }, () => begin(port, ca))
    await eventually(() => executes === 8)
    for (const { giveUp } of questions) giveUp()
    await eventually(() => kills === 8)
    const { result } = begin(port, ca)
    // Each has its connection and the one that asks for its end
    assert.equal(sockets.size, 16)
    for (const socket of sockets) socket.destroy()
    // The question that waited has a place now
    await eventually(() => executes === 9)
    for (const socket of sockets) socket.destroy()
    assert.equal((await result).ok, false)
  }
})

test('a few bytes of rows make no long answer: the names of columns count for each row', async () => {
  for (const { port, ca } of await startBoth({
    execute: (socket) => socket.write(rows('n'.repeat(60_000), 10_000, NULL)),
  })) {
    const result = await ask(port, ca)
    assert.equal('kind' in result && result.kind, 'size')
  }
})

test('packets out of order end the connection, and nothing is written to the log', async (t) => {
  const logged = t.mock.method(console, 'error', () => {})
  for (const { port, ca } of await startBoth({
    execute: (socket) => socket.write(Buffer.concat([head('a'), packet(99, TEXT), packet(99, TEXT)])),
  })) {
    const result = await ask(port, ca)
    assert.equal('kind' in result && result.kind, 'connect')
  }
  assert.equal(logged.mock.callCount(), 0)
})

test('a connection on which more comes than notices while nothing is asked is closed', async () => {
  for (const { port, ca, sockets } of await startBoth({
    execute: (socket) => socket.write(rows('a', 1, TEXT)),
    query(text, socket) {
      // The beginning of a packet of 16 MB, which the driver would gather
      if (text === 'ROLLBACK')
        setImmediate(() =>
          socket.write(Buffer.concat([Buffer.from([255, 255, 255, 0]), Buffer.alloc(200_000)])),
        )
      return false
    },
  })) {
    assert.deepEqual(await ask(port, ca), {
      ok: true,
      json: '{"rows":[{"a":"A"}],"count":1,"truncated":false}',
    })
    await eventually(() => sockets.size === 0)
  }
})

test('an error is told without the password, and one about permissions without the user', async () => {
  for (const [errno, said, told] of [
    [[0x28, 4], `near ${PASSWORD}`, 'error 1064)'],
    [
      [0x76, 4],
      "SELECT command denied to user 'app'@'10.0.0.7' for table 'payroll'",
      'error 1142): the user of the credential lacks a permission',
    ],
  ] as const)
    for (const { port, ca } of await startBoth({
      prepare: (socket) => socket.write(packet(1, [0xff, ...errno], `#42000${said}`)),
    }))
      assert.deepEqual(await ask(port, ca), {
        ok: false,
        kind: '42000',
        message: `the database refused the statement (SQLSTATE 42000, ${told}`,
      })
})

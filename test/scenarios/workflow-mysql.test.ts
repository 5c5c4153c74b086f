/** Nodes that ask MariaDB: a real server, and servers that misbehave. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import type { Socket } from 'node:net'
import { after, before, test } from 'node:test'
import { issue } from '../certificates.ts'
import { eventually } from '../support/eventually.ts'
import { IS_INSTALLED, startMariaDb, type TestMariaDb } from '../support/mariadb.ts'
import { Misbehaving } from '../support/misbehaving.ts'
import { answer, type Definition, flow, startFlows } from './flows.ts'

const skip = IS_INSTALLED ? false : 'MariaDB is not installed'
const PASSWORD = 'pass-of-mariadb-24d9'

const { server, token, endpoint, post, record, stop } = await startFlows()
const authority = issue({ name: 'Test authority', ca: true })
let database: TestMariaDb
const misbehaving = new Misbehaving()

before(async () => {
  const auth = { type: 'basic', username: 'app', password: PASSWORD }
  await server.manage('POST', '/credentials', { name: 'App', auth })
  if (skip !== false) return
  const certificate = issue({ name: 'db', issuer: authority, addresses: ['127.0.0.1'], usage: 'server' })
  database = await startMariaDb(PASSWORD, certificate)
  database.sql(`
    CREATE TABLE shop.items (id bigint PRIMARY KEY, name varchar(50), price decimal(20, 2), is_new boolean, made timestamp NULL, at datetime, data varbinary(10));
    INSERT INTO shop.items VALUES (1, 'Tea', 2.50, true, '2026-05-01 08:00:00', '2026-05-01 10:00:00', 0x00ff), (9007199254740993, 'Mug', NULL, NULL, NULL, NULL, NULL);
    CREATE PROCEDURE shop.both_names() SELECT name FROM shop.items ORDER BY id;
    DELIMITER //
    CREATE PROCEDURE shop.two_lists() BEGIN SELECT 1 AS a; SELECT 2 AS b; END//
    DELIMITER ;`)
})
after(async () => {
  await stop()
  await database?.[Symbol.asyncDispose]()
  misbehaving.close()
})

interface Node {
  readonly config?: object
  readonly [name: string]: unknown
}

/** Sends one statement with the values of the caller, and answers what it comes to. */
const asking = (statement: string, node: Node = {}): Definition =>
  flow(
    [
      {
        id: 'db',
        type: 'mysql_node',
        on_error: 'handle',
        inputs: { values: '{{ $.http.request.body }}' },
        ...node,
        config: {
          host: '127.0.0.1',
          port: database?.port ?? 1,
          tls: false,
          credential: 'app',
          database: 'shop',
          statement,
          ...node.config,
        },
      },
      answer('ok', {
        body: { rows: '{{ $.db.rows }}', count: '{{ $.db.count }}', more: '{{ $.db.truncated }}' },
      }),
      ...(node['on_error'] === 'fail' ? [] : [answer('bad', { body: '{{ $.db.error }}' }, { status: 502 })]),
    ],
    ['http db', 'db default ok', ...(node['on_error'] === 'fail' ? [] : ['db error bad'])],
  )
const ask = async (statement: string, values: readonly unknown[] = [], node: Node = {}) =>
  (await post(await endpoint(asking(statement, node)), values)).json
const WRITES = { config: { read_only: false } }

test('rows of a real MariaDB come as JSON, with values bound', { skip }, async () => {
  assert.deepEqual(await ask('SELECT * FROM items WHERE id = ? AND is_new = ?', [1, true]), {
    rows: [
      {
        id: 1,
        name: 'Tea',
        price: '2.50',
        is_new: 1,
        made: '2026-05-01T08:00:00Z',
        at: '2026-05-01T10:00:00',
        data: 'AP8=',
      },
    ],
    count: 1,
    more: false,
  })
  const types = await ask(
    "SELECT id, ? AS t, ? AS n, 1.5e0 AS f, date '2026-05-01' AS d FROM items WHERE id > 1 LIMIT ?",
    ['ü', null, 5],
  )
  assert.deepEqual(types.rows, [{ id: '9007199254740993', t: 'ü', n: null, f: 1.5, d: '2026-05-01' }])
})

test('a value is never a part of the statement, and a statement is one', { skip }, async () => {
  for (const name of ["' OR 1=1 -- ", '\\', '"; DROP TABLE items', '?'])
    assert.equal((await ask('SELECT id FROM items WHERE name = ?', [name])).count, 0, name)
  assert.equal((await ask('SELECT 1; DELETE FROM items')).kind, '42000')
  assert.equal(database.sql('SELECT count(*) FROM shop.items').trim(), '2')
})

test('a node changes rows only with read_only off, whatever its statement is', { skip }, async () => {
  database.sql(
    'CREATE FUNCTION shop.sneak() RETURNS int MODIFIES SQL DATA BEGIN DELETE FROM shop.items; RETURN 1; END'
      .replace(/^/, 'DELIMITER //\n')
      .concat('//'),
  )
  assert.equal((await ask('SELECT sneak()')).kind, '25006')
  assert.equal((await ask('INSERT INTO items (id, name) VALUES (?, ?)', [3, 'Pot'], WRITES)).count, 1)
  assert.equal((await ask('UPDATE items SET name = ? WHERE id = 3', ['Pan'], WRITES)).count, 1)
  assert.equal((await ask('INSERT INTO items (id) VALUES (3)', [], WRITES)).kind, '23000')
  assert.deepEqual((await ask('DELETE FROM items WHERE id = 3 RETURNING id', [], WRITES)).rows, [{ id: 3 }])
  assert.deepEqual((await ask('CALL both_names()', [], WRITES)).rows, [{ name: 'Tea' }, { name: 'Mug' }])
  assert.deepEqual((await ask('CALL two_lists()', [], WRITES)).rows, [{ a: 1 }])
  assert.equal(database.sql('SELECT count(*) FROM shop.items').trim(), '2')
})

test('a statement gives no more rows than its limit, and long answers fail', { skip }, async () => {
  const three = { config: { row_limit: 3 } }
  const found = { rows: [{ seq: 1 }, { seq: 2 }, { seq: 3 }], count: 3, more: true }
  assert.deepEqual(await ask('SELECT seq FROM seq_1_to_100000000', [], three), found)
  assert.deepEqual(await ask('SELECT seq FROM seq_1_to_100000000 LIMIT 50000000', [], three), found)
  assert.deepEqual((await ask('SELECT seq FROM seq_1_to_3', [], three)).more, false)
  assert.equal((await ask("SELECT repeat('x', 1000000) FROM seq_1_to_100")).kind, 'size')
  assert.equal((await ask('SELECT 1 AS one')).count, 1, 'the next question finds a good session')
})

const sleeping = (): number =>
  Number(
    database.sql("SELECT count(*) FROM information_schema.processlist WHERE info LIKE 'SELECT sleep(60)%'"),
  )

test('after the timeout of its node, and when the caller leaves, a statement ends at the server', {
  skip,
}, async () => {
  const SLEEP = 'SELECT sleep(60)'
  assert.equal((await ask(SLEEP, [], { timeout: '300ms' })).kind, 'timeout')
  await eventually(() => sleeping() === 0)
  const path = await endpoint(asking(SLEEP, { config: { tls: true, ca: authority.certificate } }))
  const controller = new AbortController()
  fetch(`${server.running.gatewayUrl}${path}`, {
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    method: 'POST',
    body: '[]',
    signal: controller.signal,
  }).catch(() => {})
  await eventually(() => sleeping() === 1)
  controller.abort()
  await eventually(() => sleeping() === 0)
})

test('TLS is verified by the authority of the node, and a server without a valid certificate is not used', {
  skip,
}, async () => {
  const secure = { tls: true, ca: authority.certificate }
  const used = await ask(
    "SELECT variable_value <> '' AS is_used FROM information_schema.session_status WHERE variable_name = 'Ssl_cipher'",
    [],
    { config: secure },
  )
  assert.deepEqual(used.rows, [{ is_used: 1 }])
  const other = issue({ name: 'Other authority', ca: true }).certificate
  for (const config of [{ tls: true }, { tls: true, ca: other }, { ...secure, host: 'localhost' }])
    assert.equal((await ask('SELECT 1', [], { config })).kind, 'connect', JSON.stringify(config).slice(0, 40))
})

test('a wrong password, and faults of the statement, say what is wrong without values and secrets', {
  skip,
}, async () => {
  const wrong = 'wrong-pass-77aa'
  await server.manage('POST', '/credentials', {
    name: 'Wrong',
    auth: { type: 'basic', username: 'app', password: wrong },
  })
  const path = await endpoint(asking('SELECT 1', { on_error: 'fail', config: { credential: 'wrong' } }))
  const reply = await post(path, [])
  assert.deepEqual([reply.status, reply.json.code], [500, 'workflow_failed'])
  const written = await record(reply.headers.get('x-request-id')!)
  assert.equal(written.reason, 'node "db": the server refused the credential (1045)')
  assert.ok(!`${JSON.stringify(written)}${server.log.join()}${reply.text}`.includes(wrong))
  const unknown = await ask('SELECT nothing FROM items')
  assert.equal(unknown.kind, '42S22')
  assert.match(unknown.message, /Unknown column 'nothing'/)
})

test('an error that comes with values is told by its code alone', { skip }, async () => {
  database.sql('CREATE PROCEDURE shop.dynamic(q text) EXECUTE IMMEDIATE q')
  assert.deepEqual(await ask('CALL dynamic(?)', ['secret value'], WRITES), {
    kind: '42000',
    message: 'the database refused the statement (SQLSTATE 42000, error 1064)',
  })
})

test('idle sessions are closed by the clock', { skip }, async () => {
  await ask('SELECT 1')
  const sessions = (): number =>
    Number(database.sql("SELECT count(*) FROM information_schema.processlist WHERE user = 'app'"))
  assert.ok(sessions() > 0)
  server.moveClock(31_000)
  await eventually(() => sessions() === 0)
})

test('a server that is silent, closes, lies, floods or asks for the plain password fails the node', async () => {
  /** The first packet of a server, which asks for a method of authentication. */
  const greeting = (method: string): Buffer => {
    const body = Buffer.concat([
      Buffer.from('\x0a5.7.0\0\x01\0\0\0aaaaaaaa\0\xff\xff\x21\x02\0\xff\xff\x15', 'latin1'),
      Buffer.alloc(10),
      Buffer.from(`aaaaaaaaaaaa\0${method}\0`),
    ])
    return Buffer.concat([Buffer.from([body.length, 0, 0, 0]), body])
  }
  const switching = Buffer.from('\xfemysql_clear_password\0', 'latin1')
  const cases: readonly (readonly [string, readonly string[], (socket: Socket) => void])[] = [
    ['is silent', ['timeout'], (socket) => void socket.resume()],
    ['closes', ['connect'], (socket) => socket.destroy()],
    ['speaks HTTP', ['connect'], (socket) => void socket.resume().end('HTTP/1.1 400 Bad\r\n\r\n')],
    ['sends anything', ['connect'], (socket) => void socket.resume().end(randomBytes(5000))],
    [
      'floods',
      ['connect'],
      (socket) =>
        void socket
          .resume()
          .write(Buffer.concat([Buffer.from([0xff, 0xff, 0xff, 0]), Buffer.alloc(3_000_000)])),
    ],
    [
      'wants the password in plain text',
      ['connect', 'login'],
      (socket) => {
        socket.write(greeting('mysql_native_password'))
        socket.once('data', () =>
          socket.write(Buffer.concat([Buffer.from([switching.length, 0, 0, 2]), switching])),
        )
      },
    ],
  ]
  for (const [what, kinds, talk] of cases) {
    const { port, received, sockets } = await misbehaving.start(talk)
    const { kind } = await ask('SELECT 1', [], { timeout: '2s', config: { port } })
    assert.ok(kinds.includes(kind), `${what}: ${kind}`)
    await eventually(
      () => sockets.size === 0,
      () => what,
    )
    assert.ok(!received().includes(PASSWORD), what)
  }
})

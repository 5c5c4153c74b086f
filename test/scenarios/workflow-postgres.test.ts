/** Nodes that ask PostgreSQL: a real server, and servers that misbehave. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { issue } from '../certificates.ts'
import { eventually } from '../support/eventually.ts'
import { Misbehaving } from '../support/misbehaving.ts'
import { runPage } from '../support/page.ts'
import { PROGRAMS, startPostgres, type TestPostgres } from '../support/postgres.ts'
import { answer, type Definition, flow, startFlows } from './flows.ts'

const skip = PROGRAMS === null ? 'PostgreSQL is not installed' : false
const PASSWORD = 'pass-of-postgres-51c8'

const { server, token, endpoint, post, record, stop } = await startFlows()
const authority = issue({ name: 'Test authority', ca: true })
let database: TestPostgres
const misbehaving = new Misbehaving()

before(async () => {
  const auth = { type: 'basic', username: 'app', password: PASSWORD }
  await server.manage('POST', '/credentials', { name: 'App', auth })
  if (skip !== false) return
  const certificate = issue({ name: 'db', issuer: authority, addresses: ['127.0.0.1'], usage: 'server' })
  database = await startPostgres(PASSWORD, certificate)
  database.sql(`
    CREATE TABLE items (id bigint PRIMARY KEY, name text, price numeric, tags text[], extra jsonb, made timestamptz, data bytea);
    INSERT INTO items VALUES
      (1, 'Tea', 2.50, '{green,"with \\"quotes\\", and {}"}', '{"deep": [1, null]}', '2026-05-01 10:00:00+02', '\\x00ff'),
      (2, 'Mug', 9007199254740993, NULL, NULL, NULL, NULL);
    GRANT ALL ON items TO app`)
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
        type: 'postgres_node',
        on_error: 'handle',
        inputs: { values: '{{ $.http.request.body }}' },
        ...node,
        config: {
          host: '127.0.0.1',
          port: database?.port ?? 1,
          tls: false,
          credential: 'app',
          database: 'postgres',
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

test('rows of a real PostgreSQL come as JSON, with values bound', { skip }, async () => {
  assert.deepEqual(await ask('SELECT * FROM items WHERE id = $1', [1]), {
    rows: [
      {
        id: 1,
        name: 'Tea',
        price: '2.50',
        tags: ['green', 'with "quotes", and {}'],
        extra: { deep: [1, null] },
        made: '2026-05-01T08:00:00Z',
        data: 'AP8=',
      },
    ],
    count: 1,
    more: false,
  })
  const types = await ask(
    `SELECT $1::int4 AS i, $2::bool AS b, $3::float8 AS f, 'NaN'::float8 AS n, $4::jsonb AS j, $5::text AS t,
      9007199254740993 AS big, date '2026-05-01' AS d, timestamp '2026-05-01 10:00' AS ts, interval '90s' AS v,
      ARRAY[[1,2],[3,NULL]] AS m, '{"id":9007199254740993}'::jsonb AS long, 'infinity'::timestamptz AS inf, null AS nothing, '[0:1]={5,6}'::int[] AS low`,
    [7, true, 1.5, { a: ['ü'] }, null],
  )
  assert.deepEqual(types.rows, [
    {
      ...{
        i: 7,
        b: true,
        f: 1.5,
        n: 'NaN',
        j: { a: ['ü'] },
        t: null,
        big: '9007199254740993',
        d: '2026-05-01',
      },
      ...{
        ts: '2026-05-01T10:00:00',
        v: 'PT1M30S',
        m: [
          [1, 2],
          [3, null],
        ],
        long: { id: '9007199254740993' },
        inf: 'infinity',
        nothing: null,
        low: [5, 6],
      },
    },
  ])
})

test('a value is never a part of the statement', { skip }, async () => {
  for (const name of ["' OR 1=1 --", "'; DROP TABLE items; --", '$1', '\\', '"']) {
    const { count } = await ask('SELECT id FROM items WHERE name = $1', [name])
    assert.equal(count, 0, name)
  }
  assert.equal(database.sql('SELECT count(*) FROM items').trim(), '2')
  assert.equal((await ask('SELECT 1; DELETE FROM items')).kind, '42601')
})

test('a node changes rows only with read_only off, whatever its statement is', { skip }, async () => {
  const refused = await server.manage('POST', '/workflows', {
    name: 'Writes',
    definition: asking('INSERT INTO items (id) VALUES (3)'),
  })
  assert.match(refused.text, /INSERT needs read_only: false/)
  const hidden = await ask('WITH made AS (INSERT INTO items (id) VALUES (3) RETURNING id) SELECT * FROM made')
  assert.equal(hidden.kind, '25006')
  assert.match(hidden.message, /in a read-only transaction/)
  const made = await ask(
    'INSERT INTO items (id, extra, data) VALUES ($1, $2, $3) RETURNING id',
    [3, { a: 1 }, null],
    WRITES,
  )
  assert.deepEqual(made, { rows: [{ id: 3 }], count: 1, more: false })
  assert.deepEqual(await ask('UPDATE items SET name = $1 WHERE id > $2', ['x', 1], WRITES), {
    rows: [],
    count: 2,
    more: false,
  })
  assert.equal((await ask('INSERT INTO items (id) VALUES (3)', [], WRITES)).kind, '23505')
  assert.deepEqual((await ask('DELETE FROM items WHERE id = 3', [], WRITES)).count, 1)
})

test('a statement gives no more rows than its limit, and the server sends no more', { skip }, async () => {
  const limited = await ask('SELECT generate_series(1, 100000000) AS n', [], {
    config: { row_limit: 3 },
  })
  assert.deepEqual(limited, { rows: [{ n: 1 }, { n: 2 }, { n: 3 }], count: 3, more: true })
  const exact = await ask('SELECT n FROM generate_series(1, 3) AS n', [], { config: { row_limit: 3 } })
  assert.deepEqual([exact.count, exact.more], [3, false])
  for (const text of [
    "SELECT repeat('x', 9000000)",
    "SELECT repeat('x', 1000000) FROM generate_series(1, 100)",
  ])
    assert.equal((await ask(text)).kind, 'size', text)
  assert.equal((await ask('SELECT 1 AS one')).count, 1, 'the next question finds a good session')
})

const sleeping = (): number =>
  Number(
    database.sql(
      "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%sleep(60)%' AND pid <> pg_backend_pid()",
    ),
  )

test('after the timeout of its node, and when the caller leaves, a statement ends at the server', {
  skip,
}, async () => {
  const SLEEP = 'SELECT pg_sleep(60)'
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
  const used = await ask('SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()', [], { config: secure })
  assert.deepEqual(used.rows, [{ ssl: true }])
  const other = issue({ name: 'Other authority', ca: true }).certificate
  for (const config of [{ tls: true }, { tls: true, ca: other }, { ...secure, host: 'localhost' }])
    assert.equal((await ask('SELECT 1', [], { config })).kind, 'connect', JSON.stringify(config).slice(0, 40))
})

test('a wrong password, and faults of the statement, say what is wrong without values and secrets', {
  skip,
}, async () => {
  const wrong = 'wrong-pass-e817'
  await server.manage('POST', '/credentials', {
    name: 'Wrong',
    auth: { type: 'basic', username: 'app', password: wrong },
  })
  const path = await endpoint(asking('SELECT 1', { on_error: 'fail', config: { credential: 'wrong' } }))
  const reply = await post(path, [])
  assert.deepEqual([reply.status, reply.json.code], [500, 'workflow_failed'])
  const written = await record(reply.headers.get('x-request-id')!)
  assert.equal(written.reason, 'node "db": the server refused the credential (SQLSTATE 28P01)')
  assert.ok(!`${JSON.stringify(written)}${server.log.join()}${reply.text}`.includes(wrong))
  const unknown = await ask('SELECT nothing FROM items')
  assert.deepEqual(unknown, {
    kind: '42703',
    message: 'PostgreSQL refused the statement (SQLSTATE 42703): column "nothing" does not exist',
  })
  const value = await ask('SELECT $1::int4', ['secret-value'])
  assert.deepEqual(value, { kind: '22P02', message: 'PostgreSQL refused the statement (SQLSTATE 22P02)' })
  assert.equal((await ask('SELECT 1', [], { config: { database: 'none' } })).kind, '3D000')
})

test('an error that comes with values is told by its code alone', { skip }, async () => {
  for (const [statement, value, kind] of [
    ["SELECT to_tsquery('simple', $1)", 'secret & &', '42601'],
    ['SELECT $1::regclass', 'secret', '42P01'],
    ['SELECT current_setting($1)', 'secret.value', '42704'],
  ] as const) {
    const { message, ...rest } = await ask(statement, [value])
    assert.deepEqual([rest, message], [{ kind }, `PostgreSQL refused the statement (SQLSTATE ${kind})`])
  }
  database.sql('CREATE TABLE hidden (id int)')
  assert.deepEqual(await ask('SELECT * FROM hidden'), {
    kind: '42501',
    message:
      'PostgreSQL refused the statement (SQLSTATE 42501): the user of the credential lacks a permission',
  })
})

test('nothing that a statement sets is left in the session for the next one', { skip }, async () => {
  const node = { config: { ...WRITES.config, tls: false } }
  await ask("SELECT set_config('TimeZone', 'Asia/Tokyo', true)", [], node)
  assert.deepEqual((await ask("SELECT timestamptz '2026-05-01 00:00:00+00' AS t", [], node)).rows, [
    { t: '2026-05-01T00:00:00Z' },
  ])
  for (const statement of [
    'SET search_path = x',
    'BEGIN',
    'COPY items FROM STDIN',
    'DROP TABLE items',
    '-- x\nSELECT 1',
    '',
  ])
    assert.equal(
      (await server.manage('POST', '/workflows/validate', { definition: asking(statement, WRITES) })).json
        .valid,
      false,
      statement,
    )
})

test('idle sessions are closed by the clock', { skip }, async () => {
  await ask('SELECT 1')
  const sessions = (): number =>
    Number(database.sql("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'postern'"))
  assert.ok(sessions() > 0)
  server.moveClock(31_000)
  await eventually(() => sessions() === 0)
})

test('a server that is silent, closes, lies, floods or asks for the plain password fails the node', async () => {
  const reply = (...bytes: readonly number[]): Buffer => Buffer.from(bytes)
  for (const [what, kind, talk] of [
    ['is silent', 'timeout', (socket) => void socket.resume()],
    ['closes', 'connect', (socket) => socket.destroy()],
    ['closes after the start', 'connect', (socket) => void socket.once('data', () => socket.end())],
    [
      'speaks HTTP',
      'connect',
      (socket) => void socket.on('data', () => socket.end('HTTP/1.1 400 Bad\r\n\r\n')),
    ],
    [
      'floods',
      'connect',
      (socket) =>
        void socket.on('data', () =>
          socket.write(
            Buffer.concat([Buffer.from('E\x7f\xff\xff\xff', 'latin1'), Buffer.alloc(3_000_000, 0x61)]),
          ),
        ),
    ],
    [
      'wants the password in plain text',
      'login',
      (socket) => void socket.once('data', () => socket.write(reply(0x52, 0, 0, 0, 8, 0, 0, 0, 3))),
    ],
  ] as const satisfies readonly (readonly [string, string, (socket: import('node:net').Socket) => void])[]) {
    const { port, received, sockets } = await misbehaving.start(talk)
    const node = { timeout: '2s', config: { port } }
    assert.equal((await ask('SELECT 1', [], node)).kind, kind, what)
    await eventually(
      () => sockets.size === 0,
      () => what,
    )
    assert.ok(!received().includes(PASSWORD), what)
  }
})

test('docs/workflow-sql.md shows what a real PostgreSQL answers', { skip }, async () => {
  database.sql(`
    CREATE DATABASE shop;
    ALTER USER app PASSWORD '${PASSWORD}'`)
  database.sql(
    "CREATE TABLE stock (sku text PRIMARY KEY, left_over int); INSERT INTO stock VALUES ('TEA-1', 12); GRANT SELECT ON stock TO app",
    'shop',
  )
  const words = { '5432': String(database.port), 'database-password-1': PASSWORD, $TOKEN: token }
  assert.equal(await runPage('workflow-sql.md', server, words), 4)
})

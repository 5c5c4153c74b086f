import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, before, test } from 'node:test'
import { IS_LONG } from '../support/long.ts'
import { mountSmallDisk } from '../support/small-disk.ts'
import { killNow, startUp } from './process.ts'
import { publishOrders, startTestServer, type TestServer, until } from './server.ts'
import { startUpstream, type TestUpstream } from './upstream.ts'

let upstream: TestUpstream
const disk = mountSmallDisk(32)
const NEEDS_DISK = typeof disk === 'string' ? { skip: disk } : {}
const NEEDS_LONG = IS_LONG ? {} : { skip: 'thousands of requests: npm run test:all' }
const NO_PRLIMIT = hasPrlimit() ? false : 'prlimit of util-linux is not installed'
const directories: string[] = []
const fresh = (): string => {
  directories.push(mkdtempSync(join(tmpdir(), 'postern-faults-')))
  return directories.at(-1)!
}

function hasPrlimit(): boolean {
  try {
    execFileSync('prlimit', ['--version'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

before(async () => {
  upstream = await startUpstream()
})
after(async () => {
  await upstream.close()
  for (const directory of directories) rmSync(directory, { recursive: true, force: true })
  if (typeof disk !== 'string') disk.remove()
})

const order = (server: TestServer, token: string) =>
  server.gateway('GET', '/orders/v1/orders/7', { headers: { authorization: `Bearer ${token}` } })

async function readiness(server: { readonly running: { readonly controlUrl: string } }) {
  const answer = await fetch(`${server.running.controlUrl}/readyz`)
  // biome-ignore lint/suspicious/noExplicitAny: the test reads the members it asserts on
  return { status: answer.status, json: (await answer.json()) as any }
}

/** Asks until it holds, for at most five seconds in which this process runs: a pause of the machine counts as a tenth of a second. */
async function inFiveSeconds<T>(ask: () => Promise<T>, holds: (answer: T) => boolean): Promise<void> {
  for (let spent = 0, at = performance.now(); ; ) {
    const answer = await ask()
    if (holds(answer)) return
    const now = performance.now()
    spent += Math.min(100, now - at)
    at = now
    assert.ok(spent <= 5000, `not within five seconds; last: ${JSON.stringify(answer)}`)
    await new Promise((done) => setTimeout(done, 10))
  }
}

/** Waits until `/readyz` names the fault of a store, or null. */
const shows = (
  server: { readonly running: { readonly controlUrl: string } },
  store: string,
  fault: string | null,
): Promise<void> =>
  inFiveSeconds(
    () => readiness(server),
    ({ json }) => json.stores[store] === fault,
  )

/**
 * Takes away what follows the last frame of a write-ahead log: room that a write would use on a full disk.
 * See https://sqlite.org/fileformat.html#the_write_ahead_log.
 */
function endLog(file: string): void {
  const bytes = readFileSync(file)
  const frame = 24 + bytes.readUInt32BE(8)
  const salts = bytes.subarray(16, 24)
  let end = 32
  while (end + frame <= bytes.length && bytes.subarray(end + 8, end + 16).equals(salts)) end += frame
  truncateSync(file, end)
}

const change = (server: TestServer, n: number) =>
  server.manage('POST', '/policies', {
    name: `Policy ${n}`,
    description: 'x'.repeat(2000),
    limits: [{ name: 'minute', kind: 'rate', max: n + 1, window: '1m' }],
  })

test(
  'a full disk while it runs: changes answer 503, traffic goes on, it shows everywhere, and ends without a restart',
  NEEDS_DISK,
  async () => {
    assert.ok(typeof disk !== 'string')
    const server = await startTestServer({ data: disk.path })
    try {
      const token = await publishOrders(server, upstream.url)
      disk.fill()
      await shows(server, 'config', 'disk_full')
      await shows(server, 'records', 'disk_full')
      const refused = await change(server, 1)
      assert.deepEqual([refused.status, refused.json.code], [503, 'store_unavailable'])
      assert.match(refused.json.detail, /disk of the store is full/)
      assert.ok(!refused.text.includes(disk.path), 'says nothing of where files lie')
      const asked = await server.gateway('POST', '/oauth/register', {
        body: { redirect_uris: ['http://127.0.0.1:1/done'], client_name: 'Any' },
      })
      assert.equal(asked.status, 503, asked.text)
      assert.equal(asked.json.error, 'temporarily_unavailable')
      assert.equal((await order(server, token)).status, 200)
      const { status, json } = await readiness(server)
      assert.deepEqual([status, json.status, json.store], [200, 'warn', false])
      assert.ok(server.log.some((line) => /^error config\.db cannot be used \(disk_full\)/.test(line)))
      assert.equal((await server.manage('GET', '/policies')).status, 200, 'what is stored can be read')

      disk.free()
      await shows(server, 'config', null)
      await shows(server, 'records', null)
      assert.equal((await change(server, 2)).status, 201)
      assert.ok(server.log.includes('info config.db can be used again'))
      await until(
        () => server.manage('GET', '/records'),
        ({ json: page }) => page.items?.length >= 1,
      )
    } finally {
      disk.free()
      await server.stop()
    }
  },
)

test(
  'a full disk at start: the last configuration is served, and nothing can be changed',
  NEEDS_DISK,
  async () => {
    assert.ok(typeof disk !== 'string')
    const data = join(disk.path, 'second')
    const before = await startTestServer({ data })
    const token = await publishOrders(before, upstream.url)
    await before.stop()
    disk.fill()
    for (const _ of ['once', 'twice']) {
      const server = await startTestServer({ data, adminless: true })
      try {
        assert.equal((await order(server, token)).status, 200)
        const refused = await server.manage('GET', '/policies', undefined, { token: 'pst_at_any' })
        assert.deepEqual([refused.status, refused.json.code], [503, 'store_unavailable'])
        const written = await server.manage(
          'POST',
          '/policies',
          { name: 'Any' },
          { token: before.adminToken },
        )
        assert.deepEqual([written.status, written.json.code], [503, 'store_unavailable'])
        assert.ok(server.log.some((line) => /config\.db cannot be opened \(disk_full.*is served/.test(line)))
        assert.equal((await readiness(server)).json.stores.config, 'disk_full')
      } finally {
        await server.stop()
      }
    }
    disk.free()
    const again = await startTestServer({ data })
    assert.equal((await order(again, token)).status, 200)
    assert.equal((await change(again, 1)).status, 201)
    await again.stop()
  },
)

test(
  'a disk that fills before there is an administrator: the process says so, prints the link later and ends when told',
  NEEDS_DISK,
  async () => {
    assert.ok(typeof disk !== 'string')
    const data = join(disk.path, 'third')
    const before = await startUp(data)
    disk.fill()
    try {
      // With the files of a process that was killed the store opens on a full disk too
      await killNow(before)
      endLog(join(data, 'config.db-wal'))
      disk.fill()
      const up = await startUp(data)
      try {
        await until(
          async () => up.output(),
          (output) => /The link to set up the administrator cannot be created/.test(output),
        )
        disk.free()
        await until(
          async () => up.output(),
          (output) => /Open this link before/.test(output),
        )
        disk.fill()
      } finally {
        up.child.kill('SIGTERM')
      }
      const { code } = await up.ended
      assert.equal(code, 0)
    } finally {
      disk.free()
    }
  },
)

for (const [store, file] of [
  ['config', 'config.db'],
  ['records', 'records.db'],
  ['serving', 'serving.db'],
] as const)
  test(`${file} deleted while it runs: it shows, and no quota is granted again at the next start`, async () => {
    const data = fresh()
    let token = ''
    const server = await startTestServer({ data })
    try {
      token = await publishOrders(server, upstream.url, { kind: 'quota', max: 2, window: '1d' })
      assert.equal((await order(server, token)).status, 200)
      assert.equal((await order(server, token)).status, 200)
      await until(
        () => server.manage('GET', '/records'),
        ({ json }) => json.items?.length >= 2,
      )
      rmSync(join(data, file))
      if (store === 'config') {
        const refused = await change(server, 1)
        assert.deepEqual([refused.status, refused.json.code], [503, 'store_unavailable'])
      }
      // In /readyz too, where config.db is mended in the moment in which it is noticed
      if (store !== 'config') await shows(server, store, 'missing')
      await inFiveSeconds(
        async () => server.log,
        (log) => log.some((line) => line.startsWith(`error ${file} cannot be used (missing)`)),
      )
      // Mended within half a minute; the test does not wait for it
      if (store !== 'serving') {
        await shows(server, store, null)
        assert.ok(existsSync(join(data, file)))
        assert.equal((await change(server, 2)).status, 201)
      }
    } finally {
      await server.stop()
    }
    const again = await startTestServer({ data })
    try {
      const over = await order(again, token)
      assert.deepEqual([over.status, over.json.code], [429, 'quota_exceeded'])
    } finally {
      await again.stop()
    }
  })

test('config.db truncated while it runs: changes answer 503, and traffic goes on', async () => {
  const data = fresh()
  const server = await startTestServer({ data })
  const token = await publishOrders(server, upstream.url)
  truncateSync(join(data, 'config.db'))
  const refused = await change(server, 1)
  assert.deepEqual([refused.status, refused.json.code], [503, 'store_unavailable'])
  await shows(server, 'config', 'truncated')
  const metrics = await (await fetch(`${server.running.controlUrl}/metrics`)).text()
  assert.match(metrics, /^postern_store_available\{store="configuration"\} 0$/m)
  assert.match(metrics, /^postern_store_fault\{store="configuration",fault="truncated"\} 1$/m)
  assert.equal((await order(server, token)).status, 200)
  await server.stop()
})

test('while neither config.db nor serving.db can be used, threads that die are replaced, and what was revoked stays so', async () => {
  const data = fresh()
  const server = await startTestServer({ data, workers: 2 })
  try {
    const token = await publishOrders(server, upstream.url)
    const brief = { client: 'acme', name: 'Brief', slug: 'brief', auth: { type: 'token' } }
    const { json } = await server.manage('POST', '/profiles', brief)
    assert.equal((await order(server, json.token)).status, 200)
    assert.equal((await server.manage('POST', '/profiles/brief/revoke', {})).status, 200)
    truncateSync(join(data, 'config.db'))
    await shows(server, 'config', 'truncated')
    rmSync(join(data, 'serving.db'))
    await shows(server, 'serving', 'missing')
    for (const slot of [0, 1]) await server.running.killThread(slot)
    assert.equal((await order(server, token)).status, 200)
    assert.equal((await order(server, json.token)).status, 401)
  } finally {
    await server.stop()
  }
})

test('while another process holds config.db, health checks and reads are answered, it shows, and the change is made afterwards', async () => {
  const data = fresh()
  const server = await startTestServer({ data })
  const other = new DatabaseSync(join(data, 'config.db'))
  try {
    const token = await publishOrders(server, upstream.url)
    other.exec('begin immediate')
    const changed = change(server, 1)
    assert.equal((await server.manage('GET', '/policies')).status, 200)
    assert.equal((await fetch(`${server.running.controlUrl}/healthz`)).status, 200)
    assert.equal((await order(server, token)).status, 200)
    other.exec('rollback')
    assert.equal((await changed).status, 201)
    other.exec('begin immediate')
    await shows(server, 'config', 'locked')
    other.exec('rollback')
    await shows(server, 'config', null)
  } finally {
    other.close()
    await server.stop()
  }
})

test('every file overwritten in place while it runs, size and inode as before: it shows, and no route is lost', async () => {
  const data = fresh()
  const server = await startTestServer({ data })
  try {
    const token = await publishOrders(server, upstream.url, { kind: 'quota', max: 9, window: '1d' })
    assert.equal((await order(server, token)).status, 200)
    await until(
      () => server.manage('GET', '/records'),
      ({ json }) => json.items?.length >= 1,
    )
    for (const name of ['records', 'serving', 'config']) {
      const file = join(data, `${name}.db`)
      // Past the first look of a process at its files
      await until(
        async () => readFileSync(file).readUInt32BE(60),
        (version) => name !== 'config' || version > 1,
      )
      const { ino, size } = statSync(file)
      writeFileSync(file, Buffer.alloc(size, 'not a database '), { flag: 'r+' })
      assert.deepEqual([statSync(file).ino, statSync(file).size], [ino, size])
      await shows(server, name, 'overwritten')
      assert.ok(server.log.some((line) => line.startsWith(`error ${name}.db cannot be used (overwritten)`)))
      assert.equal((await order(server, token)).status, 200)
    }
    const refused = await server.manage('GET', '/policies')
    assert.deepEqual([refused.status, refused.json.code], [503, 'store_unavailable'], refused.text)
  } finally {
    await server.stop()
  }
})

test('an error of the disk while it runs: it shows in /readyz, the log and the metrics, and ends without a restart', {
  skip: NO_PRLIMIT,
}, async () => {
  const up = await startUp(fresh())
  const server = { running: up }
  /** The system refuses each write beyond so many bytes of a file (RLIMIT_FSIZE), which SQLite reports as an I/O error. */
  const limitWrites = (bytes: string): void => {
    execFileSync('prlimit', ['--pid', String(up.child.pid), `--fsize=${bytes}:`])
  }
  const metrics = async (): Promise<string> => (await fetch(`${up.controlUrl}/metrics`)).text()
  const register = () =>
    fetch(`${up.gatewayUrl}/oauth/register`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ redirect_uris: ['http://127.0.0.1:1/done'], client_name: 'Any' }),
    })
  try {
    await shows(server, 'config', null)
    limitWrites('0')
    await shows(server, 'config', 'io_error')
    await shows(server, 'records', 'io_error')
    assert.match(await metrics(), /^postern_store_fault\{store="configuration",fault="io_error"\} 1$/m)
    assert.match(await metrics(), /^postern_store_available\{store="records"\} 0$/m)
    assert.equal((await register()).status, 503)
    assert.equal((await fetch(`${up.controlUrl}/healthz`)).status, 200)
    await until(
      async () => up.output(),
      (output) => /config\.db cannot be used \(io_error\)/.test(output),
    )
    limitWrites('unlimited')
    await shows(server, 'config', null)
    await shows(server, 'records', null)
    assert.match(await metrics(), /^postern_store_available\{store="configuration"\} 1$/m)
    assert.equal((await register()).status, 201)
    await until(
      async () => up.output(),
      (output) => /config\.db can be used again/.test(output),
    )
  } finally {
    await killNow(up)
  }
})

test('records that the store does not take are counted when they are dropped, before the store takes any again', {
  ...NEEDS_DISK,
  ...NEEDS_LONG,
}, async () => {
  assert.ok(typeof disk !== 'string')
  const server = await startTestServer({ data: join(disk.path, 'fourth') })
  try {
    const token = await publishOrders(server, upstream.url, { max: 1_000_000, window: '1m' })
    disk.fill()
    await shows(server, 'records', 'disk_full')
    const ask = () =>
      fetch(`${server.running.gatewayUrl}/orders/v1/orders/${'7'.repeat(6000)}`, {
        headers: { authorization: `Bearer ${token}` },
      }).then((answer) => answer.arrayBuffer())
    // Each batch ends by its text, so that few thousand long paths are more than wait
    let sent = 0
    const deadline = performance.now() + 60_000
    for (;;) {
      await Promise.all(Array.from({ length: 100 }, ask))
      sent += 100
      const { json } = await readiness(server)
      if (json.recorder.dropped > 0) break
      assert.ok(performance.now() < deadline, `${sent} records, and none dropped`)
    }
  } finally {
    disk.free()
    await server.stop()
  }
})

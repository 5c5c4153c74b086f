import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { brotliCompressSync, gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { createBundle } from './bundle.ts'
import { createConsole, returnPath } from './door.ts'

const ORIGIN = 'http://127.0.0.1:8081'
const SCRIPT = 'console.log("the console")'
let directory: string
let now = 0

function write(place: string, page: string): void {
  mkdirSync(join(place, 'assets'), { recursive: true })
  writeFileSync(join(place, 'index.html'), page)
  for (const [suffix, bytes] of [
    ['', Buffer.from(SCRIPT)],
    ['.br', brotliCompressSync(SCRIPT)],
    ['.gz', gzipSync(SCRIPT)],
  ] as const)
    writeFileSync(join(place, `assets/index-a1.js${suffix}`), bytes)
}

before(() => {
  directory = mkdtempSync(join(tmpdir(), 'postern-console-'))
  write(join(directory, 'dist'), '<!doctype html>first')
  writeFileSync(join(directory, 'secret.txt'), 'secret')
  symlinkSync(join(directory, 'secret.txt'), join(directory, 'dist/assets/link.txt'))
})
after(() => rmSync(directory, { recursive: true, force: true }))

const unused = () => assert.fail('nobody signs in')
function open(place = join(directory, 'dist'), origin = ORIGIN) {
  const faults: unknown[] = []
  const answer = createConsole({
    bundle: createBundle(place, () => now),
    origins: [origin],
    issuer: 'http://localhost:8080',
    clientId: 'console',
    sessionMs: 1000,
    redeem: unused,
    signedOut: unused,
    sessions: { start: unused, end: unused, verify: unused },
    facts: () => ({ ip: null, requestId: 'req_1' }),
    fault: (error) => faults.push(error),
  })
  const ask = (path: string, headers: Record<string, string> = {}, method = 'GET') =>
    answer(new Request(origin + path, { method, headers: { host: new URL(origin).host, ...headers } }))
  return { ask, faults }
}
const { ask, faults } = open()

test('every path of a page is the page, not to be kept, with the policy that lets in its own files alone', async () => {
  for (const path of ['/console/', '/console/clients', '/console/proxies/orders:get?tab=edit']) {
    const answer = await ask(path)
    assert.equal(await answer.text(), '<!doctype html>first')
    assert.equal(answer.headers.get('cache-control'), 'no-cache')
    assert.equal(
      answer.headers.get('content-security-policy'),
      `default-src 'none'; script-src ${ORIGIN}/console/assets/; style-src ${ORIGIN}/console/assets/; img-src 'self' data:; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'`,
    )
    assert.equal(answer.headers.get('cross-origin-opener-policy'), 'same-origin')
    assert.equal(answer.headers.get('x-frame-options'), 'DENY')
  }
})

test('a file is sent in the smallest form that the browser takes, to be kept for a year', async () => {
  for (const [accept, encoding] of [
    ['gzip, br', 'br'],
    ['gzip', 'gzip'],
    ['br;q=0, gzip;q=0.5', 'gzip'],
    ['identity', null],
  ] as const) {
    const answer = await ask('/console/assets/index-a1.js', { 'accept-encoding': accept })
    assert.equal(answer.headers.get('content-encoding'), encoding, accept)
    assert.equal(answer.headers.get('cache-control'), 'public, max-age=31536000, immutable')
    assert.equal(answer.headers.get('content-type'), 'text/javascript; charset=utf-8')
    assert.equal(answer.headers.get('vary'), 'accept-encoding')
    const again = await ask('/console/assets/index-a1.js', {
      'accept-encoding': accept,
      'if-none-match': answer.headers.get('etag')!,
    })
    assert.equal(again.status, 304)
  }
})

test('a file that the build did not make is 404, and never the page', async () => {
  for (const path of [
    '/console/assets/gone.js',
    '/console/assets/',
    '/console/assets/link.txt',
    '/console/assets/..%2f..%2fsecret.txt',
    '/console/assets/%00',
    '/console/assets/index-a1.js.br',
  ]) {
    const answer = await ask(path)
    assert.equal(answer.status, 404, path)
    assert.doesNotMatch(await answer.text(), /first|^secret/)
  }
})

test('no path leads out of the bundle, and none is a fault', async () => {
  await fc.assert(
    fc.asyncProperty(fc.webPath(), async (path) => {
      const answer = await ask(`/console/assets${path}`)
      // As a browser normalises it, a path may be one of a page
      assert.ok(answer.status === 404 || [SCRIPT, '<!doctype html>first'].includes(await answer.text()))
    }),
  )
  assert.deepEqual(faults, [])
})

test('a new build is served without a restart', async () => {
  const place = join(directory, 'replaced')
  write(place, 'old')
  const server = open(place)
  assert.equal(await (await server.ask('/console/')).text(), 'old')
  write(join(directory, 'next'), 'new')
  rmSync(place, { recursive: true })
  renameSync(join(directory, 'next'), place)
  now += 2000
  assert.equal(await (await server.ask('/console/')).text(), 'new')
})

test('without a bundle the page says how to make it', async () => {
  const answer = await open(join(directory, 'nowhere')).ask('/console/')
  assert.equal(answer.status, 503)
  assert.match(await answer.text(), /npm run build/)
})

test('a method that a path does not take is refused', async () => {
  const answer = await ask('/console/', {}, 'POST')
  assert.deepEqual([answer.status, answer.headers.get('allow')], [405, 'GET, HEAD'])
})

test('over plain HTTP a sign-in begins at loopback addresses alone, and elsewhere the page says why', async () => {
  for (const origin of [
    'http://console.example.com',
    'http://192.0.2.7:8081',
    'http://127.0.0.1.example.com',
  ]) {
    const answer = await open(undefined, origin).ask('/console/login')
    assert.equal(answer.status, 403, origin)
    assert.match(await answer.text(), /plain HTTP.*POSTERN_CONTROL_TLS_CERT/s)
    assert.equal(answer.headers.get('set-cookie'), null)
  }
  for (const origin of ['http://localhost:8081', 'http://[::1]:8081', 'https://console.example.com']) {
    const answer = await open(undefined, origin).ask('/console/login')
    assert.equal(answer.status, 303, origin)
    assert.match(answer.headers.get('location')!, /\/oauth\/authorize\?/)
  }
})

test('a sign-in comes back to a path of the console, whatever was asked for', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.webUrl(),
        fc.webPath().map((path) => `/console${path}`),
      ),
      (given) => {
        const url = new URL(returnPath(given), ORIGIN)
        assert.equal(url.origin, ORIGIN)
        assert.ok(url.pathname.startsWith('/console/'), url.href)
      },
    ),
  )
})

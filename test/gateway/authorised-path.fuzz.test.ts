import assert from 'node:assert/strict'
import { connect, type Socket } from 'node:net'
import { posix } from 'node:path'
import { test } from 'node:test'
import { fuzzCases } from '../support/long.ts'
import { createRandom } from '../wire/llhttp.ts'
import { client, collection, profile, proxy, upstream } from './fragments.ts'
import { type Served, serve } from './serve.ts'

/** Paths that are another one at the upstream, and what tells their parts: those of the path at the upstream by their names. */
const REWRITTEN: Readonly<Record<string, readonly [path: string, target: string, parts: RegExp]>> = {
  moved: ['/moved/*', '/public/moved/*', /^\/moved\/(?<rest>.*)$/],
  old: ['/old/{id}', '/public/of-old/{id}', /^\/old\/(?<id>[^/]+)$/],
  rated: ['/old/{id}:rate', '/public/{id}', /^\/old\/(?<id>[^/]+):rate$/],
  version: [
    '/old/v{major}.{minor}',
    '/public/{minor}/{major}',
    /^\/old\/v(?<major>[^/]+?)\.(?<minor>[^/]+)$/,
  ],
  part: ['/old/{id}/parts/{part}', '/public/{part}.{id}/x', /^\/old\/(?<id>[^/]+)\/parts\/(?<part>[^/]+)$/],
  kinds: ['/old/{kind}/all/*', '/public/all-{kind}/*', /^\/old\/(?<kind>[^/]+)\/all\/(?<rest>.*)$/],
}

function start(httpEngine: 'native' | 'node'): Promise<Served> {
  return serve(
    (port) => [
      collection('orders', {
        base_path: '/orders',
        upstream: upstream(port),
        proxies: [
          proxy('public', '/public/*'),
          proxy('item', '/public/{id}'),
          proxy('report', '/public/{id}:report'),
          proxy('admin', '/admin/*'),
          proxy('admin-home', '/admin'),
          proxy('root', '/'),
          ...Object.entries(REWRITTEN).map(([slug, [path, target_path]]) =>
            proxy(slug, path, { target_path }),
          ),
        ],
      }),
      client('acme', {
        collections: ['col_orders'],
        profiles: [profile('open', { endpoints: { allow: [], deny: ['admin', 'admin-home', 'root'] } })],
      }),
    ],
    { httpEngine },
  )
}

/** The path that the upstream is to get for one below the base path, with every escape read. */
function expectedAt(slug: string, below: string): string {
  const [, target, parts] = REWRITTEN[slug] ?? []
  if (target === undefined) return decoded(below)
  const values = parts!.exec(decoded(below))?.groups ?? {}
  return target.replace('*', '{rest}').replace(/\{(\w+)\}/g, (_, name: string) => values[name]!)
}

const PIECES = [
  ...[
    '/',
    '//',
    '/./',
    '/../',
    '.',
    '..',
    '/..',
    '/.',
    '%2e',
    '%2E%2e',
    '.%2e',
    '%2f',
    '%2F',
    '%5c',
    '\\',
    '%255c',
  ],
  ...[
    ';',
    ';a=b',
    ';/',
    '%3b',
    '..;',
    '..;a',
    '?',
    '?a=1',
    '#',
    '%23',
    '%3f',
    '%00',
    '%0d%0a',
    '%25',
    '%252e',
    '%252f',
  ],
  ...[
    '%c0%ae',
    '%c0%af',
    '%e0%80%af',
    '%ff',
    '\xe9',
    '%C3%A9',
    '%61dmin',
    '%41',
    '%7e',
    '~',
    '+',
    '%20',
    '*',
    ':',
    '@',
  ],
  ...[
    'admin',
    'Admin',
    'public',
    'orders',
    'x',
    '1',
    'report',
    ':report',
    '%3Areport',
    'http://h',
    'http://h/',
    '//h/',
  ],
  ...[
    '%u002e',
    '%',
    '%2',
    '%zz',
    '&',
    '=',
    '|',
    '"',
    '<',
    '{',
    '^',
    '`',
    '\t',
    '%09',
    "'",
    '!',
    '$',
    '(',
    ',',
  ],
] as const
const STARTS = [
  '/orders/public/',
  '/orders/public/',
  '/orders/old/',
  '/orders/old/',
  '/orders/old/v1.',
  '/orders/old/v..',
  '/orders/moved/',
  '/orders/',
  '/orders',
  '/',
  'http://h/orders/public/',
  '',
]

const ENDS = ['', '', '', '', ':report', ':rate', '%3arate', '/parts/1', '/all/1', '/all/']

/** Ways in which servers have been known to read a path; each gives what the server would then look up. */
const READINGS: Readonly<Record<string, (path: string) => string>> = {
  'as sent': (path) => path,
  'a WHATWG URL': (path) => new URL(`http://origin${path}`).pathname,
  'decoded, then normalised': (path) => posix.normalize(decoded(path)),
  'normalised, then decoded': (path) => decoded(posix.normalize(path)),
  'decoded twice and normalised': (path) => posix.normalize(decoded(decoded(path))),
  'without parameters, normalised': (path) => posix.normalize(decoded(path.replace(/;[^/]*/g, ''))),
  'decoded, without parameters, normalised': (path) => posix.normalize(decoded(path).replace(/;[^/]*/g, '')),
  'backslashes as slashes': (path) => posix.normalize(decoded(path).replaceAll('\\', '/')),
  'slashes merged': (path) => decoded(path).replace(/\/+/g, '/'),
  'up to a NUL': (path) => posix.normalize(decoded(path).split('\0')[0]!),
}

/** As latin1, so that no sequence is refused. */
function decoded(path: string): string {
  return path.replace(/%([0-9a-f]{2})/gi, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 16)),
  )
}

function target(random: (below: number) => number): string {
  let text: string = STARTS[random(STARTS.length)]!
  for (let pieces = random(6); pieces >= 0; pieces--) text += PIECES[random(PIECES.length)]!
  return text + ENDS[random(ENDS.length)]!
}

/** A kept connection that is opened again when the gateway closes it. */
class Asker {
  readonly #port: number
  #socket: Socket | null = null
  #text = ''
  #done: ((answer: string | null) => void) | null = null

  constructor(port: number) {
    this.#port = port
  }

  ask(wanted: string): Promise<string | null> {
    const socket = this.#socket ?? this.#open()
    this.#text = ''
    return new Promise((done) => {
      this.#done = done
      socket.write(
        Buffer.from(
          `GET ${wanted} HTTP/1.1\r\nHost: h\r\nX-Client-ID: acme\r\nX-Profile-ID: open\r\n\r\n`,
          'latin1',
        ),
      )
    })
  }

  #open(): Socket {
    const socket = connect(this.#port, '127.0.0.1')
    socket.setEncoding('latin1')
    socket.on('data', (data: string) => {
      this.#text += data
      const end = this.#text.indexOf('\r\n\r\n')
      const length = /\r\ncontent-length: (\d+)/i.exec(this.#text)?.[1]
      if (end >= 0 && length !== undefined && this.#text.length >= end + 4 + Number(length)) this.#finish()
    })
    socket.on('error', () => {})
    socket.on('close', () => {
      if (this.#socket !== socket) return
      this.#socket = null
      this.#finish()
    })
    this.#socket = socket
    return socket
  }

  #finish(): void {
    const done = this.#done
    this.#done = null
    if (/\r\nconnection: close/i.test(this.#text)) {
      this.#socket?.destroy()
      this.#socket = null
    }
    done?.(this.#text === '' ? null : this.#text)
  }

  close(): void {
    this.#socket?.destroy()
  }
}

/** Sends so many targets, 32 at once; gives how many were forwarded, by proxy. */
async function fuzz(served: Served, cases: number): Promise<Map<string, number>> {
  const random = createRandom(0x9a7)
  const askers = Array.from({ length: 32 }, () => new Asker(served.port))
  const forwarded = new Map<string, number>()
  for (let done = 0; done < cases; done += askers.length) {
    const targets = askers.map(() => target(random))
    const answers = await Promise.all(askers.map((asker, index) => asker.ask(targets[index]!)))
    const authorised = new Map(served.records.map((record) => [record.id, record]))
    served.records.length = 0
    served.echo.seen.length = 0
    for (const [index, answer] of answers.entries()) {
      const what = JSON.stringify(targets[index])
      assert.ok(answer !== null, `no answer to ${what}`)
      const id = /\r\nx-request-id: (\S+)/i.exec(answer)?.[1]
      const record = authorised.get(id ?? '')
      assert.ok(record !== undefined, `no record of ${what}`)
      if (!answer.startsWith('HTTP/1.1 200')) {
        assert.match(answer, /^HTTP\/1\.1 4\d\d/, what)
        continue
      }
      const slug = record.proxy.replace('prx_', '')
      forwarded.set(slug, (forwarded.get(slug) ?? 0) + 1)
      const url = String((JSON.parse(answer.slice(answer.indexOf('\r\n\r\n') + 4)) as { url: string }).url)
      const path = url.split('?')[0]!
      // The upstream gets the path below the base path
      const below = record.path.replace('/orders', '')
      if (REWRITTEN[slug] === undefined) assert.equal(path, below, what)
      assert.equal(decoded(path), expectedAt(slug, below), `${what} by ${slug}`)
      for (const [name, read] of Object.entries(READINGS)) {
        const seen = read(path)
        assert.match(seen, /^\/public\//, `${what} by ${slug}, read ${name}, leaves what was authorised`)
        assert.equal(
          seen.split('/').length,
          path.split('/').length,
          `${what} by ${slug}, read ${name}, is ${seen}`,
        )
      }
    }
  }
  for (const asker of askers) asker.close()
  return forwarded
}

for (const [httpEngine, usual, long] of [
  ['native', 10_000, 1_000_000],
  ['node', 1000, 100_000],
] as const)
  test(`${httpEngine}: the path that was authorised is the one every origin reads`, async (t) => {
    const served = await start(httpEngine)
    t.after(() => served.close())
    const cases = fuzzCases(usual, long)
    const forwarded = await fuzz(served, cases)
    for (const slug of ['public', 'item', 'report', ...Object.keys(REWRITTEN)])
      assert.ok((forwarded.get(slug) ?? 0) > cases / 2000, `${slug}: ${forwarded.get(slug)} of ${cases}`)
  })

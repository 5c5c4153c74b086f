import assert from 'node:assert/strict'
import { connect, type Socket } from 'node:net'
import { posix } from 'node:path'
import { after, before, test } from 'node:test'
import { createRandom, fuzzCases } from '../wire/llhttp.ts'
import { client, collection, profile, proxy, upstream } from './fragments.ts'
import { type Served, serve } from './serve.ts'

let served: Served

before(async () => {
  served = await serve((port) => [
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
      ],
    }),
    client('acme', {
      collections: ['col_orders'],
      profiles: [profile('open', { endpoints: { allow: [], deny: ['admin', 'admin-home', 'root'] } })],
    }),
  ])
})
after(() => served.close())

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
  '/orders/',
  '/orders',
  '/',
  'http://h/orders/public/',
  '',
]

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
  return text
}

/** A kept connection that is opened again when the gateway closes it. */
class Asker {
  #socket: Socket | null = null
  #text = ''
  #done: ((answer: string | null) => void) | null = null

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
    const socket = connect(served.port, '127.0.0.1')
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

test('the path that was authorised is the one every origin reads', async () => {
  const cases = fuzzCases(10_000)
  const random = createRandom(0x9a7)
  const askers = Array.from({ length: 32 }, () => new Asker())
  let forwarded = 0
  for (let done = 0; done < cases; done += askers.length) {
    const targets = askers.map(() => target(random))
    const answers = await Promise.all(askers.map((asker, index) => asker.ask(targets[index]!)))
    const authorised = new Map(served.records.map(({ id, path, code }) => [id, { path, code }]))
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
      forwarded++
      const url = String((JSON.parse(answer.slice(answer.indexOf('\r\n\r\n') + 4)) as { url: string }).url)
      // The upstream gets the path below the base path
      const path = url.split('?')[0]!
      assert.equal(`/orders${path}`, record.path, what)
      for (const [name, read] of Object.entries(READINGS))
        assert.match(read(path), /^\/public\//, `${what}, read ${name}, leaves what was authorised`)
    }
  }
  for (const asker of askers) asker.close()
  assert.ok(forwarded > cases / 50, `only ${forwarded} of ${cases} targets were forwarded`)
})

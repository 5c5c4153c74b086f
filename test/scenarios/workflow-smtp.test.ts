/** Nodes that send e-mail: to a server that keeps it, and to servers that misbehave. */
import assert from 'node:assert/strict'
import type { Socket } from 'node:net'
import { after, test } from 'node:test'
import { issue } from '../certificates.ts'
import { eventually } from '../support/eventually.ts'
import { MailSink } from '../support/mail-sink.ts'
import { Misbehaving } from '../support/misbehaving.ts'
import { answer, type Definition, flow, startFlows } from './flows.ts'

const PASSWORD = 'pass-of-mail-6b07'
const { server, endpoint, post, record, stop } = await startFlows()
const authority = issue({ name: 'Test authority', ca: true })
const certificate = issue({ name: 'mail', issuer: authority, addresses: ['127.0.0.1'], usage: 'server' })
const sink = new MailSink(certificate)
const port = await sink.listen()
const misbehaving = new Misbehaving()
const auth = { type: 'basic', username: 'shop', password: PASSWORD }
await server.manage('POST', '/credentials', { name: 'Mail', auth })
after(async () => {
  await stop()
  sink.close()
  misbehaving.close()
})

interface Node {
  readonly config?: object
  readonly inputs?: object
  readonly [name: string]: unknown
}

/** Sends what the caller gives, and answers the id. */
const sending = (node: Node = {}): Definition =>
  flow(
    [
      {
        id: 'mail',
        type: 'smtp_node',
        on_error: 'handle',
        ...node,
        inputs: {
          to: '{{ $.http.request.body.to }}',
          subject: '{{ $.http.request.body.subject }}',
          text: '{{ $.http.request.body.text }}',
          ...node.inputs,
        },
        config: {
          host: '127.0.0.1',
          port,
          ca: authority.certificate,
          credential: 'mail',
          from: 'shop@example.com',
          from_name: 'Shöp',
          ...node.config,
        },
      },
      answer('ok', { body: '{{ $.mail.id }}' }),
      ...(node['on_error'] === 'fail'
        ? []
        : [answer('bad', { body: '{{ $.mail.error }}' }, { status: 502 })]),
    ],
    ['http mail', 'mail default ok', ...(node['on_error'] === 'fail' ? [] : ['mail error bad'])],
  )
const MAIL = { to: ['ada@example.org'], subject: 'Your order', text: 'It is on its way.\r\n.\r\nBye' }
const send = async (body: object = MAIL, node: Node = {}) =>
  (await post(await endpoint(sending(node)), body)).json

/** What a part of base64 says. */
const bodyOf = (data: string): string => Buffer.from(data.split('\r\n\r\n')[1]!, 'base64').toString()

test('a mail is sent over STARTTLS with the credential of the node, and its id comes back', async () => {
  const id = await send(
    { ...MAIL, subject: 'Grüße 🎉 '.repeat(20).trim() },
    {
      inputs: {
        cc: 'bob@example.org',
        bcc: ['eve@example.org', 'ada@example.org'],
        reply_to: 'help@example.com',
      },
    },
  )
  assert.match(id, /^<[0-9a-f-]{36}@example\.com>$/)
  const mail = sink.mails.at(-1)!
  assert.deepEqual(
    [mail.isSecure, mail.login, mail.from],
    [true, `shop ${PASSWORD}`, 'MAIL FROM:<shop@example.com>'],
  )
  assert.deepEqual(mail.to, [
    'RCPT TO:<ada@example.org>',
    'RCPT TO:<bob@example.org>',
    'RCPT TO:<eve@example.org>',
  ])
  const [head] = mail.data.split('\r\n\r\n')
  const fields = head!.replace(/\r\n /g, ' ').split('\r\n')
  const field = (name: string): string =>
    fields.find((one) => one.startsWith(`${name}: `))?.slice(name.length + 2) ?? ''
  assert.deepEqual(['Message-ID', 'To', 'Cc', 'Reply-To', 'Bcc'].map(field), [
    id,
    'ada@example.org',
    'bob@example.org',
    'help@example.com',
    '',
  ])
  const words = field('Subject')
    .split(' ')
    .map((word) => Buffer.from(/^=\?UTF-8\?B\?(.*)\?=$/.exec(word)![1]!, 'base64').toString())
  assert.equal(words.join(''), 'Grüße 🎉 '.repeat(20).trim())
  assert.ok(head!.split('\r\n').every((line) => line.length <= 76))
  assert.equal(bodyOf(mail.data), MAIL.text)
})

test('a mail with text and HTML has both as alternatives, and TLS may begin with the first byte', async () => {
  const secure = new MailSink(certificate, true)
  secure.methods = 'LOGIN'
  const at = await secure.listen()
  const id = await send(
    { ...MAIL, to: 'ada@example.org' },
    { inputs: { html: '<p>Hi</p>' }, config: { port: at, starttls: false } },
  )
  secure.close()
  assert.equal(typeof id, 'string')
  const [mail] = secure.mails
  assert.deepEqual([mail!.isSecure, mail!.login], [true, `shop ${PASSWORD}`])
  assert.match(
    mail!.data,
    /Content-Type: multipart\/alternative; boundary="([^"]+)"\r\n\r\n--\1\r\nContent-Type: text\/plain[\s\S]+--\1\r\nContent-Type: text\/html[\s\S]+--\1--$/,
  )
})

test('no value adds a header, a recipient or a command', async () => {
  const before = sink.commands.length
  for (const [kind, body] of [
    ['subject', { ...MAIL, subject: 'Hi\r\nBcc: eve@example.org' }],
    ['subject', { ...MAIL, subject: 'Hi\nX: y' }],
    ['subject', { ...MAIL, subject: 'x'.repeat(501) }],
    ['to', { ...MAIL, to: 'ada@example.org\r\nRCPT TO:<eve@example.org>' }],
    ['to', { ...MAIL, to: 'ada@example.org, eve@example.org' }],
    ['to', { ...MAIL, to: 'Ada <ada@example.org>' }],
    ['to', { ...MAIL, to: 'a@b> SIZE=1' }],
    ['to', { ...MAIL, to: [] }],
    ['to', { ...MAIL, to: Array.from({ length: 51 }, (_, n) => `n${n}@example.org`) }],
    ['size', { ...MAIL, text: 'x'.repeat(1024 * 1024 + 1) }],
  ] as const)
    assert.equal((await send(body)).kind, kind, JSON.stringify(body).slice(0, 100))
  assert.equal(sink.commands.length, before, 'nothing was sent')
})

test('what the mail server refuses fails the node with its code, and no part of its text', async () => {
  for (const [word, reply, kind, what] of [
    ['RCPT', '550 no such user ada@example.org', '550', 'a recipient'],
    ['MAIL', '451 later', '451', 'the sender'],
    ['.', '554 looks like spam', '554', 'the message'],
    ['AUTH', `535 wrong ${PASSWORD}`, 'login', 'the credential'],
  ] as const) {
    sink.answers.set(word, reply)
    // Another credential each time: a session that is signed in would be used again
    await server.manage('POST', '/credentials', {
      name: `For ${kind}`,
      auth: { ...auth, username: `shop-${kind}` },
    })
    const path = await endpoint(sending({ on_error: 'fail', config: { credential: `for-${kind}` } }))
    const refused = await post(path, MAIL)
    sink.answers.delete(word)
    const { reason } = await record(refused.headers.get('x-request-id')!)
    assert.equal(reason, `node "mail": the mail server refused ${what} (${reply.slice(0, 3)})`)
  }
  assert.ok(!server.log.join().includes(PASSWORD))
})

test('a password and a mail go only over verified TLS, unless the node has it switched off', async () => {
  const plain = new MailSink(certificate)
  plain.offersTls = false
  const at = await plain.listen()
  assert.equal((await send(MAIL, { config: { port: at } })).kind, 'connect')
  plain.offersTls = true
  plain.injected = '250 injected\r\n'
  assert.equal((await send(MAIL, { config: { port: at } })).kind, 'connect')
  plain.injected = ''
  const other = issue({ name: 'Other authority', ca: true }).certificate
  assert.equal((await send(MAIL, { config: { port: at, ca: other } })).kind, 'connect')
  assert.equal(plain.mails.length, 0)
  assert.ok(plain.commands.every((line) => /^(EHLO|STARTTLS)/.test(line)))
  assert.equal(typeof (await send(MAIL, { config: { port: at, tls: false, credential: null } })), 'string')
  assert.deepEqual([plain.mails[0]!.isSecure, plain.mails[0]!.login], [false, null])
  plain.close()
})

test('a server that is silent, closes, lies or floods fails the node', async () => {
  const cases: readonly (readonly [string, string, (socket: Socket) => void])[] = [
    ['is silent', 'timeout', (socket) => void socket.resume()],
    ['closes', 'connect', (socket) => socket.destroy()],
    ['speaks HTTP', 'connect', (socket) => void socket.resume().end('HTTP/1.1 400 Bad\r\n\r\n')],
    ['says two things', 'connect', (socket) => void socket.resume().write('220 a\r\n250 b\r\n')],
    ['floods', 'connect', (socket) => void socket.resume().write(`220-${'x'.repeat(200_000)}`)],
    ['is busy', '421', (socket) => void socket.resume().write('421 busy\r\n')],
  ]
  for (const [what, kind, talk] of cases) {
    const { port: at, sockets } = await misbehaving.start(talk)
    assert.equal((await send(MAIL, { timeout: '1s', config: { port: at } })).kind, kind, what)
    await eventually(
      () => sockets.size === 0,
      () => what,
    )
  }
})

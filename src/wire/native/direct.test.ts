import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { after, before, test } from 'node:test'
import { connect as connectTls, createServer as createTlsServer } from 'node:tls'
import { CERTIFICATE, PRIVATE_KEY } from '../../../test/wire/certificate.ts'
import { INTERNALS, readInto } from './direct.ts'
import { createOutlet } from './outlet.ts'

const KINDS = { TCP: createServer(), TLS: createTlsServer({ cert: CERTIFICATE, key: PRIVATE_KEY }) }
type Kind = keyof typeof KINDS

before(async () => {
  for (const server of Object.values(KINDS)) {
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
  }
})

after(() => {
  for (const server of Object.values(KINDS)) server.close()
})

/** A caller and the server's socket for it. */
async function pair(kind: Kind): Promise<{ caller: Socket; accepted: Socket }> {
  const server = KINDS[kind]
  const connected = once(server, kind === 'TLS' ? 'secureConnection' : 'connection')
  // A server that listens on TCP
  const { port } = server.address() as AddressInfo
  const to = { port, host: '127.0.0.1' }
  const caller =
    kind === 'TLS' ? connectTls({ ...to, ca: CERTIFICATE, servername: 'origin.test' }) : connect(to)
  // What a server emits with these events
  const [accepted] = (await connected) as [Socket]
  accepted.on('error', () => {})
  caller.on('error', () => {})
  return { caller, accepted }
}

/** Reads until so many bytes have come. */
async function take(socket: Socket, length: number): Promise<string> {
  let text = ''
  for await (const piece of socket) {
    text += String(piece)
    if (text.length >= length) break
  }
  return text
}

test('the Node that Postern runs on has the insides that the shortcuts need', () => {
  assert.notEqual(INTERNALS, null)
})

for (const [name, kind, internals] of [
  ['by the shortcut', 'TCP', INTERNALS],
  ['by the shortcut under TLS', 'TLS', INTERNALS],
  ['the public way', 'TCP', null],
] as const) {
  test(`${name}, bytes are read, and the end of them is told`, async () => {
    const { caller, accepted } = await pair(kind)
    const shared = Buffer.alloc(65_536)
    let seen = ''
    const ended = once(accepted, 'end')
    readInto(
      accepted,
      shared,
      (bytes, length) => {
        assert.equal(bytes === shared, internals !== null)
        seen += bytes.toString('latin1', 0, length)
      },
      internals,
    )
    caller.end('one and two')
    await ended
    assert.equal(seen, 'one and two')
    accepted.destroy()
  })

  test(`${name}, a paused socket reads nothing until it goes on`, async () => {
    const { caller, accepted } = await pair(kind)
    let seen = 0
    const data = Promise.withResolvers<void>()
    readInto(
      accepted,
      Buffer.alloc(65_536),
      (_, length) => {
        seen += length
        if (seen === 3) accepted.pause()
        data.resolve()
      },
      internals,
    )
    caller.write('one')
    await data.promise
    caller.write('more')
    // Bytes that go the other way show that those above have had their time
    accepted.write('!')
    await once(caller, 'data')
    assert.equal(seen, 3)
    const more = once(accepted, 'end')
    accepted.resume()
    caller.end()
    await more
    assert.equal(seen, 7)
    accepted.destroy()
  })

  test(`${name}, text and Buffers arrive in order though the caller reads late`, async () => {
    const { caller, accepted } = await pair(kind)
    caller.pause()
    const drained = Promise.withResolvers<void>()
    const outlet = createOutlet(accepted, () => drained.resolve(), internals)
    let sent = ''
    let taken = true
    for (let index = 0; taken; index++) {
      const text = `${index}:`.padEnd(8000, 'x')
      sent += text
      taken = outlet.write(text)
    }
    for (const text of ['a Buffer', 'text', 'a Buffer again']) {
      sent += text
      outlet.write(text === 'text' ? text : Buffer.from(text))
    }
    const read = take(caller, sent.length)
    await drained.promise
    assert.equal(await read, sent)
    accepted.destroy()
  })

  test(`${name}, text and bytes after it arrive as they were written, whatever else is written meanwhile`, async () => {
    const [one, other] = [await pair(kind), await pair(kind)]
    const outlets = [one, other].map(({ accepted }) => createOutlet(accepted, () => {}, internals))
    const sent = ['', '']
    const scratch = Buffer.alloc(20_002)
    for (const [turn, length] of [0, 1, 3000, 20_000, 16_000, 5, 8191, 8193, 0].entries())
      for (const [index, outlet] of outlets.entries()) {
        const text = turn % 2 === 0 ? `${index}:${turn};` : ''
        scratch.fill(`${index}${turn}`, 'latin1')
        sent[index] += text + scratch.toString('latin1', 2, 2 + length)
        outlet.writeBoth(text, scratch, 2, 2 + length)
        scratch.fill('!')
      }
    for (const [index, { caller, accepted }] of [one, other].entries()) {
      assert.equal(await take(caller, sent[index]!.length), sent[index])
      accepted.destroy()
    }
  })

  test(`${name}, bytes that are kept arrive between their texts, also where the system does not take all at once`, async () => {
    const [one, other] = [await pair(kind), await pair(kind)]
    const kept = Buffer.from('0123456789abc'.repeat(2_500))
    const sent = ['', '']
    for (const { caller } of [one, other]) caller.pause()
    const outlets = [one, other].map(({ accepted }) => createOutlet(accepted, () => {}, internals))
    for (let turn = 0; turn < 120; turn++)
      for (const [index, outlet] of outlets.entries()) {
        const before = `${index}:${turn};`
        const bytes =
          turn % 3 === 0 ? Buffer.alloc(0) : turn % 7 === 0 ? Buffer.concat([kept, kept, kept, kept]) : kept
        sent[index] += `${before}${bytes.toString('latin1')}}`
        outlet.writeAround(before, bytes, '}')
      }
    for (const [index, { caller, accepted }] of [one, other].entries()) {
      const came = await take(caller, sent[index]!.length)
      assert.ok(came === sent[index])
      accepted.destroy()
    }
  })

  test(`${name}, a caller that leaves while bytes wait for it ends the socket without a fault`, async () => {
    const { caller, accepted } = await pair(kind)
    caller.pause()
    const outlet = createOutlet(accepted, () => {}, internals)
    while (outlet.write('x'.repeat(8000)));
    const closed = new Promise((done) => accepted.once('close', done))
    if (kind === 'TLS') caller.destroy()
    else caller.resetAndDestroy()
    await closed
    assert.equal(outlet.write('too late'), false)
  })

  for (const when of ['before', 'after'] as const)
    test(`${name}, a caller that leaves ends a socket that was paused ${when} its last write, which waits`, async () => {
      const { caller, accepted } = await pair(kind)
      caller.pause()
      readInto(accepted, Buffer.alloc(65_536), () => {}, internals)
      const outlet = createOutlet(accepted, () => {}, internals)
      if (when === 'before') accepted.pause()
      // The one that the system does not take at once is the last
      const { _handle: handle } = accepted as Socket & {
        readonly _handle: { readonly writeQueueSize: number }
      }
      do {
        outlet.write('x'.repeat(8000))
        await new Promise((done) => setImmediate(done))
      } while (handle.writeQueueSize === 0)
      if (when === 'after') {
        accepted.pause()
        outlet.watch()
      }
      const closed = new Promise((done) => accepted.once('close', done))
      // With bytes that nobody read, this resets
      caller.destroy()
      await closed
    })

  test(`${name}, an end after a write comes after its bytes`, async () => {
    const { caller, accepted } = await pair(kind)
    caller.pause()
    const outlet = createOutlet(accepted, () => {}, internals)
    let length = 4
    do length += 8000
    while (outlet.write('x'.repeat(8000)))
    outlet.write('last')
    outlet.end()
    const read = await take(caller, length)
    assert.equal(read.length, length)
    assert.ok(read.endsWith('last'))
  })
}

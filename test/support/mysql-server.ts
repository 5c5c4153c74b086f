/** A server that speaks as much of the protocol of MySQL as a test needs, and lies where it is told to. */
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { createSecureContext, TLSSocket } from 'node:tls'
import type { Issued } from '../certificates.ts'
import type { Misbehaving } from './misbehaving.ts'

/** A packet: three bytes of length, the number in the exchange, the payload. */
export function packet(
  sequence: number,
  ...payload: readonly (string | Buffer | readonly number[])[]
): Buffer {
  const bytes = Buffer.concat(
    payload.map((part) =>
      typeof part === 'string' ? Buffer.from(part, 'latin1') : Buffer.from(part as Buffer),
    ),
  )
  const head = Buffer.alloc(4)
  head.writeUIntLE(bytes.length, 0, 3)
  head[3] = sequence & 255
  return Buffer.concat([head, bytes])
}

const ok = (sequence: number): Buffer => packet(sequence, [0, 0, 0, 2, 0, 0, 0])
export const eof = (sequence: number): Buffer => packet(sequence, [0xfe, 0, 0, 2, 0])

function greeting(isSecure: boolean): Buffer {
  // All flags of the first half but compression; of the second the names of authentication methods
  const flags = isSecure ? [0xdf, 0xff] : [0xdf, 0xf7]
  return packet(
    0,
    '\x0a5.7.0\0',
    [9, 0, 0, 0],
    'aaaaaaaa\0',
    flags,
    [0x21, 2, 0, 8, 0, 21],
    Buffer.alloc(10),
    'aaaaaaaaaaaa\0mysql_native_password\0',
  )
}

function lengthText(text: string): Buffer {
  const bytes = Buffer.from(text, 'latin1')
  const { length } = bytes
  const size = length < 251 ? [length] : [0xfd, length & 255, (length >> 8) & 255, length >> 16]
  return Buffer.concat([Buffer.from(size), bytes])
}

/** The definition of a column. @param type 253 is a text */
export function column(sequence: number, name: string, type = 253): Buffer {
  return packet(sequence, ...['def', '', '', '', name, ''].map(lengthText), [
    0x0c,
    0x2d,
    0,
    0,
    1,
    0,
    0,
    type,
    0,
    0,
    0,
    0,
    0,
  ])
}

/** A list of one row with the version, of the text protocol. */
function version(): Buffer {
  return Buffer.concat([packet(1, [1]), column(2, 'version'), eof(3), packet(4, lengthText('5.7.0')), eof(5)])
}

export interface Script {
  /** For TLS. */
  readonly certificate?: Issued
  /** Says nothing in the TLS handshake. */
  readonly isSilent?: boolean
  /** Takes the answer to a query; false for the usual one. */
  readonly query?: (text: string, socket: Duplex) => boolean
  /** In the place of the acceptance of a statement. */
  readonly prepare?: (socket: Duplex) => void
  /** Answers a statement. */
  readonly execute?: (socket: Duplex) => void
}

export function startMysqlServer(misbehaving: Misbehaving, script: Script) {
  return misbehaving.start((socket) => {
    socket.write(greeting(script.certificate !== undefined))
    if (script.isSilent !== true) talk(socket, socket, script, true)
  })
}

function talk(plain: Socket, socket: Duplex, script: Script, mayUpgrade: boolean): void {
  let bytes = Buffer.alloc(0)
  let isStarted = false
  socket.on('data', (piece: Buffer) => {
    bytes = Buffer.concat([bytes, piece])
    while (bytes.length >= 4 && bytes.length >= 4 + bytes.readUIntLE(0, 3)) {
      const size = 4 + bytes.readUIntLE(0, 3)
      const body = bytes.subarray(4, size)
      const sequence = bytes[3]!
      bytes = bytes.subarray(size)
      if (!isStarted && mayUpgrade && script.certificate !== undefined) {
        plain.removeAllListeners('data')
        plain.pause()
        if (bytes.length > 0) plain.unshift(bytes)
        const { certificate: cert, key } = script.certificate
        const secure = new TLSSocket(plain, {
          isServer: true,
          secureContext: createSecureContext({ cert, key }),
        })
        secure.on('error', () => plain.destroy())
        talk(plain, secure, script, false)
        return
      }
      if (isStarted) answer(body)
      else {
        isStarted = true
        socket.write(ok(sequence + 1))
      }
    }
  })
  const answer = (body: Buffer): void => {
    const text = body.subarray(1).toString('latin1')
    switch (body[0]) {
      case 3:
        if (script.query?.(text, socket) === true) return
        socket.write(/^SELECT VERSION/.test(text) ? version() : ok(1))
        return
      case 0x16:
        if (script.prepare !== undefined) script.prepare(socket)
        else socket.write(packet(1, [0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]))
        return
      case 0x17:
        script.execute?.(socket)
    }
  }
}

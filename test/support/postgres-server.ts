/** A server that speaks as much of the protocol of PostgreSQL as a test needs, and lies where it is told to. */

import type { Duplex } from 'node:stream'
import { createSecureContext, TLSSocket } from 'node:tls'
import type { Issued } from '../certificates.ts'
import type { Misbehaving } from './misbehaving.ts'

/** A message of the server: a letter, a length and a body. */
export function message(type: string, ...body: readonly (string | Buffer)[]): Buffer {
  const bytes = Buffer.concat(
    body.map((part) => (typeof part === 'string' ? Buffer.from(part, 'latin1') : part)),
  )
  const head = Buffer.alloc(5)
  head.write(type, 'latin1')
  head.writeInt32BE(bytes.length + 4, 1)
  return Buffer.concat([head, bytes])
}

export function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(value | 0)
  return bytes
}

export function int16(value: number): Buffer {
  const bytes = Buffer.alloc(2)
  bytes.writeInt16BE(value)
  return bytes
}

/** Columns of a list of rows, each with the number of its type. */
export function columns(...all: readonly (readonly [name: string, type: number])[]): Buffer {
  return message(
    'T',
    int16(all.length),
    ...all.flatMap(([name, type]) => [
      `${name}\0`,
      int32(0),
      int16(0),
      int32(type),
      int16(-1),
      int32(-1),
      int16(0),
    ]),
  )
}

export function row(...values: readonly (string | null)[]): Buffer {
  return message(
    'D',
    int16(values.length),
    ...values.flatMap((value) =>
      value === null ? [int32(-1)] : [int32(Buffer.byteLength(value)), Buffer.from(value)],
    ),
  )
}

export const READY = message('Z', 'I')
const OK = message('R', int32(0))
const DONE = message('C', 'SELECT 1\0')
/** What a statement is answered before its rows. */
export const BOUND = Buffer.concat([message('1'), message('2')])

export interface Script {
  /** For TLS. */
  readonly certificate?: Issued
  /** In the place of the acceptance of the login. */
  readonly login?: (socket: Duplex) => void
  /** Sent for a statement with bound values. */
  readonly statement?: (socket: Duplex) => void
  /** Sees each query without values, before its answer. */
  readonly query?: (text: string, socket: Duplex) => void
}

export function startPostgresServer(misbehaving: Misbehaving, script: Script) {
  return misbehaving.start((plain) => talk(plain, plain, script))
}

function talk(plain: import('node:net').Socket, socket: Duplex, script: Script): void {
  let bytes = Buffer.alloc(0)
  let isStarted = false
  const heed = (piece: Buffer): void => {
    bytes = Buffer.concat([bytes, piece])
    for (;;) {
      const at = isStarted ? 1 : 0
      if (bytes.length < at + 4) return
      const size = bytes.readInt32BE(at) + at
      if (bytes.length < size) return
      const one = bytes.subarray(0, size)
      bytes = bytes.subarray(size)
      if (isStarted) answer(one)
      else if (one.readInt32BE(4) === 80_877_103) {
        const { certificate } = script
        if (certificate === undefined) socket.write('N')
        else {
          socket.write('S')
          plain.removeAllListeners('data')
          const secureContext = createSecureContext({ cert: certificate.certificate, key: certificate.key })
          const secure = new TLSSocket(plain, { isServer: true, secureContext })
          secure.on('error', () => plain.destroy())
          talk(plain, secure, { ...script })
        }
        return
      } else {
        isStarted = true
        if (script.login !== undefined) script.login(socket)
        else socket.write(Buffer.concat([OK, message('K', int32(7), int32(8)), READY]))
      }
    }
  }
  const answer = (one: Buffer): void => {
    if (one[0] === 0x51) {
      script.query?.(one.subarray(5).toString('latin1'), socket)
      socket.write(Buffer.concat([DONE, READY]))
    } else if (one[0] === 0x53) script.statement?.(socket)
  }
  socket.on('data', heed)
}

import type { IncomingMessage } from 'node:http'
import { ByteBuffer } from '../base/memory/bytes.ts'

/** The whole body, or null when it is larger than allowed: then the rest is not kept. Rejects when the caller leaves. */
export function readBody(request: IncomingMessage, bytesMax: number): Promise<Buffer | null> {
  const buffer = new ByteBuffer(null)
  return new Promise((done, reject) => {
    request.on('data', (piece: Buffer) => {
      if (buffer.length + piece.length > bytesMax) {
        buffer.drop()
        done(null)
      } else buffer.add(piece, 0, piece.length)
    })
    request.once('end', () => done(buffer.whole()))
    request.once('error', reject)
    request.once('close', () => reject(new Error('The caller has left')))
  })
}

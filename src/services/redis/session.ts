import type { Socket } from 'node:net'
import { parseWithLongTexts } from '../../base/json/exact.ts'
import {
  ANSWER_BYTES_MAX,
  type RedisWork,
  type ServiceTask,
  type ServiceWork,
  type Session,
} from '../port.ts'
import { type Connect, lost, ServiceFailure, secured } from '../socket.ts'
import { commandBytes, RedisError, type Reply, ReplyReader } from './reply.ts'

/** Signs in and chooses the database. Rejects with a ServiceFailure. */
export async function openRedis(
  { to, login, work }: ServiceTask<RedisWork>,
  connect: Connect,
  signal: AbortSignal,
): Promise<Session> {
  const plain = await connect(to, signal)
  const session = new RedisSession(to.tls ? await secured(plain, to, signal) : plain)
  const cancel = (): void => session.close()
  signal.addEventListener('abort', cancel, { once: true })
  try {
    if (login !== null) {
      const reply = await session.send(['AUTH', login.username, login.password])
      if (reply instanceof RedisError) throw new ServiceFailure('login', 'the server refused the credential')
    }
    if (work.database !== 0) answered(await session.send(['SELECT', String(work.database)]))
    return session
  } catch (error) {
    session.close()
    throw error
  } finally {
    signal.removeEventListener('abort', cancel)
  }
}

class RedisSession implements Session {
  readonly #socket: Socket
  readonly #reader = new ReplyReader(ANSWER_BYTES_MAX)
  #waiting: { readonly resolve: (reply: Reply) => void; readonly reject: (error: unknown) => void } | null =
    null

  constructor(socket: Socket) {
    this.#socket = socket
    socket.on('data', (piece: Buffer) => this.#read(piece))
    socket.on('close', () => this.#end(lost()))
  }

  get isOpen(): boolean {
    return this.#socket.writable && this.#waiting === null
  }

  async ask(work: ServiceWork): Promise<unknown> {
    const { command, args, encoding } = work as RedisWork
    return replyValue(command, answered(await this.send([command, ...args])), encoding)
  }

  send(words: readonly (string | Uint8Array)[]): Promise<Reply> {
    return new Promise((resolve, reject) => {
      if (!this.isOpen) {
        reject(lost())
        return
      }
      this.#waiting = { resolve, reject }
      this.#socket.write(commandBytes(words))
    })
  }

  cancel(): void {
    this.close()
  }

  close(): void {
    this.#end(lost())
  }

  #read(piece: Buffer): void {
    try {
      const reply = this.#reader.take(piece)
      if (reply === undefined) return
      const waiting = this.#waiting
      // Nothing was asked
      if (waiting === null) throw lost()
      this.#waiting = null
      waiting.resolve(reply)
    } catch (error) {
      this.#end(error)
    }
  }

  #end(error: unknown): void {
    const waiting = this.#waiting
    this.#waiting = null
    this.#socket.destroy()
    waiting?.reject(error)
  }
}

function answered(reply: Reply): Exclude<Reply, RedisError> {
  if (!(reply instanceof RedisError)) return reply
  if (reply.code === 'NOAUTH' || reply.code === 'NOPERM')
    throw new ServiceFailure('login', `the server refused the credential (${reply.code})`)
  throw new ServiceFailure('refused', `Redis refused the command (${reply.code})`)
}

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/**
 * A reply as JSON. `HGETALL` gives an object.
 * @throws ServiceFailure for a value that is not in the encoding
 */
export function replyValue(command: string, reply: Reply, encoding: RedisWork['encoding']): unknown {
  if (reply instanceof RedisError) throw new ServiceFailure('refused', `Redis refused a part (${reply.code})`)
  if (Buffer.isBuffer(reply)) return decoded(reply, encoding)
  if (!Array.isArray(reply)) return reply
  if (command !== 'HGETALL') return reply.map((one: Reply) => replyValue('', one, encoding))
  const fields: (readonly [string, unknown])[] = []
  for (let at = 0; at + 1 < reply.length; at += 2)
    fields.push([String(replyValue('', reply[at], 'text')), replyValue('', reply[at + 1], encoding)])
  return Object.fromEntries(fields)
}

function decoded(bytes: Buffer, encoding: RedisWork['encoding']): unknown {
  if (encoding === 'base64') return bytes.toString('base64')
  try {
    const text = UTF8.decode(bytes)
    return encoding === 'json' ? parseWithLongTexts(text) : text
  } catch {
    const wanted = encoding === 'json' ? 'JSON' : 'text in UTF-8; set encoding to base64'
    throw new ServiceFailure('encoding', `a value is no ${wanted}`)
  }
}

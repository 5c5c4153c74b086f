import type { Socket } from 'node:net'
import { lost, ServiceFailure } from '../failure.ts'
import type { RedisWork, ServiceTask, ServiceWork } from '../port.ts'
import { ANSWER_BYTES_MAX, type Session } from '../session.ts'
import { type Connect, secured } from '../socket.ts'
import { commandBytes, RedisError, type Reply, ReplyReader } from './reply.ts'
import { replyValue } from './reply-value.ts'

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

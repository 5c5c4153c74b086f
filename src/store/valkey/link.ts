/**
 * One connection to one server. It is never mended: whatever goes wrong ends it, with all that waits on it, and another one is made. So an
 * answer that comes too late cannot be taken for that of a later command.
 */
import { readFileSync } from 'node:fs'
import { passwordIn } from '../../base/net/database-url.ts'
import { shownServer, type ValkeyAddress, type ValkeyServer } from '../../base/net/valkey-url.ts'
import { readInfo, type ServerInfo } from './info.ts'

/** How long a connection is waited for, until it has signed in and answered, milliseconds. */
const CONNECT_MS = 1000
/** Without a byte for so long, the connection is lost, milliseconds. It is probed every second. */
const SOCKET_MS = 5000

/** As much of `@redis/client` as is used here: https://github.com/redis/node-redis */
interface RawClient {
  connect(): Promise<unknown>
  sendCommand(words: readonly string[]): Promise<unknown>
  destroy(): void
  on(event: 'error', listener: (error: Error) => void): void
}

export interface Link {
  readonly server: ValkeyServer
  /** As it was when the connection was made. */
  readonly info: ServerInfo
  /** Commands of one turn go out together. Rejects with {@link ErrorReply} where the server refuses it, and otherwise when the connection has ended. */
  send(words: readonly string[]): Promise<unknown>
  /** What waits rejects. */
  destroy(): void
}

/** A server has answered a command with an error. */
export class ErrorReply extends Error {
  /** The first word, such as `NOSCRIPT`. */
  get code(): string {
    return this.message.split(' ', 1)[0]!
  }
}

/**
 * Connects, signs in and asks the server who it is. Rejects with an Error that contains no password.
 * @param lost called at most once, when the connection ends by itself
 */
export async function connectLink(
  address: ValkeyAddress,
  server: ValkeyServer,
  lost: (reason: Error) => void,
): Promise<Link> {
  // Loaded here: most instances have no Valkey
  const { createClient, ErrorReply: RawErrorReply } = await import('@redis/client')
  const { password, passwordFile } = address
  const client = createClient({
    RESP: 3,
    username: address.user === '' ? undefined : address.user,
    password: passwordFile === null ? password : passwordIn(passwordFile),
    name: 'postern',
    disableOfflineQueue: true,
    disableClientInfo: true,
    maintNotifications: 'disabled',
    socket: {
      host: server.host,
      port: server.port,
      connectTimeout: CONNECT_MS,
      socketTimeout: SOCKET_MS,
      reconnectStrategy: false,
      ...tlsOf(address),
    },
  } as never) as unknown as RawClient
  const send = async (words: readonly string[]): Promise<unknown> => {
    try {
      return await client.sendCommand(words)
    } catch (error) {
      throw error instanceof RawErrorReply ? new ErrorReply(error.message) : error
    }
  }
  const { promise: failed, reject: fail } = Promise.withResolvers<never>()
  failed.catch(() => {})
  client.on('error', fail)
  const timer = setTimeout(() => fail(new Error(`no answer within ${CONNECT_MS} ms`)), CONNECT_MS)
  try {
    const info = await Promise.race([
      failed,
      client.connect().then(async () => {
        const text = await send(['INFO'])
        // Fails here rather than at the first call of a script
        await send(['EVAL', 'return {1}', '0'])
        return readInfo(text)
      }),
    ])
    client.on('error', lost)
    return { server, info, send, destroy: () => client.destroy() }
  } catch (error) {
    client.destroy()
    throw new Error(`${shownServer(server)}: ${messageOf(error)}`)
  } finally {
    clearTimeout(timer)
  }
}

/** Authorities are read for each connection, as the password is. */
function tlsOf({ isSecure, authorities }: ValkeyAddress): { readonly tls?: true; readonly ca?: string } {
  if (!isSecure) return {}
  return authorities === null ? { tls: true } : { tls: true, ca: readFileSync(authorities, 'utf8') }
}

/** For the log. Errors of the system have a code, and some of them have no text. */
export function messageOf(error: unknown): string {
  const { message, code } = error as { readonly message?: string; readonly code?: unknown }
  // Some end as a sentence does
  if (message) return message.replace(/\.$/, '')
  return typeof code === 'string' ? code : 'the connection was lost'
}

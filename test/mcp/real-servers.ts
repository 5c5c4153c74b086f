/** MCP servers of other projects, as their users run them. They are development dependencies without install scripts. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join, resolve } from 'node:path'
import { ownPort } from '../support/ports.ts'

const PACKAGES = resolve(import.meta.dirname, '../../node_modules/@modelcontextprotocol')
/** A server whose test never stopped it ends, milliseconds. */
const LIFE_MS = 300_000

/** How a stdio server is started: an absolute program, its arguments, and its whole environment. */
export interface StdioServer {
  readonly command: string
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string>>
}

const program = (name: string): string => join(PACKAGES, name, 'dist/index.js')

/** By name; `directory` is what they may read and write. */
export const STDIO_SERVERS: Readonly<
  Record<'everything' | 'filesystem' | 'memory', (directory: string) => StdioServer>
> = {
  everything: () => ({ command: process.execPath, args: [program('server-everything'), 'stdio'], env: {} }),
  filesystem: (directory) => ({
    command: process.execPath,
    args: [program('server-filesystem'), directory],
    env: {},
  }),
  memory: (directory) => ({
    command: process.execPath,
    args: [program('server-memory')],
    env: { MEMORY_FILE_PATH: join(directory, 'memory.jsonl') },
  }),
}

export interface RealServer extends AsyncDisposable {
  readonly url: string
}

/**
 * Starts server-everything on a port of this test process.
 *
 * @param transport `sse` is HTTP+SSE as in revision 2024-11-05.
 * @throws {Error} with what it printed, when it does not listen.
 */
export async function startEverything(
  transport: 'streamableHttp' | 'sse' = 'streamableHttp',
): Promise<RealServer> {
  const port = await ownPort()
  const child = spawn(process.execPath, [program('server-everything'), transport], {
    env: { PORT: String(port) },
    stdio: ['ignore', 'ignore', 'pipe'],
    timeout: LIFE_MS,
  })
  const ended = once(child, 'close')
  let printed = ''
  const listening = new Promise<void>((done, fail) => {
    child.stderr.on('data', (piece: Buffer) => {
      printed += piece.toString()
      if (printed.includes(` port ${port}`)) done()
    })
    child.on('close', () => fail(new Error(`server-everything ended: ${printed}`)))
  })
  await listening
  return {
    url: `http://127.0.0.1:${port}/${transport === 'sse' ? 'sse' : 'mcp'}`,
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL')
      await ended
    },
  }
}

/**
 * A server of HTTP+SSE that misbehaves as it is told: in how it opens a session, or by the name of a tool. What is not named is honest.
 * Invariant: each stream that is open is known, and ends with the server.
 */
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** What the first event may be. */
export type Opening =
  | 'honest'
  | 'elsewhere'
  | 'other_port'
  | 'other_scheme'
  | 'with_password'
  | 'no_url'
  | 'none'
  | 'comments'
  | 'late'
  | 'too_long'
  | 'ends'
  | 'twice'

export interface HostileSse extends AsyncDisposable {
  readonly url: string
  opening: Opening
  readonly streams: ReadonlySet<ServerResponse>
  readonly streamsOpened: number
  /** Paths of POST requests. */
  readonly posts: readonly string[]
  /** Closes all streams. */
  cut(): void
}

export const HOSTILE_SSE_TOOLS = [
  'echo',
  'wrong_id',
  'before_taken',
  'never',
  'cuts',
  'ends',
  'refused',
  'fails',
  'forgets_once',
  'storm',
  'too_long',
  'no_json',
  'endless_taken',
] as const

const PIECE = 'x'.repeat(64 * 1024)

export async function startHostileSse(): Promise<HostileSse> {
  const streams = new Set<ServerResponse>()
  const byId = new Map<string, ServerResponse>()
  const posts: string[] = []
  let opened = 0
  let origin = ''

  function open(out: ServerResponse): void {
    const id = String(++opened)
    streams.add(out)
    byId.set(id, out)
    out.on('close', () => {
      streams.delete(out)
      byId.delete(id)
      clearInterval(timer)
    })
    let timer: NodeJS.Timeout | undefined
    out.writeHead(200, { 'content-type': 'text/event-stream' }).flushHeaders()
    const name = (url: string): boolean => out.write(`event: endpoint\ndata: ${url}\n\n`)
    const at = `/messages?session=${id}`
    const openings: Record<Opening, () => unknown> = {
      honest: () => name(at),
      elsewhere: () => name('http://169.254.169.254/latest'),
      other_port: () => name(`http://127.0.0.1:1${at}`),
      other_scheme: () => name(`https://${origin.slice('http://'.length)}${at}`),
      with_password: () => name(`http://user:secret@${origin.slice('http://'.length)}${at}`),
      no_url: () => name('http://['),
      none: () => out.write('event: message\ndata: {"jsonrpc":"2.0","method":"notifications/x"}\n\n'),
      comments: () => {
        timer = setInterval(() => out.write(': still there\n\n'), 20)
      },
      late: () => {
        timer = setTimeout(() => name(at), 3000)
      },
      too_long: () => {
        out.write('event: endpoint\ndata: ')
        timer = setInterval(() => out.write(PIECE), 1)
      },
      ends: () => out.end(),
      twice: () => name(at) && name('http://169.254.169.254/latest'),
    }
    openings[server.opening]()
  }

  function answer(message: Message, stream: ServerResponse, taken: ServerResponse): void {
    const { id, method, params } = message
    const tell = (value: object): boolean => stream.write(`data: ${JSON.stringify(value)}\n\n`)
    const reply = (result: object, as: unknown = id): boolean => tell({ jsonrpc: '2.0', id: as, result })
    const text = (value: string): object => ({ content: [{ type: 'text', text: value }] })
    if (id === undefined || method === undefined) {
      taken.writeHead(202).end()
      return
    }
    if (method !== 'tools/call') {
      taken.writeHead(202).end()
      reply(resultOf(method))
      return
    }
    const word = JSON.stringify(params?.arguments ?? {})
    const tools: Record<(typeof HOSTILE_SSE_TOOLS)[number], () => unknown> = {
      echo: () => taken.writeHead(202).end() && reply(text(word)),
      wrong_id: () =>
        taken.writeHead(202).end() &&
        reply(text('of somebody else'), `${String(id)}x`) &&
        reply(text('of somebody else'), 1),
      before_taken: () => {
        reply(text(word))
        setTimeout(() => taken.writeHead(202).end(), 100)
      },
      never: () => taken.writeHead(202).end(),
      cuts: () => taken.writeHead(202).end(() => stream.destroy()),
      ends: () => taken.writeHead(202).end(() => stream.end()),
      refused: () => taken.writeHead(400).end(),
      fails: () => taken.writeHead(500).end(),
      forgets_once: () => {
        if (forgets) taken.writeHead(404).end()
        else taken.writeHead(202).end(() => reply(text(word)))
        forgets = !forgets
      },
      storm: () => {
        taken.writeHead(202).end()
        stream.write('data: {"jsonrpc":"2.0","method":"notifications/x"}\n\n'.repeat(110_000))
      },
      too_long: () => {
        taken.writeHead(202).end()
        stream.write('data: ')
        for (let n = 0; n < 300; n++) stream.write(PIECE)
      },
      no_json: () => {
        taken.writeHead(202).end()
        stream.write('data: {\n\ndata: []\n\ndata: 7\n\nevent: other\ndata: {}\n\n')
        reply(text(word))
      },
      endless_taken: () => {
        taken.writeHead(202)
        const timer = setInterval(() => taken.write(PIECE), 1)
        taken.on('close', () => clearInterval(timer))
      },
    }
    tools[params?.name as (typeof HOSTILE_SSE_TOOLS)[number]]()
  }

  let forgets = true
  const http = createServer((incoming: IncomingMessage, out) => {
    out.on('error', () => {})
    if (incoming.method === 'GET') {
      open(out)
      return
    }
    posts.push(incoming.url!)
    let body = ''
    incoming.setEncoding('utf8')
    incoming.on('data', (piece: string) => {
      body += piece
    })
    incoming.on('end', () => {
      const { pathname, searchParams } = new URL(incoming.url!, origin)
      const stream = byId.get(searchParams.get('session') ?? '')
      if (pathname !== '/messages') out.writeHead(405).end()
      else if (stream === undefined) out.writeHead(404).end()
      else answer(JSON.parse(body) as Message, stream, out)
    })
  })
  http.listen(0, '127.0.0.1')
  await once(http, 'listening')
  origin = `http://127.0.0.1:${(http.address() as AddressInfo).port}`
  const server = {
    url: `${origin}/sse`,
    opening: 'honest' as Opening,
    streams,
    get streamsOpened() {
      return opened
    },
    posts,
    cut() {
      for (const stream of streams) stream.destroy()
    },
    async [Symbol.asyncDispose]() {
      http.closeAllConnections()
      http.close()
    },
  }
  return server
}

interface Message {
  readonly id?: unknown
  readonly method?: string
  readonly params?: { readonly name?: string; readonly arguments?: unknown }
}

function resultOf(method: string): object {
  const serverInfo = { name: 'hostile', version: '0' }
  if (method === 'initialize')
    return { protocolVersion: '2024-11-05', capabilities: { tools: { listChanged: true } }, serverInfo }
  return { tools: HOSTILE_SSE_TOOLS.map((name) => ({ name, inputSchema: { type: 'object' } })) }
}

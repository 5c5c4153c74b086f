/** Memory of the whole process for agents that ask nothing: sessions without connections, and streams that stand. */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { type Agents, requestOf } from './agents.ts'
import type { Postern } from './postern.ts'
import { usageOf } from './processes.ts'

/** Streams that one client may have in one gateway thread (mcp/http/listens.ts). */
export const LISTENS_EACH_MAX = 100
/** Sessions that are opened at once. */
const AT_ONCE = 50

/** Growth by sessions that are opened and left alone, in MB. */
export async function growthBySessions({ postern, tokens }: Agents, count: number): Promise<number> {
  const url = `${postern.gateway}/mcp/desk`
  const open = async (sessions: number): Promise<void> => {
    for (let opened = 0; opened < sessions; opened += AT_ONCE)
      await Promise.all(Array.from({ length: AT_ONCE }, () => openSession(url, tokens[0]!)))
  }
  // What the first ones allocate, further ones use again
  await open(count / 10)
  return growth(postern, () => open(count))
}

/** Growth by streams of all listeners but the first, each with as many as a client may have, in MB. */
export async function growthByListens({ postern, listeners }: Agents): Promise<number> {
  const [first, ...others] = listeners
  const sockets: Socket[] = []
  const open = async (token: string): Promise<void> => {
    for (let opened = 0; opened < LISTENS_EACH_MAX; opened++) sockets.push(await openListen(postern, token))
  }
  await open(first!)
  const grown = await growth(postern, async () => {
    for (const token of others) await open(token)
  })
  const closed = sockets.filter((socket) => socket.closed).length
  for (const socket of sockets) socket.destroy()
  if (closed > 0) throw new Error(`${closed} of ${sockets.length} listens were ended`)
  return grown
}

async function growth({ process }: Postern, work: () => Promise<unknown>): Promise<number> {
  const rssMb = (): number => usageOf(process.pid).rssBytes / 1024 ** 2
  const before = rssMb()
  await work()
  return rssMb() - before
}

async function openSession(url: string, token: string): Promise<void> {
  const headers = {
    authorization: `Bearer ${token}`,
    'content-type': 'application/json',
    accept: 'application/json, text/event-stream',
  }
  const send = async (message: object, more: Record<string, string> = {}): Promise<Response> => {
    const body = JSON.stringify({ jsonrpc: '2.0', ...message })
    const answer = await fetch(url, { method: 'POST', headers: { ...headers, ...more }, body })
    await answer.arrayBuffer()
    if (!answer.ok) throw new Error(`a session was answered with ${answer.status}`)
    return answer
  }
  const protocolVersion = '2025-11-25'
  const clientInfo = { name: 'bench', version: '1' }
  const opened = await send({
    id: 1,
    method: 'initialize',
    params: { protocolVersion, clientInfo, capabilities: {} },
  })
  const id = opened.headers.get('mcp-session-id')
  if (id === null) throw new Error('no session was opened')
  const session = { 'mcp-session-id': id, 'mcp-protocol-version': protocolVersion }
  await send({ method: 'notifications/initialized' }, session)
}

/** A stream whose listen was acknowledged. */
async function openListen({ gateway }: Postern, token: string): Promise<Socket> {
  const { hostname, port, host } = new URL(gateway)
  const notifications = { toolsListChanged: true, promptsListChanged: true, resourcesListChanged: true }
  const { headers, body } = requestOf({ method: 'subscriptions/listen', params: { notifications } })
  const all = { Host: host, Authorization: `Bearer ${token}`, ...headers, 'Content-Length': `${body.length}` }
  const head = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`)
  const socket = connect({ host: hostname, port: Number(port) })
  await once(socket, 'connect')
  socket.write(`POST /mcp/desk HTTP/1.1\r\n${head.join('')}\r\n${body}`)
  let text = ''
  socket.setEncoding('latin1')
  while (!text.includes('notifications/subscriptions/acknowledged')) {
    const [piece] = (await Promise.race([once(socket, 'data'), once(socket, 'close')])) as unknown[]
    if (typeof piece !== 'string') throw new Error(`a listen was answered with ${text.slice(0, 500)}`)
    text += piece
  }
  return socket.resume()
}

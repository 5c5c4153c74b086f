/** An MCP server of either era that keeps every message it gets, and offers what a test says. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Era } from './raw-client.ts'

type Content = Readonly<Record<string, unknown>>

/** What the server lists. Tests may change it. */
export interface Offer {
  instructions?: string
  tools?: readonly Content[]
  prompts?: readonly Content[]
  resources?: readonly Content[]
  resourceTemplates?: readonly Content[]
  /** What each call of a tool gives. */
  result?: Content
}

export interface RecordingOrigin extends AsyncDisposable {
  readonly url: string
  /** Bodies that were posted, in their order. */
  readonly bodies: readonly string[]
  /** Messages of a method. */
  of(method: string): readonly { readonly params?: Content }[]
  forget(): void
}

const VERSIONS = { modern: '2026-07-28', legacy: '2025-11-25' }

/** @param offer read at each request */
export async function startRecordingOrigin(era: Era, offer: Offer): Promise<RecordingOrigin> {
  const bodies: string[] = []
  const capabilities = { tools: {}, prompts: {}, resources: {}, completions: {} }
  const serverInfo = { name: 'recording', version: '1' }

  function resultOf(method: string): Content | null {
    const { instructions = '', tools = [], prompts = [], resources = [], resourceTemplates = [] } = offer
    const kept = { ttlMs: 0, cacheScope: 'private' }
    switch (method) {
      case 'initialize':
        return { protocolVersion: VERSIONS.legacy, capabilities, serverInfo, instructions }
      case 'server/discover':
        return { supportedVersions: [VERSIONS.modern], capabilities, serverInfo, instructions, ...kept }
      case 'tools/list':
        return { tools, ...kept }
      case 'prompts/list':
        return { prompts, ...kept }
      case 'resources/list':
        return { resources, ...kept }
      case 'resources/templates/list':
        return { resourceTemplates, ...kept }
      case 'tools/call':
        return offer.result ?? { content: [{ type: 'text', text: 'done' }] }
      case 'prompts/get':
        return { messages: [] }
      case 'resources/read':
        return { contents: [], ...kept }
      case 'completion/complete':
        return { completion: { values: ['one'] } }
      default:
        return null
    }
  }

  const server = createServer((incoming, out) => {
    let text = ''
    incoming.setEncoding('utf8').on('data', (piece: string) => {
      text += piece
    })
    incoming.on('end', () => {
      if (incoming.method !== 'POST') {
        out.writeHead(405).end()
        return
      }
      bodies.push(text)
      const { id, method } = JSON.parse(text) as { id?: unknown; method: string }
      if (id === undefined) {
        out.writeHead(202).end()
        return
      }
      const isOther = method === (era === 'legacy' ? 'server/discover' : 'initialize')
      const result = isOther ? null : resultOf(method)
      if (result === null) {
        const error = { code: -32601, message: 'Method not found' }
        out
          .writeHead(isOther ? 400 : 200, { 'content-type': 'application/json' })
          .end(JSON.stringify({ jsonrpc: '2.0', id, error }))
        return
      }
      const whole = era === 'modern' ? { resultType: 'complete', ...result } : result
      out.writeHead(200, { 'content-type': 'application/json' })
      out.end(JSON.stringify({ jsonrpc: '2.0', id, result: whole }))
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const parsed = (): readonly { method?: string; params?: Content }[] =>
    bodies.map((body) => JSON.parse(body) as { method?: string; params?: Content })
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`,
    bodies,
    of: (method) => parsed().filter((message) => message.method === method),
    forget: () => bodies.splice(0),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

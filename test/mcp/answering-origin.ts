/**
 * An MCP server of either era whose answers a test writes, by method. It has no sessions, answers with JSON alone, and knows the methods
 * that a test names, beside those that open it.
 */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'

type Content = Readonly<Record<string, unknown>>

/** What a method answers: members of the response such as `result` or `error`, or null for an answer that never comes. */
export type Answers = Record<string, (params: Content) => Content | null>

export interface AnsweringOrigin extends AsyncDisposable {
  readonly url: string
  /** Methods that were asked for, in their order. */
  readonly asked: readonly string[]
  /** May be changed while it runs. */
  readonly answers: Answers
}

const VERSION_KEY = 'io.modelcontextprotocol/protocolVersion'
const UNKNOWN = { error: { code: -32_601, message: 'Method not found' } }

/** @param capabilities as it declares them */
export async function startAnsweringOrigin(
  era: 'modern' | 'legacy',
  answers: Answers,
  capabilities: Content = { tools: {}, prompts: {}, resources: {} },
): Promise<AnsweringOrigin> {
  const asked: string[] = []
  const opening: Answers = {
    'server/discover': () => ({
      result: { resultType: 'complete', supportedVersions: ['2026-07-28'], capabilities },
    }),
    initialize: () => ({
      result: {
        protocolVersion: '2025-11-25',
        capabilities,
        serverInfo: { name: 'answering', version: '1' },
      },
    }),
  }
  const server = createServer(async (incoming, out) => {
    const body = await text(incoming)
    if (incoming.method !== 'POST') {
      out.writeHead(405).end()
      return
    }
    const {
      id,
      method,
      params = {},
    } = JSON.parse(body) as {
      readonly id?: unknown
      readonly method: string
      readonly params?: Content
    }
    asked.push(method)
    if (id === undefined) {
      out.writeHead(202).end()
      return
    }
    const isModern = Object.hasOwn((params['_meta'] ?? {}) as object, VERSION_KEY)
    const isServed = isModern === (era === 'modern')
    const answer = (isServed ? (answers[method] ?? opening[method]) : undefined) ?? (() => UNKNOWN)
    const content = answer(params)
    if (content === null) return
    const status = isServed || !isModern ? 200 : 400
    out
      .writeHead(status, { 'content-type': 'application/json' })
      .end(JSON.stringify({ jsonrpc: '2.0', id, ...content }))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`,
    asked,
    answers,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

/** An agent of 2025-11-25 at Management MCP, spoken byte by byte, whose person answers when the test says so. */
import assert from 'node:assert/strict'
import { messagesOf } from '../../src/surfaces/cli/bridge.ts'

interface Message {
  readonly id?: string | number
  readonly method?: string
  readonly params?: { readonly message?: string }
  readonly result?: {
    readonly isError: boolean
    readonly structuredContent: Readonly<Record<string, unknown>>
  }
}

/** A call that has been put to the person. */
export interface PendingCall {
  /** Of the request that asks. */
  readonly id: string | number | undefined
  readonly question: string
  /** Signs of life that were read so far. */
  signs(): number
  /** All that is told after the question. */
  rest(): Promise<Message[]>
  leave(): void
}

export interface AskingAgent {
  /** Calls a tool: with the question, or the result where nobody is asked. */
  call(name: string, args: object): Promise<PendingCall | Message>
  /** The response to a question; gives its status. */
  answer(id: PendingCall['id'], result: object): Promise<number>
  /** Ends the session; gives the status. */
  end(): Promise<number>
}

/** @param origin of a listener. Each request has a connection of its own. */
export async function startAskingAgent(origin: string, token: string): Promise<AskingAgent> {
  const send = (method: string, body: object | null, session: string | null, signal?: AbortSignal) =>
    fetch(`${origin}/management/mcp?confirm=elicit`, {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        accept: 'application/json, text/event-stream',
        'content-type': 'application/json',
        connection: 'close',
        ...(session !== null && { 'mcp-session-id': session }),
      },
      ...(body !== null && { body: JSON.stringify({ jsonrpc: '2.0', ...body }) }),
      ...(signal !== undefined && { signal }),
    })
  const params = {
    protocolVersion: '2025-11-25',
    capabilities: { elicitation: {} },
    clientInfo: { name: 'asking', version: '1' },
  }
  const opened = await send('POST', { id: 0, method: 'initialize', params }, null)
  const session = opened.headers.get('mcp-session-id')
  await opened.text()
  let calls = 0
  return {
    async call(name, args) {
      const aborter = new AbortController()
      const request = { id: ++calls, method: 'tools/call', params: { name, arguments: args } }
      const response = await send('POST', request, session, aborter.signal)
      if (response.headers.get('content-type') !== 'text/event-stream')
        return (await response.json()) as Message
      assert.ok(response.body !== null)
      let signs = 0
      const read = async function* (body: AsyncIterable<Uint8Array>) {
        for await (const piece of body) {
          if (Buffer.from(piece).toString().startsWith(':')) signs++
          yield piece
        }
      }
      const messages = messagesOf(read(response.body))
      const next = async (): Promise<Message | null> => {
        const { value, done } = await messages.next()
        return done === true ? null : (JSON.parse(value) as Message)
      }
      const first = await next()
      assert.equal(first?.method, 'elicitation/create')
      return {
        id: first.id,
        question: first.params?.message ?? '',
        signs: () => signs,
        async rest() {
          const all: Message[] = []
          for (let one = await next(); one !== null; one = await next()) all.push(one)
          return all
        },
        leave: () => aborter.abort(),
      }
    },
    async answer(id, result) {
      const response = await send('POST', { id, result }, session)
      await response.text()
      return response.status
    },
    end: async () => (await send('DELETE', null, session)).status,
  }
}

/** Of a call that must have been put to the person. */
export function pending(called: PendingCall | Message): PendingCall {
  assert.ok('question' in called, JSON.stringify(called))
  return called
}

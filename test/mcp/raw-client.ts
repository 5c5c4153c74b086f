/** A client of one virtual MCP that shows the very bytes of answers, in both eras. */
import type { VirtualMcp } from './virtual-mcp.ts'

export type Era = 'modern' | 'legacy'
export const ERAS: readonly Era[] = ['modern', 'legacy']

export interface RawAnswer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  /** JSON-RPC messages in their order; the last is the response. */
  readonly messages: readonly Message[]
}

export interface Message {
  readonly id?: unknown
  readonly method?: string
  readonly params?: Readonly<Record<string, unknown>>
  readonly result?: Readonly<Record<string, unknown>>
  readonly error?: { readonly code: number; readonly message: string; readonly data?: unknown }
}

export interface RawClient {
  /** @param fields further headers */
  ask(
    method: string,
    params: Readonly<Record<string, unknown>>,
    signal?: AbortSignal,
    fields?: Readonly<Record<string, string>>,
  ): Promise<RawAnswer>
  /** Ends the session of a legacy client. @returns the status */
  leave(): Promise<number>
}

const MODERN = '2026-07-28'
const LEGACY = '2025-11-25'
const INFO = { name: 'raw', version: '0' }

/** @param capabilities what the client says that it can be asked */
export async function rawClient(
  desk: Pick<VirtualMcp, 'url' | 'headers'>,
  era: Era,
  capabilities: object = {},
): Promise<RawClient> {
  let id = 0
  async function post(fields: object, message: object, signal?: AbortSignal): Promise<RawAnswer> {
    const answer = await fetch(desk.url, {
      method: 'POST',
      redirect: 'manual',
      headers: {
        ...desk.headers,
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        ...fields,
      },
      body: JSON.stringify({ jsonrpc: '2.0', ...message }),
      ...(signal === undefined ? {} : { signal }),
    })
    const { status, headers } = answer
    const text = await answer.text()
    const isStream = headers.get('content-type')?.startsWith('text/event-stream') === true
    const parts = isStream
      ? text.split('\n').flatMap((line) => (line.startsWith('data: ') ? [line.slice(6)] : []))
      : [text]
    return {
      status,
      headers,
      text,
      messages: parts.filter((part) => part !== '').map((part) => JSON.parse(part) as Message),
    }
  }
  if (era === 'modern')
    return {
      ask: (method, params, signal, fields) => {
        const meta = {
          ...(params['_meta'] as object | undefined),
          'io.modelcontextprotocol/protocolVersion': MODERN,
          'io.modelcontextprotocol/clientInfo': INFO,
          'io.modelcontextprotocol/clientCapabilities': capabilities,
        }
        const name = params['name'] ?? params['uri'] ?? params['taskId']
        const named = typeof name === 'string' ? { 'mcp-name': name } : {}
        return post(
          { 'mcp-protocol-version': MODERN, 'mcp-method': method, ...named, ...fields },
          { id: ++id, method, params: { ...params, _meta: meta } },
          signal,
        )
      },
      leave: () => Promise.reject(new Error('A modern client has no session')),
    }
  const initialized = await post(
    {},
    {
      id: ++id,
      method: 'initialize',
      params: { protocolVersion: LEGACY, capabilities, clientInfo: INFO },
    },
  )
  const session = {
    'mcp-session-id': initialized.headers.get('mcp-session-id')!,
    'mcp-protocol-version': LEGACY,
  }
  return {
    ask: (method, params, signal, fields) =>
      post({ ...session, ...fields }, { id: ++id, method, params }, signal),
    async leave() {
      const headers = { ...desk.headers, ...session }
      return (await fetch(desk.url, { method: 'DELETE', headers })).status
    },
  }
}

import { createClock } from '../../src/base/clock.ts'
import type { McpAnswer } from '../../src/mcp/protocol/answer.ts'
import type { Tool, ToolDoor } from '../../src/mcp/protocol/door.ts'
import { createMcpEndpoint } from '../../src/mcp/protocol/endpoint.ts'
import type { ReceivedMessage } from '../../src/mcp/protocol/received-message.ts'
import type { ToolCall, ToolOutcome } from '../../src/mcp/protocol/tool-call.ts'
import { createSessionMemory } from './session-memory.ts'

export const TOOLS: readonly Tool[] = [
  {
    name: 'echo',
    title: 'Echo',
    description: 'Says it back.',
    inputSchema: { type: 'object' },
    annotations: { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: false },
  },
]
export const META = {
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientCapabilities': {},
  'io.modelcontextprotocol/clientInfo': { name: 'agent', version: '9' },
}
export const INFO = { name: 'postern', title: 'Postern', version: '1' }

export interface Parsed {
  readonly jsonrpc: string
  readonly id?: string | number
  readonly result?: Record<string, unknown>
  readonly error?: {
    readonly code: number
    readonly message: string
    readonly data?: Record<string, unknown>
  }
}
export interface Given {
  readonly status: number
  readonly headers: McpAnswer['headers']
  readonly text: string
  readonly json: Parsed
  readonly pieces: McpAnswer['pieces']
}

/**
 * An endpoint before a door with one tool, and what the door and its operator were told. `more` is what else the door has,
 * `asks` what its unlisted tool of that name does, `remembers` what the endpoint remembers with others.
 */
export function startDoor(
  more: Pick<ToolDoor<string>, 'prompts' | 'resources' | 'complete'> = {},
  asks: ((call: ToolCall) => ToolOutcome) | null = null,
  remembers = createSessionMemory(),
) {
  const calls: ToolCall[] = []
  const faults: unknown[] = []
  const reported: ReceivedMessage[] = []
  /** Calls of the tool `waits`, by what gives them up. */
  const waiting = new Map<string, () => void>()
  const door: ToolDoor<string> = {
    name: 'test',
    info: INFO,
    ...more,
    instructions: 'Echo things.',
    listTtlMs: 1000,
    identityOf: (caller) => caller,
    tools: () => TOOLS,
    answered: (_caller, received) => void reported.push(received),
    cancel: (session, id) => waiting.get(`${session} ${typeof id} ${id}`)?.(),
    call(_caller, call, done) {
      calls.push(call)
      if (call.name === 'waits')
        return void waiting.set(`${call.sessionId} ${typeof call.id} ${call.id}`, () =>
          done({ kind: 'cancelled' }),
        )
      if (call.name === 'asks' && asks !== null) return done(asks(call))
      if (call.name === 'throws') throw new Error('a secret reason')
      if (call.name !== 'echo') done({ kind: 'invalid_params', message: `Unknown tool: ${call.name}` })
      else done({ kind: 'result', json: JSON.stringify(call.arguments), isError: false })
    },
  }
  const endpoint = createMcpEndpoint(door, {
    sealKey: new Uint8Array(32),
    clock: createClock(),
    ...remembers,
    fault: (error) => faults.push(error),
  })
  async function send(
    body: unknown,
    headers: Record<string, string | undefined> = {},
    method = 'POST',
    caller = 'me',
  ): Promise<Given> {
    const all: Record<string, string | undefined> = { 'content-type': 'application/json', ...headers }
    const bytes =
      body instanceof Uint8Array ? body : Buffer.from(typeof body === 'string' ? body : JSON.stringify(body))
    const answer = await new Promise<McpAnswer>((resolve) =>
      endpoint.answer(caller, { method, header: (name) => all[name], body: bytes }, resolve),
    )
    return {
      status: answer.status,
      headers: answer.headers,
      text: answer.body,
      pieces: answer.pieces,
      json: answer.body === '' ? { jsonrpc: '' } : (JSON.parse(answer.body) as Parsed),
    }
  }
  /** A modern request with the headers that fit, unless others are given. */
  function modern(
    method: string,
    params: Record<string, unknown> = {},
    headers: Record<string, string | undefined> = {},
    meta: Record<string, unknown> = META,
  ): Promise<Given> {
    return send(
      { jsonrpc: '2.0', id: 'r1', method, params: { ...params, _meta: meta } },
      {
        'mcp-protocol-version': '2026-07-28',
        'mcp-method': method,
        ...(typeof params['name'] === 'string' ? { 'mcp-name': params['name'] } : {}),
        ...(typeof params['uri'] === 'string' ? { 'mcp-name': params['uri'] } : {}),
        ...headers,
      },
    )
  }
  const request = (method: string, params?: unknown) => ({ jsonrpc: '2.0', id: 1, method, params })
  const initialize = (version: unknown, headers = {}, capabilities: unknown = {}) =>
    send(
      request('initialize', {
        protocolVersion: version,
        capabilities,
        clientInfo: { name: 'old', version: '2' },
      }),
      headers,
    )
  const close = (): void => endpoint.close()
  return { send, modern, request, initialize, close, calls, faults, reported, waiting }
}

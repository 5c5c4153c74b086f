/** The tester as an MCP client of one virtual MCP, by way of the console: the server knows the person by the session. */
import type { Json, JsonObject } from '../../../../build/document.ts'
import { ProblemError, sessionFetch, toProblemBody } from '../../../api/client.ts'
import { isObject } from '../../../schema/value.ts'
import { ERAS, type Era, eventsIn, headersOf, initializeOf, requestOf } from './message.ts'

export interface Tool {
  readonly name: string
  readonly title: string
  readonly description: string
  readonly inputSchema: JsonObject
}

interface Answer {
  /** Of HTTP. */
  readonly status: number
  readonly requestId: string | null
  /** What came last, in its order; the response of a request is the last. */
  readonly messages: readonly Json[]
  /** Messages that came before these, and are not kept. */
  readonly left: number
}

type Came = Pick<Answer, 'messages' | 'left'>

interface SendOptions {
  /** Of the tool that is called. */
  readonly inputSchema?: JsonObject | null
  readonly signal?: AbortSignal
  /** Told of the messages of a stream as they come. */
  readonly onMessages?: (came: Came) => void
}

export interface Connection {
  /** Sends a message as it stands. Throws a ProblemError where the endpoint answers a problem. */
  send(message: Json, options?: SendOptions): Promise<Answer>
  /** All tools of the virtual MCP, as this caller sees them. */
  tools(): Promise<readonly Tool[]>
  /** Ends the session of an earlier era. */
  leave(): Promise<void>
}

/** Pages of a list that are read. */
const PAGES_MAX = 20

/** @param token of a profile; empty: the person calls */
export function connect(slug: string, era: Era, token: string): Connection {
  const url = `/console/mcp/${encodeURIComponent(slug)}`
  let session: string | null = null
  let opening: Promise<void> | null = null
  let last = 0

  function post(message: Json, more: Record<string, string>, signal?: AbortSignal): Promise<Response> {
    return sessionFetch(
      url,
      {
        method: 'POST',
        headers: {
          'x-postern-console': '1',
          'content-type': 'application/json',
          accept: 'application/json, text/event-stream',
          ...(token !== '' && { authorization: `Bearer ${token}` }),
          ...(session !== null && { 'mcp-session-id': session }),
          ...more,
        },
        body: JSON.stringify(message),
        ...(signal !== undefined && { signal }),
      },
      // A refused token of a profile says nothing about the session
      { isSession: token === '' },
    )
  }

  async function open(): Promise<void> {
    const response = await post(initializeOf(--last), {})
    await messagesIn(response)
    session = response.headers.get('mcp-session-id')
    const done = await post(
      { jsonrpc: '2.0', method: 'notifications/initialized' },
      { 'mcp-protocol-version': ERAS.legacy },
    )
    await done.text()
  }

  async function send(
    message: Json,
    { inputSchema = null, signal, onMessages = () => {} }: SendOptions = {},
  ): Promise<Answer> {
    if (era === 'legacy' && !(isObject(message) && message['method'] === 'initialize')) {
      opening ??= open()
      await opening.catch((error: unknown) => {
        opening = null
        throw error
      })
    }
    const response = await post(message, headersOf(era, message, inputSchema), signal)
    return {
      status: response.status,
      requestId: response.headers.get('x-request-id'),
      ...(await messagesIn(response, onMessages)),
    }
  }

  return {
    send,
    async tools() {
      const found: Tool[] = []
      let cursor: string | undefined
      for (let page = 0; page < PAGES_MAX; page++) {
        const params: JsonObject = cursor === undefined ? {} : { cursor }
        const { messages } = await send(requestOf(era, --last, 'tools/list', params))
        const answer = messages.at(-1)
        if (!isObject(answer)) throw new Error('The response to tools/list is not a JSON-RPC message.')
        if (isObject(answer['error'])) throw new Error(String(answer['error']['message']))
        const result = isObject(answer['result']) ? answer['result'] : {}
        found.push(...(Array.isArray(result['tools']) ? result['tools'] : []).flatMap(toTool))
        if (typeof result['nextCursor'] !== 'string') break
        cursor = result['nextCursor']
      }
      return found
    },
    async leave() {
      if (session === null) return
      const headers = {
        'x-postern-console': '1',
        'mcp-session-id': session,
        'mcp-protocol-version': ERAS.legacy,
        ...(token !== '' && { authorization: `Bearer ${token}` }),
      }
      session = null
      opening = null
      await sessionFetch(url, { method: 'DELETE', headers, keepalive: true }, { isSession: false })
    },
  }
}

function toTool(value: Json): Tool[] {
  if (!isObject(value) || typeof value['name'] !== 'string') return []
  const text = (member: string): string => (typeof value[member] === 'string' ? value[member] : '')
  const inputSchema = isObject(value['inputSchema']) ? value['inputSchema'] : {}
  return [{ name: value['name'], title: text('title'), description: text('description'), inputSchema }]
}

/** Messages of one answer that are kept: a stream may have no end. */
const MESSAGES_MAX = 1000
/** Of one answer, or of one event of a stream, characters. The gateway sends no larger ones. */
const TEXT_MAX = 32 * 1024 * 1024

/** Throws the problem that an answer is, if it is one. */
async function messagesIn(response: Response, onMessages: (came: Came) => void = () => {}): Promise<Came> {
  const type = response.headers.get('content-type') ?? ''
  if (!type.startsWith('text/event-stream') || response.body === null) {
    const text = await response.text()
    if (text === '') return { messages: [], left: 0 }
    const value = parsed(text)
    if (type.startsWith('application/problem+json') && isObject(value))
      throw new ProblemError(toProblemBody(value, response.status))
    return { messages: [value], left: 0 }
  }
  let messages: readonly Json[] = []
  let left = 0
  let rest = ''
  for await (const piece of piecesOf(response.body)) {
    rest += piece
    if (rest.length > TEXT_MAX) throw new Error('The server sent an event that is too large to be shown.')
    // A large event comes in many pieces: it is read once its end may have come
    if (!piece.includes('\n')) continue
    const read = eventsIn(rest)
    rest = read.rest
    if (read.data.length === 0) continue
    const all = [...messages, ...read.data.map(parsed)]
    messages = all.slice(-MESSAGES_MAX)
    left += all.length - messages.length
    onMessages({ messages, left })
  }
  return { messages, left }
}

/** Not every browser iterates over streams. */
async function* piecesOf(body: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const reader = body.getReader()
  const decoder = new TextDecoder()
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (done) return
      yield decoder.decode(value, { stream: true })
    }
  } finally {
    // Also where the rest is not wanted
    reader.cancel().catch(() => {})
  }
}

/** What is no JSON is shown as the text that it is. */
function parsed(text: string): Json {
  try {
    return JSON.parse(text) as Json
  } catch {
    return text
  }
}

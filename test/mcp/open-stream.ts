/** Streams of a virtual MCP as its clients of both eras open them, read while they come. */

const MODERN = '2026-07-28'
const LEGACY = '2025-11-25'
const META = {
  'io.modelcontextprotocol/protocolVersion': MODERN,
  'io.modelcontextprotocol/clientInfo': { name: 'test', version: '1' },
  'io.modelcontextprotocol/clientCapabilities': {},
}

/** A virtual MCP, and the headers of a client that may call it. */
export interface Endpoint {
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
}

export interface OpenStream extends AsyncDisposable {
  readonly status: number
  readonly session: string | null
  /** Messages that have come so far. */
  readonly messages: readonly Record<string, unknown>[]
  readonly isEnded: () => boolean
  /** What has come and was no event: the body of an answer that is no stream. */
  readonly text: () => string
}

/** A request whose answer is read as it comes. */
export async function openStream(
  endpoint: Endpoint,
  method: string,
  headers: Readonly<Record<string, string>>,
  body?: object,
): Promise<OpenStream> {
  const leaving = new AbortController()
  const response = await fetch(endpoint.url, {
    method,
    headers: {
      accept: 'application/json, text/event-stream',
      ...endpoint.headers,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...headers,
    },
    signal: leaving.signal,
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  const messages: Record<string, unknown>[] = []
  let ended = false
  let text = ''
  const read = async (): Promise<void> => {
    for await (const piece of response.body!.pipeThrough(new TextDecoderStream())) {
      text += piece
      for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
        const data = /^data: (.*)$/m.exec(text.slice(0, end))?.[1]
        if (data !== undefined) messages.push(JSON.parse(data) as Record<string, unknown>)
        text = text.slice(end + 2)
      }
    }
    ended = true
  }
  const reading = read().catch(() => {})
  return {
    status: response.status,
    session: response.headers.get('mcp-session-id'),
    messages,
    isEnded: () => ended,
    text: () => text,
    async [Symbol.asyncDispose]() {
      leaving.abort()
      await reading
    },
  }
}

/** A listen of 2026-07-28 with the id `listen-1`. */
export function openListen(
  endpoint: Endpoint,
  notifications: object,
  capabilities: object = {},
): Promise<OpenStream> {
  const method = 'subscriptions/listen'
  const _meta = { ...META, 'io.modelcontextprotocol/clientCapabilities': capabilities }
  return openStream(
    endpoint,
    'POST',
    { 'mcp-protocol-version': MODERN, 'mcp-method': method },
    { jsonrpc: '2.0', id: 'listen-1', method, params: { notifications, _meta } },
  )
}

/** Opens a session of 2025-11-25. @returns the headers of its further requests */
export async function openSession(endpoint: Endpoint): Promise<Record<string, string>> {
  const params = {
    protocolVersion: LEGACY,
    capabilities: {},
    clientInfo: { name: 'test', version: '1' },
  }
  const message = { jsonrpc: '2.0', id: 1, method: 'initialize', params }
  await using answer = await openStream(endpoint, 'POST', {}, message)
  return { 'mcp-session-id': answer.session!, 'mcp-protocol-version': LEGACY }
}

/** A stream on which a client of an era hears of changed tools, and of one resource. */
export async function openWatching(
  endpoint: Endpoint,
  era: 'modern' | 'legacy',
  uri: string,
): Promise<OpenStream> {
  if (era === 'modern') return openListen(endpoint, { toolsListChanged: true, resourceSubscriptions: [uri] })
  const session = await openSession(endpoint)
  const stream = await openStream(endpoint, 'GET', session)
  const message = { jsonrpc: '2.0', id: 2, method: 'resources/subscribe', params: { uri } }
  await (await openStream(endpoint, 'POST', session, message))[Symbol.asyncDispose]()
  return stream
}

/** Closes several streams at the end of a block. */
export function together(...streams: readonly AsyncDisposable[]): AsyncDisposableStack {
  const stack = new AsyncDisposableStack()
  for (const stream of streams) stack.use(stream)
  return stack
}

import { parseExact, rawNumber } from '../../base/json/exact.ts'
import { isLegacyVersion, type RpcId, writableId } from '../../mcp/protocol/message.ts'
import { encodeMirrored, NAMED_BY, PROTOCOL_VERSION } from '../../mcp/protocol/modern.ts'

export interface BridgeOptions {
  /** The MCP endpoint. */
  readonly url: string
  /** The Authorization field; asked again with the one that was refused, it may give another. Null shows none. */
  readonly authorization: (refused?: string) => Promise<string | null>
  /** Further fields of each request. */
  readonly headers: Readonly<Record<string, string>>
  readonly fetch: typeof fetch
  /** Takes each message for the client, without its line break. */
  readonly send: (message: string) => void
  /** Takes what is wrong and no message can tell. */
  readonly warn: (sentence: string) => void
}

type Members = Readonly<Record<string, unknown>>

/** Codes of JSON-RPC 2.0, and the one that servers may use for what is between. */
const RPC = { parse: -32700, invalid: -32600, between: -32000 } as const

/** How long answers may take once the client has gone, milliseconds. */
const REST_MS = 10_000

/**
 * Carries messages of MCP between a client that speaks them as lines (stdio transport) and an endpoint of Streamable
 * HTTP, in each era: one POST per message, the session of `initialize` with all that follow, answers out of streams.
 * Resolves when the lines have ended and what was asked is answered, or given up.
 */
export async function bridge(lines: AsyncIterable<string>, options: BridgeOptions): Promise<void> {
  const state: State = { session: null, version: null, underWay: new Map() }
  const all = new Set<Promise<void>>()
  for await (const line of lines) {
    if (line.trim() === '') continue
    const message = toMembers(line)
    if (message === null) {
      options.send(errorLine(null, RPC.parse, 'A line must be one JSON-RPC message.'))
      continue
    }
    const carried = carry(line, message, state, options)
    all.add(carried)
    void carried.finally(() => all.delete(carried))
    // What follows needs the session, and the version, that it answers
    if (message['method'] === 'initialize') await carried
  }
  // A subscription has no end of its own
  const timer = setTimeout(() => {
    for (const aborter of state.underWay.values()) aborter.abort()
  }, REST_MS)
  await Promise.all(all)
  clearTimeout(timer)
  if (state.session !== null) await endSession(state, options)
}

interface State {
  session: string | null
  /** Of the handshake; null without one. */
  version: string | null
  readonly underWay: Map<RpcId, AbortController>
}

/** Sends one message and hands over what answers it. Never throws: what goes wrong is an answer too. */
async function carry(text: string, message: Members, state: State, options: BridgeOptions): Promise<void> {
  const id = idOf(message)
  const method = typeof message['method'] === 'string' ? message['method'] : null
  const isModern = state.version === null && versionIn(message) !== null
  if (method === 'notifications/cancelled' && state.version === null) {
    // Without a handshake, who leaves ends the call by leaving
    const asked = idOf(paramsOf(message), 'requestId')
    return asked === null ? undefined : state.underWay.get(asked)?.abort()
  }
  const aborter = new AbortController()
  if (method !== null && id !== null) state.underWay.set(id, aborter)
  try {
    const response = await post(text, fieldsFor(message, state, isModern), aborter.signal, options)
    const heard = await hand(response, method === 'initialize', state, options)
    if (method === null || id === null) {
      if (!response.ok && !heard) options.warn(`A message was refused: ${await reasonIn(response)}`)
    } else if (!heard) options.send(errorLine(id, RPC.between, await reasonIn(response)))
  } catch (error) {
    if (aborter.signal.aborted) return
    const reason = reasonOf(error, options.url)
    if (method !== null && id !== null) options.send(errorLine(id, RPC.between, reason))
    else options.warn(reason)
  } finally {
    if (id !== null) state.underWay.delete(id)
  }
}

async function post(
  body: string,
  fields: Readonly<Record<string, string>>,
  signal: AbortSignal,
  { url, headers, authorization, fetch }: BridgeOptions,
): Promise<Response> {
  const ask = async (shown: string | null): Promise<Response> =>
    fetch(url, {
      method: 'POST',
      body,
      headers: { ...headers, ...fields, ...(shown !== null && { authorization: shown }) },
      signal,
      // A redirect would carry the token elsewhere
      redirect: 'error',
    })
  const shown = await authorization()
  const first = await ask(shown)
  if (first.status !== 401 || shown === null) return first
  const other = await authorization(shown)
  if (other === shown) return first
  await first.body?.cancel()
  return ask(other)
}

function fieldsFor(message: Members, { session, version }: State, isModern: boolean): Record<string, string> {
  const fields: Record<string, string> = {
    'content-type': 'application/json',
    accept: 'application/json, text/event-stream',
  }
  if (session !== null) fields['mcp-session-id'] = session
  if (version !== null) fields['mcp-protocol-version'] = version
  if (!isModern) return fields
  fields['mcp-protocol-version'] = versionIn(message)!
  if (typeof message['method'] !== 'string') return fields
  fields['mcp-method'] = encodeMirrored(message['method'])
  const member = NAMED_BY.get(message['method'])
  const name = member === undefined ? undefined : paramsOf(message)[member]
  if (typeof name === 'string') fields['mcp-name'] = encodeMirrored(name)
  return fields
}

/** Hands over the messages of a response; false when it holds none. */
async function hand(
  response: Response,
  isHandshake: boolean,
  state: State,
  options: BridgeOptions,
): Promise<boolean> {
  if (response.ok && isHandshake) state.session = response.headers.get('mcp-session-id')
  const take = (text: string): boolean => {
    const message = toMembers(text)
    if (message === null) return false
    if (isHandshake) {
      const chosen = (message['result'] as Members | undefined)?.['protocolVersion']
      if (typeof chosen === 'string' && isLegacyVersion(chosen)) state.version = chosen
    }
    options.send(JSON.stringify(message))
    return true
  }
  const type = response.headers.get('content-type') ?? ''
  if (/^text\/event-stream\b/i.test(type) && response.body !== null) {
    let isAny = false
    for await (const text of messagesOf(response.body)) isAny = take(text) || isAny
    return isAny
  }
  return /^application\/json\b/i.test(type) && take(await response.clone().text())
}

async function endSession(state: State, { url, headers, authorization, fetch, warn }: BridgeOptions) {
  const shown = await authorization()
  await fetch(url, {
    method: 'DELETE',
    redirect: 'error',
    headers: {
      ...headers,
      'mcp-session-id': state.session!,
      ...(state.version !== null && { 'mcp-protocol-version': state.version }),
      ...(shown !== null && { authorization: shown }),
    },
  }).catch((error: unknown) => warn(reasonOf(error, url)))
}

/** A JSON-RPC message (or a batch of them, which is carried as it is), or null for anything else. */
function toMembers(text: string): Members | null {
  try {
    // The server gets numbers with the digits that the client wrote
    const value: unknown = parseExact(text)
    if (value === null || typeof value !== 'object') return null
    // An object of JSON has no other keys than texts
    return Array.isArray(value) || (value as Members)['jsonrpc'] === '2.0' ? (value as Members) : null
  } catch {
    return null
  }
}

function idOf(holder: Members, name = 'id'): RpcId | null {
  const id = holder[name]
  if (typeof id === 'string' || typeof id === 'number') return id
  const written = rawNumber(id)
  if (written === null) return null
  // 1.0 and 1e3 are ids as well: an error has to reach their request
  const double = Number(written)
  if (Number.isSafeInteger(double)) return double
  return /^-?\d+$/.test(written) ? BigInt(written) : null
}

function paramsOf(message: Members): Members {
  const { params } = message
  return params !== null && typeof params === 'object' ? (params as Members) : {}
}

/** The version that a message without a handshake names. */
function versionIn(message: Members): string | null {
  const meta = paramsOf(message)['_meta']
  const version = (meta as Members | null | undefined)?.[PROTOCOL_VERSION]
  return typeof version === 'string' ? version : null
}

function errorLine(id: RpcId | null, code: number, message: string): string {
  return JSON.stringify({ jsonrpc: '2.0', id: id === null ? null : writableId(id), error: { code, message } })
}

/** What an answer says that is no message: a problem object, or its status alone. */
async function reasonIn(response: Response): Promise<string> {
  const text = response.bodyUsed ? '' : await response.text()
  try {
    const { title, detail } = JSON.parse(text) as { title?: unknown; detail?: unknown }
    if (typeof title === 'string') return `${title} (${response.status}). ${String(detail ?? '')}`.trim()
  } catch {
    // Then the status is all there is to say
  }
  return `The server answered with status ${response.status} and no message.`
}

function reasonOf(error: unknown, url: string): string {
  if (!(error instanceof Error)) return String(error)
  if (!(error instanceof TypeError)) return error.message
  const code = error.cause instanceof Error && 'code' in error.cause ? ` (${String(error.cause.code)})` : ''
  return `Nothing answered at ${url}${code}.`
}

/** Longest event, characters: a server that never ends one would fill the memory. */
const EVENT_CHARS_MAX = 64 * 1024 * 1024

/** The data of each event of a `text/event-stream` (WHATWG HTML 9.2) that is a message; comments and ids are skipped. */
export async function* messagesOf(stream: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder()
  let rest = ''
  let event: Event = { data: [], type: 'message' }
  for await (const piece of stream) {
    rest += decoder.decode(piece, { stream: true })
    if (rest.length > EVENT_CHARS_MAX) throw new Error('The server sent an event that is too long.')
    const lines = rest.split(/\r\n|\n|\r(?!$)/)
    rest = lines.pop()!
    for (const line of lines) {
      if (line !== '') take(event, line)
      else {
        if (event.data.length > 0 && event.type === 'message') yield event.data.join('\n')
        event = { data: [], type: 'message' }
      }
    }
  }
}

interface Event {
  readonly data: string[]
  type: string
}

function take(event: Event, line: string): void {
  const at = line.indexOf(':')
  const field = at === -1 ? line : line.slice(0, at)
  const value = at === -1 ? '' : line.slice(at + 1).replace(/^ /, '')
  if (field === 'data') event.data.push(value)
  else if (field === 'event') event.type = value === '' ? 'message' : value
}

/** One Postern, and one call in several ways: over REST, by `execute_call`, and by a tool of an MCP server behind `/mcp/{slug}`. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { ownPort } from '../../test/support/ports.ts'
import { type Postern, type PosternOptions, startPostern } from './postern.ts'
import { type Processes, untilStatus } from './processes.ts'
import type { Candidate } from './rounds.ts'
import { copyProfile } from './seed.ts'
import { publishOrders, startManaged, startUpstreamSomewhere } from './stand.ts'

const COMMON = readFileSync(resolve(import.meta.dirname, '../peers/wrk.lua'), 'utf8')
const PROGRAMS = resolve(import.meta.dirname, '../programs')
const VERSION = '2026-07-28'

/** Requests with one token before the next one's turn: a caller asks more than once. */
const IN_A_ROW = 32

export interface Agents {
  readonly postern: Postern
  /** Tokens of profiles that may do the same, that of the candidates first. */
  readonly tokens: readonly string[]
  /** Of further clients that may call the virtual MCP, one for each. */
  readonly listeners: readonly string[]
  /** Of the MCP server behind Postern. */
  readonly originUrl: string
  readonly overRest: Candidate
  readonly overMcp: Candidate
  readonly overVirtualMcp: Candidate
}

/**
 * @param profiles further profiles with tokens, for what one profile may not do so often
 * @param clients further clients, for what one client may not have so many of
 */
export async function startAgents(
  processes: Processes,
  directory: string,
  options: PosternOptions,
  profiles = 0,
  clients = 0,
): Promise<Agents> {
  const upstreamPort = await startUpstreamSomewhere(processes, directory)
  const { url: originUrl } = await startPeer(processes, 1, 'mcp-origin.ts', [], 405)
  const { data, postern: first, call } = await startManaged(processes, directory, options)
  await call('POST', '/policies', {
    name: 'Gold',
    slug: 'gold',
    limits: [{ name: 'second', kind: 'rate', max: 1_000_000, window: '1s' }],
  })
  await publishOrders(call, upstreamPort)
  await call('POST', '/origins', { name: 'Shop', slug: 'shop', url: originUrl })
  await call('POST', '/virtual_mcps', { name: 'Desk', slug: 'desk', members: [{ origin: 'shop' }] })
  await call('POST', '/virtual_mcps/desk/publish', {})
  await call('POST', '/clients', {
    name: 'Acme',
    slug: 'acme',
    collections: ['orders'],
    virtual_mcps: ['desk'],
    policy: 'gold',
  })
  const profile = await call('POST', '/profiles', {
    client: 'acme',
    name: 'Live',
    slug: 'live',
    auth: { type: 'token' },
  })
  const tokens = [String(profile['token'])]
  const listeners: string[] = []
  for (let index = 0; index < clients; index++) {
    const slug = `listener-${index}`
    await call('POST', '/clients', { name: slug, slug, virtual_mcps: ['desk'] })
    const own = { client: slug, name: 'Idle', slug: 'idle', auth: { type: 'token' } }
    listeners.push(String((await call('POST', '/profiles', own))['token']))
  }
  let postern = first
  if (profiles > 0) {
    await first.process.end()
    tokens.push(...(await copyProfile(data, profiles)))
    postern = await startPostern(processes, data, options)
  }
  const { process, gateway } = postern
  const [token = ''] = tokens
  return {
    postern,
    tokens,
    listeners,
    originUrl,
    overRest: {
      name: 'a call over REST',
      process,
      url: `${gateway}/orders/v1/orders/7`,
      headers: [`Authorization: Bearer ${token}`],
    },
    overMcp: await messages(directory, {
      name: 'the same by execute_call through /mcp',
      process,
      url: `${gateway}/mcp`,
      tokens: [token],
      message: toolCall('execute_call', {
        endpoint: 'GET /orders/v1/orders/{id}',
        params: { path: { id: '7' } },
      }),
    }),
    overVirtualMcp: await messages(directory, {
      name: 'a tool of an MCP server through /mcp/{slug}',
      process,
      url: `${gateway}/mcp/desk`,
      tokens: [token],
      message: TOOL_CALL,
    }),
  }
}

/** Starts a program of `bench/programs` whose first argument is its port. @param status of its answer to GET */
export async function startPeer(
  processes: Processes,
  core: number,
  program: string,
  args: readonly string[],
  status: number,
): Promise<Pick<Candidate, 'process' | 'url'>> {
  const port = await ownPort()
  const flags = ['--disable-warning=ExperimentalWarning', join(PROGRAMS, program)]
  const process = processes.start(core, globalThis.process.execPath, [...flags, `${port}`, ...args])
  const url = `http://127.0.0.1:${port}/mcp`
  await untilStatus(url, status, process)
  return { process, url }
}

/** A message of 2026-07-28. */
interface ModernMessage {
  readonly method: string
  readonly params: Readonly<Record<string, unknown>>
}

export function toolCall(name: string, given: object): ModernMessage {
  return { method: 'tools/call', params: { name, arguments: given } }
}

/** A call of the MCP server. */
export const TOOL_CALL = toolCall('get_orders_7', { customer: 'cus_1842', limit: 12 })
export const TOOL_LIST: ModernMessage = { method: 'tools/list', params: {} }

/**
 * A candidate that is sent one message, with the tokens by turns; there is at least one, which may be empty. Throws where the first answer is
 * an error. Answers that are shorter than that count as a failed request: errors come with status 200 too.
 */
export async function messages(
  directory: string,
  options: Pick<Candidate, 'name' | 'process' | 'url'> & {
    readonly tokens: readonly string[]
    readonly message: ModernMessage
  },
): Promise<Candidate & { readonly answer: string }> {
  const { tokens, message, ...candidate } = options
  const { headers, body } = requestOf(message)
  const answer = await answerTo(candidate, { ...headers, ...authorization(tokens[0]!) }, body)
  const script = join(directory, `${candidate.name.replace(/\W+/g, '-')}.lua`)
  writeFileSync(script, scriptOf(headers, body, tokens, Buffer.byteLength(answer)))
  return { ...candidate, script, answer }
}

/** The HTTP request of a message, without credentials. */
export function requestOf({ method, params }: ModernMessage): {
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
} {
  const _meta = {
    'io.modelcontextprotocol/protocolVersion': VERSION,
    'io.modelcontextprotocol/clientInfo': { name: 'bench', version: '1' },
    'io.modelcontextprotocol/clientCapabilities': {},
  }
  return {
    headers: {
      'Content-Type': 'application/json',
      Accept: 'application/json, text/event-stream',
      'MCP-Protocol-Version': VERSION,
      'Mcp-Method': method,
      ...(typeof params['name'] === 'string' ? { 'Mcp-Name': params['name'] } : {}),
    },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params: { ...params, _meta } }),
  }
}

function authorization(token: string): Record<string, string> {
  return token === '' ? {} : { Authorization: `Bearer ${token}` }
}

/** The text of one answer; throws where it is an error. */
async function answerTo(
  { name, url }: Pick<Candidate, 'name' | 'url'>,
  headers: Readonly<Record<string, string>>,
  body: string,
): Promise<string> {
  const answer = await fetch(url, { method: 'POST', headers, body })
  const text = await answer.text()
  if (answer.status !== 200 || text.includes('"isError":true') || text.includes('"error"'))
    throw new Error(`${name} answered ${answer.status}: ${text.slice(0, 500)}`)
  return text
}

function scriptOf(
  headers: Readonly<Record<string, string>>,
  body: string,
  tokens: readonly string[],
  bytes: number,
): string {
  const lines = Object.entries(headers).map(
    ([name, value]) => `wrk.headers[${JSON.stringify(name)}] = ${JSON.stringify(value)}`,
  )
  return `${COMMON}
wrk.method = "POST"
wrk.body = [==[${body}]==]
${lines.join('\n')}

local tokens = { ${tokens.map((token) => JSON.stringify(token)).join(', ')} }
local requests, sent = {}, 0
function init()
  for index, token in ipairs(tokens) do
    if token ~= "" then wrk.headers["Authorization"] = "Bearer " .. token end
    requests[index] = wrk.format()
  end
end
function request()
  sent = sent + 1
  return requests[math.floor(sent / ${IN_A_ROW}) % #requests + 1]
end

local report = done
function done(summary, latency, requests)
  if summary.bytes < summary.requests * ${bytes} then summary.errors.status = summary.errors.status + 1 end
  report(summary, latency, requests)
end
`
}

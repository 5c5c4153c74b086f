import { createWriteStream } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { Command, Option } from 'commander'
import { isPlain } from '../../base/json/storable.ts'
import { connectionFault } from '../../base/net/connection-fault.ts'
import { printable } from '../../base/text/visible.ts'
import { MODERN_VERSIONS } from '../../mcp/protocol/message.ts'
import { CLIENT_CAPABILITIES, PROTOCOL_VERSION } from '../../mcp/protocol/modern.ts'
import { bridge } from './bridge.ts'
import { addCommonFlags, type Format, repeated } from './common-flags.ts'
import { type Caller, findCaller, type Where } from './connect.ts'
import { EXIT, Failed, UsageError } from './exit.ts'
import { fieldsOf } from './mcp.ts'
import type { CliPorts } from './ports.ts'
import { printData } from './print.ts'

interface Given extends Where {
  readonly tool?: string
  readonly mcp: string
  readonly body?: string
  readonly file?: string
  readonly client?: string
  readonly profile?: string
  readonly header: readonly string[]
  readonly tokenFile?: string
  readonly include?: boolean
  readonly out?: string
  readonly output: Format
}

/** `postern call`: calls a published API, or a tool of an MCP server, through the gateway. */
export function callCommand(ports: CliPorts): Command {
  const command = new Command('call')
    .description('Call a published API through the gateway, and print the status and the body')
    .argument('[method]', 'Such as GET. Default: GET, or POST with a body')
    .argument('[path]', 'Path and query, such as /orders/v1/orders/7')
    .option('--body <text>', 'Body of the request; with --tool the arguments as JSON')
    .option('-f, --file <file>', 'File with the body')
    .addOption(
      new Option('-H, --header <line>', 'Header line; repeat for more').argParser(repeated).default([]),
    )
    .option('--client <client>', 'Client that makes the call (X-Client-ID)')
    .option('--profile <profile>', 'Profile of the client (X-Profile-ID)')
    .option('--token-file <file>', 'File with the token of the profile (POSTERN_TOKEN); - is standard input')
    .option('-i, --include', 'Also print the headers of the response')
    .option('--out <file>', 'Write the body to this file')
    .option('--tool <name>', 'Call this MCP tool instead of a path')
    .option('--mcp <path>', 'Path of the MCP server with the tool', '/mcp')
    .addHelpText(
      'after',
      '\nStatus and headers go to standard error, the body to standard output. If the status is 400 or above, the exit code is 1.\n\nExamples:\n  POSTERN_TOKEN=... postern call GET /orders/v1/orders/7\n  postern call POST /orders/v1/orders --file order.json --token-file token.txt\n  postern call --tool list_endpoints --body \'{"collection":"orders"}\' --token-file token.txt\n',
    )
  return addCommonFlags(command).action(
    async (method: string | undefined, path: string | undefined, given: Given) => {
      const target = targetOf(method, path, given)
      if (given.body !== undefined && given.file !== undefined)
        throw new UsageError('Give either --body or --file, not both.')
      const body = given.file === undefined ? (given.body ?? null) : await readBody(given.file)
      const caller = await findCaller(ports, given, given.tokenFile)
      if (given.tool !== undefined) return callTool(ports, caller, given.tool, String(body ?? '{}'), given)
      await callPath(ports, caller, target ?? '', { method: methodOf(method, path, body), body }, given)
    },
  )
}

/** The path; null for a tool. A single argument is the path. */
function targetOf(method: string | undefined, path: string | undefined, { tool, mcp }: Given): string | null {
  const target = path ?? method
  if (tool !== undefined) {
    if (target !== undefined) throw new UsageError('Give either --tool or a path, not both.')
    if (!mcp.startsWith('/')) throw new UsageError('--mcp is a path, such as /mcp.')
    return null
  }
  if (target === undefined || !target.startsWith('/'))
    throw new UsageError('Give a path below the gateway, such as /orders/v1/orders/7, or --tool.')
  return target
}

function methodOf(method: string | undefined, path: string | undefined, body: unknown): string {
  if (path === undefined || method === undefined) return body === null ? 'GET' : 'POST'
  if (!/^[A-Za-z]{1,20}$/.test(method)) throw new UsageError(`"${method}" is no method such as GET.`)
  return method.toUpperCase()
}

async function readBody(file: string): Promise<Uint8Array<ArrayBuffer>> {
  try {
    return new Uint8Array(await readFile(file))
  } catch (error) {
    throw new UsageError(`${file} cannot be read (${String((error as NodeJS.ErrnoException).code)}).`)
  }
}

async function callPath(
  ports: CliPorts,
  { url, token }: Caller,
  path: string,
  { method, body }: { readonly method: string; readonly body: string | Uint8Array<ArrayBuffer> | null },
  given: Given,
): Promise<void> {
  const headers: Record<string, string> = {
    'user-agent': `postern-cli/${ports.version}`,
    ...(body !== null && isJson(body) && { 'content-type': 'application/json' }),
    ...(token !== null && { authorization: `Bearer ${token}` }),
    ...fieldsOf(given),
  }
  // A redirect would carry the token elsewhere
  const init = { method, headers, redirect: 'manual' as const, ...(body !== null && { body }) }
  const response = await (ports.fetch ?? fetch)(url + path, init).catch((error: unknown) => {
    throw new Error(`Nothing answered at ${url}. ${connectionFault(error)}`.trim(), { cause: error })
  })
  const fields = Object.fromEntries(response.headers)
  if (given.output === 'table') printHead(ports, response, given.include === true ? fields : {})
  if (given.out !== undefined) await writeBody(response, given.out)
  else if (given.output === 'table') await printBody(ports, response)
  else {
    const text = await response.text()
    const shown = { status: response.status, headers: fields, body: jsonOf(text) ?? text }
    printData(ports, given.output, shown)
  }
  if (response.status === 401 && token === null)
    ports.err(
      'The call had no token. Give the token of a profile in POSTERN_TOKEN or with --token-file. A sign-in to the management API is not sent.\n',
    )
  if (response.status >= 400) throw new Failed(EXIT.error)
}

function printHead(
  ports: CliPorts,
  { status, statusText }: Response,
  fields: Readonly<Record<string, string>>,
): void {
  ports.err(`${`${status} ${printable(statusText)}`.trimEnd()}\n`)
  for (const [name, value] of Object.entries(fields)) ports.err(`${name}: ${printable(value)}\n`)
}

/** Prints a body as it comes. A terminal gets no character that it would obey. */
async function printBody(ports: CliPorts, { body }: Response): Promise<void> {
  const decoder = new TextDecoder()
  let last = '\n'
  const print = (text: string): void => {
    if (text === '') return
    last = text
    ports.out(ports.colour ? text.split('\n').map(printable).join('\n') : text)
  }
  for await (const piece of body ?? []) print(decoder.decode(piece, { stream: true }))
  print(decoder.decode())
  if (ports.colour && !last.endsWith('\n')) ports.out('\n')
}

async function writeBody({ body }: Response, file: string): Promise<void> {
  // The stream of fetch is that of node:stream/web
  const source =
    body === null ? Readable.from([]) : Readable.fromWeb(body as Parameters<typeof Readable.fromWeb>[0])
  await pipeline(source, createWriteStream(file))
}

function isJson(body: string | Uint8Array): boolean {
  return jsonOf(typeof body === 'string' ? body : new TextDecoder().decode(body)) !== undefined
}

/** Undefined for text that is not JSON. */
function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** Calls a tool in one message, and prints the texts of its result. */
async function callTool(
  ports: CliPorts,
  { url, token }: Caller,
  name: string,
  body: string,
  given: Given,
): Promise<void> {
  const args = jsonOf(body)
  if (!isPlain(args)) throw new UsageError('The arguments of a tool are a JSON object.')
  const _meta = { [PROTOCOL_VERSION]: MODERN_VERSIONS[0], [CLIENT_CAPABILITIES]: {} }
  const message = { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name, arguments: args, _meta } }
  const answered = Promise.withResolvers<unknown>()
  async function* lines(): AsyncIterable<string> {
    yield JSON.stringify(message)
    await answered.promise
  }
  await bridge(lines(), {
    url: url + given.mcp,
    authorization: async () => (token === null ? null : `Bearer ${token}`),
    headers: { 'user-agent': `postern-cli/${ports.version}`, ...fieldsOf(given) },
    fetch: ports.fetch ?? fetch,
    send: (line) => {
      const answer = jsonOf(line)
      // Others are notifications of progress
      if (isPlain(answer) && answer['id'] === 1) answered.resolve(answer)
    },
    warn: (sentence) => ports.err(`warning: ${printable(sentence)}\n`),
  })
  const answer = (await answered.promise) as Readonly<Record<string, unknown>>
  const { error, result } = answer
  if (isPlain(error)) throw new Error(`The tool was not called: ${String(error['message'])}`)
  const shown = isPlain(result) ? result : {}
  if (!printData(ports, given.output, shown)) ports.out(`${textOf(shown)}\n`)
  if (shown['isError'] === true) throw new Failed(EXIT.error)
}

/** The texts of a result, and other content as JSON. */
function textOf({ content }: Readonly<Record<string, unknown>>): string {
  const parts: readonly unknown[] = Array.isArray(content) ? content : []
  return parts
    .map((part) => {
      const text = isPlain(part) && part['type'] === 'text' ? String(part['text']) : JSON.stringify(part)
      return text.split('\n').map(printable).join('\n')
    })
    .join('\n')
}

/**
 * A small MCP server over stdio, as of 2025-11-25, without any library. Its tools do what tests of the runner need.
 * Arguments: `--exits-on-probe` ends it on a request before `initialize`, `--stubborn` has it ignore SIGTERM and the end of
 * its input, `--slow` has it never answer `initialize`.
 */
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'

interface Incoming {
  readonly id?: number | string
  readonly method?: string
  readonly params?: {
    readonly name?: string
    readonly arguments?: Readonly<Record<string, unknown>>
    readonly _meta?: { readonly progressToken?: unknown }
    readonly requestId?: unknown
    readonly uri?: string
  }
  readonly result?: unknown
  readonly error?: unknown
}

const flags = process.argv.slice(2)
const isStubborn = flags.includes('--stubborn')
let isInitialized = false
let initializeCount = 0
let lastId = 0
const replies = new Map<number, (reply: Incoming) => void>()
const seen: string[] = []

/** What no text can be made of is JSON. */
const nameOf = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value))

function send(message: object): void {
  process.stdout.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`)
}

function ask(method: string, params: object): Promise<Incoming> {
  const id = ++lastId
  send({ id, method, params })
  return new Promise((done) => replies.set(id, done))
}

function answerText(id: number | string | undefined, value: unknown): void {
  send({ id, result: { content: [{ type: 'text', text: JSON.stringify(value) }] } })
}

const TOOLS: Readonly<Record<string, (message: Incoming) => unknown>> = {
  echo: ({ params }) => params?.arguments ?? {},
  pid: () => process.pid,
  environment: () => process.env,
  arguments: () => process.argv.slice(2),
  seen: () => seen,
  initializes: () => initializeCount,
  cwd: () => process.cwd(),
  async ask({ params }) {
    const reply = await ask('elicitation/create', {
      message: params?.arguments?.['message'] ?? 'which?',
      requestedSchema: { type: 'object', properties: {} },
    })
    return reply.result ?? { error: reply.error }
  },
  async roots() {
    const reply = await ask('roots/list', {})
    return reply.result ?? { error: reply.error }
  },
  progress({ params }) {
    const progressToken = params?._meta?.progressToken
    for (const progress of [1, 2])
      send({ method: 'notifications/progress', params: { progressToken, progress } })
    return 'done'
  },
  log() {
    send({ method: 'notifications/message', params: { level: 'info', data: 'hello' } })
    return 'done'
  },
  update({ params }) {
    send({ method: 'notifications/resources/updated', params: { uri: params?.arguments?.['uri'] } })
    send({ method: 'notifications/tools/list_changed' })
    return 'done'
  },
  fork({ params }) {
    const isDetached = params?.arguments?.['detached'] === true
    const child = spawn('/bin/sleep', ['1000'], { detached: isDetached, stdio: 'ignore' })
    child.unref()
    return child.pid
  },
  async forkMany({ params }) {
    for (let i = 0; i < Number(params?.arguments?.['count']); i++)
      spawn('/bin/sleep', ['1000'], { stdio: 'ignore' }).unref()
    await new Promise(() => {})
  },
  async fill({ params }) {
    const kept = Buffer.alloc(Number(params?.arguments?.['mb']) * 1024 ** 2, 1)
    await new Promise((done) => setTimeout(done, 1e6, kept))
  },
  stderr({ params }) {
    process.stderr.write(String(params?.arguments?.['text']))
    return 'done'
  },
  hang: () => new Promise(() => {}),
  exit: () => process.exit(3),
  exitAfterAnswer({ id }) {
    answerText(id, 'last words')
    process.exit(0)
  },
}

function handle(line: string): void {
  const message = JSON.parse(line) as Incoming
  const { id, method, params } = message
  if (method === undefined) {
    replies.get(Number(id))?.(message)
    return
  }
  if (id === undefined) {
    seen.push(method === 'notifications/cancelled' ? `cancelled ${nameOf(params?.requestId)}` : method)
    return
  }
  if (method === 'initialize') {
    isInitialized = true
    initializeCount++
    if (flags.includes('--slow')) return
    const capabilities = { tools: {}, resources: { subscribe: true } }
    send({
      id,
      result: { protocolVersion: '2025-11-25', capabilities, serverInfo: { name: 'small', version: '1' } },
    })
  } else if (!isInitialized) {
    if (flags.includes('--exits-on-probe')) process.exit(1)
    send({ id, error: { code: -32600, message: 'not initialized' } })
  } else if (method === 'tools/list') {
    const tools = Object.keys(TOOLS).map((name) => ({ name, inputSchema: { type: 'object' } }))
    send({ id, result: { tools } })
  } else if (method === 'tools/call' && TOOLS[params?.name ?? ''] !== undefined) {
    void Promise.resolve(TOOLS[params!.name!]!(message)).then((value) => answerText(id, value))
  } else if (method === 'ping') send({ id, result: {} })
  else if (method.startsWith('resources/')) {
    seen.push(`${method} ${nameOf(params?.uri)}`)
    send({ id, result: method.endsWith('/list') ? { resources: [], resourceTemplates: [] } : {} })
  } else send({ id, error: { code: -32601, message: 'unknown' } })
}

const lines = createInterface({ input: process.stdin })
lines.on('line', handle)
if (isStubborn) {
  process.on('SIGTERM', () => {})
  setInterval(() => {}, 1000)
} else lines.on('close', () => process.exit(0))

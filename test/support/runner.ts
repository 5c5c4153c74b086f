/** A runner in this process, on a loopback port, and what sends to it. */
import { createHash } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { type ClockCell, createClock, createClockCell, moveClock } from '../../src/base/clock.ts'
import { readRunnerFile } from '../../src/runner/file.ts'
import { markOfFile } from '../../src/runner/process-table.ts'
import { type Runner, startRunner } from '../../src/runner/runner.ts'

const SERVERS = resolve(import.meta.dirname, '../runner/servers')
export const TOKEN = 'a-token-of-the-tests-that-is-long-enough'

export const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex')

/** An entry that runs one of the small servers. */
export function server(
  name: 'legacy' | 'modern' | 'sdk-v2',
  ...flags: string[]
): Record<string, unknown> & { args: string[] } {
  return {
    program: process.execPath,
    args: ['--disable-warning=ExperimentalWarning', join(SERVERS, `${name}.ts`), ...flags],
  }
}

export const TINY = { program: '/bin/sh', args: [join(SERVERS, 'tiny.sh')], env: { PATH: '/usr/bin:/bin' } }

/** Ids of all processes that carry the mark of a runner of that file, and have not ended. */
export function markedProcesses(file: string): number[] {
  const mark = `POSTERN_RUNNER_PROCESS=${markOfFile(file)}`
  return readdirSync('/proc').flatMap((name) => {
    try {
      if (!/^\d+$/.test(name) || !readFileSync(`/proc/${name}/environ`, 'latin1').includes(mark)) return []
      const stat = readFileSync(`/proc/${name}/stat`, 'latin1')
      return stat.slice(stat.lastIndexOf(')') + 2, stat.lastIndexOf(')') + 3) === 'Z' ? [] : [Number(name)]
    } catch {
      return []
    }
  })
}

/** Writes a file for a runner into a new directory. */
export function runnerFile(spec: Record<string, unknown>): { file: string; directory: string } & Disposable {
  const directory = mkdtempSync(join(tmpdir(), 'postern-runner-'))
  const file = join(directory, 'runner.yaml')
  writeFileSync(file, JSON.stringify(spec), { mode: 0o600 })
  return { file, directory, [Symbol.dispose]: () => rmSync(directory, { recursive: true }) }
}

export interface Answered {
  readonly status: number
  readonly headers: Headers
  /** All messages of the response, in their order. */
  readonly messages: readonly Message[]
  readonly text: string
}

export interface Message {
  readonly id?: number | string
  readonly method?: string
  readonly params?: Record<string, unknown>
  readonly result?: Record<string, unknown> & { readonly content?: readonly { readonly text: string }[] }
  readonly error?: {
    readonly code: number
    readonly message: string
    readonly data?: { readonly reason?: string; readonly executed?: string; readonly errors?: unknown }
  }
}

const ACCEPT = 'application/json, text/event-stream'

export interface StartedRunner extends AsyncDisposable {
  readonly runner: Runner
  readonly file: string
  readonly log: string[]
  readonly move: (ms: number) => void
  readonly url: (entry: string) => string
  readonly send: (
    entry: string,
    message: unknown,
    headers?: Readonly<Record<string, string>>,
    signal?: AbortSignal,
  ) => Promise<Answered>
  /** The response before its end, for streams. */
  readonly open: (
    entry: string,
    message: unknown,
    headers?: Readonly<Record<string, string>>,
    signal?: AbortSignal,
  ) => Promise<Response>
  readonly session: (
    entry: string,
    capabilities?: object,
    headers?: Readonly<Record<string, string>>,
  ) => Promise<TestSession>
}

/** A legacy session. */
export interface TestSession {
  readonly headers: Readonly<Record<string, string>>
  readonly send: (message: object) => Promise<Answered>
  readonly open: (message: object, signal?: AbortSignal) => Promise<Response>
  /** The value that a tool of the small server answers. */
  readonly call: (name: string, args?: object) => Promise<unknown>
  /** The GET stream. */
  readonly stream: () => Promise<Response>
  readonly end: () => Promise<Response>
}

/** Starts a runner whose token may use all entries. @param tokens further ones */
export async function startTestRunner(
  entries: Record<string, Record<string, unknown>>,
  graceMs: number = 2000,
  tokens: readonly object[] = [],
): Promise<StartedRunner> {
  const made = runnerFile({
    listen: {
      address: '127.0.0.1:0',
      tokens: [{ token_sha256: sha256(TOKEN), entries: Object.keys(entries) }, ...tokens],
    },
    entries,
  })
  const cell: ClockCell = createClockCell()
  const log: string[] = []
  const runner = await startRunner(readRunnerFile(made.file), {
    clock: createClock(cell),
    log: (level, message) => log.push(`${level} ${message}`),
    tickMs: 5,
    graceMs,
  })
  const url = (entry: string): string => `http://127.0.0.1:${runner.port}/entries/${entry}`
  const open: StartedRunner['open'] = (entry, message, headers = {}, signal) =>
    fetch(url(entry), {
      method: 'POST',
      body: typeof message === 'string' ? message : JSON.stringify(message),
      headers: {
        authorization: `Bearer ${TOKEN}`,
        'content-type': 'application/json',
        accept: ACCEPT,
        ...headers,
      },
      signal: signal ?? null,
    })
  const send: StartedRunner['send'] = async (...given) => toAnswered(await open(...given))

  return {
    runner,
    file: made.file,
    log,
    move: (ms) => moveClock(cell, ms),
    url,
    send,
    open,
    async session(entry, capabilities = {}, headers = {}) {
      const opened = await send(entry, initialize(capabilities), headers)
      const id = opened.headers.get('mcp-session-id')
      if (id === null) throw new Error(`no session: ${opened.status} ${opened.text}`)
      const own = { ...headers, 'mcp-session-id': id, 'mcp-protocol-version': '2025-11-25' }
      const request = (method: string, more: object = {}): Promise<Response> =>
        fetch(url(entry), {
          method,
          headers: { authorization: `Bearer ${TOKEN}`, accept: ACCEPT, ...own },
          ...more,
        })
      let lastId = 0
      return {
        headers: own,
        send: (message) => send(entry, { jsonrpc: '2.0', ...message }, own),
        open: (message, signal) => open(entry, { jsonrpc: '2.0', ...message }, own, signal),
        async call(name, args = {}) {
          const answered = await send(entry, toolCall(++lastId, name, args), own)
          return toolValue(answered)
        },
        stream: () => request('GET'),
        end: () => request('DELETE'),
      }
    },
    async [Symbol.asyncDispose]() {
      await runner.close()
      made[Symbol.dispose]()
    },
  }
}

export function initialize(capabilities: object = {}): object {
  const params = { protocolVersion: '2025-11-25', capabilities, clientInfo: { name: 'test', version: '1' } }
  return { jsonrpc: '2.0', id: 'first', method: 'initialize', params }
}

export function toolCall(id: number | string, name: string, args: object = {}, _meta?: object): object {
  return { jsonrpc: '2.0', id, method: 'tools/call', params: { name, arguments: args, _meta } }
}

/** The value that a tool of a small server has answered. */
export function toolValue({ messages, status, text }: Answered): unknown {
  const content = messages.at(-1)?.result?.content
  if (content === undefined) throw new Error(`no result: ${status} ${text}`)
  return JSON.parse(content[0]!.text)
}

export async function toAnswered(response: Response): Promise<Answered> {
  const text = await response.text()
  return { status: response.status, headers: response.headers, messages: messagesIn(response, text), text }
}

function messagesIn(response: Response, text: string): Message[] {
  if (text === '') return []
  if (!response.headers.get('content-type')!.startsWith('text/event-stream'))
    return [JSON.parse(text) as Message]
  return text
    .split('\n')
    .filter((line) => line.startsWith('data: '))
    .map((line) => JSON.parse(line.slice(6)) as Message)
}

/** Messages of a stream as they come. */
export async function* eventsOf(response: Response): AsyncGenerator<Message, void> {
  let text = ''
  for await (const piece of response.body!.pipeThrough(new TextDecoderStream())) {
    text += piece
    for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n')) {
      const line = text.slice(0, at)
      text = text.slice(at + 1)
      if (line.startsWith('data: ')) yield JSON.parse(line.slice(6)) as Message
    }
  }
}

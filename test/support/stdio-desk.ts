/** A whole Postern with a runner on a Unix socket: the virtual MCP `desk` over origins of kind stdio, and two clients that may call it. */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type ClockCell, createClock, createClockCell, moveClock } from '../../src/base/clock.ts'
import { readRunnerFile } from '../../src/runner/file.ts'
import { type Runner, startRunner } from '../../src/runner/runner.ts'
import { type Reply, startTestServer, type TestServer } from '../scenarios/server.ts'
import type { CallResult, Peer } from './mcp-clients.ts'
import { runnerFile } from './runner.ts'

export interface StdioDesk extends AsyncDisposable {
  readonly server: TestServer
  readonly url: string
  /** Of two clients. */
  readonly headers: Readonly<Record<'acme' | 'other', { authorization: string }>>
  /** Lines of the log of the runner. */
  readonly log: string[]
  /** Time of the runner alone. */
  moveRunner(ms: number): void
  stopRunner(): Promise<void>
  startRunner(): Promise<void>
}

export interface StdioDeskOptions {
  readonly workers?: number
  /** Members of an origin beside its entry, by entry. */
  readonly origins?: Readonly<Record<string, object>>
}

/** @param entries of the file of the runner; each becomes an origin of the same name */
export async function startStdioDesk(
  entries: Readonly<Record<string, object>>,
  options: StdioDeskOptions = {},
): Promise<StdioDesk> {
  await using undo = new AsyncDisposableStack()
  const made = undo.use(runnerFile({}))
  const socket = join(made.directory, 'runner.sock')
  const { file } = runnerFileAt(made.directory, { listen: { socket }, entries })
  const log: string[] = []
  const cell: ClockCell = createClockCell()
  let runner: Runner | null = null
  const start = async (): Promise<void> => {
    runner = await startRunner(readRunnerFile(file), {
      clock: createClock(cell),
      log: (level, message) => log.push(`${level} ${message}`),
      tickMs: 5,
      graceMs: 100,
    })
  }
  const stop = async (): Promise<void> => {
    await runner?.close()
    runner = null
  }
  await start()
  undo.defer(stop)
  const server = await startTestServer({
    workers: options.workers ?? 1,
    flags: ['--runner', `unix:${socket}`],
  })
  undo.use(server)
  for (const entry of Object.keys(entries))
    await created(
      server.manage('POST', '/origins', {
        name: entry,
        slug: entry,
        kind: 'stdio',
        entry,
        ...options.origins?.[entry],
      }),
    )
  const members = Object.keys(entries).map((origin) => ({ origin }))
  await created(
    server.manage('POST', '/virtual_mcps', { name: 'Desk', slug: 'desk', status: 'published', members }),
  )
  const tokenOf = async (client: string): Promise<{ authorization: string }> => {
    await created(server.manage('POST', '/clients', { name: client, slug: client, virtual_mcps: ['desk'] }))
    const auth = { type: 'token' }
    const profile = await created(
      server.manage('POST', '/profiles', { client, name: 'Key', slug: `${client}-key`, auth }),
    )
    return { authorization: `Bearer ${profile.json.token}` }
  }
  const headers = { acme: await tokenOf('acme'), other: await tokenOf('other') }
  const all = undo.move()
  return {
    server,
    url: `${server.running.gatewayUrl}/mcp/desk`,
    headers,
    log,
    moveRunner: (ms) => moveClock(cell, ms),
    stopRunner: stop,
    startRunner: start,
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  }
}

function runnerFileAt(directory: string, spec: object): { readonly file: string } {
  const file = join(directory, 'runner.yaml')
  writeFileSync(file, JSON.stringify(spec), { mode: 0o600 })
  return { file }
}

export async function created(reply: Promise<Reply>): Promise<Reply> {
  const answer = await reply
  assert.equal(answer.status, 201, answer.text)
  return answer
}

/** The problem object that a refused call of a tool holds. */
export function problemIn({ isError, content }: CallResult): Record<string, unknown> {
  assert.equal(isError, true, JSON.stringify(content))
  return JSON.parse(content[0]!.text!) as Record<string, unknown>
}

/** The value that a tool of the small server answers. */
export async function toolValueOf(
  peer: Peer,
  name: string,
  args: Record<string, unknown> = {},
): Promise<unknown> {
  const { content, isError } = await peer.call(name, args)
  assert.ok(isError !== true, JSON.stringify(content))
  return JSON.parse(content[0]!.text!)
}

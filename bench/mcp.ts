/**
 * Claims: a call of an agent, through `/mcp` or `/mcp/{slug}`, costs at most 2.5 times the CPU of the same call over REST, with
 * authentication, a limit and a record each; one through `/mcp/{slug}` is at least 10 times cheaper than by a proxy built on the official
 * SDK; a list of 100 tools costs at most 1.5 times a static answer of the same bytes; sessions without connections cost next to nothing.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ownPort } from '../test/support/ports.ts'
import { type Agents, messages, startAgents, startPeer, TOOL_CALL, TOOL_LIST } from './measure/agents.ts'
import { missingTools } from './measure/machine.ts'
import { startNginx } from './measure/nginx.ts'
import { createProcesses, type Processes, usageOf } from './measure/processes.ts'
import { type Outcome, skipped } from './measure/results.ts'
import { type Comparison, compare, roundOptions } from './measure/rounds.ts'
import { scratchDirectory } from './measure/scratch.ts'

const CALLS_PER_SECOND = 5000
const REST_RATIO_MAX = 2.5
const SDK_RATIO_MIN = 10
const LIST_RATIO_MAX = 1.5
/** A profile may ask for 300 lists a minute. */
const PROFILES = 4000
const SESSIONS = 10_000
const SESSIONS_MB_MAX = 100
/** Sessions that are opened at once. */
const AT_ONCE = 50

export async function mcp(quick: boolean): Promise<Outcome> {
  const missing = missingTools(['nginx', 'wrk', 'taskset'])
  if (missing.length > 0) return skipped('mcp', missing)
  using scratch = scratchDirectory()
  await using processes = createProcesses()
  const agents = await startAgents(processes, scratch.path, { core: 0, workers: 1 }, PROFILES)
  const { overRest, overMcp, overVirtualMcp, originUrl } = agents
  const proxy = await startPeer(processes, 0, 'sdk-proxy.ts', [originUrl], 405)
  const overSdk = await messages(scratch.path, {
    ...proxy,
    name: 'a proxy on the official SDK, which checks and records nothing',
    tokens: [''],
    message: TOOL_CALL,
  })
  const calls = await compare(processes, [overRest, overMcp, overVirtualMcp, overSdk], roundOptions(quick))
  const lists = await compareLists(processes, scratch.path, agents, quick)
  const sessionsMb = await growthBySessions(agents)
  const [, byMcp, byVirtualMcp, bySdk] = calls
  return {
    name: 'mcp',
    title: 'Calls of agents through Gateway MCP and a virtual MCP, one core, 64 connections',
    bar:
      `CPU of a call at most ${REST_RATIO_MAX} times that of the same call over REST, at least ${CALLS_PER_SECOND} calls a second, ` +
      `and at least ${SDK_RATIO_MIN} times cheaper than a proxy on the official SDK; CPU of a list of 100 tools at most ${LIST_RATIO_MAX} times ` +
      `that of the same bytes as a static answer; ${SESSIONS} idle sessions below ${SESSIONS_MB_MAX} MB`,
    met: {
      'execute_call, CPU': byMcp!.ratio <= REST_RATIO_MAX,
      '/mcp/{slug}, CPU': byVirtualMcp!.ratio <= REST_RATIO_MAX,
      'calls a second': Math.min(rateOf(byMcp!), rateOf(byVirtualMcp!)) >= CALLS_PER_SECOND,
      'against the SDK': bySdk!.ratio / byVirtualMcp!.ratio >= SDK_RATIO_MIN,
      lists: lists[1]!.ratio <= LIST_RATIO_MAX,
      sessions: sessionsMb < SESSIONS_MB_MAX,
    },
    comparisons: calls,
    further: { 'a list of 100 tools': lists },
    facts: {
      'CPU of a call by the SDK against /mcp/{slug}': (bySdk!.ratio / byVirtualMcp!.ratio).toFixed(1),
      [`growth by ${SESSIONS} sessions of 2025-11-25 without connections, MB`]: Math.round(sessionsMb),
    },
  }
}

function rateOf({ figures }: Comparison): number {
  return figures.requestsPerSecond
}

/** The list of a virtual MCP against the same bytes from our own wire, which reads the message and no more, and from nginx. */
async function compareLists(
  processes: Processes,
  directory: string,
  { postern, tokens }: Agents,
  quick: boolean,
): Promise<readonly Comparison[]> {
  const list = { tokens, message: TOOL_LIST }
  const open = { ...list, tokens: [''] }
  const listed = await messages(directory, {
    ...list,
    name: 'tools/list through /mcp/{slug}',
    process: postern.process,
    url: `${postern.gateway}/mcp/desk`,
  })
  const file = join(directory, 'list.json')
  writeFileSync(file, listed.answer)
  const wire = await startPeer(processes, 0, 'static.ts', [file], 200)
  const port = await ownPort()
  const nginx = await startNginx(processes, directory, {
    core: 0,
    template: 'static.conf',
    port,
    // Only its owner may read the directory
    values: { FILE: '/list.json', USER: process.getuid?.() === 0 ? 'user root;' : '' },
    path: '/list.json',
  })
  return compare(
    processes,
    [
      await messages(directory, { ...wire, ...open, name: 'the same bytes from the wire of Postern alone' }),
      listed,
      await messages(directory, {
        ...open,
        name: 'the same bytes from a file, by nginx',
        process: nginx,
        url: `http://127.0.0.1:${port}/list.json`,
      }),
    ],
    roundOptions(quick),
  )
}

/** Growth of the whole process by sessions that are opened and left alone, in MB. */
async function growthBySessions({ postern, tokens }: Agents): Promise<number> {
  const url = `${postern.gateway}/mcp/desk`
  const rssMb = (): number => usageOf(postern.process.pid).rssBytes / 1024 ** 2
  const open = async (count: number): Promise<void> => {
    for (let opened = 0; opened < count; opened += AT_ONCE)
      await Promise.all(Array.from({ length: AT_ONCE }, () => openSession(url, tokens[0]!)))
  }
  // What the first ones allocate, further ones use again
  await open(SESSIONS / 10)
  const before = rssMb()
  await open(SESSIONS)
  return rssMb() - before
}

async function openSession(url: string, token: string): Promise<void> {
  const headers = {
    authorization: `Bearer ${token}`,
    'content-type': 'application/json',
    accept: 'application/json, text/event-stream',
  }
  const send = async (message: object, more: Record<string, string> = {}): Promise<Response> => {
    const body = JSON.stringify({ jsonrpc: '2.0', ...message })
    const answer = await fetch(url, { method: 'POST', headers: { ...headers, ...more }, body })
    await answer.arrayBuffer()
    if (!answer.ok) throw new Error(`a session was answered with ${answer.status}`)
    return answer
  }
  const protocolVersion = '2025-11-25'
  const clientInfo = { name: 'bench', version: '1' }
  const opened = await send({
    id: 1,
    method: 'initialize',
    params: { protocolVersion, clientInfo, capabilities: {} },
  })
  const id = opened.headers.get('mcp-session-id')
  if (id === null) throw new Error('no session was opened')
  const session = { 'mcp-session-id': id, 'mcp-protocol-version': protocolVersion }
  await send({ method: 'notifications/initialized' }, session)
}

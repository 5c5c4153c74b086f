/**
 * Claims: a call of an agent, through `/mcp` or `/mcp/{slug}`, costs at most 2.5 times the CPU of the same call over REST, with
 * authentication, a limit and a record each; one through `/mcp/{slug}` is at least 10 times cheaper than by a proxy built on the official
 * SDK; a list of 100 tools costs at most 1.5 times a static answer of the same bytes; sessions without connections cost next to nothing,
 * and streams that stand cost little more than their connections.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ownPort } from '../test/support/ports.ts'
import { type Agents, messages, startAgents, startPeer, TOOL_CALL, TOOL_LIST } from './measure/agents.ts'
import { growthByListens, growthBySessions, LISTENS_EACH_MAX } from './measure/idle-agents.ts'
import { missingTools } from './measure/machine.ts'
import { startNginx } from './measure/nginx.ts'
import { createProcesses, type Processes } from './measure/processes.ts'
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
const LISTENS = 1000
const LISTENS_MB_MAX = 50

export async function mcp(quick: boolean): Promise<Outcome> {
  const missing = missingTools(['nginx', 'wrk', 'taskset'])
  if (missing.length > 0) return skipped('mcp', missing)
  using scratch = scratchDirectory()
  await using processes = createProcesses()
  // The first client's listens are opened before anything is counted
  const clients = 1 + LISTENS / LISTENS_EACH_MAX
  const agents = await startAgents(processes, scratch.path, { core: 0, workers: 1 }, PROFILES, clients)
  // Before any load: what that leaves would be used again
  const listensMb = await growthByListens(agents)
  const sessionsMb = await growthBySessions(agents, SESSIONS)
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
  const [, byMcp, byVirtualMcp, bySdk] = calls
  return {
    name: 'mcp',
    title: 'Calls of agents through Gateway MCP and a virtual MCP, one core, 64 connections',
    bar:
      `CPU of a call at most ${REST_RATIO_MAX} times that of the same call over REST, at least ${CALLS_PER_SECOND} calls a second, ` +
      `and at least ${SDK_RATIO_MIN} times cheaper than a proxy on the official SDK; CPU of a list of 100 tools at most ${LIST_RATIO_MAX} times ` +
      `that of the same bytes as a static answer; ${SESSIONS} idle sessions below ${SESSIONS_MB_MAX} MB, and ${LISTENS} open listens ` +
      `below ${LISTENS_MB_MAX} MB`,
    met: {
      'execute_call, CPU': byMcp!.ratio <= REST_RATIO_MAX,
      '/mcp/{slug}, CPU': byVirtualMcp!.ratio <= REST_RATIO_MAX,
      'calls a second': Math.min(rateOf(byMcp!), rateOf(byVirtualMcp!)) >= CALLS_PER_SECOND,
      'against the SDK': bySdk!.ratio / byVirtualMcp!.ratio >= SDK_RATIO_MIN,
      lists: lists[1]!.ratio <= LIST_RATIO_MAX,
      sessions: sessionsMb < SESSIONS_MB_MAX,
      listens: listensMb < LISTENS_MB_MAX,
    },
    comparisons: calls,
    further: { 'a list of 100 tools': lists },
    facts: {
      'CPU of a call by the SDK against /mcp/{slug}': (bySdk!.ratio / byVirtualMcp!.ratio).toFixed(1),
      [`growth by ${SESSIONS} sessions of 2025-11-25 without connections, MB`]: Math.round(sessionsMb),
      [`growth by ${LISTENS} open subscriptions/listen at /mcp/{slug}, each with its connection, MB`]:
        Math.round(listensMb),
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

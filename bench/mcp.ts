/** Claim: a call of an agent through `/mcp` costs at most 2.5 times the CPU of the same call over REST, with authentication, a limit and a record each. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { missingTools } from './measure/machine.ts'
import type { PosternOptions } from './measure/postern.ts'
import { createProcesses, type Processes } from './measure/processes.ts'
import { type Outcome, skipped } from './measure/results.ts'
import { type Candidate, compare, roundOptions } from './measure/rounds.ts'
import { scratchDirectory } from './measure/scratch.ts'
import { publishOrders, startManaged, startUpstreamSomewhere } from './measure/stand.ts'

const CALLS_PER_SECOND = 5000
const RATIO_MAX = 2.5

export async function mcp(quick: boolean): Promise<Outcome> {
  const missing = missingTools(['nginx', 'wrk', 'taskset'])
  if (missing.length > 0) return skipped('mcp', missing)
  using scratch = scratchDirectory()
  await using processes = createProcesses()
  const { overRest, overMcp } = await startAgents(processes, scratch.path, { core: 0, workers: 1 })
  const comparisons = await compare(processes, [overRest, overMcp], roundOptions(quick))
  const { ratio, figures } = comparisons[1]!
  return {
    name: 'mcp',
    title: 'Calls of agents through Gateway MCP, one core, 64 connections',
    bar: `CPU at most ${RATIO_MAX} times that of the same call over REST; at least ${CALLS_PER_SECOND} calls a second`,
    met: { CPU: ratio <= RATIO_MAX, 'calls a second': figures.requestsPerSecond >= CALLS_PER_SECOND },
    comparisons,
    facts: {},
  }
}

/** One Postern, and one call of an endpoint in two ways: over REST and as `execute_call`, by the same profile. */
export async function startAgents(
  processes: Processes,
  directory: string,
  options: PosternOptions,
): Promise<{ readonly overRest: Candidate; readonly overMcp: Candidate }> {
  const upstreamPort = await startUpstreamSomewhere(processes, directory)
  const { postern, call } = await startManaged(processes, directory, options)
  await call('POST', '/policies', {
    name: 'Gold',
    slug: 'gold',
    limits: [{ name: 'second', kind: 'rate', max: 1_000_000, window: '1s' }],
  })
  await publishOrders(call, upstreamPort)
  await call('POST', '/clients', { name: 'Acme', slug: 'acme', collections: ['orders'], policy: 'gold' })
  const profile = await call('POST', '/profiles', {
    client: 'acme',
    name: 'Live',
    slug: 'live',
    auth: { type: 'token' },
  })
  const message = {
    jsonrpc: '2.0',
    id: 1,
    method: 'tools/call',
    params: {
      name: 'execute_call',
      arguments: { endpoint: 'GET /orders/v1/orders/{id}', params: { path: { id: '7' } } },
      _meta: {
        'io.modelcontextprotocol/protocolVersion': '2026-07-28',
        'io.modelcontextprotocol/clientInfo': { name: 'bench', version: '1' },
        'io.modelcontextprotocol/clientCapabilities': {},
      },
    },
  }
  const headers = {
    authorization: `Bearer ${String(profile['token'])}`,
    'content-type': 'application/json',
    accept: 'application/json, text/event-stream',
    'mcp-protocol-version': '2026-07-28',
    'mcp-method': 'tools/call',
    'mcp-name': 'execute_call',
  }
  const url = `${postern.gateway}/mcp`
  const answer = await fetch(url, { method: 'POST', headers, body: JSON.stringify(message) })
  const text = await answer.text()
  if (answer.status !== 200 || text.includes('"isError":true') || text.includes('"error"'))
    throw new Error(`execute_call answered ${answer.status}: ${text.slice(0, 500)}`)
  const script = join(directory, 'mcp.lua')
  const common = readFileSync(resolve(import.meta.dirname, 'peers/wrk.lua'), 'utf8')
  writeFileSync(script, `${common}\nwrk.method = "POST"\nwrk.body = [==[${JSON.stringify(message)}]==]\n`)
  return {
    overRest: {
      name: 'a call over REST',
      process: postern.process,
      url: `${postern.gateway}/orders/v1/orders/7`,
      headers: [`authorization: ${headers.authorization}`],
    },
    overMcp: {
      name: 'the same by execute_call through /mcp',
      process: postern.process,
      url,
      script,
      headers: Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
    },
  }
}

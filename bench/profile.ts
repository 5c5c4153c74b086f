/** Where the time of a request goes, by profiles of the gateway thread: what to look at before anything is made faster. */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { governedCandidate } from './governed.ts'
import { startAgents } from './measure/agents.ts'
import { profileClock, readShares, type Share } from './measure/cpu-profile.ts'
import { runLoad } from './measure/load.ts'
import { missingTools } from './measure/machine.ts'
import type { PosternOptions } from './measure/postern.ts'
import { createProcesses, type Processes, threadSeconds } from './measure/processes.ts'
import { type Outcome, skipped, type Table } from './measure/results.ts'
import type { Candidate } from './measure/rounds.ts'
import { scratchDirectory } from './measure/scratch.ts'
import { OPEN, openClient, publishOrders, startManaged, startUpstreamSomewhere } from './measure/stand.ts'
import { CALL } from './plain.ts'

type Start = (processes: Processes, directory: string, options: PosternOptions) => Promise<Candidate>

const SCENARIOS: Readonly<Record<string, Start>> = {
  plain: async (processes, directory, options) => {
    const upstreamPort = await startUpstreamSomewhere(processes, directory)
    const { postern, call } = await startManaged(processes, directory, options)
    await publishOrders(call, upstreamPort)
    await openClient(call, ['orders'])
    return { name: 'plain', process: postern.process, url: `${postern.gateway}${CALL}`, headers: OPEN }
  },
  governed: governedCandidate,
  execute_call: async (processes, directory, options) =>
    (await startAgents(processes, directory, options)).overMcp,
  virtual_mcp: async (processes, directory, options) =>
    (await startAgents(processes, directory, options)).overVirtualMcp,
}

/** Functions that the report names for each scenario. */
const FUNCTIONS = 10
const INTERVAL_US = 500

interface Profile {
  readonly name: string
  /** CPU of the gateway thread for one request, microseconds. */
  readonly microseconds: number
  readonly shares: readonly Share[]
}

export async function profile(quick: boolean): Promise<Outcome> {
  const missing = missingTools(['nginx', 'wrk', 'taskset'])
  if (missing.length > 0) return skipped('profile', missing)
  const profiles: Profile[] = []
  for (const [name, start] of Object.entries(SCENARIOS)) profiles.push(await measure(name, start, quick))
  return {
    name: 'profile',
    title: 'Where the CPU time of a request goes, gateway thread, microseconds',
    bar: 'none; the profiler itself takes a part',
    met: null,
    comparisons: [],
    tables: [groupTable(profiles), functionTable(profiles)],
    facts: {},
  }
}

async function measure(name: string, start: Start, quick: boolean): Promise<Profile> {
  using scratch = scratchDirectory()
  await using processes = createProcesses()
  const directory = join(scratch.path, 'profiles')
  mkdirSync(directory)
  const nodeFlags = ['--cpu-prof', `--cpu-prof-dir=${directory}`, `--cpu-prof-interval=${INTERVAL_US}`]
  const { process, url, headers, script } = await start(processes, scratch.path, {
    core: 0,
    workers: 1,
    nodeFlags,
  })
  await runLoad(processes, url, quick ? 2 : 6, headers, script)
  const [from, before] = [profileClock(), threadSeconds(process.pid, 'gateway')]
  const { requests, errors } = await runLoad(processes, url, quick ? 2 : 20, headers, script)
  const [to, after] = [profileClock(), threadSeconds(process.pid, 'gateway')]
  if (errors > 0 || requests === 0) throw new Error(`${name}: ${errors} of ${requests} requests failed`)
  await process.end()
  const microseconds = ((after - before) / requests) * 1e6
  console.log(`  ${name}: ${microseconds.toFixed(1)} us of CPU for each of ${requests} requests`)
  return { name, microseconds, shares: readShares(directory, from, to) }
}

function groupTable(profiles: readonly Profile[]): Table {
  const sums = profiles.map(({ shares, microseconds }) => {
    const sum = new Map<string, number>()
    for (const { group, share } of shares) sum.set(group, (sum.get(group) ?? 0) + share * microseconds)
    return sum
  })
  const largest = (group: string): number => Math.max(...sums.map((sum) => sum.get(group) ?? 0))
  const groups = [...new Set(sums.flatMap((sum) => [...sum.keys()]))].sort((a, b) => largest(b) - largest(a))
  return {
    columns: ['time in', ...profiles.map(({ name }) => name)],
    rows: [
      ...groups.map((group) => [group, ...sums.map((sum) => (sum.get(group) ?? 0).toFixed(1))]),
      ['all', ...profiles.map(({ microseconds }) => microseconds.toFixed(1))],
    ],
  }
}

function functionTable(profiles: readonly Profile[]): Table {
  return {
    columns: ['scenario', 'function', 'us'],
    rows: profiles.flatMap(({ name, microseconds, shares }) =>
      shares.slice(0, FUNCTIONS).map((one) => [name, one.name, (one.share * microseconds).toFixed(1)]),
    ),
  }
}

/** Claim: a governed call costs at most 1.15 times the CPU of nginx with lua doing the same work. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { ownPort } from '../test/support/ports.ts'
import { luaModules, missingTools } from './measure/machine.ts'
import { startNginx } from './measure/nginx.ts'
import { type Postern, type PosternOptions, startPostern } from './measure/postern.ts'
import { createProcesses, type Processes, type Started, untilStatus } from './measure/processes.ts'
import { type Outcome, skipped } from './measure/results.ts'
import { type Candidate, compare, roundOptions } from './measure/rounds.ts'
import { scratchDirectory } from './measure/scratch.ts'
import { basePathOf, COLLECTIONS, pathOf, ROUTES_EACH, seedGoverned } from './measure/seed.ts'
import { startUpstreamSomewhere } from './measure/stand.ts'

/** The call that is made. */
export const CALL = `${basePathOf(7)}${pathOf(3)}/42`

/** Position of the caller among the 10,000 clients. */
const CALLER = 4242

export async function governed(quick: boolean): Promise<Outcome> {
  const missing = missingTools(['nginx', 'nginx-lua', 'wrk', 'taskset'])
  if (missing.length > 0) return skipped('governed', missing)
  using scratch = scratchDirectory()
  await using processes = createProcesses()
  const setup = await startGoverned(processes, scratch.path)
  const { data, upstreamPort, headers, postern } = setup
  const nodePort = await ownPort()
  const program = resolve(import.meta.dirname, 'programs/node-http.ts')
  const node = processes.start(0, process.execPath, [
    ...[program, String(nodePort), String(upstreamPort)],
    ...[join(data, 'tokens.txt'), join(scratch.path, 'node.log')],
  ])
  const { authorization } = setup
  await untilStatus(`http://127.0.0.1:${nodePort}${CALL}`, 200, node, { authorization })
  const comparisons = await compare(
    processes,
    [
      setup.nginx,
      setup.candidate,
      {
        name: 'node:http and undici, a text log',
        process: node,
        url: `http://127.0.0.1:${nodePort}${CALL}`,
        headers,
      },
    ],
    roundOptions(quick),
  )
  await postern.process.end()
  const kept = recordsIn(join(data, 'records.db'))
  const { requests } = comparisons[1]!
  if (kept < requests) throw new Error(`of ${requests} requests only ${kept} were recorded`)
  return {
    name: 'governed',
    title:
      'Governed calls: 1,000 routes, 10,000 tokens, 20 networks, rate and quota, injected headers, all recorded',
    bar: 'CPU per request at most 1.15 times nginx + lua, and at most half of node:http and undici',
    met: comparisons[1]!.ratio <= 1.15 && comparisons[1]!.ratio * 2 <= comparisons[2]!.ratio,
    comparisons,
    facts: {
      'ready with this configuration, ms': Math.round(postern.readyMs),
      'requests answered by Postern, all of them recorded': requests,
    },
  }
}

/** What {@link startGoverned} has started, each on core 0. */
export interface Governed {
  readonly data: string
  readonly upstreamPort: number
  readonly authorization: string
  readonly headers: readonly string[]
  readonly postern: Postern
  readonly candidate: Candidate
  readonly nginx: Candidate
}

/** Postern and nginx + lua doing the same: 1,000 routes, 10,000 tokens, 20 networks, limits, injected headers, records. */
export async function startGoverned(processes: Processes, directory: string): Promise<Governed> {
  const upstreamPort = await startUpstreamSomewhere(processes, directory)
  const data = join(directory, 'data')
  mkdirSync(data)
  console.log('  making 1,000 routes and 10,000 clients')
  const tokens = await seedGoverned(processes, data, upstreamPort)
  const authorization = `Bearer ${tokens[CALLER]}`
  const nginxPort = await ownPort()
  const nginx = await startLua(
    processes,
    directory,
    nginxPort,
    upstreamPort,
    join(data, 'tokens.txt'),
    authorization,
  )
  const postern = await startPostern(processes, data, { core: 0, workers: 1 })
  const candidate = candidateOf(postern, authorization)
  const { headers } = candidate
  return {
    data,
    upstreamPort,
    authorization,
    headers,
    postern,
    candidate,
    nginx: { name: 'nginx + lua', process: nginx, url: `http://127.0.0.1:${nginxPort}${CALL}`, headers },
  }
}

/** Postern alone, doing that. */
export async function governedCandidate(
  processes: Processes,
  directory: string,
  options: PosternOptions,
): Promise<Candidate> {
  const upstreamPort = await startUpstreamSomewhere(processes, directory)
  const data = join(directory, 'data')
  mkdirSync(data)
  const tokens = await seedGoverned(processes, data, upstreamPort)
  return candidateOf(await startPostern(processes, data, options), `Bearer ${tokens[CALLER]}`)
}

function candidateOf({ process, gateway }: Postern, authorization: string) {
  const headers = [`Authorization: ${authorization}`, `X-Client-ID: client-${CALLER}`]
  return { name: 'Postern', process, url: `${gateway}${CALL}`, headers }
}

function recordsIn(file: string): number {
  const db = new DatabaseSync(file, { readOnly: true })
  const row = db.prepare('SELECT sum(rows) AS n FROM blocks').get()
  db.close()
  return Number(row?.['n'] ?? 0)
}

function startLua(
  processes: Processes,
  directory: string,
  port: number,
  upstreamPort: number,
  tokens: string,
  authorization: string,
): Promise<Started> {
  const route = readFileSync(resolve(import.meta.dirname, 'peers/governed-route.conf'), 'utf8')
  const routeFile = join(directory, 'governed-route.conf')
  writeFileSync(routeFile, route)
  const locations: string[] = []
  for (let collection = 0; collection < COLLECTIONS; collection++)
    for (let index = 0; index < ROUTES_EACH; index++)
      locations.push(
        `    location ${basePathOf(collection)}${pathOf(index)}/ { set $route ${collection}.${index}; include ${routeFile}; }`,
      )
  return startNginx(processes, directory, {
    core: 0,
    template: 'governed.conf',
    port,
    values: {
      UPSTREAM: String(upstreamPort),
      TOKENS: tokens,
      LOCATIONS: locations.join('\n'),
      MODULES: (luaModules() ?? []).map((path) => `load_module ${path};`).join('\n'),
    },
    path: CALL,
    headers: { authorization },
  })
}

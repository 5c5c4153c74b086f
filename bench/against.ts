/**
 * Compares this checkout with other commits: plain, governed and MCP calls of all of them by turns in one run, since figures of two runs
 * differ by more than most changes cost. `AGAINST` names commits, or folders of checkouts with packages of their own, with commas between.
 */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, symlinkSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { ownPort } from '../test/support/ports.ts'
import { luaModules, missingTools } from './measure/machine.ts'
import { startNginx } from './measure/nginx.ts'
import { createProcesses, type Processes } from './measure/processes.ts'
import { type Outcome, skipped } from './measure/results.ts'
import {
  type Candidate,
  type Comparison,
  type RoundOptions,
  type Rounds,
  roundOptions,
  summary,
  takeRounds,
} from './measure/rounds.ts'
import { scratchDirectory } from './measure/scratch.ts'
import { OPEN, startUpstreamSomewhere } from './measure/stand.ts'
import { CALL } from './plain.ts'

const top = resolve(import.meta.dirname, '..')
/** Where all of Postern runs; the load and the upstream have the other core. */
const POSTERN = { core: 0, workers: 1 } as const

/**
 * Starts of everything that is measured. Two processes of one commit differ by up to 7 %, since V8 compiles what it sees first; rounds of one
 * process never show that. Each further start has the checkouts in the opposite order.
 */
const STARTS = 3

/** A checkout that is measured. */
interface Checkout {
  readonly name: string
  readonly path: string
}

/** A lock file is longer than what `execFileSync` takes unasked. */
const OUTPUT = { encoding: 'utf8', stdio: 'pipe', maxBuffer: 64 * 1024 ** 2 } as const

/** What a measurement starts for a list of checkouts. */
type Start = (processes: Processes, directory: string, checkouts: readonly Checkout[]) => Promise<Candidate[]>

export async function against(quick: boolean): Promise<Outcome> {
  const missing = missingTools(['nginx', 'nginx-lua', 'wrk', 'taskset'])
  const named = (process.env['AGAINST'] ?? '').split(',').filter(Boolean)
  if (named.length === 0) missing.push('AGAINST=commit,…')
  if (missing.length > 0) return skipped('against', missing)
  using scratch = scratchDirectory()
  using others = checkOut(named, scratch.path)
  const checkouts = [{ name: 'this checkout', path: top }, ...others.list]
  const run = async (name: string, start: Start): Promise<readonly Comparison[]> => {
    const all: Rounds[][] = []
    for (let index = 0; index < STARTS; index++) {
      const directory = folderIn(scratch.path, `${name}-${index}`)
      const order = index % 2 === 0 ? checkouts : checkouts.toReversed()
      await using processes = createProcesses()
      const candidates = await start(processes, directory, order)
      all.push(await takeRounds(processes, candidates, roundsOfAStart(quick)))
    }
    return summary(joined(all))
  }
  return {
    name: 'against',
    title: `This checkout against ${named.join(', ')}: plain, governed and MCP calls by turns`,
    bar: 'no more than 5 % worse in the median',
    met: null,
    comparisons: await run('plain', startPlain),
    further: {
      'governed calls': await run('governed', startGoverned),
      'calls of agents': await run('mcp', startAgents),
    },
    facts: {},
  }
}

/** The rounds are shared out to the starts. */
function roundsOfAStart(quick: boolean): RoundOptions {
  const options = roundOptions(quick)
  return { ...options, rounds: Math.ceil(options.rounds / STARTS) }
}

/** The rounds of all starts by candidate, in the order of the first start. */
function joined(starts: readonly (readonly Rounds[])[]): Rounds[] {
  return starts[0]!.map(({ name }) => {
    const own = starts.map((one) => one.find((rounds) => rounds.name === name)!)
    return {
      name,
      figures: own.flatMap(({ figures }) => figures),
      requests: own.reduce((sum, { requests }) => sum + requests, 0),
    }
  })
}

/** Checks out each commit beside the scratch files, with the packages of this checkout. A folder is taken as it is. */
function checkOut(
  named: readonly string[],
  directory: string,
): { readonly list: readonly Checkout[] } & Disposable {
  const made: string[] = []
  const git = (...args: string[]): void => {
    execFileSync('git', args, { cwd: top, stdio: 'pipe' })
  }
  const list = named.map((name): Checkout => {
    if (existsSync(join(name, 'package.json'))) return { name, path: resolve(name) }
    const path = join(directory, name.replaceAll(/[^\w.-]/g, '-'))
    const lock = execFileSync('git', ['show', `${name}:package-lock.json`], { cwd: top, ...OUTPUT })
    if (lock !== readFileSync(join(top, 'package-lock.json'), 'utf8'))
      throw new Error(
        `${name} needs other packages: run npm ci in a checkout of it, and name its folder instead`,
      )
    git('worktree', 'add', '--detach', path, name)
    made.push(path)
    symlinkSync(join(top, 'node_modules'), join(path, 'node_modules'))
    execFileSync(process.execPath, ['build/build.ts'], { cwd: path, stdio: 'pipe' })
    return { name, path }
  })
  return {
    list,
    [Symbol.dispose]() {
      for (const path of made) git('worktree', 'remove', '--force', path)
    },
  }
}

/** A folder for files of a measurement or a checkout, with one for logs as `scratchDirectory` has. */
function folderIn(directory: string, name: string): string {
  const path = join(directory, name.replaceAll(/\W/g, '-'))
  mkdirSync(join(path, 'log'), { recursive: true })
  return path
}

/** A module of the benchmarks as a checkout has it. Earlier ones are asked only for what all of them have. */
async function moduleOf<T>({ path }: Checkout, file: string): Promise<T> {
  return (await import(pathToFileURL(join(path, 'bench', file)).href)) as T
}

const startPlain: Start = async (processes, directory, checkouts) => {
  const upstreamPort = await startUpstreamSomewhere(processes, directory)
  const port = await ownPort()
  const nginx = await startNginx(processes, directory, {
    core: 0,
    template: 'plain.conf',
    port,
    values: { UPSTREAM: String(upstreamPort) },
  })
  const candidates: Candidate[] = [
    { name: 'nginx proxy_pass', process: nginx, url: `http://127.0.0.1:${port}${CALL}` },
  ]
  for (const checkout of checkouts) {
    const stand = await moduleOf<typeof import('./measure/stand.ts')>(checkout, 'measure/stand.ts')
    const { postern, call } = await stand.startManaged(processes, folderIn(directory, checkout.name), POSTERN)
    await stand.publishOrders(call, upstreamPort)
    await stand.openClient(call, ['orders'])
    candidates.push({
      name: checkout.name,
      process: postern.process,
      url: `${postern.gateway}${CALL}`,
      headers: OPEN,
    })
  }
  return candidates
}

const startGoverned: Start = async (processes, directory, checkouts) => {
  if (luaModules() === null) throw new Error('nginx has no Lua')
  const candidates: Candidate[] = []
  for (const checkout of checkouts) {
    const started = await (
      await moduleOf<typeof import('./governed.ts')>(checkout, 'governed.ts')
    ).startGoverned(processes, folderIn(directory, checkout.name))
    if (candidates.length === 0) candidates.push(started.nginx)
    candidates.push({ ...started.candidate, name: checkout.name })
  }
  return candidates
}

const startAgents: Start = async (processes, directory, checkouts) => {
  const candidates: Candidate[] = []
  for (const checkout of checkouts) {
    const agents = await (
      await moduleOf<typeof import('./measure/agents.ts')>(checkout, 'measure/agents.ts')
    ).startAgents(processes, folderIn(directory, checkout.name), POSTERN)
    const { overRest, overMcp, overVirtualMcp } = agents
    for (const candidate of [overRest, overMcp, overVirtualMcp])
      candidates.push({ ...candidate, name: `${checkout.name}: ${candidate.name}` })
  }
  return candidates
}

/** Checks whether an instance runs, and whether its ports are free. */
import { connect, createServer } from 'node:net'
import { DOORS } from '../../base/doors.ts'
import type { ListenAddress } from '../../settings/values.ts'
import type { Settings } from '../../settings.ts'
import { LIVE_MS } from '../../store/ports/nodes.ts'
import type { StorePlaces } from '../../store/ports/places.ts'
import { askLocal, localFetch } from '../../surfaces/cli/local.ts'
import type { Finding } from '../../surfaces/cli/ports.ts'
import { isDataDirectory } from '../moved.ts'

const ANSWER_MS_MAX = 5000

/** Whether an instance runs and is ready; where none does, whether its two ports are free for it. */
export async function findInstance(
  places: StorePlaces,
  { data, listen, controlListen }: Settings,
): Promise<Finding[]> {
  const local = isDataDirectory(data, places) ? await askLocal(data, 'GET', '/info') : null
  if (local !== null)
    return [await findReady(String(local['management_url']), String(local['version']), localFetch(local))]
  const ports = await Promise.all([findPort('gateway port', listen), findPort('control port', controlListen)])
  const found = `nothing runs on ${data}`
  return [{ check: 'instance', state: 'ok', found, fix: 'Start it with postern up.' }, ...ports]
}

async function findReady(url: string, version: string, reach: typeof fetch = fetch): Promise<Finding> {
  const check = 'instance'
  try {
    const answer = await reach(`${url}${DOORS.readyz.path}`, { signal: AbortSignal.timeout(ANSWER_MS_MAX) })
    const { status } = (await answer.json()) as { status?: unknown }
    const found = `${version} runs at ${url} with the status ${String(status)}`
    if (answer.ok && status === 'pass') return { check, state: 'ok', found, fix: null }
    return {
      check,
      state: answer.ok ? 'warn' : 'fail',
      found,
      fix: `See ${url}${DOORS.readyz.path} and the log of the process.`,
    }
  } catch (error) {
    const found = `it runs at ${url}, but does not answer: ${(error as Error).message}`
    return { check, state: 'fail', found, fix: 'See the log of the process.' }
  }
}

async function findPort(check: string, { host, port }: ListenAddress): Promise<Finding> {
  const { promise, resolve } = Promise.withResolvers<string | null>()
  const server = createServer()
  server.once('error', (error) => resolve(error.message))
  server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(null)))
  const fault = await promise
  return {
    check,
    state: fault === null ? 'ok' : 'fail',
    found: fault === null ? `${host}:${port} is free` : fault,
    fix: fault === null ? null : 'Stop the process that listens there, or set another address.',
  }
}

/** Clocks that differ by more are warned of, milliseconds. */
const SKEW_MS_MAX = 2000

/** The nodes on a database: which of them are silent, run other versions, or have a clock of their own. Nothing for files. */
export async function findNodes(places: StorePlaces, { database }: Settings): Promise<Finding[]> {
  if (database === null) return []
  const check = 'nodes'
  const { nodes } = await places.config('').facts()
  const silent = nodes.filter(({ silentMs }) => silentMs >= LIVE_MS)
  const live = nodes.filter(({ silentMs }) => silentMs < LIVE_MS)
  const findings: Finding[] = silent.map(({ id, name, silentMs }) => ({
    check,
    state: 'warn',
    found: `${name} is silent for ${Math.round(silentMs / 1000)} seconds, and changes are pending for it`,
    fix: `If it has ended: postern nodes remove ${id}`,
  }))
  const versions = [...new Set(live.map(({ facts }) => facts.version))].toSorted()
  if (versions.length > 1)
    findings.push({
      check,
      state: 'warn',
      found: `nodes run different versions: ${versions.join(', ')}`,
      fix: 'Complete the upgrade.',
    })
  for (const { name, facts } of live)
    if (Math.abs(facts.skewMs ?? 0) > SKEW_MS_MAX)
      findings.push({
        check,
        state: 'warn',
        found: `the clock of ${name} differs from that of the database by ${facts.skewMs} ms`,
        fix: 'Synchronize both clocks by NTP.',
      })
  if (findings.length > 0) return findings
  const names = live.map(({ name }) => name).join(', ')
  return [
    { check, state: 'ok', found: live.length === 0 ? 'no node is running' : `running: ${names}`, fix: null },
  ]
}

/** Whether a TCP connection to a URL can be made. */
export async function findReachable(check: string, url: string): Promise<Finding> {
  const { hostname, port, protocol } = new URL(url)
  const { promise, resolve } = Promise.withResolvers<string | null>()
  const socket = connect({
    host: hostname.replace(/^\[(.*)\]$/, '$1'),
    port: Number(port || (protocol === 'https:' || protocol === 'wss:' ? 443 : 80)),
    timeout: ANSWER_MS_MAX,
  })
  socket.once('connect', () => resolve(null))
  socket.once('timeout', () => resolve('no answer in five seconds'))
  socket.once('error', (error) => resolve(error.message))
  const fault = await promise
  socket.destroy()
  return {
    check,
    state: fault === null ? 'ok' : 'warn',
    found: fault === null ? `${url} can be reached` : `${url}: ${fault}`,
    fix: fault === null ? null : 'Check the address and the network.',
  }
}

/** Claim: forwarding costs at most 1.25 times the CPU of nginx `proxy_pass`. */
import { resolve } from 'node:path'
import { ownPort } from '../test/support/ports.ts'
import { missingTools } from './measure/machine.ts'
import { startHaproxy, startNginx } from './measure/nginx.ts'
import { createProcesses, type Processes, untilStatus } from './measure/processes.ts'
import { type Outcome, skipped } from './measure/results.ts'
import { type Candidate, compare, roundOptions } from './measure/rounds.ts'
import { scratchDirectory } from './measure/scratch.ts'
import {
  OPEN,
  openClient,
  publishOrders,
  startManaged,
  startUpstreamSomewhere,
  startWire,
} from './measure/stand.ts'

export const CALL = '/orders/v1/orders/7'

export async function plain(quick: boolean): Promise<Outcome> {
  const missing = missingTools(['nginx', 'wrk', 'taskset'])
  if (missing.length > 0) return skipped('plain', missing)
  using scratch = scratchDirectory()
  await using processes = createProcesses()
  const nginxPort = await ownPort()
  const upstreamPort = await startUpstreamSomewhere(processes, scratch.path)
  const nginx = await startNginx(processes, scratch.path, {
    core: 0,
    template: 'plain.conf',
    port: nginxPort,
    values: { UPSTREAM: String(upstreamPort) },
  })
  const wire = await startWire(processes, upstreamPort)
  const { postern, call } = await startManaged(processes, scratch.path, { core: 0, workers: 1 })
  await publishOrders(call, upstreamPort)
  await openClient(call, ['orders'])
  const others = await startOthers(processes, scratch.path, upstreamPort)
  const comparisons = await compare(
    processes,
    [
      { name: 'nginx proxy_pass', process: nginx, url: `http://127.0.0.1:${nginxPort}${CALL}` },
      {
        name: 'Postern, one route, open profile, recorded',
        process: postern.process,
        url: `${postern.gateway}${CALL}`,
        headers: OPEN,
      },
      { name: 'wire of Postern alone', process: wire.process, url: `${wire.url}${CALL}` },
      ...others,
    ],
    roundOptions(quick),
  )
  return {
    name: 'plain',
    title: 'Plain proxying, one core, 64 connections, 1 KB JSON',
    bar: 'CPU per request at most 1.25 times nginx',
    met: { 'the wire': comparisons[2]!.ratio <= 1.25, 'the whole program': comparisons[1]!.ratio <= 1.25 },
    comparisons,
    facts: {},
  }
}

/** Further peers; one that is not installed is left out. */
async function startOthers(
  processes: Processes,
  directory: string,
  upstreamPort: number,
): Promise<Candidate[]> {
  const [haproxyPort, nodePort] = [await ownPort(), await ownPort()]
  const program = resolve(import.meta.dirname, 'programs/node-http.ts')
  const node = processes.start(0, process.execPath, [program, String(nodePort), String(upstreamPort)])
  await untilStatus(`http://127.0.0.1:${nodePort}${CALL}`, 200, node)
  const peers = [{ name: 'node:http and undici', process: node, url: `http://127.0.0.1:${nodePort}${CALL}` }]
  const missing = missingTools(['haproxy'])
  if (missing.length > 0) {
    console.log(`  without ${missing.join(', ')}`)
    return peers
  }
  const haproxy = await startHaproxy(processes, directory, { core: 0, port: haproxyPort, upstreamPort })
  return [{ name: 'HAProxy', process: haproxy, url: `http://127.0.0.1:${haproxyPort}${CALL}` }, ...peers]
}

/** Claim: ending TLS for kept-alive connections costs at most 1.35 times the CPU of nginx. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ownPort } from '../test/support/ports.ts'
import { CERTIFICATE, PRIVATE_KEY } from '../test/wire/certificate.ts'
import { missingTools } from './measure/machine.ts'
import { startNginx } from './measure/nginx.ts'
import { createProcesses } from './measure/processes.ts'
import { type Outcome, skipped } from './measure/results.ts'
import { compare, roundOptions } from './measure/rounds.ts'
import { scratchDirectory } from './measure/scratch.ts'
import {
  OPEN,
  openClient,
  publishOrders,
  startManaged,
  startUpstreamSomewhere,
  startWire,
} from './measure/stand.ts'
import { CALL } from './plain.ts'

export async function tls(quick: boolean): Promise<Outcome> {
  const missing = missingTools(['nginx', 'wrk', 'taskset'])
  if (missing.length > 0) return skipped('tls', missing)
  using scratch = scratchDirectory()
  await using processes = createProcesses()
  const [certificate, key] = [join(scratch.path, 'tls.pem'), join(scratch.path, 'tls.key')]
  writeFileSync(certificate, CERTIFICATE)
  writeFileSync(key, PRIVATE_KEY)
  const [plainPort, tlsPort] = [await ownPort(), await ownPort()]
  const upstreamPort = await startUpstreamSomewhere(processes, scratch.path)
  const nginx = await startNginx(processes, scratch.path, {
    core: 0,
    template: 'tls.conf',
    port: plainPort,
    values: { UPSTREAM: String(upstreamPort), TLS: String(tlsPort), CERTIFICATE: certificate, KEY: key },
  })
  const files = { certificate, key }
  const wire = await startWire(processes, upstreamPort, { tls: files })
  const options = { core: 0, workers: 1, tls: files }
  const { postern, call } = await startManaged(processes, scratch.path, options)
  await publishOrders(call, upstreamPort)
  await openClient(call, ['orders'])
  const comparisons = await compare(
    processes,
    [
      { name: 'nginx with TLS', process: nginx, url: `https://127.0.0.1:${tlsPort}${CALL}` },
      {
        name: 'Postern with TLS, one route, open profile, recorded',
        process: postern.process,
        url: `${postern.gateway}${CALL}`,
        headers: OPEN,
      },
      { name: 'wire of Postern with TLS alone', process: wire.process, url: `${wire.tlsUrl}${CALL}` },
    ],
    roundOptions(quick),
  )
  return {
    name: 'tls',
    title: 'TLS towards callers, HTTP/1.1 kept alive, one core, 64 connections, 1 KB JSON',
    bar: 'CPU per request at most 1.35 times nginx',
    met: { 'the wire': comparisons[2]!.ratio <= 1.35, 'the whole program': comparisons[1]!.ratio <= 1.35 },
    comparisons,
    facts: {},
  }
}

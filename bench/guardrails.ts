/** What guardrails add to a call: pii, secrets and injection on a request and a response of 2 KB of ordinary JSON each. */
import { readFileSync, writeFileSync } from 'node:fs'
import { loadavg } from 'node:os'
import { join, resolve } from 'node:path'
import { seeded } from '../test/support/planted-values.ts'
import { ownPort } from '../test/support/ports.ts'
import { bodyOf } from './measure/corpus.ts'
import { missingTools } from './measure/machine.ts'
import { startNginx } from './measure/nginx.ts'
import { createProcesses } from './measure/processes.ts'
import { type Outcome, skipped } from './measure/results.ts'
import { type Candidate, compare, roundOptions } from './measure/rounds.ts'
import { scratchDirectory } from './measure/scratch.ts'
import { OPEN, openClient, publishOrders, startManaged } from './measure/stand.ts'

const SEED = 20_261_123
const BODY_BYTES = 2048
const DETECTORS = ['pii', 'secrets', 'injection'] as const

export async function guardrails(quick: boolean): Promise<Outcome> {
  const missing = missingTools(['nginx', 'wrk', 'taskset'])
  if (missing.length > 0) return skipped('guardrails', missing)
  const [busy = 0] = loadavg()
  using scratch = scratchDirectory()
  await using processes = createProcesses()
  const body = quotable(bodyOf(seeded(SEED), BODY_BYTES))
  const port = await ownPort()
  await startNginx(processes, scratch.path, { core: 1, template: 'json.conf', port, values: { JSON: body } })
  const script = posting(scratch.path, body)
  const { postern, call } = await startManaged(processes, scratch.path, { core: 0, workers: 1 })
  await publishOrders(call, port, { methods: ['POST'], path: '/v1/orders' })
  const candidate = async (name: string, path: string): Promise<Candidate> => {
    await call('POST', '/proxies', {
      collection: 'orders',
      name,
      path,
      methods: ['POST'],
      status: 'published',
    })
    return { name, process: postern.process, url: `${postern.gateway}/orders${path}`, headers: OPEN, script }
  }
  const candidates = [
    await candidate('without a guardrail', '/plain'),
    await candidate('the response gathered', '/gathered'),
    await candidate('three guardrails', '/guarded'),
  ]
  await guard(call, 'orders:the-response-gathered', [{ type: 'size', bytes: 1024 ** 2 }], 'log')
  await guard(
    call,
    'orders:three-guardrails',
    DETECTORS.map((type) => ({ type })),
    'redact',
  )
  await openClient(call, ['orders'])
  const comparisons = await compare(processes, candidates, roundOptions(quick))
  const added = (at: number): number =>
    Math.round(100 * (comparisons[at]!.figures.cpuPer100k - comparisons[0]!.figures.cpuPer100k)) / 10
  return {
    name: 'guardrails',
    title:
      'Guardrails (pii, secrets, injection) on a request and a response of 2 KB of JSON, one gateway thread',
    bar: 'none; figures of a busy machine are too high, which its load average tells',
    met: null,
    comparisons,
    facts: {
      'bytes of each body': body.length,
      'load average of the machine before': Math.round(10 * busy) / 10,
      'a limit of size on both bodies, microseconds of CPU more': added(1),
      'three guardrails on both bodies, microseconds of CPU more': added(2),
    },
  }
}

/** The same JSON without what the files of nginx would read as its own. */
function quotable(json: string): string {
  return JSON.stringify(JSON.parse(json), (_name, value: unknown) =>
    typeof value === 'string' ? value.replaceAll(/[^\w .,:;@/+()-]/g, ' ') : value,
  )
}

type Call = Awaited<ReturnType<typeof startManaged>>['call']

async function guard(call: Call, proxy: string, detectors: readonly object[], action: string): Promise<void> {
  for (const [index, detector] of detectors.entries())
    await call('POST', '/guardrails', {
      name: `${proxy.slice('orders:'.length)} ${index}`,
      scope: { proxies: [proxy] },
      detector,
      action,
    })
}

/** The common script with a body; returns the file. */
function posting(directory: string, body: string): string {
  const file = join(directory, 'posting.lua')
  const common = readFileSync(resolve(import.meta.dirname, 'peers/wrk.lua'), 'utf8')
  const own = `wrk.method = "POST"\nwrk.headers["Content-Type"] = "application/json"\nwrk.body = [==[${body}]==]\n`
  writeFileSync(file, `${common}\n${own}`)
  return file
}

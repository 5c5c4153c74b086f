/** Claim: a request costs at most a tenth more CPU with 10,000 routes than with 10. */
import { missingTools } from './measure/machine.ts'
import type { Manage } from './measure/postern.ts'
import { createProcesses } from './measure/processes.ts'
import { type Outcome, skipped } from './measure/results.ts'
import { type Candidate, compare, roundOptions } from './measure/rounds.ts'
import { scratchDirectory } from './measure/scratch.ts'
import { OPEN, openClient, startManaged, startUpstreamSomewhere } from './measure/stand.ts'

const FEW = { collections: 1, each: 10 }
const MANY = { collections: 100, each: 100 }

export async function routes(quick: boolean): Promise<Outcome> {
  const missing = missingTools(['nginx', 'wrk', 'taskset'])
  if (missing.length > 0) return skipped('routes', missing)
  using scratch = scratchDirectory()
  await using processes = createProcesses()
  const upstreamPort = await startUpstreamSomewhere(processes, scratch.path)
  const run = async ({ collections, each }: typeof FEW): Promise<Candidate> => {
    const name = `${collections * each} routes in ${collections} collections`
    const options = { core: 0, workers: 1, name: `data-${collections}` }
    const { postern, call } = await startManaged(processes, scratch.path, options)
    console.log(`  making ${name}`)
    for (let index = 0; index < collections; index++) await addCollection(call, index, each, upstreamPort)
    const slugs = Array.from({ length: collections }, (_, index) => slugOf(index))
    await openClient(call, slugs)
    return {
      name,
      process: postern.process,
      url: `${postern.gateway}/${slugOf(collections - 1)}${pathOf(each - 1)}/42/items/7`,
      headers: OPEN,
    }
  }
  const comparisons = await compare(processes, [await run(FEW), await run(MANY)], roundOptions(quick))
  return {
    name: 'routes',
    title: 'Cost of a request from 10 to 10,000 routes, one core',
    bar: 'CPU per request with 10,000 routes at most 1.10 times that with 10',
    met: comparisons[1]!.ratio <= 1.1,
    comparisons,
    facts: {},
  }
}

export const slugOf = (collection: number): string => `api-${collection}`
export const pathOf = (route: number): string => `/v1/resource-${route}`

/** One import: a collection whose routes share their first segment, as those of real APIs do. */
export async function addCollection(
  call: Manage,
  index: number,
  each: number,
  upstreamPort: number,
): Promise<void> {
  const paths = Object.fromEntries(
    Array.from({ length: each }, (_, route) => [
      `${pathOf(route)}/{id}/items/{item}`,
      { get: { operationId: `get${route}`, responses: { 200: { description: 'One' } } } },
    ]),
  )
  await call('POST', '/collections/import', {
    document: JSON.stringify({ openapi: '3.1.0', info: { title: slugOf(index), version: '1' }, paths }),
    slug: slugOf(index),
    base_path: `/${slugOf(index)}`,
    upstream: `http://127.0.0.1:${upstreamPort}`,
    publish: true,
  })
}

import type { HttpMethod } from '../../model/members.ts'
import { comparePatterns, overlap, reasonFor } from '../../snapshot/find/precedence.ts'
import type { Resource } from '../../store/ports/resource.ts'
import type { OperationContext } from '../engine/context.ts'
import type { Warning } from '../engine/kind.ts'

/** More would only say the same again. */
const WARNINGS_MAX = 10

/** Other routes that fit some of the same paths, and who goes first; see the order in `snapshot/find/precedence.ts`. */
export async function proxyOverlaps(proxy: Resource, context: OperationContext): Promise<Warning[]> {
  const { path, methods } = routeOf(proxy)
  const warnings: Warning[] = []
  const collection = (await context.whole.byId('collections', proxy.parent!))!
  const whole = baseOf(collection) + path
  for (const other of await context.reader.all('collections')) {
    const below = other.id !== collection.id && baseOf(other).startsWith(`${baseOf(collection)}/`)
    if (!below || !meets(collection, other)) continue
    if (!overlap(whole, `${baseOf(other)}/*`) && !overlap(whole, baseOf(other))) continue
    warnings.push({
      pointer: '/path',
      reason: `paths below ${baseOf(other)} go to the collection "${other.slug}", whose base path is longer`,
    })
  }
  for (const other of await context.reader.all('proxies', collection.id)) {
    if (warnings.length >= WARNINGS_MAX) break
    const theirs = routeOf(other)
    const order = comparePatterns(path, theirs.path)
    const shared = methods.filter((method) => theirs.methods.includes(method))
    if (other.id === proxy.id || order === 0 || shared.length === 0 || !overlap(path, theirs.path)) continue
    warnings.push({
      pointer: '/path',
      reason:
        order < 0
          ? `goes before ${theirs.path} of "${other.slug}" where both fit: ${reasonFor(path, theirs.path)}`
          : `${theirs.path} of "${other.slug}" goes first where both fit: ${reasonFor(theirs.path, path)}`,
    })
  }
  return warnings
}

/** Collections whose base paths nest with this one. */
export async function collectionOverlaps(
  collection: Resource,
  context: OperationContext,
): Promise<Warning[]> {
  const warnings: Warning[] = []
  for (const other of await context.reader.all('collections')) {
    if (other.id === collection.id || !meets(collection, other)) continue
    if (baseOf(other).startsWith(`${baseOf(collection)}/`))
      warnings.push({
        pointer: '/base_path',
        reason: `paths below ${baseOf(other)} go to the collection "${other.slug}", whose base path is longer`,
      })
    else if (baseOf(collection).startsWith(`${baseOf(other)}/`))
      warnings.push({
        pointer: '/base_path',
        reason: `takes the paths below it from the collection "${other.slug}" at ${baseOf(other)}`,
      })
  }
  return warnings.slice(0, WARNINGS_MAX)
}

function routeOf({ spec }: Resource): { path: string; methods: readonly HttpMethod[] } {
  // Stored specs were parsed by the schema of proxies.
  return { path: String(spec['path']), methods: spec['methods'] as readonly HttpMethod[] }
}

function baseOf({ spec }: Pick<Resource, 'spec'>): string {
  return String(spec['base_path'])
}

/** Some request that fits both collections goes to the first: its base path is as long or longer. */
export function isWithinPaths(first: Resource['spec'], second: Resource['spec']): boolean {
  const [base, other] = [baseOf({ spec: first }), baseOf({ spec: second })]
  return (base === other || base.startsWith(`${other}/`)) && meets({ spec: first }, { spec: second })
}

/** Some request may fit the hosts of both. */
function meets(a: Pick<Resource, 'spec'>, b: Pick<Resource, 'spec'>): boolean {
  const mine = (a.spec['hosts'] ?? []) as readonly string[]
  const theirs = (b.spec['hosts'] ?? []) as readonly string[]
  return mine.length === 0 || theirs.length === 0 || mine.some((host) => theirs.includes(host))
}

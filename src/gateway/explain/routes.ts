import type { Explanation } from '../../model/explanation.ts'
import { methodBit, methodNames } from '../../snapshot/find/methods.ts'
import { comparePatterns, matchesPath, reasonFor, takesFrom } from '../../snapshot/find/precedence.ts'
import type { LinkedCollection, LinkedProxy } from '../../snapshot/linked/collection.ts'
import type { Snapshot } from '../../snapshot/snapshot.ts'
import type { Exchange } from '../exchange.ts'

type Candidate = Explanation['candidates'][number]

/** Everything that fits the path, the winner first of those that answer the method. */
export function candidatesOf(exchange: Exchange): Candidate[] {
  const { snapshot, path, host, collection: winner } = exchange
  const candidates: Candidate[] = []
  for (const collection of collectionsAt(snapshot, path)) {
    if (collection === winner) candidates.push(...proxiesAt(exchange, collection))
    else
      candidates.push({
        collection: collection.fragment.slug,
        proxy: null,
        path: collection.fragment.base_path,
        methods: [],
        wins: false,
        reason:
          winner !== null && takesFrom(winner, collection)
            ? `${winner.fragment.slug} at ${winner.fragment.base_path} goes first: a longer base path, or one that names the host`
            : `answers on ${collection.fragment.hosts.join(', ')} only, not on "${host}"`,
      })
  }
  return candidates
}

/** Collections whose base path is a prefix, in the order in which they are tried. */
function collectionsAt(snapshot: Snapshot, path: string): LinkedCollection[] {
  return [...snapshot.collections.values()]
    .filter(({ fragment: { base_path } }) => path === base_path || path.startsWith(`${base_path}/`))
    .sort(
      (a, b) =>
        b.fragment.base_path.length - a.fragment.base_path.length ||
        Number(a.fragment.hosts.length === 0) - Number(b.fragment.hosts.length === 0) ||
        (a.id < b.id ? -1 : 1),
    )
}

function proxiesAt({ path, method, proxy: winner }: Exchange, collection: LinkedCollection): Candidate[] {
  const below = path.slice(collection.fragment.base_path.length)
  const bit = methodBit(method)
  return collection.proxies
    .filter((proxy) => matchesPath(proxy.fragment.path, below))
    .sort((a, b) => comparePatterns(a.fragment.path, b.fragment.path) || byMethod(a, b, bit))
    .map((proxy) => ({
      collection: collection.fragment.slug,
      proxy: proxy.fragment.slug,
      path: proxy.route,
      methods: methodNames(proxy.named),
      wins: proxy === winner,
      reason: outcomeOf(proxy, winner, bit, method),
    }))
}

function byMethod(a: LinkedProxy, b: LinkedProxy, bit: number): number {
  return (
    Number((b.named & bit) !== 0) - Number((a.named & bit) !== 0) ||
    Number((b.methods & bit) !== 0) - Number((a.methods & bit) !== 0) ||
    (a.id < b.id ? -1 : 1)
  )
}

function outcomeOf(proxy: LinkedProxy, winner: LinkedProxy | null, bit: number, method: string): string {
  if (proxy === winner) return 'the first that fits the path and answers the method'
  if ((proxy.methods & bit) === 0) return `does not answer ${method}`
  if (winner === null) return 'was not looked at'
  if (comparePatterns(winner.fragment.path, proxy.fragment.path) === 0)
    return `${winner.fragment.slug} names ${method} itself`
  return `${winner.fragment.slug} goes first: ${reasonFor(winner.fragment.path, proxy.fragment.path)}`
}

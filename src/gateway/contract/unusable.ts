import type { ContractsFragment } from '../../snapshot/fragments.ts'
import type { Exchange } from '../exchange.ts'
import { keptIn } from './parsed-contracts.ts'

const BEGINNING = 'contract: '

/** Why a contract cannot be used, for the record of the call. */
export function unusableContract(error: unknown): string {
  return `${BEGINNING}${error instanceof Error ? error.message : 'cannot be read'}`.slice(0, 500)
}

/** Tells of calls whose contract could not be used: once for each proxy and reason, until the contracts change. */
export function createContractFaults(tell: (fault: string) => void): (exchange: Exchange) => void {
  const reported = new WeakMap<ContractsFragment, Set<string>>()
  return ({ reason, snapshot, collection, proxy }) => {
    if (!reason.startsWith(BEGINNING) || collection === null || proxy === null) return
    const fragment = snapshot.contracts.get(collection.id)
    if (fragment === undefined) return
    const fault = `proxy ${collection.fragment.slug}:${proxy.fragment.slug} has a contract that cannot be used: ${reason.slice(BEGINNING.length)}`
    const known: Set<string> = keptIn(reported, fragment, () => new Set())
    if (known.has(fault)) return
    known.add(fault)
    tell(fault)
  }
}

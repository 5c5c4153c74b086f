import type { HttpMethod } from '../../model/members.ts'
import type { Contract } from '../../snapshot/fragments.ts'

/** A contract with what differs for a method put in place. HEAD is held to what holds for GET. */
export function contractFor(contract: Contract, method: string): Contract {
  const own = contract.by_method?.[(method === 'HEAD' ? 'GET' : method) as HttpMethod]
  return own === undefined ? contract : { ...contract, ...own }
}

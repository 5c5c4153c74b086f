import type { Contract, ContractsFragment, SchemasFragment } from '../../snapshot/fragments.ts'
import type { LinkedCollection, LinkedProxy } from '../../snapshot/linked-types/collection.ts'
import { createSchemaJudges, type Judge, type SchemaJudges } from '../../snapshot/schema/judge.ts'
import type { Snapshot } from '../../snapshot/snapshot.ts'
import { type BodyRule, compileBodyRule } from './json-body.ts'
import { compileParameters, type ParameterCheck } from './parameters.ts'
import { contractFor, contractsOf, keptIn, schemasOf, sharedSchemas } from './parsed-contracts.ts'

/** A contract made ready for requests of one method. */
export interface Compiled {
  readonly parameters: ParameterCheck | null
  readonly body: BodyRule | null
  /** Of successful answers; compiled when first asked for. Throws a RangeError when it cannot be used. */
  readonly response: () => Judge | null
}

/** By method; the fault of one that cannot be used, so that it is not compiled for each request. */
type ByMethod = Map<string, Compiled | RangeError>
/** By proxy. */
type CompiledContracts = Map<string, ByMethod>

/**
 * Contracts are compiled when a request first needs them, and kept for as long as the fragment they are in, so that
 * neither the start nor a change waits for descriptions with a thousand operations. How strictly queries are taken
 * is said by the proxy, which may change while its contract does not.
 */
const lenient = new WeakMap<ContractsFragment, CompiledContracts>()
const strict = new WeakMap<ContractsFragment, CompiledContracts>()
const judges = new WeakMap<SchemasFragment, SchemaJudges>()
const noJudges = createSchemaJudges({}, true)

/**
 * The contract of a proxy for a method; null when the snapshot has none. Throws a RangeError, or what reading gives,
 * when it cannot be used.
 */
export function compiledFor(
  snapshot: Snapshot,
  collection: LinkedCollection,
  proxy: LinkedProxy,
  method: string,
): Compiled | null {
  const fragment = snapshot.contracts.get(collection.id)
  if (fragment === undefined) return null
  const strictQuery = proxy.fragment.contract?.strict_query === true
  const kept = strictQuery ? strict : lenient
  const known = kept.get(fragment)?.get(proxy.id)?.get(method)
  if (known !== undefined) return usable(known)
  const contract = contractsOf(fragment)[proxy.id]
  if (contract === undefined) return null
  const ofCollection: CompiledContracts = keptIn(kept, fragment, () => new Map())
  const byMethod: ByMethod = keptIn(ofCollection, proxy.id, () => new Map())
  const some = judgesOf(snapshot, fragment)
  return usable(
    keptIn(byMethod, method, () => compileOrFault(contractFor(contract, method), method, strictQuery, some)),
  )
}

function usable(made: Compiled | RangeError): Compiled {
  if (made instanceof RangeError) throw made
  return made
}

function compileOrFault(
  contract: Contract,
  method: string,
  strictQuery: boolean,
  some: SchemaJudges,
): Compiled | RangeError {
  try {
    return compile(contract, method, strictQuery, some)
  } catch (error) {
    if (error instanceof RangeError) return error
    throw error
  }
}

function judgesOf(snapshot: Snapshot, contracts: ContractsFragment): SchemaJudges {
  const fragment = sharedSchemas(snapshot, contracts)
  if (fragment === undefined) return noJudges
  return keptIn(judges, fragment, () => createSchemaJudges(schemasOf(fragment), true))
}

function compile(contract: Contract, method: string, strictQuery: boolean, some: SchemaJudges): Compiled {
  let response: Judge | null | undefined
  return {
    parameters: compileParameters(contract.parameters, strictQuery, some),
    body: compileBodyRule(contract, method, some),
    response() {
      if (response === undefined)
        response = contract.response_schema === null ? null : some.of(contract.response_schema, 'response')
      return response
    },
  }
}

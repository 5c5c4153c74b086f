import type { Contract, Contracts, ContractsFragment, SchemasFragment } from '../../snapshot/fragments.ts'
import { createSchemaJudges, type Judge, type SchemaJudges } from '../../snapshot/schema-judge.ts'
import type { LinkedCollection, LinkedProxy, Snapshot } from '../../snapshot/snapshot.ts'
import { type BodyRule, compileBodyRule } from './body-rule.ts'
import { contractFor } from './by-method.ts'
import { compileParameters, type ParameterCheck } from './parameters.ts'

/** A contract made ready for requests of one method. */
export interface Compiled {
  readonly parameters: ParameterCheck | null
  readonly body: BodyRule | null
  /** Of successful answers; compiled when first asked for. Throws a RangeError when it cannot be used. */
  readonly response: () => Judge | null
}

/**
 * Contracts are compiled when a request first needs them, and kept for as long as the fragment they are in, so that
 * neither the start nor a change waits for descriptions with a thousand operations.
 */
interface Kept {
  readonly contracts: Contracts
  /** By proxy and method. */
  readonly compiled: Map<string, Compiled>
}

const kept = new WeakMap<ContractsFragment, Kept>()
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
  let all = kept.get(fragment)
  if (all === undefined) {
    // The compiler wrote the text from this very type.
    all = { contracts: JSON.parse(fragment.json) as Contracts, compiled: new Map() }
    kept.set(fragment, all)
  }
  const key = `${proxy.id} ${method}`
  let compiled = all.compiled.get(key)
  if (compiled === undefined) {
    const contract = all.contracts[proxy.id]
    if (contract === undefined) return null
    compiled = compile(
      contractFor(contract, method),
      method,
      proxy.fragment.contract?.strict_query ?? false,
      judgesOf(snapshot, fragment),
    )
    all.compiled.set(key, compiled)
  }
  return compiled
}

/** The schemas that the contracts of a collection share; undefined where there are none. */
export function sharedSchemas(
  snapshot: Snapshot,
  { schemas }: ContractsFragment,
): SchemasFragment | undefined {
  // Named by its key, `schemas:<id>`.
  return schemas === null ? undefined : snapshot.schemas.get(schemas.slice('schemas:'.length))
}

function judgesOf(snapshot: Snapshot, contracts: ContractsFragment): SchemaJudges {
  const fragment = sharedSchemas(snapshot, contracts)
  if (fragment === undefined) return noJudges
  let some = judges.get(fragment)
  if (some === undefined) {
    some = createSchemaJudges(JSON.parse(fragment.json) as Record<string, unknown>, true)
    judges.set(fragment, some)
  }
  return some
}

function compile(contract: Contract, method: string, strictQuery: boolean, some: SchemaJudges): Compiled {
  let response: Judge | null | undefined
  return {
    parameters: compileParameters(contract.parameters, strictQuery),
    body: compileBodyRule(contract, method, some),
    response() {
      if (response === undefined)
        response = contract.response_schema === null ? null : some.of(contract.response_schema, 'response')
      return response
    },
  }
}

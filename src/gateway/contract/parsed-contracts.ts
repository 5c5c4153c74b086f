import { unpackJson } from '../../base/json/canonical.ts'
import type { HttpMethod } from '../../model/members.ts'
import type { Contract, Contracts, ContractsFragment, SchemasFragment } from '../../snapshot/fragments.ts'
import type { Snapshot } from '../../snapshot/snapshot.ts'

/**
 * Contracts travel as JSON text, because they are large and rarely read. Each text is parsed when it is first needed,
 * once for checks and for those who are shown it, and kept for as long as its fragment.
 */
const contracts = new WeakMap<ContractsFragment, Contracts>()
const schemas = new WeakMap<SchemasFragment, Readonly<Record<string, unknown>>>()

/** The contracts of a collection, by proxy id. */
export function contractsOf(fragment: ContractsFragment): Contracts {
  // The compiler wrote the text from this very type.
  return keptIn(contracts, fragment, () => JSON.parse(unpackJson(fragment.json)) as Contracts)
}

/** Shared schemas by name. */
export function schemasOf(fragment: SchemasFragment): Readonly<Record<string, unknown>> {
  return keptIn(schemas, fragment, () => JSON.parse(unpackJson(fragment.json)) as Record<string, unknown>)
}

/** The schemas that the contracts of a collection share; undefined where there are none. */
export function sharedSchemas(snapshot: Snapshot, fragment: ContractsFragment): SchemasFragment | undefined {
  // Named by its key, `schemas:<id>`.
  return fragment.schemas === null
    ? undefined
    : snapshot.schemas.get(fragment.schemas.slice('schemas:'.length))
}

/** The value for a key, made when there is none yet. */
export function keptIn<Key, Value>(
  map: { get(key: Key): Value | undefined; set(key: Key, value: Value): unknown },
  key: Key,
  make: () => Value,
): Value {
  const known = map.get(key)
  if (known !== undefined) return known
  const value = make()
  map.set(key, value)
  return value
}

/** A contract with what differs for a method put in place. HEAD is held to what holds for GET. */
export function contractFor(contract: Contract, method: string): Contract {
  const own = contract.by_method?.[(method === 'HEAD' ? 'GET' : method) as HttpMethod]
  return own === undefined ? contract : { ...contract, ...own }
}

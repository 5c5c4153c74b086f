/** Tools that origins list, as nodes of workflows call them. */
import { isPlain, type Plain } from '../../base/json/plain.ts'
import type { JsonSchema } from '../../model/api/proxy.ts'
import { type Approved, type Catalogue, hashIn, itemsByKey } from '../../model/mcp/capability-drift.ts'
import type { CatalogueFragment } from '../../snapshot/fragments.ts'
import { createSchemaJudges, type Judge } from '../../snapshot/schema/judge.ts'
import { keptIn } from '../contract/parsed-contracts.ts'

export interface KnownTool {
  /** As of `approvalOf`: it covers metadata, of which `execution` decides how the tool is called. */
  readonly hash: string
  /** Null where it has none that is an object. */
  readonly schema: Plain | null
  /** What is wrong with its arguments. */
  readonly judge: Judge
}

const known = new WeakMap<CatalogueFragment, ReadonlyMap<string, KnownTool>>()

/** The tools of an origin by name, read when a workflow first calls one and kept for as long as the catalogue. */
export function knownTools(catalogue: CatalogueFragment): ReadonlyMap<string, KnownTool> {
  return keptIn(known, catalogue, () => {
    // The compiler wrote both texts from these very types
    const { tools } = JSON.parse(catalogue.json) as Catalogue
    const hashes = catalogue.hashes === undefined ? null : (JSON.parse(catalogue.hashes) as Approved)
    return new Map(
      [...itemsByKey('tools', tools)].map(([name, { inputSchema }]) => [
        name,
        toKnown((hashes && hashIn(hashes, 'tools', name)) ?? '', isPlain(inputSchema) ? inputSchema : null),
      ]),
    )
  })
}

function toKnown(hash: string, schema: Plain | null): KnownTool {
  let made: Judge | null = null
  return {
    hash,
    schema,
    judge(value, inexact) {
      made ??= schema === null ? () => null : judgeOf(schema)
      return made(value, inexact)
    },
  }
}

/** A schema that cannot be used refuses nothing: the origin judges the arguments itself. */
function judgeOf(schema: Plain): Judge {
  try {
    return createSchemaJudges({}, true).of(schema as JsonSchema, 'request')
  } catch (error) {
    if (error instanceof RangeError) return () => null
    throw error
  }
}

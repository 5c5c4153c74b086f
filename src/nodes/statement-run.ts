import { isPlain, type Plain, scalarText } from '../base/json/storable.ts'
import { type OwnedBytes, ownedBytes } from '../base/memory/bytes.ts'
import { boundJson, boundValues, NodeFailure, type NodeRun, placeOf } from './run.ts'

const VALUES_MAX = 100

/** How a node sends a statement. @param truth writes a truth value as the database reads it */
export function statementRun(service: 'postgres' | 'mysql', truth: (value: boolean) => string): NodeRun {
  return {
    name: `${service}_node`,
    inTrial: { outputs: { rows: [], count: 0, truncated: false } },
    link(config) {
      const place = placeOf(config)
      const { database, statement, row_limit, read_only } = config
      const work = {
        service,
        database: String(database),
        text: String(statement),
        rowLimit: Number(row_limit),
        readOnly: read_only !== false,
      } as const
      return async (inputs, { askService }) => {
        const answer = await askService({ ...place, work: { ...work, values: valuesOf(inputs, truth) } })
        // The thread that asks gives rows, count and truncated
        return { handle: 'default', outputs: answer as Plain }
      }
    },
  }
}

/** What a statement binds: texts, bytes and null. Objects and lists are JSON. @throws NodeFailure */
function valuesOf(
  { values = [] }: Plain,
  truth: (value: boolean) => string,
): readonly (string | OwnedBytes | null)[] {
  if (!Array.isArray(values) || values.length > VALUES_MAX)
    throw new NodeFailure('values', `values is no list of at most ${VALUES_MAX} values`)
  const bound = values.map((value) => {
    if (value instanceof Uint8Array) return ownedBytes(value)
    if (typeof value === 'boolean') return truth(value)
    return isPlain(value) || Array.isArray(value) ? boundJson(value) : (scalarText(value) ?? null)
  })
  boundValues(bound)
  return bound
}

import type { JsonSchema } from '../../model/proxy.ts'
import { createSchemaJudges } from '../../snapshot/schema/judge.ts'
import type { NodeRun } from '../run.ts'

export const validateRun: NodeRun = {
  name: 'validate_node',
  link({ schema }) {
    // The definition has compiled it before
    const judge = createSchemaJudges({}, true).of(schema as JsonSchema, 'request')
    return ({ value }) => {
      const errors = judge(value ?? null) ?? []
      return { handle: errors.length === 0 ? 'valid' : 'invalid', outputs: { errors } }
    }
  },
}

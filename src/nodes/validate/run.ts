import { withDoubles } from '../../base/json/exact.ts'
import type { JsonSchema } from '../../model/api/proxy.ts'
import { createSchemaJudges } from '../../snapshot/schema/judge.ts'
import { hasBytes, type NodeRun, UNREAD_BODY } from '../run.ts'

const UNREAD = [{ pointer: '', reason: UNREAD_BODY }]

export const validateRun: NodeRun = {
  name: 'validate_node',
  inTrial: 'runs',
  link({ schema }) {
    // The definition has compiled it before
    const judge = createSchemaJudges({}, true).of(schema as JsonSchema, 'request')
    return ({ value }) => {
      // A schema would judge bytes as an object with a member for each of them
      const errors = hasBytes(value) ? UNREAD : (judge(withDoubles(value ?? null)) ?? [])
      return { handle: errors.length === 0 ? 'valid' : 'invalid', outputs: { errors } }
    }
  },
}

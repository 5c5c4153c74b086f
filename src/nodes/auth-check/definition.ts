import { z } from 'zod'
import { Ref } from '../../model/slug.ts'
import { EITHER, type NodeType, Text } from '../node-type.ts'

const Names = z.array(Text).max(100).default([])

export const authCheckNode: NodeType = {
  name: 'auth_check_node',
  phase: 'decide',
  summary: 'Checks conditions on the caller, which must all match',
  config: z.strictObject({
    claims: z
      .array(z.strictObject({ claim: Text, equals: z.json() }))
      .max(20)
      .default([]),
    scopes: Names,
    clients: z.array(Ref).max(100).default([]),
    profiles: z.array(Ref).max(100).default([]),
    roles: Names,
  }),
  inputs: {},
  outputs: { passed: 'boolean', failed: 'list of conditions' },
  handles: EITHER,
}

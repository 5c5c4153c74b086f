import { z } from 'zod'
import { Ref } from '../../model/members.ts'
import { EITHER, type NodeType } from '../node-type.ts'

const CONDITIONS_MAX = 50
const Value = z.string().min(1).max(1024)

export const authCheckNode: NodeType = {
  name: 'auth_check_node',
  phase: 'decide',
  summary: 'Checks the authenticated caller: claims, scopes, client and profile',
  config: z
    .strictObject({
      claims: z
        .array(
          z.strictObject({
            claim: z
              .string()
              .min(1)
              .max(256)
              .describe('Name of a claim that the profile lists in claims, or sub'),
            equals: z
              .union([Value, z.array(Value).min(1).max(CONDITIONS_MAX)])
              .describe('Required value. A list accepts any of its values'),
          }),
        )
        .max(CONDITIONS_MAX)
        .default([])
        .describe('The claim, or an item of it where it is a list, must have the value'),
      scopes: z
        .array(Value)
        .max(CONDITIONS_MAX)
        .default([])
        .describe('Required scopes, all of them. The profile must list the claim scope or scp in claims'),
      clients: z.array(Ref).max(CONDITIONS_MAX).default([]).describe('The caller is one of these clients'),
      profiles: z
        .array(Ref)
        .max(CONDITIONS_MAX)
        .default([])
        .describe('The caller uses one of these profiles, such as acme:ci'),
    })
    .refine(
      (conditions) => Object.values(conditions).some((list) => list.length > 0),
      'at least one condition, because without one every caller would pass',
    ),
  inputs: {},
  outputs: { passed: 'boolean', failed: 'list of conditions, such as scopes or claims/department' },
  handles: EITHER,
}

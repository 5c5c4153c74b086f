import { z } from 'zod'
import { isPlain } from '../base/plain.ts'
import { Duration, Ref } from '../model/common.ts'
import { EITHER, NONE, type NodeType, Text } from './define.ts'

const Names = z.array(Text).max(100).default([])

export const DECISIONS: readonly NodeType[] = [
  {
    name: 'auth_check_node',
    phase: 'decide',
    summary: 'Conditions on the caller, which must all hold',
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
  },
  {
    name: 'rate_limit_node',
    phase: 'decide',
    summary: 'A limit by a key of your choice',
    config: z.strictObject({
      max: z.int().min(1).max(1_000_000_000),
      window: Duration,
      cost: z.int().min(1).max(1_000_000).default(1),
    }),
    inputs: { key: 'string' },
    outputs: { remaining: 'number', reset_ms: 'number' },
    handles: EITHER,
  },
  {
    name: 'condition_node',
    phase: 'decide',
    summary: 'One way or the other',
    config: NONE,
    inputs: { expression: 'boolean' },
    outputs: { result: 'boolean' },
    handles: EITHER,
  },
  {
    name: 'switch_node',
    phase: 'decide',
    summary: 'One of several ways',
    config: z.strictObject({
      cases: z
        .array(
          z.strictObject({ label: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/), match: z.json() }),
        )
        .min(1)
        .max(50)
        .describe('The first that equals the value; else the handle default'),
    }),
    inputs: { value: 'any' },
    outputs: { matched_output: 'string' },
    handles: ['default', 'a label'],
    handlesBy: ({ cases }) => [
      'default',
      ...(Array.isArray(cases) ? cases.flatMap((one) => (isPlain(one) ? String(one['label']) : [])) : []),
    ],
  },
  {
    name: 'validate_node',
    phase: 'decide',
    summary: 'A value held to a JSON Schema',
    config: z.strictObject({ schema: z.union([z.boolean(), z.record(z.string(), z.json())]) }),
    inputs: { value: 'any' },
    outputs: { errors: 'list of pointer, reason' },
    handles: ['valid', 'invalid'],
  },
]

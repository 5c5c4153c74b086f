import { z } from 'zod'
import { Duration } from '../model/common.ts'
import { type NodeType, ONWARD, Text } from './define.ts'

const FORMATS = ['json', 'xml', 'csv', 'form'] as const

export const DATA: readonly NodeType[] = [
  {
    name: 'transform_node',
    phase: 'data',
    summary: 'Another form of a value',
    config: z.discriminatedUnion('op', [
      z.strictObject({ op: z.literal('map'), expression: Text.describe('Of item') }),
      z.strictObject({ op: z.literal('rename'), names: z.record(Text, Text) }),
      z.strictObject({ op: z.literal('pick'), names: z.array(Text).min(1).max(200) }),
      z.strictObject({ op: z.literal('convert'), from: z.enum(FORMATS), to: z.enum(FORMATS) }),
    ]),
    inputs: { value: 'any' },
    outputs: { value: 'any' },
    handles: ONWARD,
  },
  {
    name: 'code_node',
    phase: 'data',
    summary: 'A function (input) => output without network or modules',
    config: z.strictObject({
      language: z.enum(['javascript', 'typescript']).default('javascript'),
      code: z.string().min(1).max(65_536),
    }),
    inputs: { '*': 'any' },
    outputs: { value: 'what it returns' },
    handles: ONWARD,
  },
  {
    name: 'cache_node',
    phase: 'data',
    summary: 'A value kept between runs',
    config: z.strictObject({
      op: z.enum(['get', 'set', 'delete']),
      ttl: Duration.default('1m'),
      allow_stale: z.boolean().default(false),
    }),
    inputs: { key: 'string', 'value?': 'any' },
    outputs: { value: 'any' },
    handles: ['hit', 'miss', 'stale', 'default'],
    handlesBy: ({ op, allow_stale }) => {
      if (op !== 'get') return ONWARD
      return allow_stale === true ? ['hit', 'miss', 'stale'] : ['hit', 'miss']
    },
  },
  {
    name: 'redact_node',
    phase: 'data',
    summary: 'A value without what must not leave',
    config: z.strictObject({
      detectors: z.array(z.enum(['email', 'card', 'iban', 'phone', 'secret'])).default([]),
      paths: z.array(Text).max(200).default([]).describe('JSON pointers'),
      action: z.enum(['mask', 'remove', 'hash']).default('mask'),
    }),
    inputs: { value: 'any' },
    outputs: { value: 'any', hits: 'number' },
    handles: ONWARD,
  },
]

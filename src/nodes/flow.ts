import { z } from 'zod'
import { Duration, Ref } from '../model/common.ts'
import { NONE, type NodeType, ONWARD, Text } from './define.ts'

export const FLOW: readonly NodeType[] = [
  {
    name: 'join_node',
    phase: 'flow',
    summary: 'Where parallel ways meet',
    config: z.strictObject({
      wait: z.union([z.enum(['all', 'any']), z.int().min(1).max(200)]).default('all'),
      timeout: Duration.default('30s'),
    }),
    inputs: {},
    outputs: { '*': 'outputs of the nodes before, by their ids' },
    handles: ONWARD,
  },
  {
    name: 'foreach_node',
    phase: 'flow',
    summary: 'A workflow for each item of a list',
    config: z.strictObject({
      workflow: Ref.describe('Workflow'),
      concurrency: z.int().min(1).max(10).default(1),
      max_items: z.int().min(1).max(1000).default(1000),
    }),
    inputs: { list: 'list' },
    outputs: { items: 'what each run answers' },
    handles: ONWARD,
  },
  {
    name: 'delay_node',
    phase: 'flow',
    summary: 'A pause of at most 10s',
    config: z.strictObject({
      duration: Duration.regex(/^(\d{1,4}ms|\d{1}s|10s)$/, 'at most 10s'),
    }),
    inputs: {},
    outputs: {},
    handles: ONWARD,
  },
  {
    name: 'log_node',
    phase: 'flow',
    summary: 'A line in the trace of the run',
    config: z.strictObject({ level: z.enum(['debug', 'info', 'warn', 'error']).default('info') }),
    inputs: { message: 'string', 'fields?': 'object' },
    outputs: {},
    handles: ONWARD,
  },
  {
    name: 'response_node',
    phase: 'end',
    summary: 'The answer, which ends the run',
    config: z.strictObject({
      status: z.int().min(200).max(599).default(200),
      content_type: Text.default('application/json'),
    }),
    inputs: { 'status?': 'number', 'headers?': 'object', 'body?': 'any', 'problem?': 'code, detail' },
    outputs: {},
    handles: [],
  },
  {
    name: 'set_node',
    phase: 'data',
    summary: 'Values under names of your choice',
    config: NONE,
    inputs: { '*': 'any' },
    outputs: { '*': 'as its inputs' },
    handles: ONWARD,
  },
]

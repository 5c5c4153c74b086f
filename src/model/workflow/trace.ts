import { z } from 'zod'
import { unit } from '../annotations.ts'

/** Levels of messages that a node logs. */
const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const

const Within = z
  .string()
  .nullable()
  .describe('In an inner run: the node that runs the workflow, and the number of its run, such as each[3]')

/** What the nodes of one run did. Times are milliseconds since the start of the run. */
export const WorkflowTrace = z.object({
  nodes: z
    .array(
      z.object({
        node: z.string().describe('Id in the definition'),
        within: Within,
        type: z.string(),
        start_ms: z.number().meta(unit('ms')),
        duration_ms: z.number().meta(unit('ms')),
        handle: z
          .string()
          .nullable()
          .describe(
            'Handle at which the run left the node; null if the run ended there, such as at a response_node',
          ),
        attempts: z.int().min(1),
        error: z
          .string()
          .nullable()
          .describe(
            'Kind of the failure, such as timeout, 503 or expression. unfinished: the run ended first',
          ),
      }),
    )
    .describe('By start'),
  logs: z.array(
    z.object({
      node: z.string(),
      within: Within,
      time_ms: z.number().meta(unit('ms')),
      level: z.enum(LOG_LEVELS),
      message: z.string(),
      fields: z.record(z.string(), z.unknown()).nullable().describe('null if they were too long'),
    }),
  ),
  tokens: z
    .array(
      z.object({
        node: z.string(),
        within: z
          .string()
          .nullable()
          .describe('In inner runs: the nodes that run the workflow, without the numbers of their runs'),
        model: z.string().describe('Name in the settings of the node'),
        calls: z.int().min(1).describe('Responses of the model'),
        prompt_tokens: z.int().meta(unit('tokens')).min(0),
        completion_tokens: z.int().meta(unit('tokens')).min(0),
      }),
    )
    .describe('Tokens that nodes used, as counted by the servers of the models; sum of all executions'),
  left_off: z
    .int()
    .min(0)
    .describe('Number of entries that were dropped, because the trace has a size limit'),
})
export type WorkflowTrace = z.output<typeof WorkflowTrace>

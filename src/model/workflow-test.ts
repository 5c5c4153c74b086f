import { z } from 'zod'
import { jsonValue } from './json-value.ts'
import { FIXTURE, NodeMock } from './workflow-trial.ts'

/** A test that is stored with a definition. */
export const WorkflowTest = z.strictObject({
  name: z.string().min(1).max(100),
  gate: z
    .boolean()
    .default(false)
    .describe(
      'The workflow comes into force only if it passes: publishing and changing are refused otherwise',
    ),
  request: z.strictObject(FIXTURE).prefault({}),
  mocks: z.record(z.string().max(64), NodeMock).default({}),
  expect: z.strictObject({
    status: z.int().min(200).max(599).optional(),
    body: z
      .array(
        z.strictObject({
          pointer: z
            .string()
            .max(500)
            .regex(/^(\/.*)?$/s, 'a JSON pointer, such as /id; empty for the whole body'),
          equals: jsonValue(),
        }),
      )
      .max(50)
      .default([]),
    branches: z
      .record(z.string().max(64), z.string().max(64))
      .default({})
      .describe('Handle by which the run leaves a node, by its id'),
  }),
})
export type WorkflowTest = z.output<typeof WorkflowTest>

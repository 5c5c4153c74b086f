import { z } from 'zod'
import type { JsonSchema } from '../model/api/proxy.ts'
import { createSchemaJudges } from '../snapshot/schema/judge.ts'

/** A JSON Schema in the settings of a node, which is compiled when the workflow is saved. */
export const NodeSchema = z
  .union([z.boolean(), z.record(z.string(), z.json())])
  .superRefine((schema, context) => {
    try {
      createSchemaJudges({}, false).of(schema as JsonSchema, 'request')
    } catch (error) {
      context.addIssue({ code: 'custom', message: error instanceof Error ? error.message : 'no JSON Schema' })
    }
  })

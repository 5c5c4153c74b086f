import { PROBLEMS, problemOf } from '../../base/refusal.ts'
import type { JsonSchema } from '../fields.ts'

/** The header of every answer. */
export const REQUEST_ID: JsonSchema = {
  description: 'Names this request in log and audit',
  schema: { type: 'string' },
}

/** Schemas that do not come from an operation. */
export const SHARED_SCHEMAS: Readonly<Record<string, JsonSchema>> = {
  Problem: {
    type: 'object',
    description: 'RFC 9457',
    required: ['type', 'title', 'status', 'detail', 'code', 'request_id', 'errors'],
    properties: {
      type: { type: 'string', description: 'urn:postern:problem:<code>' },
      title: { type: 'string' },
      status: { type: 'integer' },
      detail: { type: 'string', description: 'What happened this time, and what to do' },
      code: { type: 'string', enum: Object.keys(PROBLEMS) },
      request_id: { type: 'string' },
      errors: {
        type: 'array',
        items: {
          type: 'object',
          required: ['pointer', 'reason'],
          properties: {
            pointer: { type: 'string', description: 'JSON pointer into the input (RFC 6901)' },
            reason: { type: 'string' },
          },
        },
      },
    },
    examples: [
      {
        ...problemOf(
          'revision_conflict',
          { detail: 'The resource is at revision 4, not 3.' },
          '01KA8B4Y6M7W3T5V9X2Z0C1D8F',
        ),
      },
    ],
  },
  WaitsForApproval: {
    type: 'object',
    description: 'Nothing was done yet: another person has to approve it',
    required: ['waits_for_approval', 'change_request'],
    properties: {
      waits_for_approval: {
        type: 'boolean',
        description: 'False in the answer to a repeated call whose change request has come to its end',
      },
      change_request: {
        type: 'object',
        description: 'As `GET /management/v1/change_requests/{id}` shows it',
      },
    },
  },
  DryRun: {
    type: 'object',
    description: 'Answer of a dry run; nothing was stored',
    required: ['dry_run', 'diff', 'result'],
    properties: {
      dry_run: { const: true },
      approval_needed: {
        type: 'array',
        description: 'Names of the rules by which it would wait for another person',
        items: { type: 'string' },
      },
      diff: {
        type: 'array',
        description: 'JSON patch with the old values; secrets as "changed"',
        items: {
          type: 'object',
          required: ['op', 'path'],
          properties: {
            op: { enum: ['add', 'remove', 'replace'] },
            path: { type: 'string' },
            from: { description: 'The value before' },
            value: { description: 'The value after' },
          },
        },
      },
      result: { type: 'object', description: 'What the answer would be' },
    },
    examples: [
      {
        dry_run: true,
        diff: [{ op: 'replace', path: '/name', from: 'Orders', value: 'Orders of the shop' }],
        result: { slug: 'orders', name: 'Orders of the shop' },
      },
    ],
  },
}

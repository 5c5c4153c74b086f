import { PROBLEMS, problemOf, type RefusalCode } from '../../base/refusal.ts'
import { withoutPause } from '../../base/threads/time-slices.ts'
import { APPROVABLE } from '../../model/access/approval.ts'
import { isResourceType } from '../../model/resource-types.ts'
import { WriteOptionsInput, writeOptionNames } from '../../operations/engine/call.ts'
import type { Operation } from '../../operations/engine/define.ts'
import { kindOf } from '../../operations/kinds.ts'
import { commandOf } from '../cli/aliases.ts'
import { fieldsOf, type JsonSchema, jsonSchemasOf, membersOf } from '../fields.ts'
import { hintsOf } from '../mcp/hints.ts'
import { API_ROOT, nameOf, needsConfirmation, routeOf } from '../route.ts'
import { annotatedInput, annotatedOutput } from './annotated.ts'
import { type Components, createComponents, pascal } from './components.ts'

/** Codes that every operation may answer with. */
const EVERYWHERE: readonly RefusalCode[] = [
  'credentials_missing',
  'credential_invalid',
  'credential_expired',
  'input_invalid',
  'permission_denied',
  'insufficient_scope',
  'internal_error',
]
const OF_BODIES: readonly RefusalCode[] = ['payload_rejected', 'body_too_large', 'unsupported_media_type']

/** The OpenAPI 3.1 document of management REST: a projection of the operations and of nothing else. */
export function toOpenApi(operations: readonly Operation[]): JsonSchema {
  return withoutPause(printOpenApi(operations))
}

/** The same, with a pause after each operation: the whole takes a second or more. */
export function* printOpenApi(operations: readonly Operation[]): Generator<void, JsonSchema> {
  const components = createComponents(SHARED_SCHEMAS)
  const responses: Record<string, JsonSchema> = {}
  // The resources first, so that lists and answers refer to them
  const outputOf = (operation: Operation): JsonSchema =>
    annotatedOutput(operation, columnsOf(operation, operations))
  for (const operation of operations)
    if (operation.action === 'get') {
      components.share(singular(operation.resource), outputOf(operation))
      yield
    }
  const paths: Record<string, Record<string, unknown>> = {}
  for (const operation of operations) {
    const { method, path } = routeOf(operation)
    const others = paths[API_ROOT + path]
    paths[API_ROOT + path] = {
      ...others,
      [method.toLowerCase()]: toEntry(operation, components, responses, outputOf),
    }
    yield
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Postern management API',
      version: '1',
      description:
        'Operations to read and change the gateway. JSON members are snake_case; ids and slugs are interchangeable; errors are ' +
        '`application/problem+json` (RFC 9457) with a `code` of a closed list.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: '/' }],
    security: [{ bearer: [] }],
    tags: [...new Set(operations.map(({ resource }) => resource))].map(toTag),
    paths,
    components: {
      securitySchemes: {
        bearer: {
          type: 'http',
          scheme: 'bearer',
          description: 'Access token. Create one with `postern token`',
        },
      },
      schemas: components.schemas,
      responses,
    },
  }
}

/** What each resource is for that is of no kind, in a sentence; a kind says it itself. The console shows these too. */
const ABOUT: Readonly<Record<string, string>> = {
  access_requests: 'An access request asks for access of a client to a collection.',
  change_requests: 'A change request is a change that waits for the approval of another person.',
  connections:
    'A connection is the account of a person at an origin. The list shows your own accounts, and with the filter all_users the accounts of everybody.',
  exports: 'An export writes request records or audit entries to a file.',
  revisions:
    'Each change of the configuration creates a revision. You can compare revisions and restore an earlier one.',
  personal_tokens: 'A personal token lets your own tools call the management API as you.',
  keys: 'Keys that encrypt stored secrets and sign tokens.',
  records: 'Each call through the gateway creates one record.',
  mcp_endpoints: 'The MCP endpoints to which you can connect an application.',
  audit: 'Each change and each denied attempt creates one entry.',
}

function toTag(name: string): JsonSchema {
  const description = isResourceType(name) ? kindOf(name).about : ABOUT[name]
  return { name, ...(description !== undefined && { description }) }
}

function toEntry(
  operation: Operation,
  components: Components,
  responses: Record<string, JsonSchema>,
  outputOf: (operation: Operation) => JsonSchema,
): JsonSchema {
  const { method } = routeOf(operation)
  const withBody = method !== 'GET'
  return {
    operationId: nameOf(operation),
    tags: [operation.resource],
    summary: operation.summary,
    'x-postern-permission': operation.permission,
    'x-postern-effect': operation.effect,
    'x-postern-cli': commandOf(operation),
    ...(operation.tool !== null && { 'x-postern-tool': operation.tool }),
    ...(DOCUMENTED.includes(operation.action) && kindIn(operation.resource)),
    ...(needsConfirmation(operation) && { 'x-postern-confirm': 'slug' }),
    ...(hintsOf([operation])?.destructiveHint === true && { 'x-postern-destructive': true }),
    parameters: toParameters(operation),
    ...(withBody && { requestBody: toBody(operation, components) }),
    responses: {
      ...toSuccess(operation, components, outputOf(operation)),
      ...toFailures(operation, responses),
    },
  }
}

/** Operations that a document of the configuration can stand for. */
const DOCUMENTED = ['get', 'create', 'put', 'update']

/** The word for a resource in documents of the configuration, of resources that stand in documents. */
function kindIn(resource: string): JsonSchema {
  return isResourceType(resource) ? { 'x-postern-kind': kindOf(resource).noun } : {}
}

function toParameters(operation: Operation): JsonSchema[] {
  const { byId } = routeOf(operation)
  const path = byId
    ? [
        {
          name: 'id',
          in: 'path',
          required: true,
          description: 'Id or slug',
          schema: { type: 'string', 'x-postern-ref': operation.resource },
        },
      ]
    : []
  if (operation.effect === 'read' && operation.posted !== true) {
    const annotated = membersOf(annotatedInput(operation))
    const query = fieldsOf(operation)
      .filter((field) => !(byId && field.name === 'id'))
      .map((field) => ({
        name: field.name,
        in: 'query',
        required: field.required,
        ...(field.description !== '' && { description: field.description }),
        ...(field.kind === 'list' && { style: 'form', explode: true }),
        schema: annotated[field.name]!,
      }))
    return [...path, ...query]
  }
  return [...path, ...toOptionParameters(operation)]
}

function toOptionParameters(operation: Operation): JsonSchema[] {
  const names = writeOptionNames(operation)
  const members = membersOf(jsonSchemasOf(WriteOptionsInput).input)
  const header = (name: string, description: string, schema: JsonSchema): JsonSchema => ({
    name,
    in: 'header',
    description,
    schema,
  })
  return [
    ...(names.includes('expected_revision') && routeOf(operation).byId
      ? [
          header(
            'If-Match',
            'ETag of the resource: the change is refused if the resource has another revision',
            { type: 'string' },
          ),
        ]
      : []),
    ...(names.includes('idempotency_key')
      ? [
          header(
            'Idempotency-Key',
            'A repeated request with the same key and input within 24 h returns the first response',
            {
              type: 'string',
              maxLength: 255,
            },
          ),
        ]
      : []),
    ...(names.includes('reason')
      ? [header('X-Reason', 'Reason, stored in the audit entry', { type: 'string' })]
      : []),
    ...names
      .filter((name) => name === 'dry_run' || (name === 'confirm' && needsConfirmation(operation)))
      .map((name) => ({
        name,
        in: 'query',
        description: members[name]!['description'],
        schema: withoutDescription(members[name]!),
      })),
  ]
}

/** The input without the id of the path, and the options of the write, which may stand in the body too. */
function toBody(operation: Operation, components: Components): JsonSchema {
  const { byId } = routeOf(operation)
  const input = annotatedInput(operation)
  const options = membersOf(jsonSchemasOf(WriteOptionsInput).input)
  const own = Object.entries(membersOf(input)).filter(([name]) => !(byId && name === 'id'))
  const names = writeOptionNames(operation).filter(
    (name) => name !== 'confirm' || needsConfirmation(operation),
  )
  const required = (Array.isArray(input['required']) ? input['required'] : []).filter(
    (name) => !(byId && name === 'id'),
  )
  const schema = {
    ...input,
    properties: Object.fromEntries([...own, ...names.map((name) => [name, options[name]] as const)]),
    required,
  }
  if (required.length === 0) Reflect.deleteProperty(schema, 'required')
  const name = `${pascal(operation.resource)}${pascal(operation.action)}Request`
  return {
    required: required.length > 0,
    content: { 'application/json': { schema: components.add(name, schema) } },
  }
}

function toSuccess(operation: Operation, components: Components, output: JsonSchema): JsonSchema {
  if (operation.content !== undefined) return { 200: toFile(operation.content.mediaTypes) }
  const name = `${pascal(operation.resource)}${pascal(operation.action)}Response`
  const schema = components.share(name, output)
  const dryRun = writeOptionNames(operation).includes('dry_run')
  const response = (description: string, shape: JsonSchema, created: boolean): JsonSchema => ({
    description,
    headers: {
      'X-Request-ID': REQUEST_ID,
      ETag: { description: 'Revision of the resource, if it has one', schema: { type: 'string' } },
      ...(created && {
        Location: {
          description: 'Path of the new resource, or of the change request',
          schema: { type: 'string' },
        },
      }),
    },
    content: {
      'application/json': { schema: shape },
      ...(operation.follows === true && { 'text/event-stream': { schema: { type: 'string' } } }),
    },
  })
  const dryRunShape = {
    allOf: [{ $ref: '#/components/schemas/DryRun' }, { type: 'object', properties: { result: schema } }],
  }
  const creates = operation.effect === 'create'
  const created = { 201: response('Created', schema, true) }
  const changed = {
    200: response(
      dryRun ? 'Done; for a dry run: the expected result' : 'Done',
      dryRun ? { anyOf: [schema, dryRunShape] } : schema,
      false,
    ),
  }
  const waits = APPROVABLE.includes(operation.permission)
    ? {
        202: response(
          'Waits for approval by another person',
          { $ref: '#/components/schemas/WaitsForApproval' },
          true,
        ),
      }
    : {}
  if (creates)
    return {
      ...(dryRun && { 200: response('Dry run: the expected result', dryRunShape, false) }),
      ...created,
      ...waits,
    }
  return operation.action === 'put' ? { ...changed, ...created, ...waits } : { ...changed, ...waits }
}

function toFile(mediaTypes: readonly string[]): JsonSchema {
  return {
    description: 'The file',
    headers: {
      'X-Request-ID': REQUEST_ID,
      'Content-Disposition': { description: 'Names the file', schema: { type: 'string' } },
    },
    content: Object.fromEntries(mediaTypes.map((type) => [type, { schema: { type: 'string' } }])),
  }
}

/** A named response per set of codes, since most operations refuse alike. */
function toFailures(operation: Operation, responses: Record<string, JsonSchema>): JsonSchema {
  const bodies = operation.effect === 'read' && operation.posted !== true ? [] : OF_BODIES
  const waits: readonly RefusalCode[] = APPROVABLE.includes(operation.permission) ? ['change_too_large'] : []
  const codes = [...new Set<RefusalCode>([...EVERYWHERE, ...bodies, ...waits, ...operation.refuses])]
  const byStatus = Map.groupBy(codes, (code) => PROBLEMS[code].status)
  return Object.fromEntries(
    [...byStatus].map(([status, list]) => {
      const special = list.filter((code) => !EVERYWHERE.includes(code)).sort()
      const name = `Problem${status}${special.map(pascal).join('')}`
      responses[name] = toFailure(status, list)
      return [status, { $ref: `#/components/responses/${name}` }]
    }),
  )
}

function toFailure(status: number, codes: readonly RefusalCode[]): JsonSchema {
  const challenge = { description: 'Names the metadata (RFC 9728)', schema: { type: 'string' } }
  return {
    description: codes.map((code) => `\`${code}\``).join(', '),
    headers: { 'X-Request-ID': REQUEST_ID, ...(status === 401 && { 'WWW-Authenticate': challenge }) },
    content: {
      'application/problem+json': {
        schema: {
          allOf: [
            { $ref: '#/components/schemas/Problem' },
            { type: 'object', properties: { code: { enum: codes } } },
          ],
        },
      },
    },
  }
}

/** Columns of the table of a resource: those of its list. */
function columnsOf({ resource }: Operation, operations: readonly Operation[]): readonly string[] {
  return operations.find((one) => one.resource === resource && one.action === 'list')?.columns ?? []
}

/** `policies` is `Policy`. */
export function singular(resource: string): string {
  return pascal(resource.replace(/ies$/, 'y').replace(/s$/, ''))
}

function withoutDescription({ description: _, ...rest }: JsonSchema): JsonSchema {
  return rest
}

/** The header of every answer. */
const REQUEST_ID: JsonSchema = {
  description: 'Id of this request in the log and the audit log',
  schema: { type: 'string' },
}

/** Schemas that do not come from an operation. */
const SHARED_SCHEMAS: Readonly<Record<string, JsonSchema>> = {
  Problem: {
    type: 'object',
    description: 'RFC 9457',
    required: ['type', 'title', 'status', 'detail', 'code', 'request_id', 'errors'],
    properties: {
      type: { type: 'string', description: 'urn:postern:problem:<code>' },
      title: { type: 'string' },
      status: { type: 'integer' },
      detail: { type: 'string', description: 'Description of this occurrence, and the solution' },
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
    description: 'Waiting for approval by another person. Nothing has changed yet',
    required: ['waits_for_approval', 'change_request'],
    properties: {
      waits_for_approval: {
        type: 'boolean',
        description: 'False in the response to a repeated call whose change request has ended',
      },
      change_request: {
        type: 'object',
        description: 'As `GET /management/v1/change_requests/{id}` shows it',
      },
    },
  },
  DryRun: {
    type: 'object',
    description: 'Response of a dry run; nothing was stored',
    required: ['dry_run', 'diff', 'result'],
    properties: {
      dry_run: { const: true },
      approval_needed: {
        type: 'array',
        description: 'Names of the approval rules that would hold the change',
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
      result: { type: 'object', description: 'The expected response' },
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

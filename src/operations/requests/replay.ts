import { z } from 'zod'
import { ownedText } from '../../base/memory/bytes.ts'
import { type RefusalCode, refuse } from '../../base/refusal.ts'
import { confidential, refersTo, unit } from '../../model/annotations.ts'
import { RequestRecord } from '../../model/record.ts'
import type { ReplayAnswer, ReplayAsked } from '../../model/replay.ts'
import { NOUNS, type ResourceType } from '../../model/resource-types.ts'
import type { Resource } from '../../store/ports/resource.ts'
import type { OperationContext } from '../engine/context.ts'
import { define, ONCE } from '../engine/define.ts'

/** Methods that change nothing (RFC 9110 section 9.2.1). */
const SAFE: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS'])

/** Header lines by which some servers take a request for one of another method. */
const OVERRIDE = /^x[-_](http[-_])?method([-_]override)?[\t ]*:/i

const { status, code, stopped_at, check, upstream_status, reason, duration_ms } = RequestRecord.shape
/** What the answers to the same request may differ in. */
const COMPARED = ['status', 'code', 'stopped_at', 'upstream_status'] as const

const Value = z.union([z.string(), z.number(), z.null()])
const Replayed = z.object({
  id: z.string().describe('Id of the record that was replayed'),
  request_id: z.string().meta(refersTo('records')).describe('Id of the record of this call'),
  method: RequestRecord.shape.method,
  path: RequestRecord.shape.path,
  status,
  code,
  stopped_at,
  check,
  upstream_status,
  reason,
  duration_ms,
  headers: confidential('traffic', z.record(z.string(), z.string())).describe(
    'Selected headers of the response',
  ),
  body: confidential('traffic', z.string()).describe(
    'Text, or base64 if the bytes are not text; at most 64 KiB',
  ),
  body_encoding: z.enum(['text', 'base64']),
  body_bytes: z.int().meta(unit('bytes')).describe('Size of the whole body'),
  truncated: z.boolean(),
  differs: z
    .array(z.object({ field: z.enum(COMPARED), was: Value, is: Value }))
    .describe('Differences to the recorded call'),
})

/** What the call came to, and the proxy that it was for. */
interface Made {
  readonly proxy: string
  readonly answer: z.output<typeof Replayed>
}

/** Header lines of a request that is told of or made. */
export const HeaderLines = z
  .array(
    z
      .string()
      .max(8192)
      .regex(/^[^\r\n\0]+$/, 'a line such as Content-Type: application/json'),
  )
  .max(200)

export const replayRequest = define({
  resource: 'requests',
  action: 'replay',
  effect: 'act',
  tool: 'replay_request',
  group: 'query_logs',
  summary: 'Repeat a recorded request as the same client and profile',
  input: z.strictObject({
    id: z.string().min(1).max(64).describe('Id of the record'),
    query: confidential(
      'traffic',
      z
        .string()
        .max(8000)
        .regex(/^[!-~]*$/, 'a query in its encoded form, without ?'),
    )
      .default('')
      .describe('Query without ?, because records do not store it'),
    headers: confidential('traffic', HeaderLines.default([])).describe(
      'Header lines, because records do not store them; without credentials',
    ),
    body: confidential('traffic', z.string().max(262_144))
      .optional()
      .describe('Body, because records do not store it; required if the first request had one'),
    confirm: z
      .string()
      .max(64)
      .optional()
      .describe('Id of the record, needed for methods other than GET, HEAD and OPTIONS'),
  }),
  output: Replayed,
  permission: 'proxies:test',
  refuses: [
    'not_found',
    'replay_refused',
    'upstream_timeout',
    'not_ready',
    'records_unavailable',
    'idempotency_conflict',
  ],
  without: ONCE,
  columns: ['method', 'path', 'status', 'code', 'check', 'differs.field', 'duration_ms'],
  subject: ({ id }) => ({ type: 'record', id, slug: null }),
  prepare: async (input, context): Promise<Made> => {
    context.require('records:read')
    const record = await context.records.get(input.id)
    if (record === undefined)
      throw refuse('not_found', { detail: `There is no request record "${input.id}".` })
    const asked = await toAsked(record, input, context)
    const answer = await makeAgain(asked, context)
    refuseUnlike(answer)
    return { proxy: asked.proxy, answer: toOutput(record, asked, answer) }
  },
  handle: async ({ proxy, answer }: Made, { change }) => {
    await change.act('proxies', proxy)
    change.finding = `Replayed ${answer.id}: ${answer.method} was answered ${answer.status}.`
    return answer
  },
})

interface Given {
  readonly id: string
  readonly query: string
  readonly headers: readonly string[]
  readonly body?: string | undefined
  readonly confirm?: string | undefined
}

/** Refuses what cannot be the same request again, as who made it. */
async function toAsked(
  record: RequestRecord,
  { id, query, headers, body, confirm }: Given,
  context: OperationContext,
): Promise<ReplayAsked> {
  refuseCredentials(headers)
  if (record.proxy === null || record.profile === null || record.client === null)
    throw refuse('replay_refused', {
      detail: `The record ${id} names no proxy or no client, so the request cannot be replayed.`,
    })
  const proxy = await findNamed('proxies', record.proxy, context)
  await context.find('proxies', proxy.id)
  const collection = await findNamed('collections', proxy.parent!, context)
  await findNamed('clients', record.client, context)
  await findNamed('profiles', record.profile, context)
  const changing = SAFE.has(record.method) ? headers.find((line) => OVERRIDE.test(line)) : record.method
  if (changing !== undefined && confirm !== id)
    throw refuse('input_invalid', {
      detail: `${changing} may change data at the upstream. Send confirm: "${id}".`,
      errors: [{ pointer: '/confirm', reason: `must be "${id}"` }],
    })
  if (record.bytes_in > 0 && body === undefined)
    throw refuse('input_invalid', {
      detail: `The recorded request had a body of ${record.bytes_in} bytes, which is not stored. Send body.`,
      errors: [{ pointer: '/body', reason: 'required' }],
    })
  return {
    of: id,
    requestId: context.via.requestId,
    over: context.via.surface,
    user: context.principal.type === 'user' ? context.principal.id : '',
    surface: record.surface,
    tool: record.tool ?? '',
    method: record.method,
    client: record.client,
    profile: record.profile,
    proxy: proxy.id,
    credentialId: record.credential_id ?? '',
    host: (collection.spec['hosts'] as readonly string[])[0] ?? '',
    target: query === '' ? record.path : `${record.path}?${query}`,
    fields: headers.map((line) => `${line}\r\n`).join(''),
    body: body === undefined ? null : ownedText(body),
    ip: context.via.ip ?? '',
  }
}

/** What the record names, as it is now. Refuses with replay_refused when it is gone; nothing of it is shown. */
async function findNamed(type: ResourceType, id: string, { whole }: OperationContext): Promise<Resource> {
  const found = await whole.byId(type, id)
  if (found === undefined)
    throw refuse('replay_refused', { detail: `The ${NOUNS[type]} of the request was deleted.` })
  return found
}

async function makeAgain(asked: ReplayAsked, { replayer }: OperationContext): Promise<ReplayAnswer> {
  let answer: ReplayAnswer | null
  try {
    answer = await replayer.replay(asked)
  } catch (error) {
    throw refuse('not_ready', {
      detail: `The request cannot be replayed now: ${error instanceof Error ? error.message : 'unknown reason'}.`,
    })
  }
  if (answer !== null) return answer
  throw refuse('upstream_timeout', {
    detail: `The replay was given up because no complete response came in time; see the record ${asked.requestId}.`,
  })
}

/** By these the gateway says that the caller is not, or no more, who they were, or would call something else. */
const UNLIKE: Readonly<Partial<Record<RefusalCode, string>>> = {
  identity_rejected: 'the profile was deleted',
  client_inactive: 'the client is inactive, or its valid_until has passed',
  profile_inactive: 'the profile is inactive',
  credential_invalid: 'the credential of its caller is no longer valid',
  credential_expired: 'the credential of its caller has expired',
  route_not_found: 'no published proxy has the path',
}

function refuseUnlike({ code, reason, upstreamStatus }: ReplayAnswer): void {
  // The gateway's own codes; null is no member.
  const why = UNLIKE[code as RefusalCode]
  if (why === undefined || upstreamStatus !== null) return
  throw refuse('replay_refused', {
    detail: `The request cannot be replayed: ${reason === '' ? why : reason}.`,
    members: { replay_code: code },
  })
}

function toOutput(
  record: RequestRecord,
  { of, requestId, method }: ReplayAsked,
  answer: ReplayAnswer,
): z.output<typeof Replayed> {
  const truncated = answer.body.length < answer.bodyBytes
  const text = textOf(answer.body, truncated)
  const now = {
    status: answer.status,
    code: answer.code,
    stopped_at: answer.stoppedAt,
    upstream_status: answer.upstreamStatus,
  }
  return {
    id: of,
    request_id: requestId,
    method,
    path: record.path,
    ...now,
    check: answer.check,
    reason: answer.reason === '' ? null : answer.reason,
    duration_ms: Math.round(answer.durationMs * 1000) / 1000,
    headers: { ...answer.headers },
    body: text ?? Buffer.from(answer.body).toString('base64'),
    body_encoding: text === null ? 'base64' : 'text',
    body_bytes: answer.bodyBytes,
    truncated,
    differs: COMPARED.flatMap((field) =>
      record[field] === now[field] ? [] : [{ field, was: record[field], is: now[field] }],
    ),
  }
}

/** Null for what is no text. @param isCut a character that was cut at the end is left out */
function textOf(bytes: Uint8Array, isCut: boolean): string | null {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes, { stream: isCut })
  } catch {
    return null
  }
}

/** What proves a caller has no place in a question about it. */
export function refuseCredentials(headers: readonly string[]): void {
  const index = headers.findIndex((line) => /^(proxy-)?authorization[\t ]*:/i.test(line))
  if (index === -1) return
  throw refuse('input_invalid', {
    detail: 'Name the caller with client and profile; a credential is not accepted here.',
    errors: [{ pointer: `/headers/${index}`, reason: 'must not be a credential' }],
  })
}

/** Sinks as resources: who may make one, and what a destination needs. */
import { z } from 'zod'
import { permits, UNPLACED } from '../../access/roles.ts'
import { toTime } from '../../base/clock.ts'
import { isSecureUrl } from '../../base/net/address.ts'
import { type FieldError, refuse } from '../../base/refusal.ts'
import { SecretState } from '../../model/api/secret.ts'
import { NOUNS } from '../../model/resource-types.ts'
import { SINK_AUTH, SINK_STREAMS, SinkSpec, SinkStreamView, webhookSecretFault } from '../../model/sink.ts'
import { newStreamState, readSinkState, SINK_STATE, type StreamState } from '../../sinks/port.ts'
import type { Fields, Resource } from '../../store/ports/resource.ts'
import type { OperationContext } from '../engine/context.ts'
import type { Kind } from '../engine/kind.ts'
import { viewSchema } from '../engine/kind-schema.ts'
import { booleanFilter } from '../engine/lists.ts'
import { standardOf, toggleOf } from '../engine/standard.ts'

const AuthView = z.discriminatedUnion('type', [
  z.object({ type: z.literal('none') }),
  z.object({ type: z.literal('webhook_signature'), secret: SecretState }),
])

const currentShape = {
  delivery: z
    .array(SinkStreamView)
    .optional()
    .describe('State of each stream, up to a second old. Shown by get and list'),
}

export const sinkKind: Kind<'sinks'> = {
  type: 'sinks',
  noun: NOUNS.sinks,
  prefix: 'snk',
  group: 'manage_exports',
  about: 'A sink sends request records and audit entries to another system, such as a SIEM.',
  example: {
    name: 'SIEM',
    streams: ['audit'],
    destination: { type: 'webhook', url: 'https://siem.example.com/postern' },
    auth: { type: 'webhook_signature', secret: 'whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz' },
  },
  spec: SinkSpec,
  view: viewSchema(SinkSpec.omit({ auth: true }), { auth: AuthView, ...currentShape }),
  columns: ['slug', 'name', 'destination.type', 'streams', 'active', 'updated_at'],
  sections: {
    info: ['name', 'slug', 'description', 'tags', 'active'],
    content: ['streams', 'filter'],
    destination: ['destination', 'auth'],
  },
  refs: [],
  staged: false,
  filters: { active: booleanFilter },
  check: checkSink,
  secrets: ({ auth }) => (auth.type === 'none' ? [] : ['secret']),
  secretsFor: 'destination',
  secretFault: (_field, text) => webhookSecretFault(text),
  asks: ({ destination }) => {
    if (destination.type === 'webhook') return [{ pointer: '/destination/url', url: destination.url }]
    if (destination.type !== 'syslog') return []
    const { host, port } = destination
    return [{ pointer: '/destination/host', url: `https://${host}:${port}` }]
  },
  current: currentSinks,
}

/** What a sink carries, its owner could read and export without it. */
async function checkSink(
  { streams, destination, auth }: SinkSpec,
  { id }: { readonly id: string },
  context: OperationContext,
): Promise<void> {
  for (const stream of streams)
    for (const verb of ['read', 'export'] as const)
      if (!permits(context.principal, `${stream}:${verb}`, UNPLACED))
        throw refuse('permission_denied', {
          detail: `A sink of the stream ${stream} needs the permission ${stream}:${verb} without a scope.`,
          members: { permission: `${stream}:${verb}` },
        })
  const errors: FieldError[] = []
  const needed = SINK_AUTH[destination.type]
  if (auth.type !== needed)
    errors.push({
      pointer: '/auth/type',
      reason: `must be ${needed} for the destination ${destination.type}`,
    })
  if (destination.type === 'webhook') {
    const url = URL.parse(destination.url)
    if (url === null || !isSecureUrl(url))
      errors.push({ pointer: '/destination/url', reason: 'must be https, or http for this machine' })
    else if (url.username !== '' || url.password !== '')
      errors.push({ pointer: '/destination/url', reason: 'must not contain a user name or password' })
  }
  if (destination.type === 'file') {
    if (!context.sinks.writesFiles)
      errors.push({ pointer: '/destination/type', reason: 'needs the setting POSTERN_SINK_DIR' })
    const others = (await context.whole.all('sinks')).filter((one) => one.id !== id)
    const isTaken = others.some(
      ({ spec: { destination: other } }) => other.type === 'file' && other.file === destination.file,
    )
    if (isTaken) errors.push({ pointer: '/destination/file', reason: 'already used by another sink' })
  }
  const [first] = errors
  if (first !== undefined)
    throw refuse('input_invalid', { detail: `${first.pointer}: ${first.reason}.`, errors })
}

async function currentSinks(
  sinks: readonly Resource<'sinks'>[],
  { reader, clock }: OperationContext,
): Promise<ReadonlyMap<string, Fields>> {
  const states = await reader.statesOf(
    sinks.map(({ id }) => id),
    SINK_STATE,
  )
  const now = clock.now()
  return new Map(
    sinks.map(({ id, spec }) => {
      const { streams } = readSinkState(states.find(({ owner }) => owner === id)?.json)
      const carried = SINK_STREAMS.filter((stream) => spec.streams.includes(stream))
      const delivery = carried.map((stream) => viewOf(stream, streams[stream] ?? newStreamState(now), now))
      return [id, { delivery }]
    }),
  )
}

const timeOf = (ms: number | null): string | null => (ms === null ? null : toTime(ms))

function viewOf(stream: SinkStreamView['stream'], state: StreamState, now: number): SinkStreamView {
  return {
    stream,
    sent: state.sent,
    dropped: state.dropped,
    missed_until: timeOf(state.missedUntil),
    lag_ms: state.waitingSince === null ? 0 : Math.max(0, Math.round(now - state.waitingSince)),
    last_sent_at: timeOf(state.lastSentAt),
    last_error: state.lastError,
    last_error_at: timeOf(state.lastErrorAt),
  }
}

export const sinkOperations = { ...standardOf(sinkKind), toggle: toggleOf(sinkKind) }

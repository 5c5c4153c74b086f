/** Operations of sinks that send: a test event, and what was sent before. */
import { z } from 'zod'
import { toTime } from '../../base/clock.ts'
import { refuse } from '../../base/refusal.ts'
import { Ref, Time } from '../../model/members.ts'
import { SINK_STREAMS, SinkTest } from '../../model/sink.ts'
import { newStreamState, readSinkState, SINK_STATE, type SinkState } from '../../sinks/port.ts'
import { about, define } from '../engine/define.ts'
import { sinkKind } from './kind.ts'

export const testSink = define({
  resource: 'sinks',
  action: 'test',
  effect: 'act',
  without: ['dry_run'],
  tool: 'test_sink',
  group: sinkKind.group,
  summary: 'Send a test event to a sink',
  input: z.strictObject({ id: Ref }),
  output: z.object({ id: z.string(), slug: z.string(), ...SinkTest.shape }),
  permission: 'sinks:test',
  refuses: ['not_found', 'revision_conflict', 'idempotency_conflict'],
  idempotent: true,
  columns: ['slug', 'ok', 'summary', 'latency_ms'],
  fails: ({ ok }) => !ok,
  ...about(sinkKind),
  prepare: async (input, context) => {
    const sink = await context.find('sinks', input.id)
    return { id: sink.id, slug: sink.slug, ...(await context.sinks.test(sink)) }
  },
  handle: async (tested, { change }) => {
    await change.act('sinks', tested.id)
    change.finding = tested.summary
    return tested
  },
})

export const replaySink = define({
  resource: 'sinks',
  action: 'replay',
  effect: 'act',
  tool: 'replay_sink',
  group: sinkKind.group,
  summary: 'Send everything since a time again, in order and with the same ids',
  input: z.strictObject({
    id: Ref,
    from: Time.describe('Start, inclusive'),
    streams: z
      .array(z.enum(SINK_STREAMS))
      .min(1)
      .max(SINK_STREAMS.length)
      .optional()
      .describe('Default: all streams of the sink'),
  }),
  output: z.object({
    id: z.string(),
    slug: z.string(),
    from: z.string(),
    streams: z.array(z.enum(SINK_STREAMS)),
  }),
  permission: 'sinks:update',
  refuses: ['not_found', 'revision_conflict', 'idempotency_conflict'],
  idempotent: true,
  columns: ['slug', 'from', 'streams'],
  ...about(sinkKind),
  handle: async ({ id, from, streams }, context) => {
    const since = Date.parse(from)
    if (since > context.clock.now())
      throw refuse('input_invalid', {
        detail: 'from is in the future.',
        errors: [{ pointer: '/from', reason: 'must not be in the future' }],
      })
    const { change } = context
    const sink = await change.act('sinks', id)
    const asked = streams ?? sink.spec.streams
    const missing = asked.find((stream) => !sink.spec.streams.includes(stream))
    if (missing !== undefined)
      throw refuse('input_invalid', {
        detail: `The sink does not carry the stream ${missing}.`,
        errors: [{ pointer: '/streams', reason: `must be among ${sink.spec.streams.join(', ')}` }],
      })
    const kept = readSinkState((await change.writer.statesOf([sink.id], SINK_STATE))[0]?.json)
    const reset = asked.map((stream) => {
      const before = kept.streams[stream] ?? newStreamState(since)
      return [stream, { ...before, position: { since } }] as const
    })
    const next: SinkState = {
      generation: kept.generation + 1,
      streams: { ...kept.streams, ...Object.fromEntries(reset) },
    }
    await change.writer.putState(sink.id, SINK_STATE, JSON.stringify(next))
    return { id: sink.id, slug: sink.slug, from: toTime(since), streams: [...asked] }
  },
})

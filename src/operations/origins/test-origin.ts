import { z } from 'zod'
import { type OriginProbed, ProbeStep } from '../../model/mcp/origin.ts'
import { Ref } from '../../model/members.ts'
import type { Fields } from '../../store/ports/resource.ts'
import { about, define } from '../engine/define.ts'
import { reasonOf } from './attempt.ts'
import { countsOf, countsText } from './found.ts'
import { Counts, originKind, VerdictView } from './kind.ts'
import { keepAttempt, probed } from './probe.ts'

/** What a probe came to, as callers read it. */
export const ProbeView = {
  ok: z.boolean(),
  summary: z.string(),
  steps: z.array(ProbeStep).describe('Requests to the server, in order'),
  protocol: VerdictView.nullable().describe('Protocol of the server; null if it was not detected'),
  capabilities: Counts.nullable(),
  warnings: z.array(z.string()).describe('Items that were left out of the catalogue'),
}

/** A probe as {@link ProbeView}. @param spec of the origin */
export function probeView(came: OriginProbed, spec: Fields) {
  const { steps, found } = came
  if (found === null)
    return {
      ok: false,
      summary: reasonOf(came, spec),
      steps: [...steps],
      protocol: null,
      capabilities: null,
      warnings: [],
    }
  const { era, version, transport, server, at } = found.verdict
  const counts = countsOf(found.catalogue)
  return {
    ok: true,
    summary: `The server speaks ${version}${transport === 'http_sse' ? ' over HTTP+SSE' : ''} and lists ${countsText(counts)}.`,
    steps: [...steps],
    protocol: { era, version, transport, server, found_at: at },
    capabilities: counts,
    warnings: [...found.warnings],
  }
}

/** How people are shown a {@link ProbeView}. */
export const probeShown = {
  columns: ['ok', 'summary'],
  tables: { steps: ['step', 'ok', 'latency_ms', 'status', 'error'] },
}

export const testOrigin = define({
  resource: 'origins',
  action: 'test',
  effect: 'act',
  without: ['dry_run'],
  tool: 'test_origin',
  group: originKind.group,
  summary: 'Probe an origin: show its protocol and its capabilities; changes nothing',
  input: z.strictObject({ id: Ref }),
  output: z.object({ id: z.string(), slug: z.string(), ...ProbeView }),
  permission: 'origins:test',
  refuses: ['not_found', 'configuration_invalid', 'revision_conflict', 'idempotency_conflict', 'not_ready'],
  idempotent: true,
  ...probeShown,
  fails: ({ ok }) => !ok,
  ...about(originKind),
  prepare: async (input, context) => {
    const { id, slug, spec } = await context.find('origins', input.id)
    return { id, slug, spec, came: await probed({ id, slug, spec }, context) }
  },
  handle: async ({ id, slug, spec, came }, context) => {
    const origin = await context.change.act('origins', id)
    await keepAttempt(origin, came, context)
    const view = probeView(came, spec)
    context.change.finding = view.summary
    return { id, slug, ...view }
  },
})

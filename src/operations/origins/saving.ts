import { z } from 'zod'
import { newId } from '../../base/ids.ts'
import { refuse } from '../../base/refusal.ts'
import type { Fields, Resource } from '../../store/ports/resource.ts'
import type { OperationContext } from '../engine/context.ts'
import type { Operation } from '../engine/define.ts'
import type { Kind } from '../engine/kind.ts'
import { findForPut, patchedSpec, settle } from '../engine/write-resource.ts'
import { attemptsOf, probedKeyOf } from './attempt.ts'
import { keepFound } from './found.ts'
import { keepAttempt } from './keep.ts'
import { probed, refuseUnreachable } from './probe.ts'

const input = {
  probe: z
    .boolean()
    .optional()
    .describe(
      'Ask the server before saving, and refuse to save where it does not answer (default). false: save, and read the catalogue later',
    ),
}

/**
 * A create, update or put of origins that asks the server before it saves: where URL, credential, TLS or entry are new, or nothing is known of
 * it. Rules and permissions, the right to send a credential there too, are checked before anything is sent.
 */
export function probing(operation: Operation, kind: Kind): Operation {
  return {
    ...operation,
    input: operation.input.extend(input),
    refuses: [...operation.refuses, 'not_ready'],
    async prepare({ probe, ...given }, context) {
      const isAsked = probe !== false && context.options.dryRun !== true
      const wanted = isAsked ? await wantedBy(operation, kind, given, context) : null
      if (wanted === null) return { given }
      const came = await probed(wanted, context)
      refuseUnreachable(came, wanted.spec)
      return { given, came, of: probedKeyOf(wanted.spec), id: wanted.id }
    },
    async handle(prepared, context) {
      // As prepare has given it
      const { given, came, of, id } = prepared as {
        readonly given: Fields
        readonly id?: string
        readonly came?: Awaited<ReturnType<typeof probed>>
        readonly of?: string
      }
      // A runner that was asked with this id keeps the program that it has started
      if (operation.action === 'create' && id !== undefined) context.change.giveId(id)
      const output = await operation.handle(given, context)
      if (came === undefined || came.found === null) return output
      const origin = (await context.whole.byId(kind.type, String(output['id'])))!
      if (probedKeyOf(origin.spec) !== of)
        throw refuse('revision_conflict', {
          detail: `The origin "${origin.slug}" was changed while it was asked. Try again.`,
          members: { revision: origin.revision },
        })
      context.change.finding = await keepFound(origin, came.found, context)
      await keepAttempt(origin, came, context)
      const { revision, updated_at, updated_by } = (await context.whole.byId(kind.type, origin.id))!
      return { ...output, revision, updated_at, updated_by, ...withWarnings(output, came.found.warnings) }
    },
  }
}

function withWarnings(output: Fields, more: readonly string[]): Fields {
  if (more.length === 0) return {}
  const warnings = (output['warnings'] ?? []) as readonly unknown[]
  return {
    warnings: [
      ...warnings,
      ...more.map((reason) => ({ pointer: output['kind'] === 'stdio' ? '/entry' : '/url', reason })),
    ],
  }
}

/** The origin as it would be stored, where its server is to be asked before that; else null. */
async function wantedBy(
  { action }: Operation,
  kind: Kind,
  given: Fields,
  context: OperationContext,
): Promise<{ readonly id: string; readonly slug: string; readonly spec: Fields } | null> {
  const before = await existing(action, kind, given, context)
  const { expectedRevision } = context.options
  // The handler refuses it
  if (before !== null && expectedRevision !== undefined && expectedRevision !== before.revision) return null
  const { id: _id, ...members } = given
  const wanted =
    before === null || action === 'put' ? members : await patchedSpec(context, kind, before, members)
  const whole = action === 'put' ? { active: before?.spec['active'] ?? true, ...wanted } : wanted
  const { fields: spec } = await settle(context, kind, whole, before?.id ?? '', before)
  // Nobody has connected an account yet: the catalogue is read when somebody has
  const needsAccount = spec.auth_mode !== 'static'
  if (spec['kind'] === 'collection' || spec['active'] === false || needsAccount) return null
  if (before !== null && (await isKnown(before, spec, context))) return null
  return {
    id: before?.id ?? newId(kind.prefix, context.clock),
    slug: before?.slug ?? String(given['slug'] ?? ''),
    spec,
  }
}

async function existing(
  action: string,
  kind: Kind,
  given: Fields,
  context: OperationContext,
): Promise<Resource | null> {
  if (action === 'create') return null
  const ref = String(given['id'])
  if (action === 'update') return context.find(kind.type, ref)
  const { id: _id, ...members } = given
  const known = await findForPut(context, kind, ref, members)
  return known === undefined ? null : context.find(kind.type, known.id)
}

/** Its server was asked before, in the way in which it is spoken to now. */
async function isKnown(before: Resource, spec: Fields, { whole }: OperationContext): Promise<boolean> {
  const attempt = (await attemptsOf(whole, [before.id])).get(before.id)
  return attempt?.error === null && attempt.of === probedKeyOf(spec)
}

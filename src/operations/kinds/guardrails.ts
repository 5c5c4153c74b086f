import { randomBytes } from 'node:crypto'
import { type Refusal, refuse } from '../../base/refusal.ts'
import { HASH_KEY } from '../../guardrails/names.ts'
import { GuardrailSpec, guardrailFaults } from '../../model/api/guardrail.ts'
import { NOUNS } from '../../model/resource-types.ts'
import { createSchemaJudges } from '../../snapshot/schema/judge.ts'
import type { Resource } from '../../store/ports/resource.ts'
import type { OperationContext } from '../engine/context.ts'
import type { Kind } from '../engine/kind.ts'
import { viewSchema } from '../engine/kind-schema.ts'
import { booleanFilter } from '../engine/lists.ts'
import { standardOf, toggleOf } from '../engine/standard.ts'
import { warnOfSockets } from '../guardrails/web-sockets.ts'

export const guardrailKind: Kind<'guardrails'> = {
  type: 'guardrails',
  noun: NOUNS.guardrails,
  prefix: 'gdr',
  group: 'manage_guardrails',
  spec: GuardrailSpec,
  view: viewSchema(GuardrailSpec),
  columns: ['slug', 'name', 'order', 'detector.type', 'action', 'mode', 'active', 'updated_at'],
  sections: {
    info: ['name', 'slug', 'description', 'order', 'active'],
    scope: ['scope', 'legs'],
    detector: ['detector', 'max_body', 'compressed'],
    action: ['action', 'text', 'mode', 'failure_mode'],
  },
  parent: null,
  refs: [
    { field: 'collections', type: 'collections', many: true, within: 'scope', isInner: true },
    { field: 'proxies', type: 'proxies', many: true, within: 'scope', isInner: true },
    { field: 'virtual_mcps', type: 'virtual_mcps', many: true, within: 'scope', isInner: true },
    { field: 'origins', type: 'origins', many: true, within: 'scope', isInner: true },
    { field: 'credential', type: 'credentials', within: 'detector', isInner: true },
  ],
  asks: ({ detector }) => [{ pointer: '/detector/url', url: (detector as Detector).url }],
  uses: ({ detector }) => usedBy(detector as Detector),
  staged: false,
  filters: { active: booleanFilter },
  check: async (fields, _self, context) => {
    const spec = GuardrailSpec.parse(fields)
    checkMembers(spec)
    await checkCredential(spec.detector, context)
  },
  stored: makeKey,
  warn: warnOfSockets,
}

const KEY_BYTES = 32

/** The key of its hashes is made once, and shown nowhere. */
async function makeKey(
  guardrail: Resource,
  _before: Resource | null,
  context: OperationContext,
): Promise<void> {
  if (guardrail.spec['action'] !== 'hash') return
  const { secrets } = context.change
  if ((await secrets.open(guardrail, HASH_KEY)) !== undefined) return
  await secrets.set(guardrail, HASH_KEY, randomBytes(KEY_BYTES).toString('base64url'), 'none')
}

type Detector = GuardrailSpec['detector']

/** The credential of a webhook, with what it is shown to. */
function usedBy({ credential, url, format }: Detector): ReturnType<NonNullable<Kind['uses']>> {
  return credential == null ? [] : [{ credential, to: [url, format] }]
}

/** Types that are sent as one header. */
const SENT = ['bearer', 'api_key', 'basic']

/** The credential of a webhook can be sent, or can sign. */
export async function checkCredential(
  { credential: id, format }: Detector,
  context: OperationContext,
): Promise<void> {
  const credential = id == null ? undefined : await context.whole.byId('credentials', id)
  if (credential === undefined) return
  const { type, in: place } = credential.spec['auth'] as { readonly type: string; readonly in?: string }
  const types = format === 'signed' ? ['bearer'] : SENT
  if (types.includes(type) && place !== 'query') return
  throw refused([['detector/credential', `has to be of type ${types.join(', ')}, and not in the query`]])
}

/** Members that do not fit together, and a schema that cannot be used. */
export function checkMembers(spec: Parameters<typeof guardrailFaults>[0]): void {
  const faults = [...guardrailFaults(spec), ...schemaFaults(spec.detector)]
  if (faults.length > 0) throw refused(faults)
}

function* schemaFaults({ schema }: Detector): Generator<readonly [string, string]> {
  if (schema === undefined) return
  try {
    createSchemaJudges({}, false).of(schema, 'request')
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
    yield ['detector/schema', error.message]
  }
}

function refused(faults: readonly (readonly [string, string])[]): Refusal {
  const errors = faults.map(([member, reason]) => ({ pointer: `/${member}`, reason }))
  const [first] = errors
  return refuse('input_invalid', { detail: `${first!.pointer}: ${first!.reason}.`, errors })
}

export const guardrailOperations = { ...standardOf(guardrailKind), toggle: toggleOf(guardrailKind) }

import { randomBytes } from 'node:crypto'
import { refuse } from '../../base/refusal.ts'
import { HASH_KEY } from '../../guardrails/names.ts'
import { GuardrailSpec, guardrailFaults } from '../../model/guardrail.ts'
import { NOUNS } from '../../model/resource-types.ts'
import type { Resource } from '../../store/ports/resource.ts'
import type { OperationContext } from '../engine/context.ts'
import type { Kind } from '../engine/kind.ts'
import { viewSchema } from '../engine/kind-schema.ts'
import { booleanFilter } from '../engine/lists.ts'
import { standardOf, toggleOf } from '../engine/standard.ts'

export const guardrailKind: Kind = {
  type: 'guardrails',
  noun: NOUNS.guardrails,
  prefix: 'gdr',
  group: 'manage_guardrails',
  spec: GuardrailSpec,
  view: viewSchema(GuardrailSpec),
  columns: ['slug', 'name', 'order', 'detector.type', 'action', 'mode', 'active', 'updated_at'],
  parent: null,
  refs: [
    { field: 'collections', type: 'collections', many: true, within: 'scope', isInner: true },
    { field: 'proxies', type: 'proxies', many: true, within: 'scope', isInner: true },
    { field: 'virtual_mcps', type: 'virtual_mcps', many: true, within: 'scope', isInner: true },
    { field: 'origins', type: 'origins', many: true, within: 'scope', isInner: true },
  ],
  staged: false,
  filters: { active: booleanFilter },
  check: async (spec) => checkMembers(GuardrailSpec.parse(spec)),
  stored: makeKey,
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

/** Members that do not fit together. */
export function checkMembers(spec: Pick<GuardrailSpec, 'action' | 'text' | 'detector'>): void {
  const errors = [...guardrailFaults(spec)].map(([member, reason]) => ({ pointer: `/${member}`, reason }))
  const [first] = errors
  if (first !== undefined)
    throw refuse('input_invalid', { detail: `${first.pointer}: ${first.reason}.`, errors })
}

export const guardrailOperations = { ...standardOf(guardrailKind), toggle: toggleOf(guardrailKind) }

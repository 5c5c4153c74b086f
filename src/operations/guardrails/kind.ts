/** WebSockets that guardrails refuse: what goes over one cannot be looked at. */
import { randomBytes } from 'node:crypto'
import { type Refusal, refuse } from '../../base/refusal.ts'
import { HASH_KEY } from '../../guardrails/rule.ts'
import { GuardrailSpec, guardrailFaults } from '../../model/api/guardrail.ts'
import { NOUNS } from '../../model/resource-types.ts'
import { createSchemaJudges } from '../../snapshot/schema/judge.ts'
import type { Resource } from '../../store/ports/resource.ts'
import type { OperationContext } from '../engine/context.ts'
import type { Kind, Warning } from '../engine/kind.ts'
import { viewSchema } from '../engine/kind-schema.ts'
import { booleanFilter } from '../engine/lists.ts'
import { calledBy } from '../engine/refs.ts'
import { standardOf, toggleOf } from '../engine/standard.ts'

export const guardrailKind: Kind<'guardrails'> = {
  type: 'guardrails',
  noun: NOUNS.guardrails,
  prefix: 'gdr',
  group: 'manage_guardrails',
  about: 'A guardrail finds personal data, secrets and injected instructions in requests and responses.',
  tools: 'Guardrails: content rules that block, change or count what calls contain.',
  example: {
    name: 'Mask cards',
    scope: { collections: ['orders'] },
    detector: { type: 'pii', kinds: ['card'] },
    action: 'mask',
  },
  spec: GuardrailSpec,
  view: viewSchema(GuardrailSpec),
  columns: ['slug', 'name', 'order', 'detector.type', 'action', 'mode', 'active', 'updated_at'],
  sections: {
    info: ['name', 'slug', 'description', 'order', 'active'],
    scope: ['scope', 'legs'],
    detector: ['detector', 'max_body', 'compressed'],
    action: ['action', 'text', 'mode', 'failure_mode'],
  },
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
  throw refused([['detector/credential', `must be of type ${types.join(', ')}, and not in the query`]])
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

const LIST_MAX = 500
const NAMED_MAX = 20

type Scope = Readonly<Record<'collections' | 'proxies', readonly string[]>> & { readonly everywhere: boolean }

/** True for a guardrail that lets no WebSocket open where it applies. */
function closes({ spec }: Resource): boolean {
  const { active, mode, failure_mode, legs } = spec
  const isOfCalls = (legs as readonly string[]).some((leg) => leg !== 'list')
  return active === true && mode === 'enforce' && failure_mode === 'block' && isOfCalls
}

function covers({ spec }: Resource, { id, parent }: Pick<Resource, 'id' | 'parent'>): boolean {
  const { everywhere, collections, proxies } = spec['scope'] as Scope
  return everywhere || proxies.includes(id) || (parent !== null && collections.includes(parent))
}

/** That a guardrail refuses the WebSockets of proxies in its scope. */
async function warnOfSockets(guardrail: Resource, context: OperationContext): Promise<Warning[]> {
  if (!closes(guardrail)) return []
  const query = { type: 'proxies', limit: LIST_MAX, where: { kind: 'websocket' } } as const
  const refused = (await context.reader.list(query)).filter((proxy) => covers(guardrail, proxy))
  if (refused.length === 0) return []
  const names = await Promise.all(refused.slice(0, NAMED_MAX).map((proxy) => calledBy(context.reader, proxy)))
  const others = refused.length > names.length ? ' and others' : ''
  const reason = `WebSockets of ${names.join(', ')}${others} are refused, because guardrails cannot check their messages. With failure_mode pass, they open`
  return [{ pointer: '/scope', reason }]
}

/** That the WebSockets of a proxy of kind `websocket` are refused by guardrails. */
export async function warnOfGuardrails(proxy: Resource, context: OperationContext): Promise<Warning[]> {
  const closing = (await context.whole.all('guardrails')).filter(
    (guardrail) => closes(guardrail) && covers(guardrail, proxy),
  )
  if (closing.length === 0) return []
  const names = closing.slice(0, NAMED_MAX).map(({ slug }) => `"${slug}"`)
  const reason = `its WebSockets are refused, because these guardrails cannot check their messages: ${names.join(', ')}. With failure_mode pass, they open`
  return [{ pointer: '/kind', reason }]
}

/** WebSockets that guardrails refuse: what goes over one cannot be looked at. */
import type { Resource } from '../../store/ports/resource.ts'
import type { OperationContext } from '../engine/context.ts'
import type { Warning } from '../engine/kind.ts'
import { calledBy } from '../engine/refs.ts'

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
export async function warnOfSockets(guardrail: Resource, context: OperationContext): Promise<Warning[]> {
  if (!closes(guardrail)) return []
  const query = { type: 'proxies', limit: LIST_MAX, where: { kind: 'websocket' } } as const
  const refused = (await context.reader.list(query)).filter((proxy) => covers(guardrail, proxy))
  if (refused.length === 0) return []
  const names = await Promise.all(refused.slice(0, NAMED_MAX).map((proxy) => calledBy(context.reader, proxy)))
  const others = refused.length > names.length ? ' and others' : ''
  const reason = `WebSockets of ${names.join(', ')}${others} are refused, since nothing looks at their messages; with failure_mode pass they open`
  return [{ pointer: '/scope', reason }]
}

/** That the WebSockets of a proxy of kind `websocket` are refused by guardrails. */
export async function warnOfGuardrails(proxy: Resource, context: OperationContext): Promise<Warning[]> {
  const closing = (await context.whole.all('guardrails')).filter(
    (guardrail) => closes(guardrail) && covers(guardrail, proxy),
  )
  if (closing.length === 0) return []
  const names = closing.slice(0, NAMED_MAX).map(({ slug }) => `"${slug}"`)
  const reason = `its WebSockets are refused by guardrails, which cannot look at their messages: ${names.join(', ')}; with failure_mode pass they open`
  return [{ pointer: '/kind', reason }]
}

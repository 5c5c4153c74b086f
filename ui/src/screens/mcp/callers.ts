/** Who may call a virtual MCP, from lists that the person may see. */

/** What sharing lets in. */
interface Sharing {
  readonly everyone: boolean
  /** Slugs of teams. */
  readonly teams: readonly string[]
}

/** @param value as `virtual_mcps.get` answers it */
export function sharingOf(value: Readonly<Record<string, unknown>>): Sharing {
  const teams = Array.isArray(value['teams']) ? value['teams'].filter((team) => typeof team === 'string') : []
  return { everyone: value['all_users'] === true, teams }
}

interface Client {
  readonly active: boolean
  readonly valid_until: string | null
  readonly virtual_mcps: readonly string[]
}

/** The clients that the virtual MCP is assigned to. */
export function assigned<C extends Client>(clients: readonly C[], slug: string): readonly C[] {
  return clients.filter(({ virtual_mcps }) => virtual_mcps.includes(slug))
}

/** Why a client that has the virtual MCP may not call; null if it may. @param now milliseconds */
export function clientHindrance({ active, valid_until }: Client, now: number): string | null {
  if (!active) return 'inactive'
  return valid_until !== null && Date.parse(valid_until) <= now ? 'expired' : null
}

interface Binding {
  readonly virtual_mcp: string
  readonly active: boolean
  readonly keys: readonly { readonly retires_at?: string | null }[]
  readonly token_state?: string
}

/** The bindings whose tokens open the virtual MCP. */
export function opening<B extends Binding>(bindings: readonly B[], slug: string): readonly B[] {
  return bindings.filter(({ virtual_mcp }) => virtual_mcp === slug)
}

/** Why the agent of a binding may not call; null if it may. @param now milliseconds */
export function bindingHindrance({ active, keys, token_state }: Binding, now: number): string | null {
  if (!active) return 'inactive'
  const isLive = keys.some(({ retires_at }) => retires_at == null || Date.parse(retires_at) > now)
  if (isLive || token_state === 'valid' || token_state === 'expiring_soon') return null
  return 'no valid token'
}

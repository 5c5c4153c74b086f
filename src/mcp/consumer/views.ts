/** How `/mcp` shows endpoints to a caller: by a few tools for all of them, or each as a tool, prompt or resource of its own. */
import type { Caller } from '../../gateway/port.ts'

/** What `?view=` may say. */
export const VIEWS = ['compact', 'expanded', 'auto'] as const
export type View = (typeof VIEWS)[number]

/** Tools up to which `auto` expands. */
export const EXPANDED_TOOLS_MAX = 40

/** The view that a request asks for by `?view=`, else that of the profile; null for an unknown one. */
export function viewOf({ profile }: Caller, query: string): View | null {
  const asked = query === '' ? null : new URLSearchParams(query).get('view')
  if (asked === null) return profile.mcp_view ?? 'compact'
  return VIEWS.find((view) => view === asked) ?? null
}

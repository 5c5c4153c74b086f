import { connectionsPart } from './connections-part.ts'
import { bindingsPart, personalTokensPart, signInsPart } from './credential-parts.ts'
import { grantsPart } from './grants-part.ts'
import type { Part } from './part.ts'
import { agentsPart, profilesPart, teamsPart, virtualMcpsPart } from './shared-parts.ts'

/**
 * All that a user holds. What a user can hold besides is added here: `users.reach` and `users.offboard` follow. Offboarding ends the
 * parts in this order.
 */
export const PARTS: readonly Part[] = [
  virtualMcpsPart,
  profilesPart,
  teamsPart,
  bindingsPart,
  agentsPart,
  grantsPart,
  personalTokensPart,
  connectionsPart,
  signInsPart,
]

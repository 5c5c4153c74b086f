import type { SignInProof } from '../../model/access/caller.ts'

/** Sign-ins of people at MCP endpoints, as one thread knows them. */
export interface SignIns {
  /** Issuer of the tokens: Postern's own authorization server. */
  readonly issuer: string
  /** Has a token verified for the resource of a path. Never rejects. @param source of the request: sources share the capacity */
  prove(token: string, resource: `/mcp${string}`, source: string): Promise<SignInProof>
  /** True for a grant that was revoked while tokens of it may still live. */
  hasEnded(grant: string): boolean
  /** Another number than before: some grant was revoked that {@link hasEnded} does not know, and what was proved before counts no longer. */
  epoch(): number
}

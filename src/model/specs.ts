import type { GrantSpec, RoleSpec, ServiceIdentitySpec, TeamSpec, TrustRuleSpec, UserSpec } from './access.ts'
import type { ClientSpec } from './client.ts'
import type { CollectionSpec } from './collection.ts'
import type { CredentialSpec } from './credential.ts'
import type { GuardrailSpec } from './guardrail.ts'
import type { BindingSpec, HostSpec } from './host.ts'
import type { OriginSpec } from './origin.ts'
import type { PolicySpec } from './policy.ts'
import type { ProfileSpec } from './profile.ts'
import type { ProxySpec } from './proxy.ts'
import type { ResourceType } from './resource-types.ts'
import type { VirtualMcpSpec } from './virtual-mcp.ts'
import type { WorkflowSpec } from './workflow.ts'

/** The members of something, of which no more is known. */
export type Fields = Readonly<Record<string, unknown>>

/** The spec of each type of resource. */
interface Specs {
  readonly collections: CollectionSpec
  readonly proxies: ProxySpec
  readonly workflows: WorkflowSpec
  readonly clients: ClientSpec
  readonly profiles: ProfileSpec
  readonly policies: PolicySpec
  readonly credentials: CredentialSpec
  readonly origins: OriginSpec
  readonly virtual_mcps: VirtualMcpSpec
  readonly guardrails: GuardrailSpec
  readonly roles: RoleSpec
  readonly users: UserSpec
  readonly teams: TeamSpec
  readonly service_identities: ServiceIdentitySpec
  readonly grants: GrantSpec
  readonly trust_rules: TrustRuleSpec
  readonly hosts: HostSpec
  readonly bindings: BindingSpec
}

/** The spec of a resource of type `T`; {@link Fields} where that can be any type. */
export type SpecOf<T extends ResourceType> = ResourceType extends T ? Fields : Specs[T]
